"""An import of contacts that is killed goes on where it was: nothing doubled, nothing lost."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from contacts import rollups, services
from contacts.models import Contact
from customfields import services as custom_fields
from organisations.models import Organisation
from tests.imports.conftest import House, rows_done, told_of
from tests.imports.running import write_csv

HEADERS = ["E-mail", "Phone", "First name", "City", "Tags", "Favourite room"]
# Three batches, the last of them not full.
ROWS, KNOWN, EVERY_BROKEN = 21_000, 300, 1_000
KILLS = 3


def people() -> list[list[str]]:
    """People that are known, new ones, some of them twice, and rows that cannot be taken."""
    rows = []
    for number in range(ROWS):
        room = f"Room {number % 40}"
        row = [f"g{number}@x.com", f"+4477{number:08}", f"G{number}", "Bath", "VIP,Now", room]
        if number % EVERY_BROKEN == EVERY_BROKEN - 1:
            row[0] = "nobody"
        elif number % 70 == 69:  # again, from another batch now and then
            row = [f"g{number // 2}@x.com", "", "", "York", "", ""]
        rows.append(row)
    return rows


def make_house(name: str) -> Organisation:
    organisation = Organisation.objects.create(name=name)
    custom_fields.define(organisation=organisation, label="Favourite room", type="Text")
    known = [
        {"email_address": f"G{number}@x.com", "first_name": "Old", "tags": ["Was"]}
        for number in range(0, KNOWN * 60, 60)
    ]
    services.upsert_batch(organisation=organisation, rows=known)
    return organisation


def kept(organisation: Organisation) -> dict[str, Any]:
    """All that the file can have changed, whatever the ids."""
    contacts = Contact.objects.for_organisation(organisation).with_everything()
    told = {
        contact.email_address: (
            contact.phone_number_e164,
            contact.first_name,
            contact.name,
            contact.search_text,
            sorted(tag.name for tag in contact.tags.all()),
            [address.city for address in contact.addresses.all()],
            [value.value_text for value in contact.custom_field_values.all()],
            contact.rollup.total_orders,
        )
        for contact in contacts
    }
    assert len(told) == contacts.count()
    return told


@pytest.mark.slow
def test_killed_and_run_again(house: House, tmp_path: Path) -> None:
    killed, whole = make_house("Killed"), make_house("Whole")
    path = write_csv(tmp_path / "people.csv", HEADERS, people())
    mended = {name: tmp_path / f"{name}.csv" for name in ("killed", "whole")}

    def arguments(organisation: Organisation, errors: Path) -> list[Any]:
        return ["import_contacts", path, "--organisation", organisation.pk, "--errors", errors]

    assert house.run(*arguments(whole, mended["whole"]))[0] == 1

    code, kills, said = house.run_killed(
        *arguments(killed, mended["killed"]),
        watched=partial(rows_done, killed),
        kills=KILLS,
        further=0.05,
    )

    assert (code, kills) == (1, KILLS), said
    assert told_of(killed) == told_of(whole)
    assert told_of(killed)[1] == ROWS
    assert kept(killed) == kept(whole)
    assert mended["killed"].read_text() == mended["whole"].read_text()
    assert not list(rollups.drift(killed))
