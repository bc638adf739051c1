"""The credit ledger: what contacts were given to spend, and what became of it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from contacts.models import Contact
from organisations.models import ApiKey, TenantModel, validate_currency
from rewards.querysets import EntryQuerySet, MovementQuerySet, Unchangeable

MAX_AMOUNT = 10**12
"""In the smallest unit: so much in one entry that the sums of millions still fit 64 bits."""

# The id of an entry that may be gone with another contact: no constraint, and nothing to do then.
LOOSE: dict[str, Any] = {
    "on_delete": models.DO_NOTHING,
    "db_constraint": False,
    "related_name": "+",
}


class CreditEntry(TenantModel):
    """One line of a contact's ledger: it is written once and never changes.

    `amount` is in the smallest unit of `currency_code`, negative for what is taken. A contact's
    balance in a currency is the sum of its entries. `expires_at` is when a grant runs out, or ran
    out. `external_reference` is unique among entries of its kind: the same fact told twice is one
    entry. `staff`, `key` and `run` (the id of a workflow run) say whose doing it was.

    What an entry puts into which grant, or takes out of it, are its `CreditMovement`s
    (docs/decisions/0009-credit-by-the-lot.md). `rewards.services` is the only writer.
    """

    class Kind(models.TextChoices):
        GRANT = "grant", _("Given")
        REDEEM = "redeem", _("Redeemed")
        EXPIRE = "expire", _("Expired")
        REVERSAL = "reversal", _("Taken back")
        # What was spent while two contacts were one, when they are two again.
        TRANSFER = "transfer", _("Settled after a merge was undone")

    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        related_name="credit_entries",
        db_index=False,  # credit_entry_of_contact begins with it
        verbose_name=_("contact"),
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    amount = models.BigIntegerField(
        _("amount"), validators=[MinValueValidator(-MAX_AMOUNT), MaxValueValidator(MAX_AMOUNT)]
    )
    currency_code = models.CharField(_("currency"), max_length=3, validators=[validate_currency])
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    external_reference = models.CharField(
        _("external reference"), max_length=255, null=True, blank=True
    )
    reason = models.CharField(_("reason"), max_length=255, blank=True, default="")
    # The redemption that this entry takes back.
    reverses = models.ForeignKey(
        "self", null=True, blank=True, db_index=False, verbose_name=_("takes back"), **LOOSE
    )
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,  # accounts and keys are hardly ever deleted
        verbose_name=_("by"),
    )
    key = models.ForeignKey(
        ApiKey,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("API key"),
    )
    run = models.BigIntegerField(_("workflow run"), null=True, blank=True)
    created_at = models.DateTimeField(_("when"))

    objects: ClassVar = EntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("credit entry")
        verbose_name_plural = _("credit entries")
        ordering = ["-created_at", "-id"]
        default_permissions = ("view",)
        permissions = [
            ("grant_credit", "Can give credit"),
            ("redeem_credit", "Can redeem credit and take a redemption back"),
        ]
        constraints = [
            # In this order it also serves a search by the reference alone.
            models.UniqueConstraint(
                fields=["organisation", "external_reference", "kind"],
                name="credit_entry_once",
                condition=Q(external_reference__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["reverses"],
                name="credit_reversed_once",
                condition=Q(reverses__isnull=False),
            ),
            models.CheckConstraint(
                condition=Q(kind="transfer")
                | Q(kind__in=["grant", "reversal"], amount__gt=0)
                | Q(kind__in=["redeem", "expire"], amount__lt=0),
                name="credit_entry_sign",
            ),
        ]
        indexes = [
            # GET /contacts/{id}/credit: newest first.
            models.Index(fields=["contact", "-created_at", "-id"], name="credit_entry_of_contact"),
            # The admin's ledger: newest first.
            models.Index(fields=["organisation", "-created_at", "-id"], name="credit_entry_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} #{self.pk}"

    def save(self, **kwargs: Any) -> None:
        """Write a new entry. Raises Unchangeable for one that is there."""
        if not self._state.adding:
            raise Unchangeable
        super().save(**kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Raises Unchangeable: entries only go with their contact."""
        raise Unchangeable


class CreditMovement(TenantModel):
    """What an entry puts into one grant (`lot`), or takes out of it.

    An entry's movements add up to its amount; a contact's movements in a lot, to what is left of
    that grant. `contact` and `currency_code` are the entry's, `expires_at` is the lot's, so that
    what can be spent at a moment is one sum over this table.
    """

    entry = models.ForeignKey(CreditEntry, models.CASCADE, related_name="movements")
    lot = models.ForeignKey(CreditEntry, db_index=False, **LOOSE)
    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        related_name="credit_movements",
        db_index=False,  # credit_of_contact begins with it
    )
    currency_code = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    expires_at = models.DateTimeField(null=True)

    objects: ClassVar = MovementQuerySet.as_manager()

    class Meta:
        indexes = [
            # Balances, and what is left of each grant.
            models.Index(fields=["contact", "currency_code", "lot"], name="credit_of_contact"),
            # What has run out and is not booked yet.
            models.Index(
                fields=["expires_at"],
                name="credit_running_out",
                condition=Q(expires_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.entry_id} → {self.lot_id}: {self.amount}"
