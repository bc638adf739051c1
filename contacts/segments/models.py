"""Segments, and the contacts that are to be looked at again."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from contacts.segments.querysets import SegmentQuerySet
from organisations.models import TenantModel


class Segment(TenantModel):
    """A saved rule. Contacts for which it holds carry its `tag`, which nobody else puts on.

    `contact_count` is how many carry it: kept by every refresh, counted anew at the end of a whole
    one. `due_at` is when the whole segment is looked through next; while that goes on, `done_up_to`
    is the id of the last contact that was. `error` says why the rule cannot be followed any more,
    such as a custom field that is gone; the tags then stay as they are.
    """

    name = models.CharField(_("name"), max_length=100)
    rules = models.JSONField(_("rules"))
    tag = models.OneToOneField(
        "contacts.Tag", models.PROTECT, related_name="segment", editable=False
    )
    contact_count = models.PositiveIntegerField(_("contacts"), default=0, editable=False)
    due_at = models.DateTimeField(default=timezone.now, editable=False)
    done_up_to = models.BigIntegerField(null=True, editable=False)
    refreshed_at = models.DateTimeField(_("refreshed"), null=True, editable=False)
    error = models.TextField(_("error"), blank=True, default="", editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects: ClassVar = SegmentQuerySet.as_manager()

    class Status(models.TextChoices):
        CURRENT = "current", _("Current")
        REFRESHING = "refreshing", _("Refreshing")
        BROKEN = "broken", _("Broken")

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["-created_at", "-id"]
        indexes = [
            # GET /segments: newest first; also those of an organisation, to follow a change.
            models.Index(fields=["organisation", "-created_at", "-id"], name="segment_newest"),
            # What the worker is to look through next.
            models.Index(fields=["due_at"], name="segment_due"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def status(self) -> Status:
        """How far its tags can be trusted."""
        if self.error:
            return self.Status.BROKEN
        if self.refreshed_at is None or self.done_up_to is not None:
            return self.Status.REFRESHING
        return self.Status.CURRENT

    @property
    def status_label(self) -> str | Promise:
        """The status for people."""
        return self.status.label


class SegmentCheck(TenantModel):
    """A contact that changed, and may have come into segments or left them.

    Appended in the transaction of the change, in organisations that have segments; deleted by the
    worker that looked. No foreign key: it may outlive the contact, whose deletion it also tells.
    `cause` is the run of a workflow whose doing the change was, `quiet` that it was history.
    """

    contact_id = models.BigIntegerField()
    cause: models.JSONField[Any, Any] = models.JSONField(null=True)
    quiet = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("check")
        verbose_name_plural = _("checks")

    def __str__(self) -> str:
        return f"contact {self.contact_id}"
