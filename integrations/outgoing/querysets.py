"""Reading endpoints and deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db.models import Exists, OuterRef, Q

from organisations.querysets import TenantQuerySet

if TYPE_CHECKING:
    from integrations.outgoing.models import WebhookDelivery, WebhookEndpoint  # noqa: F401

IN_ORDER = 3
"""So many tries of a message are waited for by the later ones of the same contact: now, after five
seconds, after five minutes."""


class EndpointQuerySet(TenantQuerySet["WebhookEndpoint"]):
    """Endpoints, always of a named organisation."""

    def listening(self) -> Self:
        """Those for whom messages are kept. What a paused one misses is sent when it goes on."""
        return self.exclude(status="disabled")

    def ready(self, now: datetime) -> Self:
        """Those that may be called now."""
        return self.filter(Q(rests_until=None) | Q(rests_until__lte=now), status="active")


class WebhookDeliveryQuerySet(TenantQuerySet["WebhookDelivery"]):
    """Deliveries, always of a named organisation."""

    def due(self, now: datetime) -> Self:
        """Those that have waited long enough and that nobody is sending."""
        return self.filter(Q(leased_until=None) | Q(leased_until__lte=now), due_at__lte=now)

    def in_turn(self, now: datetime) -> Self:
        """Those that need not wait for an earlier message about the same contact."""
        earlier = self.model._default_manager.across_organisations().filter(
            Q(tries__lt=IN_ORDER) | Q(due_at__lte=now),
            endpoint=OuterRef("endpoint"),
            contact_id=OuterRef("contact_id"),
            message__lt=OuterRef("message"),
            due_at__isnull=False,
        )
        return self.filter(~Exists(earlier))
