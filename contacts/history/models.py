"""The rows of the history."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.attribution import Attributed
from organisations.models import TenantModel


class ContactChange(Attributed, TenantModel):
    """One write to one contact: who, when, and each value from what to what.

    `changes` is `{name: [before, after]}` by the names of the contact's JSON (`emailAddress`,
    `customFields.diet`), values as texts, null for none. `addresses` are lists of both. `tags` are
    what was taken off and what was put on, so that a thousand contacts can be tagged without
    reading what else they carry. Empty once the contact was redacted.

    Rows are only ever added, by `contacts.history.recording`. What imports change, they remember
    themselves, and what contacts agree to is in `PermissionChange`.
    """

    class Action(models.TextChoices):
        CREATED = "created", _("Created")
        CHANGED = "changed", _("Changed")
        RESTORED = "restored", _("Put back")
        MERGED = "merged", _("Took another contact in")
        ABSORBED = "absorbed", _("Merged into another contact")
        UNMERGED = "unmerged", _("A merge was undone")
        RELEASED = "released", _("On its own again")
        REDACTED = "redacted", _("Redacted")
        UNDONE = "undone", _("An import was undone")  # never stored: imports know it themselves

    contact = models.ForeignKey(
        "contacts.Contact",
        models.CASCADE,
        related_name="history",
        db_index=False,  # contact_change_latest begins with it
    )
    action = models.CharField(
        _("what"), max_length=10, choices=Action.choices, default=Action.CHANGED
    )
    at = models.DateTimeField(_("when"), default=timezone.now)
    changes = models.JSONField(_("changes"), default=dict)
    # The id of the other contact of a merge.
    other = models.BigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = _("change of a contact")
        verbose_name_plural = _("changes of contacts")
        ordering = ["-at", "-id"]
        indexes = [
            # A contact's history, newest first.
            models.Index(fields=["contact", "-at", "-id"], name="contact_change_latest")
        ]

    def __str__(self) -> str:
        return f"{self.action} #{self.contact_id}"
