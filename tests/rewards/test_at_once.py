"""Eight processes that spend the same credit at the same moment: never more than there is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Run, let_go
from tests.rewards.spender import ROUNDS

PROCESSES = 8
GIVEN = 500


@pytest.fixture
def _books_balance() -> None:
    """Checked by a process here: the database is not this one's."""


@pytest.mark.slow
def test_eight_processes_cannot_overdraw(run: Run, manage: Callable[..., str]) -> None:
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
    answers = let_go(spenders)

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
