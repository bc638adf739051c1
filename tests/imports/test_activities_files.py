"""Files of activities, however they are written: formats, headers, money, times."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import xlsxwriter

from activities.models import Activity
from contacts import services
from contacts.models import Contact
from organisations.models import Organisation
from tests.imports.running import counts, report, run, write_csv

pytestmark = pytest.mark.django_db

MOMENT = datetime(2026, 4, 7, 14, 30, tzinfo=UTC)


def the_one(organisation: Organisation) -> Activity:
    found: Activity = Activity.objects.for_organisation(organisation).with_reservations().get()
    return found


def imported(
    organisation: Organisation, folder: Path, cells: dict[str, str], *arguments: str
) -> Activity:
    """The activity of a file with this one row, which says what is not in `cells` by options."""
    path = write_csv(folder / "one.csv", list(cells), [list(cells.values())])
    told = report("import_activities", path, organisation, *arguments)
    assert (told["code"], counts(told)) == (0, (1, 0, 0, 0))
    return the_one(organisation)


def test_headers_are_matched_by_name_by_usual_words_and_by_map(
    organisation: Organisation, tmp_path: Path
) -> None:
    activity = imported(
        organisation,
        tmp_path,
        {
            "Customer e-mail": "jane@example.com",
            "FIRST NAME": "Jane",
            "event type": "Booking",
            "System": "pms",
            "Order date": "2026-04-07T14:30:00Z",
            "Total": "4500",
            "Currency": "eur",
            "Order number": "SO-1",
            "data.till": "3",
            "Booking reference": "B-1",
            "Arrival": "2026-05-01",
            "Guests": "2",
            "booking.roomType": "Suite",
            "Waiter": "Bob",
            "Junk": "x",
        },
        "--map",
        "Waiter=data.waiter",
        "--map",
        "Junk=",
    )

    assert (activity.type, activity.source, activity.happened_at) == ("Booking", "pms", MOMENT)
    assert (activity.spend, activity.currency_code) == (4500, "EUR")
    assert activity.external_reference == "SO-1"
    assert activity.data == {"till": "3", "waiter": "Bob"}
    assert activity.backfill is False
    assert (activity.contact.email_address, activity.contact.first_name) == (
        "jane@example.com",
        "Jane",
    )
    booking = activity.booking
    assert booking is not None
    assert (booking.external_reference, booking.number_of_guests) == ("B-1", 2)
    assert (booking.room_type, booking.contact_id) == ("Suite", activity.contact_id)


def test_json_lines_as_the_api_tells_activities(organisation: Organisation, tmp_path: Path) -> None:
    lines = [
        {
            "contact": {"emailAddress": "jane@example.com", "phoneNumber": "07700900001"},
            "type": "Table reservation",
            "source": "tables",
            "happenedAt": "2026-04-07T14:30:00+00:00",
            "spend": 4500,
            "externalReference": 17,
            "data": {"covers": 4, "wine": ["red"], "vip": True},
            "tableReservation": {"originReference": "T-1", "partySize": 4, "notes": "Window"},
        },
        {
            "contact": {"emailAddress": "Jane@Example.com"},
            "type": "Login",
            "source": "wifi",
            "happenedAt": "2026-04-08T14:30:00+00:00",
            "spend": None,
            "data": {},
        },
    ]
    path = tmp_path / "activities.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))

    told = report("import_activities", path, organisation)

    assert (told["code"], counts(told)) == (0, (2, 0, 0, 0))
    login, table = Activity.objects.for_organisation(organisation).with_reservations()
    assert login.contact_id == table.contact_id
    assert (table.external_reference, login.external_reference) == ("17", None)
    assert (table.data, login.data) == ({"covers": 4, "wine": ["red"], "vip": True}, {})
    assert table.table_reservation is not None
    assert (table.table_reservation.party_size, table.table_reservation.notes) == (4, "Window")


def test_a_workbook(organisation: Organisation, tmp_path: Path) -> None:
    path = tmp_path / "activities.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("July")
        sheet.write_row(0, 0, ["E-mail", "Type", "Source", "Date", "Amount", "Order ID"])
        sheet.write_row(1, 0, ["jane@example.com", "Purchase", "till"])
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.write_datetime(1, 3, datetime(2026, 4, 7, 15, 30), moment)  # noqa: DTZ001
        sheet.write_number(1, 4, 45.5)
        sheet.write_number(1, 5, 1001)

    told = report("import_activities", path, organisation, "--spend-in", "major")

    assert (told["code"], counts(told)) == (0, (1, 0, 0, 0))
    activity = the_one(organisation)
    assert (activity.spend, activity.external_reference) == (4550, "1001")
    assert activity.happened_at == MOMENT  # half past three in London, in summer


def test_standard_input(organisation: Organisation, monkeypatch: Any) -> None:
    content = b"E-mail\tType\tSource\tDate\njane@example.com\tLogin\twifi\t2026-04-07\n"
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))

    told = report("import_activities", "-", organisation)

    assert counts(told) == (1, 0, 0, 0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_accents_in_any_encoding(organisation: Organisation, tmp_path: Path, encoding: str) -> None:
    headers = ["Courriel", "Prénom", "Type", "Source", "Date", "Référence", "data.où"]
    cells = ["zoe@example.com", "Zoé", "Purchase", "café", "2026-04-07", "Nº-é", "à côté"]
    path = write_csv(
        tmp_path / "activités.csv",
        headers,
        [cells, ["", *cells[1:]]],
        encoding=encoding,
        delimiter=";",
    )

    told = report("import_activities", path, organisation, "--map", "Référence=externalReference")

    # The second is the same fact once more: whose it is no longer matters.
    assert counts(told) == (1, 0, 1, 0)
    activity = the_one(organisation)
    assert activity.contact.first_name == "Zoé"
    assert (activity.source, activity.external_reference) == ("café", "Nº-é")
    assert activity.data == {"où": "à côté"}


@pytest.mark.parametrize(
    ("currency", "written", "told"),
    [
        ("GBP", "4500", ("minor", 4500)),
        ("GBP", "-4500", ("minor", -4500)),
        ("GBP", "45.5", ("major", 4550)),
        ("GBP", "1,234.50", ("major", 123450)),
        ("JPY", "4500", ("major", 4500)),
        ("KWD", "1.234", ("major", 1234)),
        ("", "45", ("major", 4500)),
        ("", "", ("major", 0)),
    ],
)
def test_money(
    organisation: Organisation, tmp_path: Path, currency: str, written: str, told: tuple[str, int]
) -> None:
    unit, spend = told
    cells = {
        "E-mail": "a@example.com",
        "Date": "2026-04-07",
        "Amount": written,
        "Currency": currency,
    }
    options = ("--spend-in", unit, "--type", "Purchase", "--source", "till")

    activity = imported(organisation, tmp_path, cells, *options)

    assert (activity.spend, activity.currency_code) == (spend, currency or "GBP")


def test_currencies_are_never_added_up(
    organisation: Organisation, tmp_path: Path, api: Any
) -> None:
    spent = [("100", "GBP"), ("200", "EUR"), ("300", ""), ("400", "EUR"), ("-50", "USD")]
    path = write_csv(
        tmp_path / "many.csv",
        ["E-mail", "Date", "Amount", "Currency"],
        [["a@example.com", "2026-04-07", *cells] for cells in spent],
    )

    told = report("import_activities", path, organisation, "--type", "Purchase", "--source", "till")

    assert counts(told) == (5, 0, 0, 0)
    contact = api.get(f"/contacts/{Contact.objects.for_organisation(organisation).get().pk}").json()
    assert contact["totalSpend"] == 400
    assert contact["spendByCurrency"] == {"GBP": 400, "EUR": 600, "USD": -50}
    assert contact["totalOrders"] == 5


@pytest.mark.parametrize(
    ("written", "options", "moment"),
    [
        ("2026-04-07T16:30:00+02:00", [], MOMENT),
        ("2026-04-07 15:30", [], MOMENT),
        ("2026-04-07 10:30", ["--timezone", "America/New_York"], MOMENT),
        ("07/04/2026 15:30", ["--date-format", "%d/%m/%Y %H:%M"], MOMENT),
        ("2026-01-07", [], datetime(2026, 1, 7, tzinfo=UTC)),
        ("2026-01-07", ["--timezone", "Asia/Tokyo"], datetime(2026, 1, 6, 15, tzinfo=UTC)),
    ],
)
def test_times(
    organisation: Organisation, tmp_path: Path, written: str, options: list[str], moment: datetime
) -> None:
    cells = {"E-mail": "a@example.com", "Date": written}

    activity = imported(
        organisation, tmp_path, cells, "--type", "Login", "--source", "wifi", *options
    )

    assert activity.happened_at == moment


def test_type_and_source_are_given_for_the_rows_that_say_none(
    organisation: Organisation, tmp_path: Path
) -> None:
    rows = [["", ""], ["Refund", ""], ["", "website"]]
    path = write_csv(
        tmp_path / "some.csv",
        ["Type", "Source", "E-mail", "Date"],
        [[*row, "a@example.com", f"2026-04-0{day}"] for day, row in enumerate(rows, start=1)],
    )

    told = report("import_activities", path, organisation, "--type", "Purchase", "--source", "till")

    assert counts(told) == (3, 0, 0, 0)
    activities = Activity.objects.for_organisation(organisation).order_by("happened_at")
    assert [(one.type, one.source) for one in activities] == [
        ("Purchase", "till"),
        ("Refund", "till"),
        ("Purchase", "website"),
    ]


@pytest.mark.parametrize(
    ("headers", "options", "said"),
    [
        (["Type", "Source", "Date"], [], "whose the activities are"),
        (["E-mail", "Source", "Date"], [], "or give it for all with --type"),
        (["E-mail", "Type", "Date"], [], "or give it for all with --source"),
        (["E-mail", "Type", "Source"], [], 'say which it is with --map "Header=happenedAt".'),
        (["E-mail", "Type", "Source", "Date", "Shoe size"], [], '"Header=data.name"'),
        (["E-mail", "Type", "Source", "Date", "When"], [], "are both happened_at"),
        (["E-mail", "Type", "Source", "Date", "id"], [], "another system's is externalReference"),
        (["Customer ID", "Type", "Source", "Date"], [], "map it to contact"),
        (["E-mail", "Type", "Source", "Date"], ["--map", "Colour=data.colour"], '"Colour"'),
        (["E-mail", "Type", "Source", "Date"], ["--map", "E-mail=totalSpend"], "totalSpend"),
        (["E-mail", "Type", "Source", "Date"], ["--timezone", "Mars/Base"], "Mars/Base"),
        (["E-mail", "Type", "Source", "Date"], ["--date-format", "day"], '"day"'),
    ],
)
def test_a_file_that_cannot_be_used(
    organisation: Organisation,
    tmp_path: Path,
    headers: list[str],
    options: list[str],
    said: str,
) -> None:
    path = write_csv(tmp_path / "bad.csv", headers, [["x"] * len(headers)])

    code, _out, err = run("import_activities", path, "--organisation", organisation.pk, *options)

    assert code == 2
    assert said in err
    assert not Contact.objects.for_organisation(organisation).exists()
    assert [one.name for one in tmp_path.iterdir()] == ["bad.csv"]


def test_a_column_of_ids_can_be_said_to_be_ours(organisation: Organisation, tmp_path: Path) -> None:
    contact, _ = services.upsert(organisation=organisation, values={"email_address": "a@x.com"})
    cells = {"Customer ID": str(contact.pk), "Date": "2026-04-07"}

    activity = imported(
        organisation,
        tmp_path,
        cells,
        *("--map", "Customer ID=contact", "--type", "Login", "--source", "wifi"),
    )

    assert activity.contact_id == contact.pk
