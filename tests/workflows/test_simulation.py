"""A simulation of what goes wrong, and of what would reach other workflows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.running import PURCHASE, add_tag, contact, happens, made, path, runs, work
from workflows.models import Event

pytestmark = pytest.mark.django_db


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


def test_an_activity_of_somebody_else_is_refused(api: Any) -> None:
    pk = made(api, PURCHASE, add_tag("x"))
    activity = happens(api, contact(api, "joe"))
    answer = api.post(
        f"/workflows/{pk}/simulate", {"contact": contact(api, "jane"), "activity": activity}
    )
    assert answer.status_code == 422
    assert answer.json()["violations"][0]["propertyPath"] == "activity"
