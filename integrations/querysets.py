"""Reading deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db.models import Q

from organisations.querysets import TenantQuerySet

if TYPE_CHECKING:
    from integrations.models import Delivery  # noqa: F401


class DeliveryQuerySet(TenantQuerySet["Delivery"]):
    """Deliveries, always of a named organisation."""

    def claimable(self, now: datetime) -> Self:
        """Those that a worker may take now, if their connection is not paused."""
        unleased = Q(leased_until=None) | Q(leased_until__lte=now)
        return self.filter(unleased, due_at__lte=now)
