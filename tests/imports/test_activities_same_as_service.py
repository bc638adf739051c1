"""An imported file gives the same activities, contacts and totals as recording each of its rows."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from activities import services as activity_services
from activities.models import Activity, Booking
from contacts import rollups, services
from contacts.models import Contact
from crm.errors import Conflict
from customfields import services as custom_services
from organisations.models import Organisation
from tests.factories import OrganisationFactory
from tests.imports.running import failures, report, write_csv

# Shrinking takes minutes where each example is two imports.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)

pytestmark = pytest.mark.django_db

HEADERS = [
    "Contact ID",
    "E-mail",
    "Phone",
    "First name",
    "Type",
    "Source",
    "Date",
    "Amount",
    "Currency",
    "Order ID",
    "Gift card",
    "Purchase",
    "data.till",
    "data",
    "Booking ID",
    "Booking status",
    "Guests",
    "Referral invite",
]


def mostly(good: list[str], others: list[str]) -> st.SearchStrategy[str]:
    """A good cell 29 times of 30: with so many columns, half of the rows have no bad one."""
    return st.sampled_from(good * (29 * len(others) // len(good) + 1) + others)


row = st.tuples(
    mostly(
        ["", "", "", "known", "merged", "redacted"], ["foreign", "none", "x", "/api/contacts/none"]
    ),
    mostly(["a@x.com", "A@x.com", "b@x.com", "m@x.com"], ["", "n/a", "bad", r"\N", "é@x.com"]),
    mostly(["", "", "07700900001", "+44 7700 900002"], ["12", "07700900009", "0000000000"]),
    mostly(["", "Ann", "Élodie"], ["x" * 160, "=1+1", "'=a"]),
    mostly(["Purchase", "Login", "Refund", "Spa", "Gift card registered"], ["", "purchase", r"\N"]),
    mostly(["till", "website"], ["", "x" * 101]),
    mostly(
        ["2026-04-07T14:30:00Z", "2026-04-07 16:30", "2025-12-31", "2026-04-08T00:00:00.5+02:00"],
        ["", "yesterday", "2999-01-01", "0001-01-01T00:00:00+23:00", r"\N"],
    ),
    mostly(["", "4500", "-1000", "0", "+7.0"], ["45.50", "many", "1000000000001", r"\N"]),
    mostly(["", "", "EUR", "jpy"], ["POUND", "XXZ"]),
    mostly(["", "R1", "R2", "R3", "\x1fR", "'-R"], ["x" * 256, r"\N"]),
    mostly(["", "", "G1", "G2"], ["x" * 256]),
    mostly(["", "P1"], ["x" * 256]),
    mostly(["", "", "3"], [r"\u0000", "x" * 12000]),
    mostly(["", "", "", '{"a": [1, 2.5], "till": 4}'], ["[1]", "{", '{"a": "\\u0000"}']),
    mostly(["", "", "", "B1", "B2"], []),
    mostly(["", "", "", "Confirmed", "Cancelled"], ["x" * 61]),
    mostly(["", "", "", "2"], ["-1", "two", "2.0"]),
    mostly(["", "", "", "", "known"], ["none", "x"]),
)


class World:
    """An organisation with contacts of every kind, an own type and an invite."""

    def __init__(self) -> None:
        self.organisation: Organisation = OrganisationFactory(timezone="Europe/London")
        organisation = self.organisation
        upsert = services.upsert
        other, _ = upsert(organisation=OrganisationFactory(), values={"email_address": "f@x.com"})
        known, _ = upsert(organisation=organisation, values={"email_address": "k@x.com"})
        merged, _ = upsert(
            organisation=organisation,
            values={"email_address": "m@x.com", "phone_number": "07700900009"},
        )
        redacted, _ = upsert(organisation=organisation, values={"email_address": "r@x.com"})
        services.merge(survivor=known, absorbed=merged)
        services.redact(contact=redacted)
        custom_services.define(organisation=organisation, label="Diet", type="Text", default="Any")
        activity_services.define_type(organisation=organisation, name="Spa", counts_as_order=True)
        invite = services.create_invite(contact=known, email_address="friend@x.com")
        self.first = known.pk
        self.ids = {
            "known": known.pk,
            "merged": merged.pk,
            "redacted": redacted.pk,
            "foreign": other.pk,
            "none": 10**12,
        }
        self.invites = {"known": invite.pk, "none": 10**12}

    def cells(self, cells: tuple[str, ...]) -> list[str]:
        """A row as this organisation's file has it."""
        path, _slash, name = cells[0].rpartition("/")
        contact = f"{path}/{self.ids[name]}" if path else str(self.ids.get(name, name))
        return [contact, *cells[1:-1], str(self.invites.get(cells[-1], cells[-1]))]


def record(world: World, cells: list[str]) -> None:
    """Record a row as somebody would who reads the file."""
    organisation = world.organisation
    there = {
        name: cell[1:] if cell[:1] == "'" else cell
        for name, cell in zip(HEADERS, cells, strict=True)
        if cell not in {"", r"\N"}
    }
    values: dict[str, Any] = {"type": None, "source": None, "happened_at": None}
    if "Contact ID" in there:
        values["contact"] = _id(there["Contact ID"])
    else:
        pairs = {"email_address": "E-mail", "phone_number": "Phone", "first_name": "First name"}
        values["contact"] = {
            key: None if cells[HEADERS.index(header)] == r"\N" else there[header]
            for key, header in pairs.items()
            if cells[HEADERS.index(header)]
        }
    for key, header in {
        "type": "Type",
        "source": "Source",
        "external_reference": "Order ID",
        "gift_card": "Gift card",
        "purchase": "Purchase",
    }.items():
        if header in there:
            values[key] = there[header]
    if "Currency" in there:
        values["currency_code"] = there["Currency"].upper()
    if "Date" in there:
        values["happened_at"] = _moment(there["Date"])
    if "Amount" in there:
        values["spend"] = _whole(there["Amount"])
    if "data" in there:
        values["data"] = _json(there["data"])
    if "data.till" in there:
        given = values.get("data", {})
        # Anything but an object stays as it is, to be refused.
        values["data"] = {**given, "till": there["data.till"]} if isinstance(given, dict) else given
    booking = {
        key: there[header]
        for key, header in {"external_reference": "Booking ID", "status": "Booking status"}.items()
        if header in there
    }
    if "Guests" in there:
        booking["number_of_guests"] = int(there["Guests"])
    if booking:
        values["booking"] = booking
    if "Referral invite" in there:
        values["referral_invite"] = int(there["Referral invite"])
    activity_services.record(organisation=organisation, **values)


def _id(text: str) -> int:
    return int(text.rpartition("/")[2])


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo("Europe/London"))
    return moment.astimezone(UTC)


def _whole(text: str) -> int:
    return int(text)


def _json(text: str) -> Any:
    return json.loads(text)


def record_each(world: World, rows: list[list[str]]) -> list[int]:
    """Record each row; the lines of those that were refused."""
    failed = []
    for line, cells in enumerate(rows, start=2):
        try:
            record(world, cells)
        except (ValidationError, Conflict, ValueError, OverflowError):
            failed.append(line)
    return failed


def everything(world: World) -> list[Any]:
    """All that matters of an organisation's activities, contacts, totals and bookings."""
    organisation = world.organisation
    names: dict[int, str] = {}
    contacts = Contact.objects.for_organisation(organisation).with_everything().order_by("pk")
    people = []
    for number, contact in enumerate(contacts):
        names[contact.pk] = f"contact {number}"
        people.append(
            (
                contact.email_address,
                contact.email_key,
                contact.phone_number,
                contact.phone_number_e164,
                contact.first_name,
                contact.name,
                contact.merged_into_id and names[contact.merged_into_id],
                sorted(one.value_text or "" for one in contact.custom_field_values.all()),
                contact.rollup.total_spend,
                contact.rollup.total_orders,
                contact.rollup.last_order_at,
                sorted(contact.foreign_spend.values_list("currency_code", "amount")),
            )
        )
    activities = Activity.objects.for_organisation(organisation).with_reservations()
    facts = sorted(
        (
            names[one.contact_id],
            one.type,
            one.source,
            one.happened_at,
            one.spend,
            one.currency_code,
            one.external_reference or "",
            one.gift_card or "",
            one.purchase or "",
            repr(sorted(one.data.items())),
            one.backfill,
            one.booking is not None and (one.booking.external_reference, one.booking.status),
            one.referral_invite_id is not None,
        )
        for one in activities
        if one.type not in {"Contact merged in", "Referral invite created"}
    )
    bookings = sorted(
        (
            names[one.contact_id],
            one.external_reference or "",
            one.status,
            one.number_of_guests or 0,
        )
        for one in Booking.objects.for_organisation(organisation)
    )
    return [people, facts, bookings]


def some(**cells: str) -> tuple[str, ...]:
    """A good row with these cells."""
    given = {"Type": "Login", "Source": "wifi", "Date": "2026-01-01", **cells}
    return tuple(given.get(header.replace(" ", "_"), given.get(header, "")) for header in HEADERS)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(rows=st.lists(row, max_size=9))
@example(
    rows=[
        some(Order_ID="R1", Contact_ID="none"),
        some(Order_ID="R1", **{"E-mail": "bad"}),
        some(Order_ID="R1", **{"E-mail": "a@x.com"}),
        some(Order_ID="R1", **{"E-mail": "bad"}),
        some(Order_ID="R1", Contact_ID="none"),
        some(Order_ID="R1", Contact_ID="known", Booking_ID="B1"),
        some(Order_ID="R1", Contact_ID="none", Booking_ID="B1"),
    ]
)
def test_a_file_gives_what_its_rows_give_one_by_one(rows: list[tuple[str, ...]]) -> None:
    imported, recorded = World(), World()
    with tempfile.TemporaryDirectory() as folder:
        path = write_csv(
            Path(folder) / "activities.csv", HEADERS, [imported.cells(cells) for cells in rows]
        )
        rehearsed = report("import_activities", path, imported.organisation, "--dry-run")
        told = report("import_activities", path, imported.organisation)
        failed = (
            [int(one["error_line"]) for one in failures(told["errorsFile"])]
            if told["failed"]
            else []
        )
    assert failed == record_each(recorded, [recorded.cells(cells) for cells in rows])
    assert everything(imported) == everything(recorded)
    assert list(rollups.drift(imported.organisation)) == []
    names = ("created", "updated", "unchanged", "failed")
    assert [rehearsed[name] for name in names] == [told[name] for name in names]
