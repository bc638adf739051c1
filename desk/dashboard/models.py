"""Figures of the dashboard, kept so that the page opens at once."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from organisations.models import TenantModel


class DashboardSnapshot(TenantModel):
    """What was found for a period (`periods.Period.key`), or for `STANDING`: what has no period.

    `figures` is what `desk.dashboard.figures` makes: numbers and ids, never what somebody is
    called; null before the first time. `seconds` is how long that took. `due_at` is set while a
    newer one is wanted.
    """

    period = models.CharField(max_length=30)
    figures = models.JSONField(null=True)
    computed_at = models.DateTimeField(null=True)
    seconds = models.FloatField(default=0)
    due_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "period"], name="dashboard_snapshot_once"
            )
        ]
        indexes = [
            # What a worker has to compute next.
            models.Index(
                fields=["due_at"], name="dashboard_snapshot_due", condition=Q(due_at__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.period}"
