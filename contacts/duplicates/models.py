"""Pairs of contacts that may be one, and how far the search for them is."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contacts.duplicates.keys import KeyKind
from contacts.duplicates.querysets import PairQuerySet
from contacts.duplicates.scoring import Reason
from contacts.models import Contact, Merge
from organisations.models import Organisation, TenantModel


class DuplicatePair(TenantModel):
    """Two contacts that may be one; `first` has the lower id.

    A pair that is dismissed is kept, so that it is not proposed again. `via` is the merge that made
    it so: who is not A is not the one either that A is part of, until that is undone.
    """

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        DISMISSED = "dismissed", _("Not the same")

    first = models.ForeignKey(Contact, models.CASCADE, related_name="+", db_index=False)
    second = models.ForeignKey(Contact, models.CASCADE, related_name="+")
    score = models.PositiveSmallIntegerField(_("score"))
    reasons = models.JSONField(_("why"), default=list)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.OPEN
    )
    via = models.ForeignKey(Merge, models.CASCADE, null=True, editable=False, related_name="+")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("by"),
    )
    decided_at = models.DateTimeField(_("decided"), null=True, editable=False)
    found_at = models.DateTimeField(_("found"), auto_now_add=True)

    objects: ClassVar = PairQuerySet.as_manager()

    class Meta:
        verbose_name = _("possible duplicate")
        verbose_name_plural = _("possible duplicates")
        ordering = ["-score", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="duplicate_pair_once"),
            models.CheckConstraint(
                condition=Q(first__lt=F("second")), name="duplicate_pair_in_order"
            ),
        ]
        indexes = [
            # The list: likeliest first.
            models.Index(
                fields=["organisation", "-score", "-id"],
                name="duplicate_pair_open",
                condition=Q(status="open"),
            ),
            # What was said to be two.
            models.Index(
                fields=["organisation", "-score", "-id"],
                name="duplicate_pair_dismissed",
                condition=Q(status="dismissed"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first} · {self.second}"

    @property
    def why(self) -> list[str]:
        """The reasons, in words."""
        known = {reason.value: reason.label for reason in Reason}
        return [str(known[reason]) for reason in self.reasons if reason in known]

    def other(self, contact: Contact) -> Contact:
        """The one of the two that `contact` is not."""
        return self.second if contact.pk == self.first_id else self.first


class DuplicateKey(models.Model):
    """A key of a contact, as a number (`contacts.duplicates.keys`): those who share it meet.

    The number is made with the organisation's id, so that two of them never meet.
    """

    pk = models.CompositePrimaryKey("key", "contact")
    key = models.BigIntegerField()
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"{self.contact_id}: {self.key}"


class CrowdedKey(TenantModel):
    """A key that more contacts share than are compared, as of the latest look."""

    key = models.BigIntegerField()
    kind = models.CharField(max_length=12, choices=KeyKind.choices)
    value = models.CharField(max_length=400)
    contacts = models.PositiveIntegerField()

    class Meta:
        ordering = ["-contacts", "id"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "key"], name="crowded_key_once")
        ]
        indexes = [
            # The page tells of the largest.
            models.Index(fields=["organisation", "-contacts", "id"], name="crowded_key_largest")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.value}"


class DuplicateScan(TenantModel):
    """How far an organisation's contacts were looked through, by id.

    Contacts that are new have higher ids, and are looked at when it goes on. Once a week it begins
    again, for what no signal told. Whoever holds the row does the work.
    """

    organisation = models.OneToOneField(
        Organisation, models.CASCADE, primary_key=True, related_name="+"
    )
    done_up_to = models.BigIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now, db_index=True)
    begun_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.organisation_id}: {self.done_up_to}"


class DuplicateCheck(TenantModel):
    """Contacts that changed, by id, and are to be looked at again: one row for each write, so that
    a batch costs no more than a contact."""

    contacts = models.JSONField()

    def __str__(self) -> str:
        return f"{self.organisation_id}: {len(self.contacts)}"
