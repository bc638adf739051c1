"""What the worker does for webhooks."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from integrations.outgoing import sending
from integrations.outgoing.models import WebhookMessage
from workflows import worker
from workflows.schedule import every

BATCH = 1000

worker.also(sending.background.work, finish=sending.background.finish)


@every(timedelta(hours=1))
def prune_webhooks() -> None:
    """Forget messages after `WEBHOOKS_KEEP_DAYS`, with their deliveries: what could not be sent
    until then too."""
    until = timezone.now() - timedelta(days=settings.WEBHOOKS_KEEP_DAYS)
    rows = WebhookMessage.objects.across_organisations()
    old = rows.filter(created_at__lt=until).order_by("created_at")
    while pks := list(old.values_list("pk", flat=True)[:BATCH]):
        rows.filter(pk__in=pks).delete()
