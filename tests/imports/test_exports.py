"""What an export has in it, which rows it has, and what becomes of the file."""

from __future__ import annotations

import csv
import io
import json
import stat
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import python_calamine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from activities import services as activities
from contacts import services
from contacts.models import Contact
from customfields import services as custom_services
from customfields.models import CustomField
from organisations.models import Organisation
from tests.conftest import ApiClient
from tests.imports.running import failures, report, run

pytestmark = pytest.mark.django_db

NOON = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
STANDARD = [
    "id",
    "kind",
    "firstName",
    "lastName",
    "name",
    "emailAddress",
    "phoneNumber",
    "phoneNumberCountryCode",
    "dob",
    "timezone",
    "tags",
]
ADDRESS = [
    f"address.{part}"
    for part in ("type", "line1", "line2", "city", "county", "postcode", "country")
]
TOTALS = [
    "phoneNumberE164",
    "totalSpend",
    "spendByCurrency",
    "totalOrders",
    "lastInteractedAt",
    "recency",
    "frequency",
    "monetary",
    "referralInvites",
    "createdAt",
    "updatedAt",
    "redactedAt",
]


def person(organisation: Organisation, email: str, **values: Any) -> Contact:
    contact, _created = services.upsert(
        organisation=organisation, values={"email_address": email, **values}
    )
    return contact


def purchase(organisation: Organisation, contact: Contact, **values: Any) -> None:
    given = {"type": "Purchase", "source": "till", "happened_at": NOON, "spend": 4500, **values}
    activities.record(organisation=organisation, contact=contact, **given)


def export(
    what: str, organisation: Organisation, path: Path, *arguments: Any
) -> list[dict[str, str]]:
    """The rows of a CSV that was exported."""
    code, _out, err = run(f"export_{what}", path, "--organisation", organisation.pk, *arguments)
    assert code == 0, err
    return read(path.read_text())


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "exported.csv"


# What is in it


def test_contacts_have_a_column_for_everything_that_an_import_takes(
    organisation: Organisation, path: Path
) -> None:
    for label, more in (
        ("Diet", {"type": "Text"}),
        ("Old", {"type": "Text"}),
        ("Interests", {"type": "Multi select", "options": ["Spa", "Golf"]}),
    ):
        custom_services.define(organisation=organisation, label=label, **more)
    person(
        organisation,
        "ann@x.com",
        phone_number="07700 900001",
        first_name="Ann",
        last_name="Lee",
        dob="1980-02-29",
        tags=["VIP", "Golf"],
        addresses=[{"line1": "1 Mare St", "city": "London", "country": "GB"}, {"city": "Lyon"}],
        customFields={"diet": "Vegan", "old": "x", "interests": ["Golf", "Spa"]},
    )
    person(organisation, "bob@x.com")
    old = CustomField.objects.for_organisation(organisation).get(name="old")
    custom_services.change(field=old, values={"archived_at": NOON})
    ann, bob = export("contacts", organisation, path)
    second = [header.replace("address", "address2") for header in ADDRESS]
    assert list(ann) == [
        *STANDARD,
        *ADDRESS,
        *second,
        "customFields.diet",
        "customFields.interests",
    ]
    assert {name: value for name, value in ann.items() if value and name != "id"} == {
        "kind": "person",
        "firstName": "Ann",
        "lastName": "Lee",
        "name": "Ann Lee",
        "emailAddress": "ann@x.com",
        "phoneNumber": "07700 900001",
        "phoneNumberCountryCode": "44",
        "dob": "1980-02-29",
        "timezone": "Europe/London",
        "tags": "Golf, VIP",
        "address.line1": "1 Mare St",
        "address.city": "London",
        "address.country": "GB",
        "address2.city": "Lyon",
        "customFields.diet": "Vegan",
        "customFields.interests": "Spa, Golf",
    }
    assert bob["customFields.diet"] == bob["address.city"] == ""


def test_totals_are_there_when_asked_for(
    organisation: Organisation, path: Path, api: ApiClient
) -> None:
    ann = person(organisation, "ann@x.com", phone_number="07700 900001")
    purchase(organisation, ann)
    purchase(organisation, ann, spend=700, currency_code="EUR")
    (row,) = export("contacts", organisation, path, "--with-totals")
    told = api.get(f"/contacts/{ann.pk}").json()
    assert list(row)[-len(TOTALS) :] == TOTALS
    assert row["phoneNumberE164"] == "'+447700900001"
    assert (row["totalSpend"], row["totalOrders"]) == ("4500", "2")
    assert (
        json.loads(row["spendByCurrency"]) == told["spendByCurrency"] == {"GBP": 4500, "EUR": 700}
    )
    assert row["lastInteractedAt"] == told["lastInteractedAt"] == "2024-05-01T12:30:00+00:00"
    # An import says why it does not take them.
    code, _out, err = run("import_contacts", path, "--organisation", organisation.pk)
    assert code == 2
    assert "phoneNumberE164" in err


def test_activities_say_whose_they_are_and_have_every_column_in_use(
    organisation: Organisation, path: Path
) -> None:
    ann = person(organisation, "ann@x.com", phone_number="07700 900001")
    purchase(organisation, ann, external_reference="SO-1", spend=-500, data={"till": 4})
    (row,) = export("activities", organisation, path)
    assert row == {
        "contact": str(ann.pk),
        "contact.emailAddress": "ann@x.com",
        "contact.phoneNumber": "07700 900001",
        "contact.phoneNumberCountryCode": "44",
        "type": "Purchase",
        "source": "till",
        "happenedAt": "2024-05-01T12:30:00+00:00",
        "spend": "-500",
        "currencyCode": "GBP",
        "externalReference": "SO-1",
        "purchase": "",
        "giftCard": "",
        "referralInvite": "",
        "data": '{"till":4}',
    }
    purchase(
        organisation,
        ann,
        type="Booking",
        happened_at=datetime(2024, 6, 1, tzinfo=UTC),
        booking={"external_reference": "B-1", "check_in": NOON, "number_of_guests": 2},
    )
    rows = export("activities", organisation, path)
    assert rows[0]["booking.externalReference"] == ""
    assert rows[1]["booking.externalReference"] == "B-1"
    assert rows[1]["booking.checkIn"] == "2024-05-01T12:30:00+00:00"
    assert rows[1]["booking.numberOfGuests"] == "2"
    assert not any(header.startswith("golfReservation") for header in rows[0])


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "'=", "'"])
def test_no_cell_is_a_formula(organisation: Organisation, tmp_path: Path, sign: str) -> None:
    text = f'{sign}HYPERLINK("http://x.com","y")'
    person(organisation, "ann@x.com", first_name=text, tags=[text], addresses=[{"city": text}])
    (row,) = export("contacts", organisation, tmp_path / "x.csv")
    for name in ("firstName", "tags", "address.city"):
        cell = row[name]
        assert cell[0] not in "=+-@\t\r"
        if name == "firstName":
            assert cell.removeprefix("'" if sign != "'" else "") == text
    run("export_contacts", tmp_path / "x.xlsx", "--organisation", organisation.pk)
    with zipfile.ZipFile(tmp_path / "x.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "HYPERLINK" in sheet
    assert "<f>" not in sheet
    run("export_contacts", tmp_path / "x.jsonl", "--organisation", organisation.pk)
    assert json.loads((tmp_path / "x.jsonl").read_text())["firstName"] == text


def test_a_workbook_keeps_the_zeros_and_pluses_of_phones_and_adds_up_money(
    organisation: Organisation, tmp_path: Path
) -> None:
    ann = person(organisation, "ann@x.com", phone_number="07700900001", customFields={})
    person(organisation, "bob@x.com", phone_number="+447700900002")
    purchase(organisation, ann)
    path = tmp_path / "x.xlsx"
    run(
        "export_contacts",
        path,
        "--organisation",
        organisation.pk,
        "--fields",
        "phoneNumber,totalSpend",
    )
    sheet = python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0)
    assert sheet.to_python() == [
        ["phoneNumber", "totalSpend"],
        ["07700900001", 4500],
        ["'+447700900002", 0],
    ]


def test_json_lines_have_typed_values_and_no_empty_ones(
    organisation: Organisation, tmp_path: Path
) -> None:
    for name, type_ in (("visits", "Number"), ("vip", "Boolean")):
        custom_services.define(organisation=organisation, name=name, label=name, type=type_)
    ann = person(
        organisation, "ann@x.com", tags=["a,b", "c"], customFields={"visits": "4.50", "vip": False}
    )
    path = tmp_path / "x.jsonl"
    run("export_contacts", path, "--organisation", organisation.pk)
    assert json.loads(path.read_text()) == {
        "id": ann.pk,
        "kind": "person",
        "emailAddress": "ann@x.com",
        "timezone": "Europe/London",
        "tags": ["a,b", "c"],
        "customFields.visits": 4.5,
        "customFields.vip": False,
    }


def test_fields_are_chosen_by_any_name_that_an_import_knows(
    organisation: Organisation, path: Path
) -> None:
    custom_services.define(organisation=organisation, label="Favourite room", type="Text")
    person(organisation, "ann@x.com", customFields={"favourite_room": "12"})
    rows = export(
        "contacts", organisation, path, "--fields", "E-mail, Favourite room,customFields,totalSpend"
    )
    assert rows == [
        {"emailAddress": "ann@x.com", "customFields.favourite_room": "12", "totalSpend": "0"}
    ]
    rows = export("contacts", organisation, path, "--fields", "addresses")
    assert list(rows[0]) == ADDRESS


@pytest.mark.parametrize("command", ["export_contacts", "export_activities"])
def test_a_field_that_is_not_there_is_named(
    organisation: Organisation, path: Path, command: str
) -> None:
    code, _out, err = run(
        command, path, "--organisation", organisation.pk, "--fields", "type,id,shoeSize"
    )
    assert code == 2
    assert '"shoeSize"' in err
    assert not path.exists()


def test_more_addresses_than_there_are_headers_come_as_json(
    organisation: Organisation, other_organisation: Organisation, path: Path
) -> None:
    addresses = [{"line1": f"{number} Mare St"} for number in range(21)]
    person(organisation, "ann@x.com", addresses=addresses)
    (row,) = export("contacts", organisation, path, "--without-ids")
    assert [one["line1"] for one in json.loads(row["addresses"])] == [
        one["line1"] for one in addresses
    ]
    report("import_contacts", path, other_organisation)
    (copy,) = Contact.objects.for_organisation(other_organisation)
    assert copy.addresses.count() == 21


def test_tags_that_follow_a_rule_are_left_out(organisation: Organisation, path: Path) -> None:
    ann = person(organisation, "ann@x.com", tags=["By hand"])
    services.tag(contacts=ann, name="By rule", kind="segment")
    (row,) = export("contacts", organisation, path)
    assert row["tags"] == "By hand"


def test_an_archived_field_is_there_only_when_named(organisation: Organisation, path: Path) -> None:
    field = custom_services.define(organisation=organisation, label="Diet", type="Text")
    person(organisation, "ann@x.com", customFields={"diet": "Vegan"})
    custom_services.change(field=field, values={"archived_at": NOON})
    assert "customFields.diet" not in export("contacts", organisation, path)[0]
    assert export("contacts", organisation, path, "--fields", "customFields.diet") == [
        {"customFields.diet": "Vegan"}
    ]


def test_fields_whose_names_are_nearly_alike_are_not_mixed_up(
    organisation: Organisation, path: Path
) -> None:
    for name in ("diet1", "diet_1"):
        custom_services.define(organisation=organisation, name=name, label=name, type="Text")
    person(organisation, "ann@x.com", customFields={"diet1": "Vegan", "diet_1": "Halal"})
    (row,) = export("contacts", organisation, path)
    assert (row["customFields.diet1"], row["customFields.diet_1"]) == ("Vegan", "Halal")
    result = report("import_contacts", path, organisation)
    assert (result["unchanged"], result["failed"]) == (1, 0)
    for name, value in (("diet1", "Vegan"), ("diet_1", "Halal")):
        rows = export("contacts", organisation, path, "--fields", f"customFields.{name}")
        assert rows == [{f"customFields.{name}": value}]


# Which rows


def test_merged_contacts_are_not_exported_and_redacted_ones_only_with_totals(
    organisation: Organisation, path: Path
) -> None:
    ann, bob, eve = (person(organisation, f"{name}@x.com") for name in ("ann", "bob", "eve"))
    services.merge(survivor=ann, absorbed=bob)
    services.redact(contact=eve)
    assert [row["id"] for row in export("contacts", organisation, path)] == [str(ann.pk)]
    rows = export("contacts", organisation, path, "--with-totals")
    assert [row["id"] for row in rows] == [str(ann.pk), str(eve.pk)]
    assert rows[1]["redactedAt"]


@pytest.mark.parametrize("what", ["contacts", "activities"])
@pytest.mark.parametrize(
    "arguments", [[], ["--filter", "search=x"], ["--updated-after", "2000-01-01"]]
)
def test_another_organisations_rows_are_never_in_it(
    organisation: Organisation,
    other_organisation: Organisation,
    path: Path,
    what: str,
    arguments: list[str],
) -> None:
    if what == "activities" and "search=x" in arguments:
        arguments = ["--filter", "type=Purchase"]
    for number in range(3):
        for owner in (organisation, other_organisation):
            custom_services.define(organisation=owner, label=f"F{number}", type="Text")
            mark = "own" if owner is organisation else "foreign"
            contact = person(
                owner, f"{mark}{number}@x.com", tags=[mark], customFields={f"f{number}": mark}
            )
            purchase(owner, contact, source=mark)
    export(what, organisation, path, *arguments)
    text = path.read_text()
    assert text.count("own0") == 1
    assert "foreign" not in text


def test_a_filter_by_another_organisations_contact_finds_nothing(
    organisation: Organisation, other_organisation: Organisation, path: Path
) -> None:
    foreign = person(other_organisation, "foreign@x.com")
    purchase(other_organisation, foreign)
    assert export("activities", organisation, path, "--filter", f"contact={foreign.pk}") == []


CONTACT_FILTERS = [
    "emailAddress=ANN@x.com",
    "emailAddress[]=ann@x.com",
    "phoneNumber=+44 7700 900001",
    "search=ann",
    "tag=vip",
    "kind=business",
    "dob[before]=1990-01-01",
    "createdAt[after]=2020-01-01",
    "updatedAt[before]=2020-01-01",
    "lastInteractedAt[after]=2024-01-01T00:00:00+00:00",
    "totalSpend[gte]=5000",
    "totalSpend[between]=1..5000",
    "totalOrders=0",
    "customField[diet]=Vegan",
    "customField[diet][ne]=Vegan",
    "customField[diet][exists]=false",
]
ACTIVITY_FILTERS = [
    "type=Refund",
    "source=till",
    "externalReference=SO-1",
    "currencyCode=EUR",
    "happenedAt[before]=2024-05-01",
    "spend[lt]=0",
]


@pytest.fixture
def several(organisation: Organisation) -> None:
    custom_services.define(organisation=organisation, label="Diet", type="Text")
    ann = person(
        organisation,
        "ann@x.com",
        phone_number="07700 900001",
        tags=["VIP"],
        dob="1980-01-01",
        customFields={"diet": "Vegan"},
    )
    bob = person(organisation, "bob@x.com", kind="business", customFields={"diet": "None"})
    person(organisation, "eve@x.com")
    purchase(organisation, ann, external_reference="SO-1")
    purchase(organisation, ann, happened_at=datetime(2023, 1, 1, tzinfo=UTC))
    purchase(organisation, bob, currency_code="EUR", source="web")
    purchase(organisation, bob, type="Refund", spend=-100)


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("what", "given"),
    [
        *(("contacts", one) for one in CONTACT_FILTERS),
        *(("activities", one) for one in ACTIVITY_FILTERS),
    ],
)
def test_a_filter_finds_what_the_api_finds(
    organisation: Organisation, api: ApiClient, path: Path, what: str, given: str
) -> None:
    rows = export(what, organisation, path, "--fields", "id", "--filter", given)
    name, _sign, value = given.partition("=")
    found = api.get(f"/{what}", {name: value}).json()
    assert {row["id"] for row in rows} == {str(one["id"]) for one in found}


@pytest.mark.usefixtures("several")
def test_filters_and_their_shorthands_go_together(organisation: Organisation, path: Path) -> None:
    def emails(*arguments: str) -> list[str]:
        rows = export("contacts", organisation, path, "--fields", "emailAddress", *arguments)
        return [row["emailAddress"] for row in rows]

    assert emails() == ["ann@x.com", "bob@x.com", "eve@x.com"]
    assert emails("--tag", "VIP") == ["ann@x.com"]
    assert emails("--tag", "VIP", "--filter", "totalSpend[gt]=999999") == []
    assert emails("--filter", "totalOrders[gte]=1", "--filter", "kind=business") == ["bob@x.com"]
    assert emails("--updated-after", "2999-01-01") == []
    rows = export(
        "activities", organisation, path, "--filter", "type=Refund", "--filter", "type=Login"
    )
    assert [row["type"] for row in rows] == ["Refund"]


@pytest.mark.parametrize(
    ("command", "given", "named"),
    [
        ("export_contacts", "shoeSize=5", '"shoeSize"'),
        ("export_contacts", "totalSpend[gte]=much", "totalSpend[gte]"),
        ("export_contacts", "customField[shoe]=5", "customField[shoe]"),
        ("export_contacts", "tag", '"tag"'),
        ("export_contacts", "page=2", '"page"'),
        ("export_activities", "search=ann", '"search"'),
        ("export_activities", "happenedAt[after]=yesterday", "happenedAt[after]"),
    ],
)
def test_a_filter_that_cannot_be_used_is_named(
    organisation: Organisation, path: Path, command: str, given: str, named: str
) -> None:
    code, out, err = run(command, path, "--organisation", organisation.pk, "--filter", given)
    assert (code, out) == (2, "")
    assert named in err
    assert not path.exists()


# The file


def test_it_says_how_many_rows_there_are(organisation: Organisation, path: Path) -> None:
    person(organisation, "ann@x.com")
    code, out, err = run("export_contacts", path, "--organisation", organisation.pk)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == ["rows", "1"]
    _code, out, _err = run("export_contacts", path, "--organisation", organisation.pk, "--json")
    told = json.loads(out)
    assert (told["rows"], told["file"]) == (1, str(path))


def test_nothing_to_export_leaves_headers(organisation: Organisation, path: Path) -> None:
    assert export("contacts", organisation, path) == []
    assert path.read_text().startswith("id,kind,firstName")
    assert export("activities", organisation, path) == []


@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "xlsx"])
def test_standard_output_has_the_file_and_nothing_else(
    organisation: Organisation, tmp_path: Path, capfdbinary: Any, format: str
) -> None:
    person(organisation, "ann@x.com")
    code, out, err = run("export_contacts", "--organisation", organisation.pk, "--format", format)
    assert (code, out) == (0, "")
    assert "rows" in err
    written = capfdbinary.readouterr().out
    path = tmp_path / f"x.{format}"
    path.write_bytes(written)
    result = report("import_contacts", path, organisation)
    assert (result["code"], result["unchanged"]) == (0, 1)


def test_a_file_that_cannot_be_finished_leaves_what_was_there(
    organisation: Organisation, tmp_path: Path
) -> None:
    custom_services.define(organisation=organisation, label="Notes", type="Textarea")
    person(organisation, "ann@x.com", customFields={"notes": "x" * 40_000})
    path = tmp_path / "contacts.xlsx"
    path.write_text("the old one")
    code, _out, err = run("export_contacts", path, "--organisation", organisation.pk)
    assert code == 2
    assert "40000 characters" in err
    assert "CSV" in err
    assert [one.name for one in tmp_path.iterdir()] == ["contacts.xlsx"]
    assert path.read_text() == "the old one"


def test_rows_that_no_sheet_holds_are_refused_before_any_is_written(
    organisation: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imports.exports.plans.XLSX_MAX_ROWS", 3)
    for number in range(3):
        person(organisation, f"n{number}@x.com")
    path = tmp_path / "contacts.xlsx"
    code, _out, err = run("export_contacts", path, "--organisation", organisation.pk)
    assert code == 2
    assert "3 rows do not fit into one sheet, which takes 2" in err
    assert not path.exists()
    code, *_ = run("export_contacts", tmp_path / "x.csv", "--organisation", organisation.pk)
    assert code == 0


@pytest.mark.parametrize("name", ["missing/contacts.csv", ".", "contacts.pdf"])
def test_a_name_that_cannot_be_written_is_said(
    organisation: Organisation, tmp_path: Path, name: str
) -> None:
    code, _out, err = run("export_contacts", tmp_path / name, "--organisation", organisation.pk)
    assert code == 2
    assert str(tmp_path / name) in err
    assert list(tmp_path.iterdir()) == []


def test_an_organisation_must_be_named_where_there_are_several(
    organisation: Organisation, other_organisation: Organisation, path: Path
) -> None:
    code, _out, err = run("export_contacts", path)
    assert code == 2
    assert "--organisation" in err
    code, _out, err = run("export_contacts", path, "--organisation", "999999")
    assert code == 2
    assert "999999" in err


def test_excel_knows_utf8_by_the_mark(
    organisation: Organisation, other_organisation: Organisation, path: Path
) -> None:
    person(organisation, "ann@x.com", first_name="Élodie")
    export("contacts", organisation, path, "--bom", "--without-ids")
    assert path.read_bytes().startswith(b"\xef\xbb\xbfkind,")
    assert report("import_contacts", path, other_organisation)["created"] == 1
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600


def test_ids_of_another_organisation_are_refused_by_the_import(
    organisation: Organisation, other_organisation: Organisation, path: Path
) -> None:
    person(organisation, "ann@x.com")
    export("contacts", organisation, path)
    result = report("import_contacts", path, other_organisation)
    assert (result["created"], result["failed"]) == (0, 1)
    assert failures(result["errorsFile"])[0]["error_field"] == "id"
    result = report("import_contacts", path, other_organisation, "--map", "id=")
    assert (result["created"], result["failed"]) == (1, 0)


# What it costs


def _with_everything(organisation: Organisation, numbers: range) -> None:
    for index in numbers:
        contact = person(
            organisation,
            f"n{index}@x.com",
            tags=["a", f"t{index}"],
            addresses=[{"city": "London"}],
            customFields={"diet": "Vegan", "likes": ["Spa", "Golf"]},
        )
        purchase(organisation, contact, booking={"external_reference": f"B{index}"}, type="Booking")


@pytest.mark.parametrize(
    ("asked", "each"),
    [
        ("contacts --with-totals", 3),  # rows, details, custom values
        ("contacts --fields emailAddress,customFields", 2),
        ("contacts --fields emailAddress,name", 1),
        ("activities", 1),
    ],
)
def test_a_chunk_costs_the_same_queries_however_far_in(
    organisation: Organisation,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: str,
    each: int,
) -> None:
    what, *arguments = asked.split()
    monkeypatch.setattr(f"imports.exports.{what}.CHUNK", 3)
    custom_services.define(organisation=organisation, label="Diet", type="Text")
    custom_services.define(
        organisation=organisation, label="Likes", type="Multi select", options=["Spa", "Golf"]
    )

    def queries() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            export(what, organisation, path, *arguments)
        return [query["sql"] for query in captured]

    _with_everything(organisation, range(2))
    once = queries()
    _with_everything(organisation, range(2, 11))
    often = queries()
    assert len(read(path.read_text())) == 11
    # Chunks of 3, 3, 3 and 2.
    assert len(often) - len(once) == 3 * each
    assert not any("OFFSET" in query for query in often)


def test_every_row_is_exported_once_over_many_chunks(
    organisation: Organisation, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imports.exports.contacts.CHUNK", 3)
    monkeypatch.setattr("imports.exports.activities.CHUNK", 3)
    ids = []
    for number in range(10):
        contact = person(organisation, f"n{number}@x.com")
        ids.append(str(contact.pk))
        purchase(organisation, contact)  # all of them at the same moment
    # So that many were made at the same moment too.
    Contact.objects.for_organisation(organisation).update(created_at=NOON)
    assert [row["id"] for row in export("contacts", organisation, path)] == ids
    assert [row["contact"] for row in export("activities", organisation, path)] == ids
