"""Saving workflows, their versions, re-entry, failures, loops, cancelling, pausing, simulating."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.apps import apps

from tests.workflows.story import contact, path, record, runs, tags, work, workflow
from tests.workflows.story import tag as tag_step
from workflows.models import Alert, Run, Workflow

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
    pk = workflow(api, trigger, tag_step(), tag_step("b"), status="Draft")
    told = api.get(f"/workflows/{pk}").json()
    assert told["startingTriggerType"] == "order_created"
    assert (told["status"], told["version"], told["trigger"]) == ("Draft", 1, trigger)
    assert [step["id"] for step in told["steps"]] == ["add_tag", "add_tag-2"]
    assert api.get("/workflows").json() == [told]


def test_a_run_keeps_its_version(api: Any) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        wait = {"id": "pause", "type": "wait", "duration": "P1D"}
        pk = workflow(api, "contact_created", wait, tag_step("first"))
        who = contact(api)
        work()
        body = api.get(f"/workflows/{pk}").json()
        changed = {key: body[key] for key in ("name", "status", "trigger")}
        answer = api.put(f"/workflows/{pk}", changed | {"steps": [tag_step("second")]})
        assert answer.json()["version"] == 2
        other = contact(api, "other@example.com")
        clock.move_to(NOON + timedelta(days=1))
        work()
    assert (tags(api, who), tags(api, other)) == ({"first"}, {"second"})
    assert [run["version"] for run in runs(api, pk)] == [1, 2]


@pytest.mark.parametrize(
    ("reentry", "began"),
    [
        ({"policy": "every_time"}, 3),
        ({"policy": "once"}, 1),
        ({"policy": "once_per", "duration": "P2D"}, 2),
        ({"policy": "one_at_a_time"}, 2),
        ({"policy": "every_time", "key": "activity.source"}, 2),
    ],
)
def test_coming_in_again(api: Any, reentry: dict[str, Any], began: int) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        trigger = {"type": "activity_created", "reentry": reentry}
        pk = workflow(api, trigger, {"type": "wait", "duration": "P1DT12H"})
        who = contact(api)
        for day, source in enumerate(("till", "till", "website")):
            clock.move_to(NOON + timedelta(days=day))
            work()
            record(api, who, source=source)
            work()
    assert len(runs(api, pk)) == began


def test_a_step_that_fails_is_tried_again_then_fails_the_run_and_can_be_retried(
    api: Any, settings: Any, httpserver: Any
) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = ["127.0.0.0/8"]
    settings.WORKFLOW_RETRY_PAUSES = [60]
    httpserver.expect_request("/hook").respond_with_data("busy", status=503)
    call = {"id": "call", "type": "call_webhook", "url": httpserver.url_for("/hook")}
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        pk = workflow(api, "contact_created", tag_step(id="tag"), call)
        who = contact(api)
        work()
        (run,) = runs(api, pk)
        assert run["status"] == "waiting"
        assert path(run) == [("tag", "completed"), ("call", "retrying")]
        clock.shift(61)
        work()
        (run,) = runs(api, pk)
        assert run["status"] == "failed"
        assert "call" in run["errorMessage"]
        assert run["executedNodes"][1]["attempts"] == 2
        httpserver.clear()
        httpserver.expect_request("/hook").respond_with_data("ok")
        answer = api.post(f"/workflows/{pk}/runs/{run['id']}/retry")
        assert answer.json()["status"] == "pending"
        work()
    (run,) = runs(api, pk)
    assert run["status"] == "completed"
    assert path(run) == [("tag", "completed"), ("call", "completed")]
    assert tags(api, who) == {"seen"}
    assert api.post(f"/workflows/{pk}/runs/{run['id']}/retry").status_code == 409


def test_a_workflow_that_fails_again_and_again_is_told_of_once(api: Any) -> None:
    pk = workflow(api, "activity_created", {"type": "update_contact", "values": {"dob": None}})
    version = Workflow.objects.across_organisations().get(pk=pk).versions.get()
    version.steps = [{"id": "broken", "type": "update_contact", "values": {"dob": "never"}}]
    version.save()
    who = contact(api)
    for _time in range(7):
        record(api, who)
    work()
    assert {run["status"] for run in runs(api, pk)} == {"failed"}
    assert Alert.objects.across_organisations().count() == 1


def test_a_loop_ends_and_nobody_starts_itself(api: Any) -> None:
    own = workflow(api, {"type": "tag_added"}, tag_step("again"))
    who = contact(api)
    api.put(f"/contacts/{who}/tags/first")
    work()
    assert len(runs(api, own)) == 1
    api.delete(f"/workflows/{own}")
    names = ("ping", "pong")
    for name, other in (names, names[::-1]):
        trigger = {"type": "tag_added", "tag": name}
        steps = [{"type": "remove_tag", "tag": name}, tag_step(other)]
        workflow(api, trigger, *steps, name=name)
    api.put(f"/contacts/{who}/tags/ping")
    work()
    all_runs = Run.objects.across_organisations().order_by("pk")
    assert [run.depth for run in all_runs] == [1, 2, 3, 4, 5]
    assert "loop" in Alert.objects.across_organisations().get().text


def test_pausing_and_going_on(api: Any) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        pk = workflow(api, "contact_created", {"type": "wait", "duration": "P1D"}, tag_step())
        who = contact(api)
        work()
        assert api.post(f"/workflows/{pk}/pause").json()["status"] == "Paused"
        clock.move_to(NOON + timedelta(days=2))
        contact(api, "meanwhile@example.com")
        work()
        assert tags(api, who) == set()
        api.post(f"/workflows/{pk}/activate")
        work()
    assert tags(api, who) == {"seen"}
    assert len(runs(api, pk)) == 1


def test_letting_in_who_matches_already(api: Any) -> None:
    adults = {"all": [{"field": "contact.firstName", "operator": "eq", "value": "Jane"}]}
    trigger = {"type": "contact_created", "conditions": adults}
    pk = workflow(api, trigger, tag_step(), status="Draft")
    who = contact(api)
    contact(api, "tom@example.com", firstName="Tom")
    assert api.get(f"/workflows/{pk}/existing").json() == {
        "matching": 1,
        "capped": False,
        "sample": [who],
    }
    api.post(f"/workflows/{pk}/activate", {"includeExisting": True})
    work()
    assert [run["contact"] for run in runs(api, pk)] == [who]
    orders = workflow(api, "order_created", status="Draft")
    answer = api.post(f"/workflows/{orders}/activate", {"includeExisting": True})
    assert answer.status_code == 422


def test_cancelling_and_deleting(api: Any) -> None:
    pk = workflow(api, "contact_created", {"type": "wait", "duration": "P1D"})
    contact(api)
    work()
    run = runs(api, pk)[0]["id"]
    assert api.post(f"/workflows/{pk}/runs/{run}/cancel").json()["status"] == "cancelled"
    assert api.post(f"/workflows/{pk}/runs/{run}/cancel").status_code == 409
    assert api.delete(f"/workflows/{pk}").status_code == 204
    assert not Run.objects.across_organisations().exists()


def test_a_merged_contact_takes_its_runs_along_and_redaction_ends_them(api: Any) -> None:
    pk = workflow(api, "contact_created", {"type": "wait", "duration": "P1D"})
    who, other = contact(api), contact(api, "other@example.com")
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
        tag_step(id="tag"),
    ]
    step = {"id": "if", "type": "condition", "conditions": third, "then": then, "else": []}
    pk = workflow(api, "order_created", step, status="Draft")
    who = contact(api)
    activity = record(api, who)["id"]
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
    pk = workflow(api, "contact_created", tag_step(), tag_step("b"))
    for number in range(3):
        contact(api, f"{number}@example.com")
    work()
    with django_assert_max_num_queries(4):
        assert len(api.get("/workflows").json()) == 1
    with django_assert_max_num_queries(5):
        assert len(api.get(f"/workflows/{pk}/runs?status=completed").json()) == 3
