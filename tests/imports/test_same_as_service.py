"""An imported file gives the same contacts as posting each of its rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from contacts import services
from contacts.models import Contact
from crm.errors import Conflict
from customfields import services as custom_services
from organisations.models import Organisation
from tests.factories import OrganisationFactory
from tests.imports.running import failures, report, write_csv

# Shrinking takes minutes where each example is an import.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)

pytestmark = pytest.mark.django_db

HEADERS = [
    "E-mail",
    "Phone",
    "Calling code",
    "First name",
    "Last name",
    "Full name",
    "Kind",
    "Birthday",
    "Time zone",
    "Tags",
    "Diet",
    "Visits",
    "Code",
]
KEYS = [
    "email_address",
    "phone_number",
    "phone_number_country_code",
    "first_name",
    "last_name",
    "name",
    "kind",
    "dob",
    "timezone",
    "tags",
]


def mostly(good: list[str], others: list[str]) -> st.SearchStrategy[str]:
    """A good cell nine times of ten, so that many rows have no bad one."""
    return st.sampled_from(good * (9 * len(others) // len(good) + 1) + others)


row = st.tuples(
    mostly(
        ["", "a@x.com", "A@x.com", "b@x.com", "c@x.com", "m@x.com"],
        ["n/a", "bad", r"\N", "q@guest.booking.com", "no-reply@x.com", "é@x.com", "a@-x"],
    ),
    mostly(
        ["", "07700900001", "+447700900001", "07700 900002", "+44 7700 900003", "07700900009"],
        ["12", "0000000000", "(07700) 900004", "+33 6 12 34 56 78", "7.700900001E+09", r"\N"],
    ),
    mostly(["", "", "44"], ["+44", "33", "999", "x"]),
    mostly(["", "Ann", "Bob", "Élodie"], ["x" * 160, "O'Brien", "=1+1", r"\N", "'=a"]),
    mostly(["", "Ann", "Bob", "Hull"], ["x" * 160, "\\\\N", "-5"]),
    mostly(["", "Ann Bob", "Somebody Else"], [r"\N"]),
    mostly(["", "person", "Business"], ["robot", r"\N"]),
    mostly(["", "1980-02-29"], ["2999-01-01", "1700-01-01", "yesterday", r"\N"]),
    mostly(["", "Europe/Paris", "Europe/London"], ["Mars/Base", r"\N"]),
    mostly(["", "VIP", "vip, Golf", "Golf; Spa"], ["Rule", "x" * 101, r"\N"]),
    mostly(["", "Vegan", "Vegetarian"], [r"\N"]),
    mostly(["", "3", "4.5"], ["many", "101", r"\N"]),
    mostly(["", "A1", "A2"], [r"\N"]),
)


def prepare(organisation: Organisation) -> None:
    define = custom_services.define
    define(organisation=organisation, label="Diet", type="Text", default="None yet")
    define(organisation=organisation, label="Visits", type="Number", maximum=100)
    define(organisation=organisation, label="Code", type="Text", unique=True)
    ann, _ = services.upsert(
        organisation=organisation,
        values={"email_address": "m@x.com", "first_name": "Merged", "phone_number": "07700900009"},
    )
    other, _ = services.upsert(
        organisation=organisation,
        values={"email_address": "c@x.com", "first_name": "Carl", "tags": ["VIP", "Old"]},
    )
    services.merge(survivor=other, absorbed=ann)
    services.tag(contacts=other, name="Rule", kind="system")


def value(key: str, cell: str) -> Any:
    if cell == r"\N":
        return None
    if cell == "\\\\N":
        return r"\N"
    if cell == "'=a":
        return "=a"
    if key == "tags":
        return [name.strip() for name in cell.replace(";", ",").split(",")]
    if key == "kind":
        return cell.lower()
    if key == "phone_number" and "E+" in cell:
        return str(int(float(cell)))
    return cell


def post_each(organisation: Organisation, rows: list[tuple[str, ...]]) -> list[int]:
    failed = []
    for line, cells in enumerate(rows, start=2):
        if not any(cells):
            continue
        values: dict[str, Any] = {
            key: value(key, cell) for key, cell in zip(KEYS, cells, strict=False) if cell
        }
        custom = {
            name: None if cell == r"\N" else cell
            for name, cell in zip(["diet", "visits", "code"], cells[len(KEYS) :], strict=True)
            if cell
        }
        if custom:
            values["customFields"] = custom
        try:
            services.upsert(organisation=organisation, values=values)
        except (ValidationError, Conflict):
            failed.append(line)
    return failed


def everybody(organisation: Organisation) -> list[Any]:
    contacts = Contact.objects.for_organisation(organisation).with_everything().order_by("pk")
    first = contacts[0].pk if contacts else 0
    return [
        (
            contact.kind,
            contact.email_address,
            contact.email_key,
            contact.phone_number,
            contact.phone_number_country_code,
            contact.phone_number_e164,
            contact.first_name,
            contact.last_name,
            contact.name,
            contact.dob,
            contact.timezone,
            contact.search_text,
            contact.merged_into_id and contact.merged_into_id - first,
            sorted(tag.name for tag in contact.tags.all()),
            sorted(
                (one.field_name, one.value_text, one.value_number)
                for one in contact.custom_field_values.all()
            ),
            contact.rollup.total_orders,
        )
        for contact in contacts
    ]


def nothing(**cells: str) -> tuple[str, ...]:
    return tuple(cells.get(header.replace(" ", "_"), "") for header in HEADERS)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(rows=st.lists(row, max_size=9))
@example(rows=[nothing(Phone="07700900001"), nothing(Calling_code="33", **{"E-mail": "a@x.com"})])
@example(
    rows=[
        nothing(Phone="07700900009", Code="A1"),
        nothing(**{"E-mail": "m@x.com"}, Code=r"\N"),
        nothing(**{"E-mail": "a@x.com"}, Code="A1"),
    ]
)
def test_a_file_gives_what_its_rows_give_one_by_one(rows: list[tuple[str, ...]]) -> None:
    imported, posted = OrganisationFactory(), OrganisationFactory()
    prepare(imported)
    prepare(posted)
    with tempfile.TemporaryDirectory() as folder:
        path = write_csv(Path(folder) / "people.csv", HEADERS, [list(cells) for cells in rows])
        rehearsed = report("import_contacts", path, imported, "--dry-run")
        told = report("import_contacts", path, imported)
        failed = (
            [int(one["error_line"]) for one in failures(told["errorsFile"])]
            if told["failed"]
            else []
        )
    assert failed == post_each(posted, rows)
    assert everybody(imported) == everybody(posted)
    names = ("created", "updated", "unchanged", "failed")
    assert [rehearsed[name] for name in names] == [told[name] for name in names]
