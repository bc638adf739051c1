"""Eight processes that tell the same at the same moment: one row, right totals, no error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.activities.poster import IN_A_BATCH, ROUNDS
from tests.conftest import Run, let_go

PROCESSES = 8


@pytest.fixture
def _totals_are_right() -> None:
    """Checked by the command here: the database is not this process's."""


@pytest.mark.slow
def test_eight_processes_tell_the_same(run: Run, manage: Callable[..., str]) -> None:
    manage("migrate")
    organisation = manage("create_organisation", "Inn")
    key = manage("create_api_key", "till", "--organisation", organisation)
    posters = [run("-m", "tests.activities.poster", key, number) for number in range(PROCESSES)]
    answers = let_go(posters)

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
    told = manage(
        "shell",
        "-c",
        "from contacts.models import Contact\n"
        "hot = Contact.objects.across_organisations().get(email_key='hot@example.com')\n"
        "print(Contact.objects.across_organisations().count(), hot.rollup.total_orders,"
        " hot.rollup.total_spend, hot.foreign_spend.get().amount)",
    )
    guests = max(ROUNDS, IN_A_BATCH)
    assert told == f"{guests + 1} {PROCESSES * ROUNDS} 0 {100 * PROCESSES * ROUNDS}"
