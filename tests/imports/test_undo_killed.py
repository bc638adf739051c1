"""An undo that is killed goes on where it was, and two at once do each other no harm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from contacts import rollups, services
from contacts.models import Contact
from imports.models import Import
from organisations.models import Organisation
from tests.contacts.test_at_once import at_once
from tests.imports.running import report, run, write_csv
from tests.imports.snapshots import everything

ROOT = Path(__file__).resolve().parent.parent.parent
HEADERS = ["E-mail", "First name", "City", "Tags"]
CREATED, CHANGED = 12_000, 1_500


class House:
    """The commands as processes of their own, on a database that is not the tests'."""

    def __init__(self, url: str) -> None:
        self._environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url}

    def start(self, *arguments: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: Any) -> tuple[int, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        return process.returncode, out or err


@pytest.fixture
def house(tmp_path: Path, transactional_db: None) -> Iterator[House]:
    """On SQLite a file of its own, which this process then reads; on PostgreSQL the tests'."""
    if connection.vendor == "postgresql":
        given = connection.settings_dict
        login = f"{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}"
        yield House(f"postgres://{login}/{given['NAME']}")
        return
    path = tmp_path / "house.sqlite3"
    house = House(f"sqlite:///{path}")
    assert house.run("migrate", "-v0")[0] == 0
    before = connection.settings_dict["NAME"]
    # The tests' own is in memory and goes when its connection does.
    tests_own = connections["default"]
    connections["default"] = tests_own.copy()
    connections["default"].settings_dict = {**tests_own.settings_dict, "NAME": str(path)}
    try:
        yield house
    finally:
        connections["default"].close()
        connections["default"] = tests_own
        assert connection.settings_dict["NAME"] == before


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

    kills = 0
    while True:
        left = _left(organisation)
        process = house.start("undo_import", pk)
        # Killed when it is in the middle, and each time a little further on.
        while process.poll() is None and (_left(organisation) == left or kills >= 3):
            time.sleep(0.01)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1

    out, err = process.communicate()
    assert (process.returncode, kills) == (0, 3), err
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
