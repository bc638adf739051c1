"""What staff write down themselves: notes and tasks."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from contacts.models import Contact
from desk.bulk.models import BulkItem, BulkJob
from desk.dashboard.models import DashboardSnapshot
from desk.lists.models import SavedView
from desk.querysets import MentionQuerySet, TaskQuerySet
from organisations.models import TenantModel

__all__ = ["BulkItem", "BulkJob", "DashboardSnapshot", "Mention", "Note", "SavedView", "Task"]

# Whoever did something is known by it only as long as the account is there.
STAFF: dict[str, Any] = {
    "blank": True,
    "related_name": "+",
    "db_index": False,  # accounts are hardly ever deleted
}


class Note(TenantModel):
    """A text about a contact: plain, with line breaks. Empty once the contact was redacted.

    Colleagues that it names (`@Anna Lee`) are its `Mention`s. A pinned one stays on top.
    """

    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        related_name="notes",
        db_index=False,  # note_timeline begins with it
        verbose_name=_("contact"),
    )
    text = models.TextField(_("text"))
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, **STAFF, verbose_name=_("author")
    )
    pinned = models.BooleanField(_("pinned"), default=False)
    created_at = models.DateTimeField(_("written"), auto_now_add=True)
    edited_at = models.DateTimeField(_("edited"), null=True, blank=True)

    class Meta:
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        ordering = ["-created_at", "-id"]
        indexes = [
            # A contact's timeline, merge and redaction.
            models.Index(fields=["contact", "-created_at", "-id"], name="note_timeline"),
            # What stands above the timeline.
            models.Index(
                fields=["contact", "-created_at"], name="note_pinned", condition=Q(pinned=True)
            ),
        ]

    def __str__(self) -> str:
        line = self.text.partition("\n")[0]
        return line if len(line) <= 80 else f"{line[:79]}…"


class Mention(TenantModel):
    """That a note names a colleague, and whether they have read it. One for each note and
    colleague."""

    note = models.ForeignKey(
        Note,
        models.CASCADE,
        related_name="mentions",
        db_index=False,  # mention_once begins with it
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = MentionQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["note", "user"], name="mention_once")]
        indexes = [
            # My work: what I have not read; and the latest that I have.
            models.Index(
                fields=["organisation", "user", "-created_at", "-id"],
                name="mention_unread",
                condition=Q(read_at=None),
            ),
            models.Index(
                fields=["organisation", "user", "-created_at", "-id"],
                name="mention_read",
                condition=Q(read_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"@{self.user_id} · {self.note_id}"


class Task(TenantModel):
    """Something to be done by a member of staff, about a contact or about none.

    Due on a day, or at a time of it, both by the organisation's clock; without a day whenever there
    is time. It is anybody's when it has no assignee. Its title is empty once the contact was
    redacted.
    """

    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="tasks",
        db_index=False,  # task_timeline begins with it
        verbose_name=_("contact"),
    )
    title = models.CharField(_("what is to be done"), max_length=200)
    due_on = models.DateField(_("due on"), null=True, blank=True)
    due_time = models.TimeField(_("at"), null=True, blank=True)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        **STAFF,
        verbose_name=_("for"),
        help_text=_("Anybody's when it is nobody's in particular."),
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        **STAFF,
        verbose_name=_("from"),
        editable=False,
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)
    done_at = models.DateTimeField(_("done"), null=True, blank=True, editable=False)
    done_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        **STAFF,
        verbose_name=_("done by"),
        editable=False,
    )

    objects: ClassVar = TaskQuerySet.as_manager()

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(due_time=None) | Q(due_on__isnull=False), name="task_time_of_a_day"
            )
        ]
        indexes = [
            # A contact's timeline, merge and redaction.
            models.Index(
                fields=["contact", "-created_at", "-id"],
                name="task_timeline",
                condition=Q(contact__isnull=False),
            ),
            # What is still to be done about a contact.
            models.Index(
                fields=["contact", "due_on", "id"],
                name="task_open_of_contact",
                condition=Q(contact__isnull=False, done_at=None),
            ),
            # My work: mine by their day; and what I gave to others.
            models.Index(
                fields=["organisation", "assignee", "due_on", "id"],
                name="task_open",
                condition=Q(done_at=None),
            ),
            models.Index(
                fields=["organisation", "author", "due_on", "id"],
                name="task_given",
                condition=Q(done_at=None),
            ),
            # The list of all.
            models.Index(fields=["organisation", "-created_at", "-id"], name="task_newest"),
        ]

    def __str__(self) -> str:
        return self.title or str(_("(erased)"))
