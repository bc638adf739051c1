"""Eight processes that tell the same at the same moment: one row, right totals, no error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.activities.poster import IN_A_BATCH, ROUNDS

PROCESSES = 8
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def _totals_are_right() -> None:
    """Checked by the command here: the database is not this process's."""


@pytest.fixture
def run(transactional_db: None, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start Python on a database that processes can share: of the kind that is tested."""
    if connection.vendor == "postgresql":
        its = connection.settings_dict
        address = f"postgres://{its['USER']}@{its['HOST']}:{its['PORT']}/{its['NAME']}"
    else:
        address = f"sqlite:///{tmp_path / 'shared.sqlite3'}"
    environment = os.environ | {"DATABASE_URL": address, "API_RATE_LIMIT": "100000/s"}

    def start(*arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    return start


def test_eight_processes_tell_the_same(run: Callable[..., subprocess.Popen[str]]) -> None:
    def manage(*arguments: object) -> str:
        process = run("manage.py", *arguments)
        output, _errors = process.communicate(timeout=120)
        assert process.returncode == 0, output
        return output.strip().rpartition("\n")[2]

    manage("migrate")
    organisation = manage("create_organisation", "Inn")
    key = manage("create_api_key", "till", "--organisation", organisation)
    posters = [run("-m", "tests.activities.poster", key, number) for number in range(PROCESSES)]
    for poster in posters:
        assert poster.stdout is not None
        assert poster.stdout.readline() == "ready\n"
    for poster in posters:
        assert poster.stdin is not None
        poster.stdin.write("go\n")
        poster.stdin.flush()
    answers = [json.loads(poster.communicate(timeout=300)[0]) for poster in posters]

    def by_round(what: str) -> list[list[Any]]:
        return [[answer[what][round_] for answer in answers] for round_ in range(ROUNDS)]

    for told in by_round("same"):
        assert sorted(status for status, _body in told) == [200] * 7 + [201], told
        assert len({body["id"] for _status, body in told}) == 1
        assert len({body["contact"] for _status, body in told}) == 1
    for told in by_round("own"):
        assert {status for status, _body in told} == {201}, told
        assert len({body["contact"] for _status, body in told}) == 1
    for told in by_round("batches"):
        assert {status for status, _body in told} == {200}, told
        rows = [one for _status, body in told for one in body["results"]]
        assert (
            sorted(row["status"] for row in rows)
            == [200] * (PROCESSES - 1) * IN_A_BATCH + [201] * IN_A_BATCH
        )
        assert len({row["id"] for row in rows}) == IN_A_BATCH
    manage("recompute_rollups", "--check")
    process = run(
        "manage.py",
        "shell",
        "-c",
        "from contacts.models import Contact\n"
        "hot = Contact.objects.across_organisations().get(email_key='hot@example.com')\n"
        "print(Contact.objects.across_organisations().count(), hot.rollup.total_orders,"
        " hot.rollup.total_spend, hot.foreign_spend.get().amount)",
    )
    told = process.communicate(timeout=60)[0].split()[-4:]
    guests = max(ROUNDS, IN_A_BATCH)
    assert told == [str(guests + 1), str(PROCESSES * ROUNDS), "0", str(100 * PROCESSES * ROUNDS)]
