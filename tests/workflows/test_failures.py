"""Steps that fail: tried again, given up, retried by hand; workflows that fail over and over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError

from tests.workflows.running import (
    PURCHASE,
    add_tag,
    contact,
    happens,
    made,
    path,
    run,
    runs,
    tags,
    work,
)
from workflows import matching
from workflows.models import Alert, Event
from workflows.steps import STEPS
from workflows.steps.base import Done, GiveUp, Moment, Outcome, Retry, Step

pytestmark = pytest.mark.django_db

START = datetime(2027, 1, 10, 12, tzinfo=UTC)


class Fragile(Step):
    """Fails as often as it is told to, and notes with which key it was run."""

    type = "fragile"
    label = "Fragile"

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.keys: list[str] = []

    def run(self, moment: Moment) -> Outcome:
        self.keys.append(moment.idempotency_key)
        from contacts import services

        services.tag(contacts=moment.contact, name="touched")
        if self.errors:
            raise self.errors.pop(0)
        return Done({"worked": True})


class FragileOutside(Fragile):
    """The same with an effect elsewhere."""

    external = True


@pytest.fixture(params=[Fragile, FragileOutside])
def fragile(request: Any, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Fragile:
    step: Fragile = request.param()
    monkeypatch.setitem(STEPS, step.type, step)
    settings.WORKFLOW_RETRY_PAUSES = [10, 100]
    return step


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


STEP = {"id": "f", "type": "fragile"}


def test_it_is_tried_again_after_pauses_that_grow_with_the_same_key(
    api: Any, fragile: Fragile, clock: Any
) -> None:
    fragile.errors = [ValueError("no luck"), OperationalError("still none")]
    workflow = made(api, PURCHASE, STEP, add_tag("after", id="after"))
    jane = contact(api)
    happens(api, jane)
    work()
    told = run(api, workflow)
    (node,) = told["executedNodes"]
    assert (told["status"], node["status"], node["attempts"]) == ("waiting", "retrying", 1)
    assert "no luck" in node["error"]
    clock.move_to(START + timedelta(seconds=9))
    assert work() == 0
    clock.move_to(START + timedelta(seconds=10))
    work()
    assert run(api, workflow)["executedNodes"][0]["attempts"] == 2
    clock.move_to(START + timedelta(seconds=110))
    work()
    told = run(api, workflow)
    assert (told["status"], path(told)) == ("completed", ["f", "after"])
    node = told["executedNodes"][0]
    assert (node["status"], node["attempts"], node["error"]) == ("completed", 3, "")
    assert fragile.keys == [f"run-{told['id']}-1"] * 3


def test_what_a_failed_attempt_wrote_of_ours_is_undone(
    api: Any, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    step = Fragile()
    step.errors = [ValueError("no luck")]
    monkeypatch.setitem(STEPS, step.type, step)
    made(api, PURCHASE, STEP)
    jane = contact(api)
    happens(api, jane)
    work()
    assert tags(api, jane) == []


def test_after_the_last_attempt_the_run_fails_and_can_be_retried_from_there(
    api: Any, fragile: Fragile, clock: Any
) -> None:
    fragile.errors = [ValueError("no luck")] * 3
    workflow = made(api, PURCHASE, add_tag("before", id="b"), STEP, add_tag("after", id="a"))
    jane = contact(api)
    happens(api, jane)
    for seconds in (0, 10, 110):
        clock.move_to(START + timedelta(seconds=seconds))
        work()
    told = run(api, workflow)
    assert told["status"] == "failed"
    assert told["errorMessage"] == "Step f (fragile): ValueError: no luck"
    assert [node["status"] for node in told["executedNodes"]] == ["completed", "failed"]
    assert told["executedNodes"][1]["attempts"] == 3
    assert told["completedAt"] is not None
    clock.shift(3600)
    assert work() == 0
    api.delete(f"/contacts/{jane}/tags/before")
    again = api.post(f"/workflows/{workflow}/runs/{told['id']}/retry")
    assert again.status_code == 200, again.content
    assert (again.json()["status"], again.json()["errorMessage"]) == ("pending", "")
    work()
    told = run(api, workflow)
    assert (told["status"], path(told)) == ("completed", ["b", "f", "a"])
    assert len(set(fragile.keys)) == 1
    assert "before" not in tags(api, jane)  # what was done is not done again
    assert api.post(f"/workflows/{workflow}/runs/{told['id']}/retry").status_code == 409


def test_a_retried_run_stands_beside_no_other_where_one_goes_at_a_time(
    api: Any, fragile: Fragile, clock: Any
) -> None:
    fragile.errors = [GiveUp("There is no such room.")]
    trigger = {**PURCHASE, "reentry": {"policy": "one_at_a_time"}}
    workflow = made(api, trigger, STEP, {"type": "wait", "duration": "P1D"})
    jane = contact(api)

    def comes() -> list[str]:
        happens(api, jane)
        work()
        return [one["status"] for one in runs(api, workflow)]

    assert comes() == ["failed"]
    assert comes() == ["failed", "waiting"]
    failed, waiting = (f"/workflows/{workflow}/runs/{one['id']}" for one in runs(api, workflow))
    refused = api.post(f"{failed}/retry")
    assert refused.status_code == 409
    assert f"Run {runs(api, workflow)[1]['id']} " in refused.json()["detail"]
    assert api.post(f"{waiting}/cancel").status_code == 200
    assert api.post(f"{failed}/retry").status_code == 200
    assert comes() == ["waiting", "cancelled"]


def test_what_trying_again_would_not_help_fails_at_once(
    api: Any, fragile: Fragile, clock: Any
) -> None:
    fragile.errors = [GiveUp("There is no such room.")]
    workflow = made(api, PURCHASE, STEP)
    happens(api, contact(api))
    work()
    told = run(api, workflow)
    assert told["status"] == "failed"
    assert told["errorMessage"] == "Step f (fragile): There is no such room."


def test_a_step_may_say_when_it_wants_to_be_tried_again(
    api: Any, fragile: Fragile, clock: Any
) -> None:
    fragile.errors = [Retry("Busy.", after=timedelta(hours=2))]
    workflow = made(api, PURCHASE, STEP)
    happens(api, contact(api))
    work()
    clock.move_to(START + timedelta(hours=2))
    work()
    assert run(api, workflow)["status"] == "completed"


def test_a_run_can_be_cancelled_while_it_waits_and_not_after(api: Any, clock: Any) -> None:
    workflow = made(api, PURCHASE, {"type": "wait", "duration": "P1D"}, add_tag("later"))
    jane = contact(api)
    happens(api, jane)
    work()
    address = f"/workflows/{workflow}/runs/{run(api, workflow)['id']}"
    assert api.post(f"{address}/cancel").json()["status"] == "cancelled"
    clock.move_to(START + timedelta(days=2))
    work()
    assert tags(api, jane) == []
    assert api.post(f"{address}/cancel").status_code == 409
    assert api.post(f"{address}/retry").status_code == 409


def test_a_workflow_that_fails_five_times_in_a_row_tells_staff_once(
    api: Any, organisation: Any, fragile: Fragile, clock: Any
) -> None:
    workflow = made(api, PURCHASE, STEP, name="Thank you")
    jane = contact(api)
    alerts = Alert.objects.for_organisation(organisation)

    def fail(times: int) -> None:
        fragile.errors = [GiveUp("Out of stock.") for _time in range(times)]
        for _time in range(times):
            happens(api, jane)
        work()

    fail(4)
    happens(api, jane)
    work()  # one that completes: they are not in a row
    fail(4)
    assert not alerts.exists()
    fail(3)
    (alert,) = alerts
    assert "Thank you" in alert.text
    assert "Out of stock." in alert.text
    assert len(runs(api, workflow)) == 12


def test_conditions_that_speak_of_what_is_gone_tell_staff_and_keep_nobody_from_work(
    api: Any, organisation: Any
) -> None:
    field = api.post("/custom-fields", {"label": "Diet", "name": "diet", "type": "Text"}).json()
    rule = {"field": "contact.customFields.diet", "operator": "eq", "value": "Vegan"}
    broken = made(api, {**PURCHASE, "conditions": {"all": [rule]}}, add_tag("x"))
    fine = made(api, PURCHASE, add_tag("y"))
    api.delete(f"/custom-fields/{field['id']}?force=true")
    jane = contact(api)
    happens(api, jane)
    happens(api, jane)
    work()
    assert (len(runs(api, broken)), len(runs(api, fine))) == (0, 2)
    (alert,) = Alert.objects.for_organisation(organisation)
    assert "diet" in alert.text


def test_an_event_that_cannot_be_matched_keeps_no_other_from_it(
    api: Any, organisation: Any, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    workflow = made(api, PURCHASE, add_tag("x"))
    poison, fine = contact(api, "poison"), contact(api, "fine")
    for who in (poison, fine):
        happens(api, who)
    enter = matching.reentry.enter

    def choke(candidates: Any, now: Any) -> Any:
        if any(candidate.contact.pk == poison for candidate in candidates):
            raise ValueError("cannot swallow")
        return enter(candidates, now)

    monkeypatch.setattr(matching.reentry, "enter", choke)
    work()
    assert [one["contact"] for one in runs(api, workflow)] == [fine]
    for _time in range(matching.MAX_ATTEMPTS):
        clock.shift(3600)
        work()
    (event,) = Event.objects.for_organisation(organisation)
    assert (event.attempts, event.due_at) == (matching.MAX_ATTEMPTS, None)
    assert event.error == "ValueError: cannot swallow"
    (alert,) = Alert.objects.for_organisation(organisation)
    assert "cannot swallow" in alert.text
