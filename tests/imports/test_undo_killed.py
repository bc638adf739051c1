"""An undo that is killed goes on where it was, and two at once do each other no harm."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from django.db import connection

from contacts import rollups, services
from contacts.models import Contact
from imports.models import Import
from organisations.models import Organisation
from tests.contacts.test_at_once import at_once
from tests.imports.conftest import House
from tests.imports.running import report, run, write_csv
from tests.imports.snapshots import everything

HEADERS = ["E-mail", "First name", "City", "Tags"]
CREATED, CHANGED = 12_000, 1_500


@pytest.mark.slow
def test_killed_and_run_again(house: House, tmp_path: Path) -> None:
    organisation = Organisation.objects.create(name="Killed")
    known = [
        {"email_address": f"k{n}@x.com", "first_name": "Old", "tags": ["Was"]}
        for n in range(CHANGED)
    ]
    for start in range(0, CHANGED, 500):
        services.upsert_batch(organisation=organisation, rows=known[start : start + 500])
    before = everything(organisation)
    people = [[f"k{n}@x.com", "New", "York", "Now"] for n in range(CHANGED)]
    people += [[f"n{n}@x.com", "New", "Bath", "Now"] for n in range(CREATED)]
    path = write_csv(tmp_path / "people.csv", HEADERS, people)
    code, out = house.run("import_contacts", path, "--organisation", organisation.pk)
    assert code == 0, out
    pk = Import.objects.for_organisation(organisation).get().pk

    code, kills, out = house.run_killed("undo_import", pk, watched=partial(_left, organisation))

    assert (code, kills) == (0, 3), out
    assert f"deleted    {CREATED:,} contacts" in out
    assert f"restored   {CHANGED:,} contacts" in out
    assert everything(organisation) == before
    assert not list(rollups.drift(organisation))
    assert house.run("undo_import", pk)[0] == 2


def _left(organisation: Organisation) -> tuple[int, int]:
    """How many contacts there are, and how many are as the import left them."""
    contacts = Contact.objects.for_organisation(organisation)
    return contacts.count(), contacts.filter(first_name="New").count()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs several connections")
def test_two_at_once(organisation: Organisation, tmp_path: Path) -> None:
    services.upsert(organisation=organisation, values={"email_address": "0@x.com"})
    before = everything(organisation)
    people = [[f"{n}@x.com", "New", "Bath", "Now"] for n in range(300)]
    path = write_csv(tmp_path / "people.csv", HEADERS, people)
    pk = report("import_contacts", path, organisation)["importId"]

    answers = at_once(*[lambda: run("undo_import", pk)] * 3)

    assert {code for code, _out, _err in answers} <= {0, 2}
    assert 0 in {code for code, _out, _err in answers}
    assert everything(organisation) == before
    undone = Import.objects.for_organisation(organisation).get().undone
    assert (undone["deleted"], undone["restored"]) == ({"contact": 299}, {"contact": 1})
