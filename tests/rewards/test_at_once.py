"""Eight processes that spend the same credit at the same moment: never more than there is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from tests.rewards.spender import ROUNDS

PROCESSES = 8
ROOT = Path(__file__).resolve().parents[2]
GIVEN = 500


@pytest.fixture
def _books_balance() -> None:
    """Checked by a process here: the database is not this one's."""


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


@pytest.mark.slow
def test_eight_processes_cannot_overdraw(run: Callable[..., subprocess.Popen[str]]) -> None:
    def manage(*arguments: object) -> str:
        process = run("manage.py", *arguments)
        output, _errors = process.communicate(timeout=120)
        assert process.returncode == 0, output
        return output.strip().rpartition("\n")[2]

    manage("migrate")
    organisation = manage("create_organisation", "Inn")
    key = manage("create_api_key", "till", "--organisation", organisation)
    contact = manage(
        "shell",
        "-c",
        "from contacts.services import upsert\n"
        "from organisations.models import Organisation\n"
        "from rewards.services import grant\n"
        f"inn = Organisation.objects.get(pk={organisation})\n"
        "jane, _ = upsert(organisation=inn, values={'email_address': 'jane@example.com'})\n"
        f"for part in range(5): grant(contact=jane, amount={GIVEN} // 5)\n"
        "print(jane.pk)",
    )
    spenders = [
        run("-m", "tests.rewards.spender", key, contact, number) for number in range(PROCESSES)
    ]
    for spender in spenders:
        assert spender.stdout is not None
        assert spender.stdout.readline() == "ready\n"
    for spender in spenders:
        assert spender.stdin is not None
        spender.stdin.write("go\n")
        spender.stdin.flush()
    answers = [json.loads(spender.communicate(timeout=300)[0]) for spender in spenders]

    for round_ in range(ROUNDS):
        told = [answer["same"][round_] for answer in answers]
        assert sorted(status for status, _body in told) == [200] * (PROCESSES - 1) + [201], told
        assert len({body["id"] for _status, body in told}) == 1
    own = [one for answer in answers for one in answer["own"]]
    assert {status for status, _body in own} == {201, 422}, own
    # After 12 times 10 there are 380 left, which are 54 times 7 and 2.
    assert [status for status, _body in own].count(201) == 54
    left = manage(
        "shell",
        "-c",
        "from contacts.models import Contact\n"
        "from rewards.services import statement\n"
        "from tests.rewards.books import check\n"
        "check()\n"
        f"jane = Contact.objects.across_organisations().get(pk={contact})\n"
        "entries = jane.credit_entries.values_list('amount', flat=True)\n"
        "print(statement(jane).balances['GBP'], sum(entries), len(entries))",
    )
    assert left == f"2 2 {5 + ROUNDS + 54}"
