"""Undoing an import of activities: they go, with the bookings and contacts that came with them, and
the totals follow."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from activities import services as activities
from activities.models import Activity, Booking
from contacts import rollups, services
from contacts.models import Contact
from organisations.models import Organisation
from tests.imports.running import report, run, write_csv
from tests.imports.snapshots import everything
from tests.imports.test_activities_same_as_service import HEADERS as ALL_HEADERS
from tests.imports.test_activities_same_as_service import World, row

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)

pytestmark = pytest.mark.django_db

HEADERS = ["E-mail", "Type", "Source", "Date", "Amount", "Order ID", "Booking ID", "Guests"]
ANN = ["ann@x.com", "Purchase", "till", "2026-04-07T14:30:00Z", "4500", "R1", "", ""]
BOB = ["bob@x.com", "Booking", "pms", "2026-04-08T14:30:00Z", "100", "R2", "B1", "2"]


@pytest.fixture
def imported(organisation: Organisation, tmp_path: Path) -> Callable[..., int]:
    def imported(*rows: list[str]) -> int:
        path = write_csv(tmp_path / f"{len(list(tmp_path.iterdir()))}.csv", HEADERS, list(rows))
        told = report("import_activities", path, organisation)
        assert told["code"] == 0, told
        return int(told["importId"])

    return imported


def undo(pk: int) -> dict[str, Any]:
    code, out, err = run("undo_import", pk, "--json")
    assert out, err
    return {**json.loads(out), "code": code}


def known(organisation: Organisation, email: str = "ann@x.com") -> Contact:
    contact, _new = services.upsert(organisation=organisation, values={"email_address": email})
    return contact


def booking(organisation: Organisation, contact: Contact, guests: int = 1) -> None:
    activities.record(
        organisation=organisation,
        contact=contact,
        type="Booking",
        source="pms",
        happened_at=datetime(2026, 1, 1, tzinfo=UTC),
        booking={"external_reference": "B1", "number_of_guests": guests},
    )


def test_activities_bookings_and_contacts_go(organisation: Organisation, imported: Any) -> None:
    ann = known(organisation)
    activities.record(
        organisation=organisation,
        contact=ann,
        type="Purchase",
        source="till",
        happened_at=datetime(2026, 1, 1, tzinfo=UTC),
        spend=700,
    )
    before = everything(organisation)
    pk = imported(ANN, BOB, [*BOB[:5], "R3", "B1", "3"], [*BOB[:5], "", "", ""])
    assert everything(organisation)["contacts"][ann.pk]["totals"]["total_spend"] == 5200

    told = undo(pk)

    assert (told["code"], told["kept"]) == (0, 0)
    assert told["deleted"] == {"activity": 4, "booking": 1, "contact": 1}
    assert everything(organisation) == before
    assert not list(rollups.drift(organisation))


def test_a_booking_that_it_changed_is_as_it_was(organisation: Organisation, imported: Any) -> None:
    booking(organisation, known(organisation))
    before = everything(organisation)
    first = imported(BOB)
    second = imported([*BOB[:5], "R9", "B1", "5"])

    told = undo(second)
    assert (told["code"], told["restored"]) == (0, {"booking": 1})
    told = undo(first)

    assert (told["code"], told["restored"]) == (0, {"booking": 1})
    assert everything(organisation) == before


def test_a_booking_that_was_changed_since_is_kept(
    organisation: Organisation, imported: Any
) -> None:
    booking(organisation, known(organisation))
    pk = imported(BOB)
    booked = Booking.objects.for_organisation(organisation).get()
    activities.amend_reservation(reservation=booked, values={"number_of_guests": 7})

    told = undo(pk)

    assert (told["code"], told["deleted"]) == (1, {"activity": 1, "contact": 1})
    assert told["keptRows"] == [
        {"what": "booking", "id": booked.pk, "name": "B1", "reason": "It was changed since."}
    ]
    booked.refresh_from_db()
    assert booked.number_of_guests == 7


def test_an_activity_that_was_corrected_keeps_its_booking_and_contact(
    organisation: Organisation, imported: Any
) -> None:
    pk = imported(ANN, BOB)
    corrected = Activity.objects.for_organisation(organisation).get(type="Booking")
    corrected.organisation = organisation
    activities.correct(activity=corrected, values={"spend": 200})

    told = undo(pk)

    assert (told["code"], told["deleted"]) == (1, {"activity": 1, "contact": 1})
    assert [(row["what"], row["reason"]) for row in told["keptRows"]] == [
        ("activity", "It was changed since."),
        ("booking", "Something hangs on it that stays: 1 activity."),
        ("contact", "Something hangs on it that stays: 1 booking, 1 activity."),
    ]
    assert not list(rollups.drift(organisation))


def test_a_booking_that_others_speak_of_is_kept(organisation: Organisation, imported: Any) -> None:
    pk = imported(BOB)
    booking(organisation, known(organisation), guests=2)

    told = undo(pk)

    assert [row["what"] for row in told["keptRows"]] == ["booking", "contact"]
    assert Booking.objects.for_organisation(organisation).get().activities.count() == 1


def test_activities_go_from_whoever_has_them_now(organisation: Organisation, imported: Any) -> None:
    pk = imported(ANN)
    ann, other = known(organisation), known(organisation, "other@x.com")
    services.merge(survivor=other, absorbed=ann)

    told = undo(pk)

    assert (told["code"], told["deleted"]) == (1, {"activity": 1})
    assert everything(organisation)["contacts"][other.pk]["totals"]["total_spend"] == 0
    assert not list(rollups.drift(organisation))


def test_contacts_first_and_their_activities_afterwards(
    organisation: Organisation, imported: Any, tmp_path: Path
) -> None:
    """Undone in the other order: one import is no hindrance to the other."""
    before = everything(organisation)
    people = [["ann@x.com", "Ann", "Bath", "VIP"], ["bob@x.com", "Bob", "York", "VIP"]]
    path = write_csv(tmp_path / "people.csv", ["E-mail", "First name", "City", "Tags"], people)
    first = report("import_contacts", path, organisation)["importId"]
    second = imported(ANN, BOB)

    assert undo(second)["deleted"] == {"activity": 2, "booking": 1}
    told = undo(first)

    assert (told["code"], told["deleted"]) == (0, {"contact": 2})
    assert everything(organisation) == before


def test_queries_do_not_grow_with_the_rows(organisation: Organisation, imported: Any) -> None:
    def queries(number: int) -> int:
        rows = [
            [f"{number}-{n}@x.com", *BOB[1:5], f"R{number}-{n}", f"B{number}-{n}", "2"]
            for n in range(number)
        ]
        pk = imported(*rows)
        with CaptureQueriesContext(connection) as context:
            undo(pk)
        return len(context)

    assert queries(3) == queries(60) < 100


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(rows=st.lists(row, max_size=12))
def test_everything_is_as_it_was(rows: list[tuple[str, ...]]) -> None:
    world = World()
    organisation = world.organisation
    before = everything(organisation)
    with tempfile.TemporaryDirectory() as folder:
        cells = [world.cells(one) for one in rows]
        path = write_csv(Path(folder) / "activities.csv", ALL_HEADERS, cells)
        told = report("import_activities", path, organisation)
    if told["code"] == 2:
        return

    code, _out, err = run("undo_import", told["importId"])

    assert (code, everything(organisation)) == (0, before), err
    assert not list(rollups.drift(organisation))
