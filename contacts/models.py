"""Contacts, the people and businesses a venue deals with, and what is kept about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.core.validators import validate_email
from django.db import models
from django.db.models.functions import Lower
from django.utils.crypto import get_random_string
from django.utils.translation import gettext_lazy as _

from contacts import identity
from contacts.querysets import ContactQuerySet, TagQuerySet
from crm.attribution import Attributed
from organisations.models import (
    TenantModel,
    validate_country,
    validate_currency,
    validate_timezone,
)


class Contact(TenantModel):
    """A person or a business, unique in its organisation by e-mail and by phone.

    `email_address` and `phone_number` are kept as they were given. Beside them stand the forms
    that identify: `email_key` (lower case) and `phone_number_e164`, both unique; both are null for
    a placeholder such as a booking site's relay address, which must not match two people together.

    A contact that was merged into another stays as a row with `merged_into` set, so that its
    identifiers go on finding the survivor and the merge can be reversed.
    """

    class Kind(models.TextChoices):
        PERSON = "person", _("Person")
        BUSINESS = "business", _("Business")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.PERSON)
    email_address = models.CharField(
        _("e-mail"), max_length=254, null=True, blank=True, validators=[validate_email]
    )
    email_key = models.CharField(max_length=254, null=True, blank=True, editable=False)
    phone_number = models.CharField(_("phone"), max_length=40, null=True, blank=True)
    phone_number_country_code = models.CharField(
        _("calling code"),
        max_length=4,
        null=True,
        blank=True,
        help_text=_("Such as 44: how to read a phone number given without it."),
    )
    phone_number_e164 = models.CharField(
        _("phone (E.164)"), max_length=16, null=True, blank=True, editable=False
    )
    first_name = models.CharField(_("first name"), max_length=150, blank=True, default="")
    last_name = models.CharField(_("last name"), max_length=150, blank=True, default="")
    name = models.CharField(
        _("name"),
        max_length=310,
        blank=True,
        default="",
        help_text=_("Full name, or the name of the business. Made of first and last when empty."),
    )
    dob = models.DateField(_("date of birth"), null=True, blank=True)
    timezone = models.CharField(
        _("time zone"), max_length=64, validators=[validate_timezone], blank=True
    )
    search_text = models.TextField(blank=True, default="", editable=False)
    merged_into = models.ForeignKey(
        "self",
        models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="absorbed",
        db_index=False,  # contact_merged_into, which is small
    )
    redacted_at = models.DateTimeField(_("redacted"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    tags: models.ManyToManyField[Tag, ContactTag] = models.ManyToManyField(
        "Tag",
        through="ContactTag",
        related_name="contacts",
        blank=True,
        verbose_name=_("tags"),
    )

    objects: ClassVar = ContactQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ["-created_at", "-id"]
        permissions = [
            ("merge_contact", "Can merge contacts and undo a merge"),
            ("redact_contact", "Can erase a contact's personal data"),
            ("export_contact", "Can export contacts"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "email_key"],
                name="contact_email_once",
                violation_error_message=_("Another contact has this e-mail address."),
                violation_error_code="unique",
            ),
            models.UniqueConstraint(
                fields=["organisation", "phone_number_e164"],
                name="contact_phone_once",
                violation_error_message=_("Another contact has this phone number."),
                violation_error_code="unique",
            ),
        ]
        indexes = [
            # GET /contacts and the admin's list: newest first.
            models.Index(
                fields=["organisation", "-created_at", "-id"],
                name="contact_newest",
                condition=models.Q(merged_into=None),
            ),
            # order[name]
            models.Index(
                models.F("organisation"),
                Lower("name"),
                models.F("id"),
                name="contact_name",
                condition=models.Q(merged_into=None),
            ),
            # dob[after]: birthdays and ages
            models.Index(
                fields=["organisation", "dob", "id"],
                name="contact_dob",
                condition=models.Q(dob__isnull=False),
            ),
            # kind=business: few among many people.
            models.Index(
                fields=["organisation", "-created_at", "-id"],
                name="contact_newest_business",
                condition=models.Q(merged_into=None, kind="business"),
            ),
            # What was merged into a contact: its deletion, redaction and merges.
            models.Index(
                fields=["merged_into"],
                name="contact_merged_into",
                condition=models.Q(merged_into__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email_address or self.phone_number or f"#{self.pk}"

    def clean(self) -> None:
        """Read the identifiers; an e-mail or phone that cannot be read is an error here."""
        identity.read(self)

    def save(self, **kwargs: Any) -> None:
        """Write the row, and with a new one its rollup."""
        adding = self._state.adding
        self.search_text = identity.search_text(self)
        super().save(**kwargs)
        if adding:
            ContactRollup.objects.create(contact=self, organisation_id=self.organisation_id)


class ContactRollup(TenantModel):
    """What a contact's activities add up to.

    A narrow row of its own, because every activity writes it and lists sort by it: with these
    indexes on the wide row PostgreSQL would rewrite that for each activity
    (docs/decisions/0003-rollups-in-a-narrow-table.md). `contacts.rollups` is its only writer.
    """

    contact = models.OneToOneField(Contact, models.CASCADE, primary_key=True, related_name="rollup")
    total_spend = models.BigIntegerField(_("total spend"), default=0)
    total_orders = models.IntegerField(_("orders"), default=0)
    last_interacted_at = models.DateTimeField(_("last interaction"), null=True, blank=True)
    last_order_at = models.DateTimeField(_("last order"), null=True, blank=True)
    recency = models.SmallIntegerField(_("recency"), null=True, blank=True)
    frequency = models.SmallIntegerField(_("frequency"), null=True, blank=True)
    monetary = models.SmallIntegerField(_("monetary"), null=True, blank=True)
    # When anything of the contact changed, its totals included: what the API calls `updatedAt`.
    changed_at = models.DateTimeField(_("changed"), auto_now_add=True)

    class Meta:
        verbose_name = _("totals")
        verbose_name_plural = _("totals")
        indexes = [
            # order[totalSpend] and totalSpend[gt]; likewise the ones below.
            models.Index(fields=["organisation", "total_spend", "contact"], name="rollup_spend"),
            models.Index(fields=["organisation", "total_orders", "contact"], name="rollup_orders"),
            models.Index(
                fields=["organisation", "last_interacted_at", "contact"],
                name="rollup_interacted",
            ),
            models.Index(fields=["organisation", "changed_at", "contact"], name="rollup_changed"),
        ]


class SpendInCurrency(TenantModel):
    """A contact's spend in a currency other than the organisation's; never added into the total."""

    contact = models.ForeignKey(
        Contact, models.CASCADE, related_name="foreign_spend", db_index=False
    )
    currency_code = models.CharField(max_length=3, validators=[validate_currency])
    amount = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["contact", "currency_code"], name="spend_once_per_currency"
            )
        ]


class Address(TenantModel):
    """A postal address of a contact."""

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="addresses")
    type = models.CharField(_("type"), max_length=30, blank=True, default="")
    line1 = models.CharField(_("line 1"), max_length=200, blank=True, default="")
    line2 = models.CharField(_("line 2"), max_length=200, blank=True, default="")
    city = models.CharField(_("city"), max_length=120, blank=True, default="")
    county = models.CharField(_("county"), max_length=120, blank=True, default="")
    postcode = models.CharField(_("postcode"), max_length=20, blank=True, default="")
    country = models.CharField(
        _("country"),
        max_length=2,
        blank=True,
        default="",
        validators=[validate_country],
    )

    class Meta:
        verbose_name = _("address")
        verbose_name_plural = _("addresses")
        ordering = ["id"]

    def __str__(self) -> str:
        parts = [
            self.line1,
            self.line2,
            self.city,
            self.county,
            self.postcode,
            self.country,
        ]
        return ", ".join(part for part in parts if part)


class FoldedField(models.CharField):  # type: ignore[type-arg]  # it is not generic when it runs
    """The folded form of another column, kept in step by every write of the row.

    What is unique or sought "whatever the case and the accents" is so by such a column: the
    databases' own LOWER() differ from each other beyond ASCII.
    """

    def __init__(self, of: str = "", **kwargs: Any) -> None:
        self.of = of
        super().__init__(**{"editable": False, "default": "", **kwargs})

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "of": self.of}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        folded = identity.fold(getattr(model_instance, self.of))
        setattr(model_instance, self.attname, folded)
        return folded


class Tag(TenantModel):
    """A word put on contacts: by hand, or by a segment, a workflow or the system."""

    class Kind(models.TextChoices):
        MANUAL = "manual", _("Manual")
        SEGMENT = "segment", _("Segment")
        WORKFLOW = "workflow", _("Workflow")
        SYSTEM = "system", _("System")

    name = models.CharField(_("name"), max_length=100)
    key = FoldedField(of="name", max_length=400)
    kind = models.CharField(
        _("kind"),
        max_length=10,
        choices=Kind.choices,
        default=Kind.MANUAL,
        editable=False,
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects: ClassVar = TagQuerySet.as_manager()

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "key"],
                name="tag_once",
                violation_error_message=_("There is a tag of this name already."),
                violation_error_code="unique",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Fold the name, so that the constraint can be checked ahead of the write."""
        self.key = identity.fold(self.name)


class ContactTag(TenantModel):
    """A tag on a contact."""

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="tag_links")
    tag = models.ForeignKey(Tag, models.CASCADE, related_name="contact_links", db_index=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            # Also serves `tag=`: which contacts carry it.
            models.UniqueConstraint(fields=["tag", "contact"], name="contact_tag_once")
        ]


def new_invite_code() -> str:
    """Eight letters and digits that nobody confuses when read aloud."""
    return get_random_string(8, "ABCDEFGHJKLMNPQRSTUVWXYZ23456789")


class ReferralInvite(TenantModel):
    """An invitation that a contact sent to someone who is not a contact yet."""

    class Status(models.TextChoices):
        PENDING = "Pending", _("Pending")
        COMPLETED = "Completed", _("Completed")
        EXPIRED = "Expired", _("Expired")
        VOIDED = "Voided", _("Voided")

    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        related_name="referral_invites",
        verbose_name=_("invited by"),
    )
    email_address = models.CharField(
        _("e-mail"), max_length=254, null=True, blank=True, validators=[validate_email]
    )
    code = models.CharField(_("code"), max_length=40, default=new_invite_code, blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.PENDING
    )
    completed_by = models.ForeignKey(
        Contact,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="completed_invites",
        verbose_name=_("completed by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    completed_at = models.DateTimeField(_("completed"), null=True, blank=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("referral invite")
        verbose_name_plural = _("referral invites")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "code"], name="referral_invite_code_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["organisation", "-created_at", "-id"],
                name="referral_invite_newest",
            )
        ]

    def __str__(self) -> str:
        return self.code


class Merge(TenantModel):
    """One contact taken into another, with what is needed to take it back.

    `filled` holds the survivor's columns that took a value from the absorbed one, as
    `{column: [before, after]}`. `moved` holds the absorbed one's identifiers that are no longer
    on its row, because the survivor took them (at the merge, or later by an update), as
    `{column: value}`. `chosen` holds what the survivor was given of the absorbed one instead of its
    own, as `{name: [before, after]}` by the names of the contact's JSON. The rows of other tables
    that moved or were copied are `MergedRow`s.
    """

    survivor = models.ForeignKey(Contact, models.CASCADE, related_name="merges")
    absorbed = models.ForeignKey(Contact, models.CASCADE, related_name="merged_by")
    filled = models.JSONField(default=dict)
    moved = models.JSONField(default=dict)
    chosen = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["absorbed"],
                name="merged_once",
                condition=models.Q(undone_at=None),
            )
        ]
        indexes = [
            # Which merges can be undone, latest first.
            models.Index(
                fields=["organisation", "-created_at", "-id"],
                name="merge_latest",
                condition=models.Q(undone_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.absorbed_id} → {self.survivor_id}"


class MergedRow(models.Model):
    """A row that a merge moved from the absorbed contact to the survivor, or copied to it.

    `part` says whose row it is: a `ContactPart`'s name, or one of `contacts.services.merges`.
    `before` is what the part needs to put it back, when its id alone does not say.
    """

    merge = models.ForeignKey(Merge, models.CASCADE, related_name="rows", db_index=False)
    part = models.CharField(max_length=40)
    row_id = models.BigIntegerField()
    before = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["merge", "part", "row_id"], name="merged_row")]

    def __str__(self) -> str:
        return f"{self.part} {self.row_id}"


class ContactPermission(TenantModel):
    """Whether a contact may be sent marketing over a channel: since when, and where that is from.

    No row says that nothing is known. `contacts.consent` is its only writer.
    """

    class Channel(models.TextChoices):
        EMAIL = "email", _("E-mail")
        SMS = "sms", _("SMS")

    class Status(models.TextChoices):
        SUBSCRIBED = "subscribed", _("Subscribed")
        UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")
        UNKNOWN = "unknown", _("Not known")

    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        related_name="permissions",
        db_index=False,  # permission_once begins with it
    )
    channel = models.CharField(_("channel"), max_length=5, choices=Channel.choices)
    status = models.CharField(_("status"), max_length=12, choices=Status.choices)
    since = models.DateTimeField(_("since"))
    source = models.CharField(_("source"), max_length=100, blank=True, default="")
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("permission")
        verbose_name_plural = _("permissions")
        constraints = [
            models.UniqueConstraint(fields=["contact", "channel"], name="permission_once")
        ]
        indexes = [
            # permissions[email]=unsubscribed, and rules about it.
            models.Index(
                fields=["organisation", "channel", "status", "contact"], name="permission_status"
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.status}"


class PermissionChange(Attributed, TenantModel):
    """That a permission changed, once: proof of what a contact agreed to and when. Rows are only
    ever added."""

    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        related_name="permission_changes",
        db_index=False,  # permission_change_latest begins with it
    )
    channel = models.CharField(
        _("channel"), max_length=5, choices=ContactPermission.Channel.choices
    )
    before = models.CharField(_("from"), max_length=12, choices=ContactPermission.Status.choices)
    after = models.CharField(_("to"), max_length=12, choices=ContactPermission.Status.choices)
    source = models.CharField(_("source"), max_length=100, blank=True, default="")
    # The id of the workflow run whose message it answers, or that made it.
    run = models.BigIntegerField(null=True, blank=True)
    happened_at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("change of permission")
        verbose_name_plural = _("changes of permission")
        ordering = ["-happened_at", "-id"]
        indexes = [
            # What the contact's page shows.
            models.Index(fields=["contact", "-happened_at", "-id"], name="permission_change_latest")
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.before} → {self.after}"


# Models of the packages within this app.
from contacts.duplicates.models import (  # noqa: E402, F401
    CrowdedKey,
    DuplicateCheck,
    DuplicateKey,
    DuplicatePair,
    DuplicateScan,
)
from contacts.history.models import ContactChange  # noqa: E402, F401
from contacts.segments.models import Segment, SegmentCheck  # noqa: E402, F401
