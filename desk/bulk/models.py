"""What is done to many contacts at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from organisations.models import TenantModel

LEASE = timedelta(seconds=60)
"""So long a worker may be silent before another goes on with its job."""


class BulkJob(TenantModel):
    """One thing done to many contacts: tagging, untagging, setting a custom field.

    Its contacts are `BulkItem`s, done in batches, each in a transaction of its own with the counts
    here: a job that was killed goes on where it stopped. `Undoing` goes through those that changed.
    """

    class Status(models.TextChoices):
        RUNNING = "running", _("Running")
        STOPPED = "stopped", _("Stopped")
        COMPLETED = "completed", _("Completed")
        UNDOING = "undoing", _("Being undone")
        UNDONE = "undone", _("Undone")

    action = models.CharField(max_length=20, editable=False)
    """The key of a `desk.bulk.actions.Action`."""
    told = models.JSONField(default=dict, editable=False)
    """What the action was told, such as the name of a tag."""
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.RUNNING
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    by_name = models.CharField(_("by"), max_length=255, blank=True, default="")
    total = models.PositiveBigIntegerField(_("contacts"), default=0)
    done = models.PositiveBigIntegerField(_("done"), default=0)
    changed = models.PositiveBigIntegerField(_("changed"), default=0)
    failed = models.PositiveBigIntegerField(_("failed"), default=0)
    undone = models.PositiveBigIntegerField(_("undone"), default=0)
    kept = models.PositiveBigIntegerField(_("left as they are"), default=0)
    leased_until = models.DateTimeField(default=timezone.now, editable=False)
    created_at = models.DateTimeField(_("started"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("bulk change")
        verbose_name_plural = _("bulk changes")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["organisation", "-created_at", "-id"], name="bulk_job_newest"),
            # What the worker does next.
            models.Index(
                fields=["leased_until"],
                name="bulk_job_due",
                condition=Q(status__in=["running", "undoing"]),
            ),
        ]

    def __str__(self) -> str:
        from desk.bulk.actions import ACTIONS

        return str(ACTIONS[self.action].title(self.told))

    @property
    def is_open(self) -> bool:
        """Whether the worker has something to do for it."""
        return self.status in (self.Status.RUNNING, self.Status.UNDOING)


class BulkItem(models.Model):
    """One contact of a job, and what became of it. The contact may be gone: it is only an id."""

    class Outcome(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        CHANGED = "changed", _("Changed")
        UNCHANGED = "unchanged", _("Was so already")
        FAILED = "failed", _("Failed")
        UNDONE = "undone", _("Undone")
        KEPT = "kept", _("Left as it is")

    job = models.ForeignKey(BulkJob, models.CASCADE, related_name="items", db_index=False)
    contact_id = models.BigIntegerField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.WAITING)
    before: Any = models.JSONField(null=True)
    """What the contact had, where undoing needs to know."""
    error = models.TextField(blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "contact_id"], name="bulk_item_once")]
        indexes = [
            # The next batch; those that changed, to undo; those that failed, to show.
            models.Index(fields=["job", "outcome", "contact_id"], name="bulk_item_next"),
        ]

    def __str__(self) -> str:
        return f"{self.contact_id}: {self.outcome}"
