"""Two workers, a slow one among them whose lease runs out: however they take turns, each effect on
our tables happens once, and each effect elsewhere has one key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from organisations.models import Organisation
from tests.workflows.crashing import counted
from tests.workflows.running import add_tag, contact, made, run, runs, work
from workflows import engine, matching
from workflows.engine import LEASE, Batch
from workflows.models import Run
from workflows.steps import STEPS
from workflows.steps.base import Done, Moment, Outcome, Step

PEOPLE = 3


class Elsewhere(Step):
    """Notes how often it was run with which key."""

    type = "elsewhere"
    label = "Elsewhere"
    external = True
    keys: Counter[str] = Counter()

    def run(self, moment: Moment) -> Outcome:
        self.keys[moment.idempotency_key] += 1
        return Done()


class Worker:
    """One that can be stopped between any two of its steps."""

    def __init__(self) -> None:
        self.batch: Batch | None = None
        self.left: list[Run] = []

    def claim(self) -> None:
        claimed = engine.claim(PEOPLE)
        self.batch = Batch(claimed) if claimed else None
        self.left = list(claimed)

    def read(self) -> None:
        """The steps that only read, of all that is claimed."""
        if self.batch is not None:
            self.left = self.batch.read_on(self.left)

    def step(self) -> None:
        """The next step of the first run."""
        if self.batch is not None and self.left and not self.batch.step(self.left[0]):
            self.left.pop(0)


@pytest.fixture
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(STEPS, Elsewhere.type, Elsewhere())
    yield
    Elsewhere.keys.clear()


ACTIONS = ("claim", "claim", "read", *["step"] * 6, "match", "lease over", "lease over", "disturb")


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.usefixtures("_elsewhere")
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    turns=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 1)), min_size=8, max_size=50)
)
def test_no_taking_of_turns_doubles_an_effect(
    api: Any, organisation: Organisation, turns: list[tuple[str, int]]
) -> None:
    Elsewhere.keys.clear()
    with transaction.atomic(), time_machine.travel(timezone.now(), tick=False) as clock:
        api.post("/custom-fields", {"label": "Visits", "name": "visits", "type": "Number"})
        workflow = made(
            api,
            {"type": "contact_created"},
            {"id": "all", "type": "condition", "conditions": {"all": []}, "then": [counted("a")]},
            {"id": "out", "type": "elsewhere"},
            {"id": "pause", "type": "wait", "duration": "PT1S"},
            counted("b"),
        )
        people = [contact(api, f"c{number}") for number in range(PEOPLE)]
        workers = Worker(), Worker()

        def disturb(turn: int) -> None:
            """Somebody pauses it, switches it on again, or cancels the first contact's run."""
            if turn % 3:
                api.post(f"/workflows/{workflow}/{('pause', 'activate')[turn % 2]}")
                return
            found = Run.objects.for_organisation(organisation).unfinished()
            for run in found.filter(contact=people[0]):
                api.post(f"/workflows/{workflow}/runs/{run.pk}/cancel")

        matching.match(2)
        for turn, (action, who) in enumerate(turns):
            worker = workers[who]
            if action == "match":
                matching.match(2)
            elif action == "lease over":
                clock.shift(LEASE + timedelta(seconds=1))
            elif action == "disturb":
                disturb(turn)
            else:
                {"claim": worker.claim, "read": worker.read, "step": worker.step}[action]()
        api.post(f"/workflows/{workflow}/activate")
        for _time in range(3):
            clock.shift(LEASE + timedelta(seconds=1))
            work()
        told = {one["contact"]: one for one in runs(api, workflow)}
        # What happens while it is paused starts nothing, so some may have no run.
        for person in people:
            visits = api.get(f"/contacts/{person}").json()["customFields"].get("visits") or 0
            run = told.get(person)
            assert (run is None) <= (visits == 0)
            if run is not None and run["status"] == "completed":
                assert visits == 2
                assert [node["id"] for node in run["executedNodes"]] == [
                    "all",
                    "a",
                    "out",
                    "pause",
                    "b",
                ]
            elif run is not None:
                assert run["status"] == "cancelled"
                assert person == people[0]
                assert visits <= 2
        assert len(runs(api, workflow)) == len(told)  # one run each
        done = {f"run-{one['id']}-3" for one in told.values() if one["status"] == "completed"}
        assert done <= set(Elsewhere.keys) <= {f"run-{one['id']}-3" for one in told.values()}
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_a_workflow_that_is_deleted_under_a_worker_keeps_it_from_no_other(api: Any) -> None:
    gone, stays = (made(api, {"type": "contact_created"}, add_tag("seen")) for _time in range(2))
    contact(api)
    matching.match()
    claimed = engine.claim(2)
    assert api.delete(f"/workflows/{gone}").status_code == 204
    Batch(claimed).work(lambda: False)
    assert run(api, stays)["status"] == "completed"
