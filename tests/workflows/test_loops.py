"""Workflows that set one another off: a chain ends, and none starts by its own effect."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.running import PURCHASE, add_tag, contact, happens, made, runs, work
from workflows.models import Alert

pytestmark = pytest.mark.django_db


def untag(name: str) -> dict[str, Any]:
    return {"type": "remove_tag", "tag": name}


def test_a_workflow_does_not_start_by_its_own_effect(api: Any) -> None:
    workflow = made(api, {"type": "tag_added"}, add_tag("echo"))
    other = made(api, {"type": "tag_added", "tag": "echo"}, {"type": "exit"})
    api.put(f"/contacts/{contact(api)}/tags/call")
    work()
    assert len(runs(api, workflow)) == 1
    assert len(runs(api, other)) == 1


def test_two_that_set_each_other_off_end_after_five_and_say_so(api: Any, organisation: Any) -> None:
    ping = made(api, {"type": "tag_added", "tag": "ping"}, untag("ping"), add_tag("pong"))
    pong = made(api, {"type": "tag_added", "tag": "pong"}, untag("pong"), add_tag("ping"))
    api.put(f"/contacts/{contact(api)}/tags/ping")
    work()
    told = runs(api, ping) + runs(api, pong)
    assert len(told) == 5
    assert {one["status"] for one in told} == {"completed"}
    last = runs(api, ping)[-1]
    assert "5 times in a row" in last["errorMessage"]
    assert [one["errorMessage"] for one in told if one["id"] != last["id"]] == [""] * 4
    (alert,) = Alert.objects.for_organisation(organisation)
    assert alert.text == last["errorMessage"]


def test_a_chain_of_starts_ends_too(api: Any) -> None:
    first = made(api, {"type": "manual"})
    second = made(api, {"type": "manual"}, {"type": "start_workflow", "workflow": first})
    body = {
        "name": "first",
        "status": "Active",
        "trigger": {"type": "manual"},
        "steps": [{"id": "go", "type": "start_workflow", "workflow": second}],
    }
    assert api.put(f"/workflows/{first}", body).status_code == 200
    who = contact(api)
    assert api.post(f"/workflows/{first}/runs", {"contact": who}).status_code == 201
    work()
    assert (len(runs(api, first)), len(runs(api, second))) == (3, 2)
    last = runs(api, first)[-1]
    assert last["status"] == "failed"
    assert "5 times in a row" in last["errorMessage"]


def test_a_loop_by_way_of_activities_ends_too(api: Any) -> None:
    made(api, PURCHASE, {"type": "create_activity", "activityType": "Login"})
    made(
        api,
        {"type": "activity_created", "activityTypes": ["Login"]},
        {"type": "create_activity", "activityType": "Purchase"},
    )
    jane = contact(api)
    happens(api, jane)
    work()
    assert len(api.get(f"/contacts/{jane}/activities").json()) == 6


def test_a_loop_by_way_of_a_segment_ends_too(api: Any) -> None:
    rules = {"all": [{"field": "contact.lastName", "operator": "eq", "value": "Out"}]}
    segment = api.post("/segments", {"name": "Outside", "rules": rules}).json()["id"]

    def named(name: str) -> dict[str, Any]:
        return {"type": "update_contact", "values": {"lastName": name}}

    entered = made(api, {"type": "segment_entered", "segment": segment}, named("In"))
    left = made(api, {"type": "segment_left", "segment": segment}, named("Out"))
    contact(api, lastName="Out")
    work()
    assert len(runs(api, entered)) + len(runs(api, left)) == 5


def test_what_people_do_begins_a_new_chain(api: Any) -> None:
    workflow = made(api, PURCHASE, add_tag("bought"))
    jane = contact(api)
    for _time in range(7):
        happens(api, jane)
        work()
    assert len(runs(api, workflow)) == 7


def test_a_workflow_cannot_be_saved_that_starts_itself(api: Any) -> None:
    workflow = made(api, {"type": "manual"})
    body = {
        "name": "x",
        "trigger": {"type": "manual"},
        "steps": [{"type": "start_workflow", "workflow": workflow}],
    }
    answer = api.put(f"/workflows/{workflow}", body)
    assert answer.status_code == 422
    assert answer.json()["violations"][0]["propertyPath"] == "steps.0.workflow"
