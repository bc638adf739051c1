"""A run keeps the version with which it began; a paused workflow waits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from tests.workflows.running import (
    PURCHASE,
    add_tag,
    contact,
    happens,
    made,
    run,
    runs,
    tags,
    work,
)

pytestmark = pytest.mark.django_db

START = datetime(2027, 1, 10, 12, tzinfo=UTC)
DAY = {"type": "wait", "duration": "P1D"}


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def put(api: Any, workflow: int, **changes: Any) -> dict[str, Any]:
    """Replace some of a workflow; answers it."""
    kept = ("name", "description", "status", "trigger", "steps")
    told = api.get(f"/workflows/{workflow}").json()
    answer = api.put(f"/workflows/{workflow}", {key: told[key] for key in kept} | changes)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_a_run_ends_with_the_steps_with_which_it_began(api: Any, clock: Any) -> None:
    workflow = made(api, PURCHASE, DAY, add_tag("old"))
    jane, joe = contact(api, "jane"), contact(api, "joe")
    happens(api, jane)
    work()
    assert put(api, workflow, steps=[DAY, add_tag("new")])["version"] == 2
    happens(api, joe)
    work()
    clock.move_to(START + timedelta(days=1))
    work()
    assert [one["version"] for one in runs(api, workflow)] == [1, 2]
    assert (tags(api, jane), tags(api, joe)) == (["old"], ["new"])


def test_only_another_trigger_or_other_steps_make_a_version(api: Any) -> None:
    workflow = made(api, PURCHASE, add_tag("x", id="x"))
    assert put(api, workflow, name="Another name", description="Why")["version"] == 1
    trigger = {**PURCHASE, "reentry": {"policy": "once"}}
    assert put(api, workflow, trigger=trigger)["version"] == 2


def test_another_trigger_is_heard_at_once_and_the_old_one_no_more(api: Any) -> None:
    workflow = made(api, PURCHASE, add_tag("x"))
    put(api, workflow, trigger={"type": "tag_added", "tag": "vip"})
    jane = contact(api)
    happens(api, jane)
    work()
    assert runs(api, workflow) == []
    api.put(f"/contacts/{jane}/tags/vip")
    work()
    assert run(api, workflow)["triggerData"]["type"] == "tag_added"


def test_what_an_old_version_waits_for_is_still_heard(api: Any, clock: Any) -> None:
    wait = {"type": "wait_for", "activityTypes": ["Checked in"], "timeout": "P7D"}
    workflow = made(api, PURCHASE, {**wait, "then": [add_tag("came")]})
    jane = contact(api)
    happens(api, jane)
    work()
    put(api, workflow, trigger={"type": "manual"}, steps=[])
    clock.shift(60)
    happens(api, jane, "Checked in")
    work()
    assert tags(api, jane) == ["came"]


def test_while_it_is_paused_nothing_starts_and_what_waits_waits(api: Any, clock: Any) -> None:
    workflow = made(api, PURCHASE, DAY, add_tag("later"))
    jane, joe = contact(api, "jane"), contact(api, "joe")
    happens(api, jane)
    work()
    assert api.post(f"/workflows/{workflow}/pause").json()["status"] == "Paused"
    happens(api, joe)
    clock.move_to(START + timedelta(days=3))
    work()
    assert (run(api, workflow)["status"], tags(api, jane)) == ("waiting", [])
    assert api.post(f"/workflows/{workflow}/activate").json()["status"] == "Active"
    work()
    assert tags(api, jane) == ["later"]
    assert len(runs(api, workflow)) == 1  # what happened meanwhile is not made up for


def test_what_happened_before_a_pause_that_came_ahead_of_the_worker_waits_too(api: Any) -> None:
    workflow = made(api, PURCHASE, add_tag("x"))
    jane = contact(api)
    happens(api, jane)
    api.post(f"/workflows/{workflow}/pause")
    work()
    assert (runs(api, workflow), tags(api, jane)) == ([], [])


def test_a_draft_starts_nothing(api: Any) -> None:
    workflow = made(api, PURCHASE, add_tag("x"), status="Draft")
    happens(api, contact(api))
    work()
    assert runs(api, workflow) == []


def test_a_deleted_workflows_runs_go_with_it_and_its_triggers_are_heard_no_more(
    api: Any, organisation: Any
) -> None:
    workflow = made(api, PURCHASE, DAY)
    jane = contact(api)
    happens(api, jane)
    work()
    happens(api, jane)
    assert api.delete(f"/workflows/{workflow}").status_code == 204
    work()
    assert api.get(f"/workflows/{workflow}/runs").status_code == 404
    organisation.refresh_from_db()
    assert organisation.listens_to == {}
