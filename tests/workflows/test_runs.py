"""Saving workflows, letting people in, ending runs, and what becomes of them with the contact."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.apps import apps

from tests.workflows.running import add_tag, contact, happens, made, runs, work
from workflows.models import Run

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 4, 7, 12, tzinfo=UTC)


def refused(api: Any, body: dict[str, Any]) -> set[str]:
    given = {"name": "Test", "trigger": {"type": "manual"}, "steps": []} | body
    answer = api.post("/workflows", given)
    assert answer.status_code == 422, answer.content
    return {one["propertyPath"] for one in answer.json()["violations"]}


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"name": ""}, {"name"}),
        ({"status": "On"}, {"status"}),
        ({"trigger": {"type": "noon"}}, {"trigger.type"}),
        ({"trigger": {"type": "manual", "when": 1}}, {"trigger.when"}),
        ({"trigger": {"type": "manual", "reentry": {"policy": "x"}}}, {"trigger.reentry.policy"}),
        (
            {"trigger": {"type": "manual", "conditions": {"all": [{"field": "x"}]}}},
            {"trigger.conditions.all.0.field"},
        ),
        ({"steps": [{"type": "fly"}]}, {"steps.0.type"}),
        ({"steps": [{"type": "add_tag", "tag": "a", "x": 1}]}, {"steps.0.x"}),
        ({"steps": [{"type": "give_credit"}]}, {"steps.0.amount"}),
        (
            {"steps": [{"id": "a", "type": "exit"}, {"id": "a", "type": "exit"}]},
            {"steps.1.id"},
        ),
        (
            {
                "steps": [
                    {
                        "type": "condition",
                        "conditions": {"all": []},
                        "then": [{"type": "send_email", "subject": "{{ contact.fistName }}"}],
                    }
                ]
            },
            {"steps.0.then.0.subject", "steps.0.then.0.body"},
        ),
    ],
)
def test_what_cannot_be_saved(api: Any, body: dict[str, Any], paths: set[str]) -> None:
    assert refused(api, body) == paths
    assert api.get("/workflows").json() == []


def test_it_is_told_as_it_was_given(api: Any) -> None:
    trigger = {"type": "order_created", "reentry": {"policy": "once"}}
    pk = made(api, trigger, add_tag(), add_tag("b"), status="Draft")
    told = api.get(f"/workflows/{pk}").json()
    assert told["startingTriggerType"] == "order_created"
    assert (told["status"], told["version"], told["trigger"]) == ("Draft", 1, trigger)
    assert [step["id"] for step in told["steps"]] == ["add_tag", "add_tag-2"]
    assert api.get("/workflows").json() == [told]


def test_letting_in_who_matches_already(api: Any) -> None:
    adults = {"all": [{"field": "contact.firstName", "operator": "eq", "value": "Jane"}]}
    trigger = {"type": "contact_created", "conditions": adults}
    pk = made(api, trigger, add_tag(), status="Draft")
    who = contact(api, firstName="Jane")
    contact(api, "tom", firstName="Tom")
    assert api.get(f"/workflows/{pk}/existing").json() == {
        "matching": 1,
        "capped": False,
        "sample": [who],
    }
    api.post(f"/workflows/{pk}/activate", {"includeExisting": True})
    work()
    assert [run["contact"] for run in runs(api, pk)] == [who]
    orders = made(api, "order_created", status="Draft")
    answer = api.post(f"/workflows/{orders}/activate", {"includeExisting": True})
    assert answer.status_code == 422


def test_cancelling_and_deleting(api: Any) -> None:
    pk = made(api, "contact_created", {"type": "wait", "duration": "P1D"})
    contact(api)
    work()
    run = runs(api, pk)[0]["id"]
    assert api.post(f"/workflows/{pk}/runs/{run}/cancel").json()["status"] == "cancelled"
    assert api.post(f"/workflows/{pk}/runs/{run}/cancel").status_code == 409
    assert api.delete(f"/workflows/{pk}").status_code == 204
    assert not Run.objects.across_organisations().exists()


def test_a_merged_contact_takes_its_runs_along_and_redaction_ends_them(api: Any) -> None:
    pk = made(api, "contact_created", {"type": "wait", "duration": "P1D"})
    who, other = contact(api), contact(api, "other")
    work()
    api.post(f"/contacts/{who}/merge", {"contact": other})
    assert {run["contact"] for run in runs(api, pk)} == {who}
    api.post(f"/contacts/{who}/unmerge", {"contact": other})
    assert [run["contact"] for run in runs(api, pk)] == [who, other]
    api.post(f"/contacts/{who}/redact")
    assert [run["status"] for run in runs(api, pk)] == ["cancelled", "waiting"]
    api.delete(f"/contacts/{other}")
    assert len(runs(api, pk)) == 1


def everything() -> dict[str, list[Any]]:
    """All rows of all tables."""
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values())
        for model in apps.get_models()
        if model._meta.app_label in {"contacts", "customfields", "activities", "rewards"}
        or model._meta.app_label in {"workflows", "organisations", "imports"}
    }


def test_a_simulation_shows_all_and_changes_nothing(
    api: Any, monkeypatch: pytest.MonkeyPatch, mailoutbox: list[Any]
) -> None:
    third = {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": 1}]}
    then = [
        {"id": "credit", "type": "give_credit", "amount": 500},
        {"id": "pause", "type": "wait", "duration": "P1D"},
        {"id": "mail", "type": "send_email", "subject": "Hi {{ contact.firstName }}", "body": "x"},
        {"id": "call", "type": "call_webhook", "url": "https://example.com/"},
        add_tag(id="tag"),
    ]
    step = {"id": "if", "type": "condition", "conditions": third, "then": then, "else": []}
    pk = made(api, "order_created", step, status="Draft")
    who = contact(api, firstName="Jane")
    activity = happens(api, who)
    api.get("/contacts")  # the key's own note of its use
    before = everything()

    def nobody(*_args: Any) -> None:
        raise AssertionError("a request was made")

    monkeypatch.setattr(socket.socket, "connect", nobody)
    with time_machine.travel(NOON, tick=False):
        answer = api.post(f"/workflows/{pk}/simulate", {"contact": who, "activity": activity})
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert told["starts"] is True
    assert [(one["id"], one["status"]) for one in told["path"]] == [
        ("if", "completed"),
        ("credit", "completed"),
        ("pause", "waiting"),
        ("pause", "completed"),
        ("mail", "completed"),
        ("call", "completed"),
        ("tag", "completed"),
    ]
    assert told["path"][2]["output"] == {"until": "2026-04-08T12:00:00+00:00"}
    assert told["messages"][0]["subject"] == "Hi Jane"
    assert told["messages"][0]["at"] == "2026-04-08T12:00:00+00:00"
    assert everything() == before
    assert mailoutbox == []
    other = api.post(f"/workflows/{pk}/simulate", {"contact": who}).json()
    assert other["starts"] is False


def test_the_queries_of_lists(api: Any, django_assert_max_num_queries: Any) -> None:
    pk = made(api, "contact_created", add_tag(), add_tag("b"))
    for number in range(3):
        contact(api, f"{number}")
    work()
    with django_assert_max_num_queries(4):
        assert len(api.get("/workflows").json()) == 1
    with django_assert_max_num_queries(5):
        assert len(api.get(f"/workflows/{pk}/runs?status=completed").json()) == 3
