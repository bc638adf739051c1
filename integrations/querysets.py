"""Reading deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db.models import Q
from django.db.models.constants import OnConflict
from django.db.models.expressions import RawSQL

from organisations.querysets import TenantQuerySet

if TYPE_CHECKING:
    from integrations.models import Delivery


class DeliveryQuerySet(TenantQuerySet["Delivery"]):
    """Deliveries, always of a named organisation."""

    def receive(self, delivery: Delivery) -> None:
        """Store a delivery unless it is there already. One insert, and no transaction around it."""
        fields = [field for field in self.model._meta.concrete_fields if not field.primary_key]
        self._insert(  # type: ignore[attr-defined]
            [delivery], fields=fields, using=self.db, on_conflict=OnConflict.IGNORE
        )

    def of_status(self, status: str) -> Self:
        """Those of this status; of one of `OPEN`, through the index of what is open.

        Its condition is written out: SQLite knows it by values that it can read, not by parameters.
        """
        from integrations.models import OPEN

        rows = self.filter(status=status)
        if status not in OPEN:
            return rows
        return rows.filter(status__in=[RawSQL(f"'{one}'", []) for one in OPEN])  # noqa: S611  # ours

    def claimable(self, now: datetime) -> Self:
        """Those that a worker may take now, if their connection is not paused."""
        unleased = Q(leased_until=None) | Q(leased_until__lte=now)
        return self.filter(unleased, due_at__lte=now)
