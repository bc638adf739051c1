"""The rows of a file of activities: whose they are, which are known, which fail and why."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from activities import services as activities
from activities.models import Activity, Booking
from activities.signals import activities_recorded
from contacts import rollups, services
from contacts.models import Contact
from contacts.signals import contacts_created
from crm import causes
from customfields import services as custom_fields
from imports.files.spreadsheet import unguard
from imports.models import Import
from organisations.models import Organisation
from organisations.services import set_listening
from tests.imports.running import counts, failures, report, run, write_csv
from tests.imports.snapshots import everything

pytestmark = pytest.mark.django_db

HEADERS = [
    "contact",
    "E-mail",
    "Phone",
    "Calling code",
    "First name",
    "Type",
    "Source",
    "Date",
    "Amount",
    "Currency",
    "Order ID",
    "Gift card",
    "Booking ID",
    "Guests",
    "Referral invite",
    "data",
]
GOOD = {
    "E-mail": "ann@example.com",
    "Type": "Purchase",
    "Source": "till",
    "Date": "2026-04-07T14:30:00Z",
    "Amount": "4500",
}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write({"Amount": "12"}, …)`: a file of good rows with these cells."""

    def write(*rows: dict[str, str]) -> Path:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.csv"
        cells = [{**GOOD, **row} for row in rows]
        return write_csv(path, HEADERS, [[one.get(name, "") for name in HEADERS] for one in cells])

    return write


def known(organisation: Organisation, **values: Any) -> Contact:
    return services.upsert(organisation=organisation, values=values)[0]


def of(organisation: Organisation) -> list[Activity]:
    return list(Activity.objects.for_organisation(organisation).order_by("pk"))


# Whose they are.


def test_a_contact_is_found_or_created_as_by_the_api(
    organisation: Organisation, write: Write
) -> None:
    custom_fields.define(organisation=organisation, label="Diet", type="Text", default="Any")
    bob = known(organisation, email_address="bob@example.com", phone_number="07700900002")
    path = write(
        {"E-mail": "BOB@Example.com", "First name": "Bob"},
        {"E-mail": "", "Phone": "0117 496 0000", "Calling code": "44", "First name": "Cid"},
        {"E-mail": "", "Phone": "+44 117 496 0000"},
        {"E-mail": "cid@example.com", "Phone": "01174960000"},
        {"E-mail": "", "Phone": "01 23 45 67 89", "Calling code": "+33"},
    )

    told = report("import_activities", path, organisation)

    assert (told["code"], counts(told)) == (0, (5, 0, 0, 0))
    contacts = {one.pk: one for one in Contact.objects.for_organisation(organisation)}
    assert len(contacts) == 3
    first, *others = [one.contact_id for one in of(organisation)]
    assert (first, contacts[bob.pk].first_name) == (bob.pk, "Bob")
    assert len(set(others[:3])) == 1
    cid = contacts[others[0]]
    assert (cid.first_name, cid.email_address) == ("Cid", "cid@example.com")
    assert cid.phone_number_e164 == "+441174960000"
    assert [value.value_text for value in cid.custom_field_values.all()] == ["Any"]
    assert contacts[others[3]].phone_number_e164 == "+33123456789"


def test_placeholders_bring_nobody_together(organisation: Organisation, write: Write) -> None:
    path = write({"E-mail": "n/a", "Phone": "07700900001"}, {"E-mail": "none@example.com"})

    told = report("import_activities", path, organisation)

    assert counts(told) == (2, 0, 0, 0)
    assert len({one.contact_id for one in of(organisation)}) == 2


def test_an_id_is_whose_it_is_whatever_else_the_row_says(
    organisation: Organisation, other_organisation: Organisation, write: Write
) -> None:
    ann, bob = (known(organisation, email_address=f"{name}@example.com") for name in ("ann", "bob"))
    stranger = known(other_organisation, email_address="ann@example.com")
    services.merge(survivor=ann, absorbed=bob)
    path = write(
        {"contact": str(ann.pk), "E-mail": "new@example.com", "First name": "New"},
        {"contact": f"/api/contacts/{bob.pk}"},
        {"contact": str(stranger.pk)},
        {"contact": "ann"},
    )

    told = report("import_activities", path, organisation)

    assert counts(told) == (2, 0, 0, 2)
    recorded = [one for one in of(organisation) if one.type == "Purchase"]
    assert [one.contact_id for one in recorded] == [ann.pk, ann.pk]
    assert Contact.objects.for_organisation(organisation).current().count() == 1
    assert [one["error_field"] for one in failures(told["errorsFile"])] == ["contact", "contact"]


def test_those_who_were_merged_are_found_as_by_the_api(
    organisation: Organisation, write: Write
) -> None:
    ann, bob = (known(organisation, email_address=f"{name}@example.com") for name in ("ann", "bob"))
    services.merge(survivor=ann, absorbed=bob)

    told = report("import_activities", write({"E-mail": "bob@example.com"}), organisation)

    assert counts(told) == (1, 0, 0, 0)
    assert of(organisation)[-1].contact_id == ann.pk


# Which are known.


def test_the_same_fact_is_recorded_once(organisation: Organisation, write: Write, api: Any) -> None:
    ann = known(organisation, email_address="ann@example.com")
    posted = {
        "contact": ann.pk,
        "type": "Purchase",
        "source": "website",
        "happenedAt": "2026-04-07T14:30:00Z",
        "spend": 100,
        "externalReference": "R1",
    }
    assert api.post("/activities", posted).status_code == 201
    card = {"Type": "Gift card registered", "Gift card": "G1", "Amount": ""}
    path = write(
        {"Order ID": "R1"},
        {"Order ID": "R2"},
        {"Order ID": "R2", "Amount": "1", "E-mail": "somebody@example.com"},
        {"Order ID": "R2", "Type": "Refund", "Amount": "-4500"},
        card,
        {**card, "Order ID": "R3"},
        {**card, "Type": "Purchase"},
    )

    told = report("import_activities", path, organisation)

    assert (told["code"], counts(told)) == (0, (4, 0, 3, 0))
    assert Contact.objects.for_organisation(organisation).count() == 1
    again = report("import_activities", path, organisation)
    assert counts(again) == (1, 0, 6, 0)  # the purchase by card, which has no reference
    totals = api.get(f"/contacts/{ann.pk}").json()
    assert (totals["totalSpend"], totals["totalOrders"]) == (100, 4)


def test_a_file_that_was_imported_already_is_announced(
    organisation: Organisation, write: Write
) -> None:
    path = write({}, {"Order ID": "R1"})
    first = report("import_activities", path, organisation)

    code, out, err = run("import_activities", path, "--organisation", organisation.pk)

    assert code == 0
    assert f"This very file was imported already, as import {first['importId']}." in err
    assert "What has no external reference is recorded once more." in err
    assert "created    1" in out
    other = run("import_activities", path, "--organisation", organisation.pk, "--source", "pms")
    assert "already" not in other[2]


def test_another_organisations_activities_are_not_known_here(
    organisation: Organisation, other_organisation: Organisation, write: Write
) -> None:
    path = write({"Order ID": "R1"})
    report("import_activities", path, other_organisation)

    assert counts(report("import_activities", path, organisation)) == (1, 0, 0, 0)


def test_bookings_are_created_once_and_updated(organisation: Organisation, write: Write) -> None:
    path = write(
        {"Type": "Booking", "Booking ID": "B1", "Guests": "2", "Order ID": "R1"},
        {"Type": "Checked in", "Booking ID": "B1", "Guests": "3", "Order ID": "R2"},
        {"Type": "Checked in", "Booking ID": "B1", "Guests": "4", "Order ID": "R2"},
    )

    told = report("import_activities", path, organisation)

    assert counts(told) == (2, 0, 1, 0)
    booking = Booking.objects.for_organisation(organisation).get()
    assert booking.number_of_guests == 3
    assert {one.booking_id for one in of(organisation)} == {booking.pk}


# Which fail.

BAD = [
    ({"E-mail": "ann@"}, "contact.emailAddress", "not an e-mail address"),
    ({"E-mail": "", "Phone": "12"}, "contact.phoneNumber", ""),
    ({"E-mail": "", "Phone": "4.47701E+11"}, "contact.phoneNumber", "digits are lost"),
    ({"E-mail": ""}, "contact.emailAddress", "needs an e-mail address or a phone number"),
    ({"First name": "x" * 200}, "contact.firstName", "at most"),
    ({"E-mail": "bob@example.com", "Phone": "07700900001"}, "", "Merge them"),
    ({"contact": "999999999"}, "contact", "nothing with the id"),
    ({"contact": "x"}, "contact", "Use an id"),
    ({"Type": ""}, "type", "required"),
    ({"Type": "Purchas"}, "type", "Did you mean Purchase"),
    ({"Source": ""}, "source", "required"),
    ({"Source": "x" * 101}, "source", "at most 100"),
    ({"Date": ""}, "happenedAt", "required"),
    ({"Date": "7 April"}, "happenedAt", "date format"),
    ({"Date": "2126-04-07"}, "happenedAt", "future"),
    ({"Amount": "45.00"}, "spend", "major units"),
    ({"Amount": "45.0"}, "spend", "major units"),
    ({"Amount": "a lot"}, "spend", "not a whole number"),
    ({"Amount": "9" * 15}, "spend", "less than or equal"),
    ({"Amount": "9" * 5000}, "spend", "not a whole number"),
    ({"Currency": "POUND"}, "currencyCode", ""),
    ({"Currency": "XXZ"}, "currencyCode", ""),
    ({"Order ID": "x" * 256}, "externalReference", "at most 255"),
    ({"data": "[1]"}, "data", "JSON object"),
    ({"data": '{"a": '}, "data", "JSON object"),
    ({"data": '{"a": "%s"}' % ("x" * 70_000)}, "data", "64 KB"),
    ({"Booking ID": "B1", "Guests": "two"}, "booking.numberOfGuests", "whole number"),
    ({"Booking ID": "B1", "Guests": "-2"}, "booking.numberOfGuests", "greater than or equal"),
    ({"Referral invite": "999999999"}, "referralInvite", "nothing with the id"),
    ({"Type": "Nonsense", "E-mail": "new@example.com"}, "type", "not a type of activity"),
    ({"Amount": "x", "Date": "x"}, "happenedAt, spend", ""),
]


@pytest.mark.parametrize(("cells", "field", "reason"), BAD)
def test_a_bad_row_fails_with_the_reason_and_nothing_of_it_is_written(
    organisation: Organisation, write: Write, cells: dict[str, str], field: str, reason: str
) -> None:
    known(organisation, email_address="bob@example.com")
    known(organisation, email_address="cid@example.com", phone_number="07700900001")
    before = everything(organisation)
    path = write(cells)

    told = report("import_activities", path, organisation)

    assert (told["code"], counts(told)) == (1, (0, 0, 0, 1))
    assert everything(organisation) == before
    (row,) = failures(told["errorsFile"])
    assert (row["error_line"], row["error_field"]) == ("2", field)
    assert reason in row["error_reason"]
    assert {name: unguard(row[name]) for name in HEADERS} == {
        **dict.fromkeys(HEADERS, ""),
        **GOOD,
        **cells,
    }


def test_bad_rows_among_good_ones_harm_only_themselves(
    organisation: Organisation, write: Write, api: Any
) -> None:
    known(organisation, email_address="bob@example.com")
    known(organisation, email_address="cid@example.com", phone_number="07700900001")
    rows: list[dict[str, str]] = []
    for cells, _field, _reason in BAD:
        rows += [{"Amount": "100"}, cells]
    rows.append({"Amount": "100"})

    told = report("import_activities", write(*rows), organisation)

    assert counts(told) == (len(BAD) + 1, 0, 0, len(BAD))
    lines = [int(row["error_line"]) for row in failures(told["errorsFile"])]
    assert lines == list(range(3, 2 * len(BAD) + 2, 2))
    ann = Contact.objects.for_organisation(organisation).get(email_key="ann@example.com")
    assert api.get(f"/contacts/{ann.pk}").json()["totalSpend"] == 100 * (len(BAD) + 1)
    assert list(rollups.drift(organisation)) == []


def test_rows_that_are_no_rows_fail_too(organisation: Organisation, tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    path.write_bytes(
        b"E-mail,Type,Source,Date\r\n"
        b"a@x.com,Login,wifi,2026-04-07\r\n"
        b"a@x.com,Login\r\n"
        b"a@x.com,Login,wifi,2026-04-07,more\r\n"
        b"a@x.com,Lo\0gin,wifi,2026-04-07\r\n"
        b'a@x.com,"Login,wifi,2026-04-07\r\n'
    )

    told = report("import_activities", path, organisation)

    assert counts(told) == (1, 0, 0, 4)


def test_the_errors_file_is_mended_and_imported_again(
    organisation: Organisation, write: Write, tmp_path: Path
) -> None:
    path = write({"Order ID": "=R1"}, {"Order ID": "R2", "Amount": "x"}, {"Type": "Nonsense"})
    errors = tmp_path / "mend.csv"
    told = report("import_activities", path, organisation, "--errors", errors)
    assert (counts(told), told["errorsFile"]) == ((1, 0, 0, 2), str(errors))
    with errors.open(newline="") as stream:
        rows = list(csv.reader(stream))
    for row in rows[1:]:
        row[rows[0].index("Amount")] = "100"
        row[rows[0].index("Type")] = "Purchase"
    mended = write_csv(tmp_path / "mended.csv", rows[0], rows[1:])

    told = report("import_activities", mended, organisation)

    assert (told["code"], counts(told)) == (0, (2, 0, 0, 0))
    assert [one.external_reference for one in of(organisation)] == ["=R1", "R2", None]


# How it is run.


def test_a_dry_run_does_everything_but_write(
    organisation: Organisation, write: Write, tmp_path: Path
) -> None:
    ann = known(organisation, email_address="ann@example.com")
    services.merge(survivor=ann, absorbed=known(organisation, email_address="m@example.com"))
    path = write(
        {"Order ID": "R1"},
        {"Order ID": "R1", "E-mail": "new@example.com"},
        {"E-mail": "new@example.com", "Type": "Booking", "Booking ID": "B1"},
        {"E-mail": "m@example.com", "First name": "M"},
        {"E-mail": "new@example.com", "Amount": "x"},
        {"Type": "Gift card registered", "Gift card": "G", "Amount": ""},
        {"Type": "Gift card registered", "Gift card": "G", "Amount": ""},
    )
    before, there = everything(organisation), set(tmp_path.iterdir())

    rehearsed = report("import_activities", path, organisation, "--dry-run")

    assert everything(organisation) == before
    assert not Import.objects.for_organisation(organisation).exists()
    assert set(tmp_path.iterdir()) == there
    told = report("import_activities", path, organisation)
    assert counts(rehearsed) == counts(told) == (4, 0, 2, 1)
    assert (rehearsed["code"], rehearsed["dryRun"], rehearsed["importId"]) == (1, True, None)


@pytest.mark.parametrize("backfill", [True, False])
def test_history_starts_nothing_and_what_is_no_history_does(
    organisation: Organisation, write: Write, backfill: bool
) -> None:
    told: list[int] = []
    set_listening(organisation=organisation, owner="test", kinds=["activity_created"])

    def hear(sender: Any, activities: list[Activity], **kwargs: Any) -> None:
        told.extend(one.pk for one in activities)

    activities_recorded.connect(hear)
    try:
        path = write(*[{"Order ID": f"R{n}"} for n in range(3)])
        options = ["--backfill"] if backfill else []
        report("import_activities", path, organisation, *options)
    finally:
        activities_recorded.disconnect(hear)

    assert [one.backfill for one in of(organisation)] == [backfill] * 3
    assert sorted(told) == ([] if backfill else [one.pk for one in of(organisation)])
    assert list(rollups.drift(organisation)) == []


@pytest.mark.parametrize("backfill", [True, False])
def test_contacts_that_history_brings_are_history(
    organisation: Organisation, write: Write, backfill: bool
) -> None:
    told: list[bool] = []

    def hear(sender: Any, **kwargs: Any) -> None:
        told.append(causes.is_quiet())

    contacts_created.connect(hear)
    try:
        report("import_activities", write({}), organisation, *(["--backfill"] if backfill else []))
    finally:
        contacts_created.disconnect(hear)

    assert told == [backfill]


def test_an_own_type_counts_as_it_says(organisation: Organisation, write: Write, api: Any) -> None:
    activities.define_type(organisation=organisation, name="Spa", counts_as_order=True)
    activities.define_type(organisation=organisation, name="Walk-in")

    told = report("import_activities", write({"Type": "Spa"}, {"Type": "Walk-in"}), organisation)

    assert counts(told) == (2, 0, 0, 0)
    ann = api.get("/contacts", {"emailAddress": "ann@example.com"}).json()
    assert str(ann).count("'totalOrders': 1") == 1
