"""Activities: the moments in which a contact and the business met."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from activities.querysets import ActivityQuerySet, Fact
from contacts.models import Contact, ReferralInvite
from contacts.rollups import Counted
from organisations.models import TenantModel, validate_currency

MAX_DATA_BYTES = 64 * 1024
MAX_SPEND = 10**12
"""In the smallest unit: so much in one activity that the sums of millions still fit 64 bits."""
GIFT_CARD_REGISTERED = "Gift card registered"
"""The one type that knows a fact twice by its gift card."""
_MOMENT = models.DateTimeField()


def validate_data(value: object) -> None:
    """A JSON object of at most 64 KB."""
    if not isinstance(value, dict):
        raise ValidationError(_("This must be a JSON object."), code="not_an_object")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (TypeError, ValueError) as error:
        raise ValidationError(_("This is not JSON."), code="invalid") from error
    if size > MAX_DATA_BYTES:
        raise ValidationError(_("This is larger than 64 KB."), code="too_large")
    if "\\u0000" in text:
        raise ValidationError(_("The character NUL is not allowed."), code="null_character")


class ActivityType(TenantModel):
    """A type of activity that an organisation defines beside the built-in ones
    (`activities.types.BUILT_IN`)."""

    name = models.CharField(_("name"), max_length=60)
    counts_as_order = models.BooleanField(
        _("counts as order"),
        default=False,
        help_text=_("Activities of this type are counted in a contact's orders."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("activity type")
        verbose_name_plural = _("activity types")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "name"],
                name="activity_type_once",
                violation_error_message=_("There is an activity type of this name already."),
                violation_error_code="unique",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Reservation(TenantModel):
    """What bookings, golf and table reservations have in common."""

    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        related_name="%(class)ss",
        db_index=False,  # each has one that begins with it
        verbose_name=_("contact"),
    )
    status = models.CharField(_("status"), max_length=60, blank=True, default="")
    origin = models.CharField(_("origin"), max_length=120, null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        abstract = True


class Booking(Reservation):
    """A stay: one row however many activities (booked, checked in, checked out) speak of it."""

    external_reference = models.CharField(_("reference"), max_length=255, null=True, blank=True)
    check_in = models.DateTimeField(_("check-in"), null=True, blank=True)
    check_out = models.DateTimeField(_("check-out"), null=True, blank=True)
    number_of_guests = models.PositiveIntegerField(_("guests"), null=True, blank=True)
    room_type = models.CharField(_("room type"), max_length=120, null=True, blank=True)
    room_name = models.CharField(_("room"), max_length=120, null=True, blank=True)
    total = models.BigIntegerField(_("total"), null=True, blank=True)
    currency_code = models.CharField(
        _("currency"),
        max_length=3,
        null=True,
        blank=True,
        validators=[validate_currency],
    )
    customer_reference = models.CharField(
        _("customer reference"), max_length=255, null=True, blank=True
    )
    purpose = models.CharField(_("purpose"), max_length=120, null=True, blank=True)
    channel_number = models.CharField(_("channel number"), max_length=255, null=True, blank=True)

    class Meta:
        verbose_name = _("booking")
        verbose_name_plural = _("bookings")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "external_reference"], name="booking_once"
            )
        ]
        indexes = [
            models.Index(fields=["organisation", "-created_at", "-id"], name="booking_newest"),
            models.Index(fields=["organisation", "check_in", "id"], name="booking_check_in"),
            models.Index(fields=["organisation", "check_out", "id"], name="booking_check_out"),
            # A contact's next stay; its merge, redaction and deletion.
            models.Index(fields=["contact", "check_in"], name="booking_of_contact"),
        ]

    def __str__(self) -> str:
        return self.external_reference or f"#{self.pk}"


class GolfReservation(Reservation):
    """A tee time."""

    holes = models.PositiveSmallIntegerField(_("holes"), null=True, blank=True)
    start_time = models.DateTimeField(_("start"), null=True, blank=True)
    origin_reference = models.CharField(_("reference"), max_length=255, null=True, blank=True)
    customer_booking_reference = models.CharField(
        _("customer reference"), max_length=255, null=True, blank=True
    )
    cancelled_at = models.DateTimeField(_("cancelled"), null=True, blank=True)
    course_id = models.CharField(_("course id"), max_length=120, null=True, blank=True)
    course_name = models.CharField(_("course"), max_length=200, null=True, blank=True)

    class Meta:
        verbose_name = _("golf reservation")
        verbose_name_plural = _("golf reservations")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                "organisation",
                "origin_reference",
                Coalesce("origin", models.Value("")),
                name="golf_reservation_once",
            )
        ]
        indexes = [
            models.Index(fields=["organisation", "-created_at", "-id"], name="golf_newest"),
            models.Index(fields=["organisation", "start_time", "id"], name="golf_start"),
            # As with bookings.
            models.Index(fields=["contact", "start_time"], name="golf_of_contact"),
        ]

    def __str__(self) -> str:
        return self.origin_reference or f"#{self.pk}"


class TableReservation(Reservation):
    """A table at a restaurant."""

    start_time = models.DateTimeField(_("start"), null=True, blank=True)
    party_size = models.PositiveIntegerField(_("party size"), null=True, blank=True)
    notes = models.TextField(_("notes"), blank=True, default="")
    origin_reference = models.CharField(_("reference"), max_length=255, null=True, blank=True)
    customer_booking_reference = models.CharField(
        _("customer reference"), max_length=255, null=True, blank=True
    )
    cancelled_at = models.DateTimeField(_("cancelled"), null=True, blank=True)

    class Meta:
        verbose_name = _("table reservation")
        verbose_name_plural = _("table reservations")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                "organisation",
                "origin_reference",
                Coalesce("origin", models.Value("")),
                name="table_reservation_once",
            )
        ]
        indexes = [
            models.Index(fields=["organisation", "-created_at", "-id"], name="table_newest"),
            models.Index(fields=["organisation", "start_time", "id"], name="table_start"),
            # As with bookings.
            models.Index(fields=["contact", "start_time"], name="table_of_contact"),
        ]

    def __str__(self) -> str:
        return self.origin_reference or f"#{self.pk}"


_FEW_HAVE = {
    "booking": "booking",
    "golf": "golf_reservation",
    "table": "table_reservation",
    "invite": "referral_invite",
}


def _of_few(name: str) -> models.Index:
    """What speaks of a booking, say: to show it, and to let go of it when it is deleted."""
    column = _FEW_HAVE[name]
    return models.Index(
        fields=[column], name=f"activity_{name}", condition=Q(**{f"{column}__isnull": False})
    )


class Activity(TenantModel):
    """One moment: a purchase, a check-in, a wifi login.

    `type` is a built-in name or one of the organisation's own. `spend` is in the smallest unit of
    `currency_code` and may be negative (a refund). `external_reference` with `type` is unique in
    the organisation: the same fact told twice is one row.
    """

    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        related_name="activities",
        db_index=False,  # activity_timeline begins with it
        verbose_name=_("contact"),
    )
    type = models.CharField(_("type"), max_length=60)
    source = models.CharField(_("source"), max_length=100)
    happened_at = models.DateTimeField(_("happened"))
    spend = models.BigIntegerField(
        _("spend"),
        default=0,
        validators=[MinValueValidator(-MAX_SPEND), MaxValueValidator(MAX_SPEND)],
    )
    currency_code = models.CharField(_("currency"), max_length=3, validators=[validate_currency])
    external_reference = models.CharField(
        _("external reference"), max_length=255, null=True, blank=True
    )
    # Most activities have none of these: what finds them leaves the others out (`_of_few`).
    booking = models.ForeignKey(
        Booking,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="activities",
        db_index=False,
    )
    golf_reservation = models.ForeignKey(
        GolfReservation,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="activities",
        db_index=False,
    )
    table_reservation = models.ForeignKey(
        TableReservation,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="activities",
        db_index=False,
    )
    purchase = models.CharField(_("purchase"), max_length=255, null=True, blank=True)
    gift_card = models.CharField(_("gift card"), max_length=255, null=True, blank=True)
    referral_invite = models.ForeignKey(
        ReferralInvite,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="activities",
        db_index=False,
    )
    data = models.JSONField(_("data"), default=dict, blank=True, validators=[validate_data])
    backfill = models.BooleanField(_("history"), default=False, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects: ClassVar = ActivityQuerySet.as_manager()

    # What the totals hold of this row, read under its lock while it is written or deleted.
    counted: Counted | None = None

    class Meta:
        verbose_name = _("activity")
        verbose_name_plural = _("activities")
        ordering = ["-happened_at", "-id"]
        permissions = [("export_activity", "Can export activities")]
        constraints = [
            # In this order it also serves `externalReference=` without a type.
            models.UniqueConstraint(
                fields=["organisation", "external_reference", "type"],
                name="activity_once",
                condition=Q(external_reference__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["organisation", "gift_card"],
                name="gift_card_registered_once",
                condition=Q(type=GIFT_CARD_REGISTERED, gift_card__isnull=False),
            ),
        ]
        indexes = [
            # The timeline of a contact, and its latest interaction after a correction.
            models.Index(fields=["contact", "-happened_at", "-id"], name="activity_timeline"),
            # GET /activities: newest first.
            models.Index(fields=["organisation", "-happened_at", "-id"], name="activity_newest"),
            # type=: newest of a type first.
            models.Index(
                fields=["organisation", "type", "-happened_at", "-id"],
                name="activity_type",
            ),
            # source=, currencyCode=, spend[gte]=: which, when they are few (`by_id_when_few`).
            # Without the time: PostgreSQL keeps what is alike once, so they are small.
            models.Index(fields=["organisation", "source"], name="activity_source"),
            models.Index(fields=["organisation", "currency_code"], name="activity_currency"),
            models.Index(fields=["organisation", "spend"], name="activity_spend"),
            *map(_of_few, _FEW_HAVE),
        ]

    def __str__(self) -> str:
        return f"{self.type} · {timezone.localtime(self.happened_at):%Y-%m-%d %H:%M}"

    def facts(self) -> list[Fact]:
        """What no other activity of the organisation may state too (the constraints above)."""
        facts = []
        if self.external_reference is not None:
            facts.append(("external_reference", self.type, self.external_reference))
        if self.type == GIFT_CARD_REGISTERED and self.gift_card is not None:
            facts.append(("gift_card", self.type, self.gift_card))
        return facts

    def save(self, **kwargs: Any) -> None:
        """Write the row and, by signal, its contact's totals: both or neither."""
        with transaction.atomic(savepoint=False):
            if self.pk is not None:
                self.hold()
            super().save(**kwargs)

    def hold(self) -> None:
        """Lock the stored row and remember in `counted` what the totals hold of it.

        What this instance was loaded with may be old: another process may have changed the row
        since, and the totals with it.
        """
        found = Activity.objects.all().counted([self.pk])
        self.counted = found[self.pk][1] if self.pk in found else None

    def to_count(self) -> Counted:
        """What the totals are to hold of this row, as it is here."""
        moment = _MOMENT.get_prep_value(self.happened_at)
        return Counted(int(self.contact_id), self.type, int(self.spend), self.currency_code, moment)

    def saved(self, before: Counted | None, columns: Collection[str] | None) -> Counted:
        """What the totals are to hold of this row once `columns` of it (None: all) were saved."""
        if any(hasattr(getattr(self, name), "resolve_expression") for name in Counted._fields):
            self.refresh_from_db(fields=Counted._fields)
        now = self.to_count()
        if before is None or columns is None:
            return now
        names = {"contact_id" if name == "contact" else name for name in columns}
        return before._replace(
            **{name: value for name, value in now._asdict().items() if name in names}
        )
