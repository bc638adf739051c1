"""Dates that a wait or an anniversary goes by: which there are, and the moment that is meant."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import Activity
from contacts.models import Contact
from contacts.rules.durations import Duration
from customfields.models import CustomField, CustomFieldValue
from organisations.models import Organisation
from workflows import checks

CUSTOM = "contact.customFields."
RECURRING = ("contact.dob", "contact.createdAt")
"""Those of which an anniversary is made, beside custom fields."""
BEGINNING = time(9)
"""When on a day something is due that says no time."""


@dataclass(frozen=True)
class DateField:
    """A date, or a moment, of a contact or of the activity that started it."""

    name: str
    label: str | Promise
    about: str
    read: Callable[[Contact, Activity | None], date | datetime | None]


def _of_activity(path: str) -> Callable[[Contact, Activity | None], date | datetime | None]:
    def read(_contact: Contact, activity: Activity | None) -> Any:
        here: Any = activity
        for word in path.split("."):
            here = getattr(here, word, None)
        return here

    return read


def _last_interaction(contact: Contact, _activity: Activity | None) -> datetime | None:
    found: datetime | None = contact.rollup.last_interacted_at
    return found


FIELDS = {
    field.name: field
    for field in (
        DateField(
            "contact.dob", gettext_lazy("date of birth"), "contact", lambda contact, _a: contact.dob
        ),
        DateField(
            "contact.createdAt",
            gettext_lazy("day they were added"),
            "contact",
            lambda contact, _a: contact.created_at,
        ),
        DateField(
            "contact.lastInteractedAt",
            gettext_lazy("last interaction"),
            "contact",
            _last_interaction,
        ),
        DateField(
            "activity.happenedAt",
            gettext_lazy("time of the activity"),
            "activity",
            _of_activity("happened_at"),
        ),
        DateField(
            "activity.booking.checkIn",
            gettext_lazy("check-in"),
            "activity",
            _of_activity("booking.check_in"),
        ),
        DateField(
            "activity.booking.checkOut",
            gettext_lazy("check-out"),
            "activity",
            _of_activity("booking.check_out"),
        ),
        DateField(
            "activity.golfReservation.startTime",
            gettext_lazy("tee time"),
            "activity",
            _of_activity("golf_reservation.start_time"),
        ),
        DateField(
            "activity.tableReservation.startTime",
            gettext_lazy("time of the table reservation"),
            "activity",
            _of_activity("table_reservation.start_time"),
        ),
    )
}


def field(given: Any, organisation: Organisation, about: Collection[str]) -> DateField:
    """The date field of this name; `dob` and `customFields.x` are the contact's. Raises
    ValidationError."""
    name = checks.text(given)
    if name.partition(".")[0] not in ("contact", "activity"):
        name = f"contact.{name}"
    if name.startswith(CUSTOM):
        return _custom(name, organisation)
    found = FIELDS.get(name)
    if found is None or found.about not in about:
        known = [one.name for one in FIELDS.values() if one.about in about]
        raise checks.error(
            _("There is no date %(name)s here; there are %(known)s and custom fields of dates."),
            "unknown_field",
            name=name[:80],
            known=", ".join(known),
        )
    return found


def choices(
    organisation: Organisation, about: Collection[str], *, recurring: bool = False
) -> list[tuple[str, str | Promise]]:
    """The names that `field` takes, with their labels; with `recurring`, only those that come
    round each year. One query."""
    fixed = [
        (one.name, one.label)
        for one in FIELDS.values()
        if one.about in about and (one.name in RECURRING or not recurring)
    ]
    own = CustomField.objects.for_organisation(organisation).filter(type="Date").order_by("label")
    return [*fixed, *((CUSTOM + name, label) for name, label in own.values_list("name", "label"))]


def _custom(name: str, organisation: Organisation) -> DateField:
    definition = (
        CustomField.objects.for_organisation(organisation)
        .filter(name=name.removeprefix(CUSTOM), type="Date")
        .first()
    )
    if definition is None:
        raise checks.error(
            _("There is no custom field %(name)s that holds dates."),
            "unknown_field",
            name=name.removeprefix(CUSTOM)[:80],
        )
    pk = definition.pk

    def read(contact: Contact, _activity: Activity | None) -> date | None:
        values = CustomFieldValue.objects.filter(organisation=contact.organisation_id)
        found: date | None = (
            values.filter(field=pk, contact=contact).values_list("value_date", flat=True).first()
        )
        return found

    return DateField(name, definition.label, "contact", read)


def zone_of(organisation: Organisation, contact: Contact) -> ZoneInfo:
    """The contact's time zone, else the organisation's."""
    return ZoneInfo(contact.timezone or organisation.timezone)


def moment_of(
    value: date | datetime, offset: tuple[int, Duration], at: time | None, zone: ZoneInfo
) -> datetime:
    """The moment that lies `offset` from `value`, in UTC.

    With `at`, or when `value` is a day, it is at that time of day (by default nine) in `zone`;
    hours of the offset then count from there.
    """
    sign, length = offset
    if isinstance(value, datetime) and at is None:
        return length.after(value, zone) if sign > 0 else length.before(value, zone)
    day = value.astimezone(zone).date() if isinstance(value, datetime) else value
    local = datetime.combine(day, at or BEGINNING, zone)
    return (length.after(local, zone) if sign > 0 else length.before(local, zone)).astimezone(UTC)


def next_clock(now: datetime, at: time, zone: ZoneInfo) -> datetime:
    """The next moment at which it is `at` in `zone`: `now` itself when it is just that."""
    local = now.astimezone(zone)
    today = datetime.combine(local.date(), at, zone)
    if today.astimezone(UTC) < now.replace(second=0, microsecond=0):
        today = datetime.combine(date.fromordinal(local.date().toordinal() + 1), at, zone)
    return today.astimezone(UTC)
