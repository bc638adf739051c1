"""A simulation of what goes wrong, and of what would reach other workflows."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps

from organisations.models import ApiKey
from tests.workflows.running import PURCHASE, add_tag, contact, happens, made, path, runs, work
from workflows.models import Event
from workflows.steps import STEPS

pytestmark = pytest.mark.django_db


def everything() -> dict[str, list[Any]]:
    """Every row of every table of ours, but for what asking leaves behind: the key was used."""
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values())
        for model in apps.get_models()
        if model is not ApiKey
    }


def simulated(api: Any, workflow: int, who: int, **more: Any) -> dict[str, Any]:
    answer = api.post(f"/workflows/{workflow}/simulate", {"contact": who, **more})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_a_step_that_would_fail_is_shown_and_ends_it(api: Any) -> None:
    contact(api, "taken", phoneNumber="+447700900123")
    same = {"type": "update_contact", "id": "same", "values": {"phoneNumber": "+447700900123"}}
    pk = made(api, {"type": "manual"}, same, add_tag("never"))
    told = simulated(api, pk, contact(api))
    assert [(one["id"], one["status"]) for one in told["path"]] == [("same", "failed")]
    assert told["status"] == "failed"
    assert "phone" in told["errorMessage"].lower()


def test_it_says_that_another_workflow_would_start_and_starts_none(api: Any) -> None:
    other = made(api, {"type": "tag_added", "tag": "vip"}, add_tag("heard"))
    asked = made(api, {"type": "manual"}, add_tag("started"))
    start = {"type": "start_workflow", "id": "start", "workflow": asked}
    pk = made(api, {"type": "manual"}, start, add_tag("vip", id="vip"))
    told = simulated(api, pk, contact(api))
    assert [(one["id"], one["status"]) for one in told["path"]] == [
        ("start", "completed"),
        ("vip", "completed"),
    ]
    assert told["path"][0]["output"]["started"] is not None
    work()
    assert (runs(api, other), runs(api, asked)) == ([], [])
    assert not Event.objects.across_organisations().exists()


def test_the_path_is_the_one_that_a_run_then_takes(api: Any) -> None:
    rule = {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": 1}]}
    steps = (
        add_tag("first", id="first"),
        {
            "id": "ordered",
            "type": "condition",
            "conditions": {
                "all": [{"field": "contact.tags", "operator": "contains", "value": "first"}]
            },
            "then": [{"id": "credit", "type": "give_credit", "amount": 100}],
            "else": [{"id": "out", "type": "exit"}],
        },
        {"id": "again", "type": "condition", "conditions": rule, "then": [], "else": []},
        add_tag("last", id="last"),
    )
    pk = made(api, PURCHASE, *steps)
    jane = contact(api)
    activity = happens(api, jane)
    told = simulated(api, pk, jane, activity=activity)
    work()
    (run,) = runs(api, pk)
    assert [one["id"] for one in told["path"]] == path(run)
    assert [one["output"].keys() for one in told["path"]] == [
        one["output"].keys() for one in run["executedNodes"]
    ]


def test_it_says_why_it_went_a_way(api: Any) -> None:
    rule = {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": 1}]}
    fork = {"id": "fork", "type": "condition", "conditions": rule, "then": [], "else": []}
    pk = made(api, PURCHASE, fork)
    (told,) = simulated(api, pk, contact(api))["path"]
    assert told["output"] == {"path": "else"}
    (why,) = told["conditions"]
    assert (why["said"], why["foundSaid"], why["holds"]) == ("Orders is at least 1", "0", False)


def test_nothing_is_written_sent_or_asked(api: Any, mailoutbox: list[Any]) -> None:
    """Of every step that there is."""
    other = made(api, {"type": "manual"}, add_tag("started"))
    steps = [
        {"type": "send_email", "subject": "Hello", "body": "<p>Hello</p>"},
        {"type": "send_sms", "text": "Hello"},
        {"type": "call_webhook", "url": "https://example.com/hook"},
        {"type": "notify_staff", "title": "Hello", "role": "Everyone"},
        add_tag("tagged"),
        {"type": "remove_tag", "tag": "VIP"},
        {"type": "update_contact", "values": {"firstName": "June"}},
        {"type": "give_credit", "amount": 500},
        {"type": "create_activity", "activityType": "Purchase", "spend": 100},
        {"type": "start_workflow", "workflow": other},
        {"type": "wait", "duration": "P1D"},
        {"type": "wait_for", "activityTypes": ["Purchase"], "timeout": "P1D"},
        {"type": "condition", "conditions": {"all": []}, "then": [{"type": "exit"}]},
    ]
    assert {one["type"] for one in steps} | {"exit"} == set(STEPS)
    pk = made(api, PURCHASE, *steps)
    jane = contact(api, tags=["VIP"], phoneNumber="+447700900123")
    activity = happens(api, jane)
    work()  # what really happened is behind it
    before = everything()
    mailoutbox.clear()

    told = simulated(api, pk, jane, activity=activity)

    assert (told["starts"], told["status"], told["errorMessage"]) == (True, "completed", "")
    assert [one["type"] for one in told["path"] if one["status"] == "completed"] == [
        *(one["type"] for one in steps),
        "exit",
    ]
    assert [one["status"] for one in told["messages"]] == ["simulated", "simulated"]
    assert everything() == before
    assert mailoutbox == []


def test_an_activity_of_somebody_else_is_refused(api: Any) -> None:
    pk = made(api, PURCHASE, add_tag("x"))
    activity = happens(api, contact(api, "joe"))
    answer = api.post(
        f"/workflows/{pk}/simulate", {"contact": contact(api, "jane"), "activity": activity}
    )
    assert answer.status_code == 422
    assert answer.json()["violations"][0]["propertyPath"] == "activity"
