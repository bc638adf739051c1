"""Mews's reservations, in our words: booked, checked in, checked out, and what a stay is worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from integrations import reading
from integrations.changes import Change, Fact, Nothing, ObjectIs, Person, moment_version
from integrations.mews.api import Row

if TYPE_CHECKING:
    from integrations.models import Connection

RESERVATION = "reservation"
CANCELLED = "Canceled"
CHECKED_IN = frozenset({"Started", "Processed"})
CHECKED_OUT = frozenset({"Processed"})
BOOKED = CHECKED_IN | {"Confirmed", CANCELLED}
STAGES = ("Confirmed", "Started", "Processed", CANCELLED)
"""What a reservation goes through, in this order."""
"""The states of which there is something to record; the others are offers and questions."""
ITEMS, PAID_FOR = "items", "payments"
"""What belongs to a reservation, and changes without it."""
PAID = "paid"
NOT_RECEIVED = frozenset({"InvoicePayment", "GhostPayment"})
"""Types of payment by which no money comes: an invoice is paid by another one."""


@dataclass
class Stay:
    """A reservation, with what was put on its bill, and what was paid of it."""

    reservation: Row
    items: list[Row] = field(default_factory=list)
    payments: list[Row] = field(default_factory=list)

    @property
    def id(self) -> str:
        return reading.text(self.reservation.get("Id"))

    @property
    def state(self) -> str:
        return reading.text(self.reservation.get("State"))

    @property
    def accounts(self) -> list[str]:
        """Whose it may be, the likeliest first: a company's is whose who booked it."""
        is_company = self.reservation.get("AccountType") == "Company"
        named = ("BookerId",) if is_company else ("AccountId", "BookerId")
        ids = (reading.text(self.reservation.get(name)) for name in named)
        return [one for one in ids if one]

    @property
    def version(self) -> int | None:
        """When it was so. Mews tells time by the second, and who comes without a booking is booked
        and checked in in the same one: then the later stage is the newer state."""
        moment = moment_version(self._moment(self.reservation, "UpdatedUtc"))
        stage = STAGES.index(self.state) + 1 if self.state in STAGES else 0
        return None if moment is None else moment + stage

    def parts(self, *, by_payments: bool) -> dict[str, int]:
        """When what is on its bill, and what was paid of it where that was asked for, was so:
        neither touches the reservation itself."""
        asked = {ITEMS: self.items} | ({PAID_FOR: self.payments} if by_payments else {})
        return {name: max(map(self._updated, rows), default=0) for name, rows in asked.items()}

    @classmethod
    def _updated(cls, row: Row) -> int:
        return moment_version(cls._moment(row, "UpdatedUtc")) or 0

    def at(self, *names: str) -> datetime | None:
        """The first of these times that is known."""
        return reading.first(self._moment(self.reservation, name) for name in names)  # type: ignore[no-any-return]  # of what it is given

    @staticmethod
    def _moment(row: Row, name: str) -> datetime | None:
        return reading.moment(row.get(name))


def change(stay: Stay, person: Person | None, connection: Connection) -> Change:
    """What a reservation is now."""
    booked = stay.at("CreatedUtc", "UpdatedUtc")
    if booked is None:
        return Nothing(_("The reservation %(id)s has no date.") % {"id": stay.id})
    worth = _worth(stay, connection)
    is_paid = connection.options.get("spend") == PAID
    return ObjectIs(
        RESERVATION,
        stay.id,
        stay.version,
        person=person,
        facts=list(_facts(stay, booked, worth, connection)),
        counts=is_paid or stay.state != CANCELLED,
        note=_note(stay, worth),
        parts=stay.parts(by_payments=is_paid),
    )


def _note(stay: Stay, worth: Worth) -> str:
    if stay.state not in BOOKED:
        return _("Reservation %(number)s is %(state)s: nothing is recorded.") % {
            "number": reading.text(stay.reservation.get("Number")) or stay.id,
            "state": stay.state or "–",
        }
    if worth.left_out:
        return _("Not counted, since a stay has one currency: what is in %(currencies)s.") % {
            "currencies": ", ".join(worth.left_out)
        }
    return ""


# What it is worth


@dataclass(frozen=True)
class Worth:
    """An amount in the smallest unit, and which currencies were left out of it."""

    amount: int
    currency: str
    left_out: Sequence[str] = ()


def _worth(stay: Stay, connection: Connection) -> Worth:
    """The value of the stay, with taxes; or of its payments, which Mews counts downwards."""
    if connection.options.get("spend") == PAID:
        return _sum(filter(_is_received, stay.payments), connection, sign=-1)
    return _sum((item for item in stay.items if _counts(item, connection)), connection)


def _is_received(payment: Row) -> bool:
    return payment.get("State") == "Charged" and payment.get("Type") not in NOT_RECEIVED


def _counts(item: Row, connection: Connection) -> bool:
    """Items of an offer are inactive until it is confirmed. City tax is passed on, and a deposit is
    settled with what else is on the bill: they count where the connection says so."""
    optional = {"CityTax": "city_tax", "CityTaxDiscount": "city_tax", "Deposit": "deposit"}
    option = optional.get(reading.text(item.get("Type")))
    wanted = option is None or connection.options.get(option) == "count"
    return wanted and item.get("AccountingState") in ("Open", "Closed")


def _sum(rows: Iterable[Row], connection: Connection, sign: int = 1) -> Worth:
    ours = connection.organisation.currency_code
    sums: Counter[str] = Counter()
    for row in rows:
        amount = reading.mapping(row.get("Amount"))
        code = reading.currency(amount.get("Currency")) or ours
        sums[code] += sign * reading.money(amount.get("GrossValue"), code)
    first, *others = sorted(sums, key=lambda code: (-abs(sums[code]), code)) or [ours]
    return Worth(sums[first], first, others)


# What happened


def _facts(stay: Stay, booked: datetime, worth: Worth, connection: Connection) -> Iterable[Fact]:
    """The value counts once: at check-out, or from the booking on where the connection says so."""
    booking = _booking(stay, worth)
    at_check_out = connection.options.get("spend", "stayed") == "stayed"

    def fact(type_: str, name: str, happened_at: datetime, counts: bool) -> Fact:
        return Fact(
            type=type_,
            reference=f"{stay.id}:{name}",
            happened_at=happened_at,
            spend=worth.amount if counts else 0,
            currency_code=worth.currency,
            booking=booking,
            data=_data(stay),
            quietly=stay.state == CANCELLED,  # one must not be thanked for what one called off
        )

    if stay.state in BOOKED:
        yield fact("Booking", "booking", booked, not at_check_out)
    if stay.state in CHECKED_IN:
        yield fact("Checked in", "checkin", _happened(stay, "Start", booked), False)
    if stay.state in CHECKED_OUT:
        yield fact("Checked out", "checkout", _happened(stay, "End", booked), at_check_out)


def _happened(stay: Stay, what: str, booked: datetime) -> datetime:
    """When they really came or left; else when they were to, if that is not still to come."""
    actual = stay.at(f"Actual{what}Utc")
    planned = stay.at(f"Scheduled{what}Utc", f"{what}Utc") or booked
    return actual or min(planned, stay.at("UpdatedUtc") or planned)


def _booking(stay: Stay, worth: Worth) -> dict[str, Any]:
    """The booking, known again by Mews's id: a number is not unique among hotels."""
    told = stay.reservation
    channel = reading.first(
        reading.text(told.get(name)) for name in ("ChannelNumber", "ChannelManagerNumber")
    )
    return {
        "external_reference": stay.id,
        "status": stay.state[:60],
        "origin": reading.text(told.get("Origin"))[:120] or None,
        "check_in": stay.at("ActualStartUtc", "ScheduledStartUtc", "StartUtc"),
        "check_out": stay.at("ActualEndUtc", "ScheduledEndUtc", "EndUtc"),
        "number_of_guests": _guests(told),
        "total": worth.amount,
        "currency_code": worth.currency,
        "customer_reference": reading.text(told.get("Number"))[:255] or None,
        "purpose": reading.text(told.get("Purpose"))[:120] or None,
        "channel_number": channel[:255] if channel else None,
    }


def _guests(told: Row) -> int | None:
    counts = [reading.decimal(one.get("Count")) for one in reading.rows(told.get("PersonCounts"))]
    guests = int(sum(count for count in counts if count is not None))
    return guests if counts and guests >= 0 else None


_TOLD = {
    "number": "Number",
    "commanderOrigin": "CommanderOrigin",
    "originDetails": "OriginDetails",
    "cancelledAt": "CancelledUtc",
    "cancellationReason": "CancellationReason",
    "groupId": "GroupId",
    "serviceId": "ServiceId",
    "rateId": "RateId",
    "travelAgencyId": "TravelAgencyId",
    "companyId": "PartnerCompanyId",
}


def _data(stay: Stay) -> dict[str, Any]:
    told = {ours: reading.text(stay.reservation.get(theirs)) for ours, theirs in _TOLD.items()}
    return {name: value[:500] for name, value in told.items() if value}
