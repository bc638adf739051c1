"""What the worker does for integrations beside applying deliveries."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from integrations import applying, polling
from integrations.models import Delivery
from workflows import worker
from workflows.schedule import every

BATCH = 1000

worker.also(applying.work)
worker.also(polling.work)


@every(timedelta(hours=1))
def prune_deliveries() -> None:
    """Forget deliveries after `INBOX_KEEP_DAYS`, save those that still have to be applied."""
    until = timezone.now() - timedelta(days=settings.INBOX_KEEP_DAYS)
    rows = Delivery.objects.across_organisations()
    old = rows.filter(received_at__lt=until, due_at=None)
    while pks := list(old.order_by("received_at").values_list("pk", flat=True)[:BATCH]):
        rows.filter(pk__in=pks).delete()
