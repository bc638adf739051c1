"""Each type of step does what it is for, through the API and the worker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from tests.workflows.running import add_tag, contact, happens, made, outcomes, run, runs, tags, work
from workflows.steps import STEPS

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 4, 7, 12, tzinfo=UTC)


def test_a_condition_goes_one_of_two_ways(api: Any) -> None:
    third = {"all": [{"field": "contact.totalOrders", "operator": "eq", "value": 2}]}
    step = {
        "id": "loyal",
        "type": "condition",
        "conditions": third,
        "then": [add_tag("regular", id="yes")],
        "else": [add_tag("new", id="no")],
    }
    pk = made(api, "order_created", step, add_tag("met", id="both"))
    who = contact(api)
    happens(api, who)
    work()
    assert tags(api, who) == ["met", "new"]
    happens(api, who)
    work()
    assert tags(api, who) == ["met", "new", "regular"]
    assert outcomes(runs(api, pk)[1]) == [
        ("loyal", "completed"),
        ("yes", "completed"),
        ("both", "completed"),
    ]


def test_waits_for_a_while_then_until_a_time_of_the_contacts_day(api: Any) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        steps = [
            {"id": "day", "type": "wait", "duration": "P1D"},
            {"id": "nine", "type": "wait", "until": "09:00"},
            add_tag(),
        ]
        pk = made(api, "contact_created", *steps)
        who = contact(api, timezone="America/New_York")
        work()
        assert run(api, pk)["status"] == "waiting"
        clock.move_to(NOON + timedelta(days=1, minutes=-1))
        work()
        assert outcomes(run(api, pk)) == [("day", "waiting")]
        clock.move_to(NOON + timedelta(days=1))  # eight in New York
        work()
        assert outcomes(run(api, pk)) == [("day", "completed"), ("nine", "waiting")]
        clock.move_to(NOON + timedelta(days=1, hours=1))
        work()
        assert run(api, pk)["status"] == "completed"
        assert tags(api, who) == ["seen"]


def test_waits_until_a_day_before_a_booking(api: Any) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        step = {"type": "wait", "field": "activity.booking.checkIn", "offset": "-P1D"}
        pk = made(api, "booking_created", step | {"at": "10:00"}, add_tag())
        who = contact(api)
        happens(api, who, "Booking", booking={"checkIn": "2026-05-01T14:00:00Z"})
        happens(api, who, "Booking", booking={"roomName": "7"})
        work()
        assert sorted(run["status"] for run in runs(api, pk)) == ["completed", "waiting"]
        clock.move_to(datetime(2026, 4, 30, 9, 0, tzinfo=UTC))
        work()
        assert {run["status"] for run in runs(api, pk)} == {"completed"}


def test_waits_for_an_activity_or_the_end_of_patience(api: Any) -> None:
    step = {
        "id": "visit",
        "type": "wait_for",
        "activityTypes": ["Checked in"],
        "timeout": "P7D",
        "then": [add_tag("came")],
        "else": [add_tag("missed")],
    }
    with time_machine.travel(NOON, tick=False) as clock:
        made(api, {"type": "activity_created", "activityTypes": ["Booking"]}, step)
        who, other = contact(api), contact(api, "other")
        moment = {"happenedAt": "2026-04-07T11:00:00Z"}
        happens(api, who, "Booking", **moment)
        happens(api, other, "Booking", **moment)
        work()
        clock.move_to(NOON + timedelta(days=1))
        happens(api, who, "Login", **moment)
        happens(api, who, "Checked in", **moment)
        work()
        assert (tags(api, who), tags(api, other)) == (["came"], [])
        clock.move_to(NOON + timedelta(days=7))
        work()
        assert (tags(api, who), tags(api, other)) == (["came"], ["missed"])


def test_changes_the_contact(api: Any) -> None:
    api.post("/custom-fields", {"label": "Room", "name": "room", "type": "Text"})
    values = {"lastName": "Hull", "customFields": {"room": "{{ activity.booking.roomName }}"}}
    made(api, "booking_created", {"type": "update_contact", "values": values})
    who = contact(api)
    happens(api, who, "Booking", booking={"roomName": "Sea view"})
    work()
    told = api.get(f"/contacts/{who}").json()
    assert (told["lastName"], told["customFields"]) == ("Hull", {"room": "Sea view"})


def test_puts_a_tag_on_and_takes_it_off(api: Any) -> None:
    made(api, "contact_created", add_tag("in"), {"type": "remove_tag", "tag": "IN"})
    who = contact(api)
    work()
    assert tags(api, who) == []


def test_gives_credit_and_records_an_activity(api: Any) -> None:
    credit = {"id": "credit", "type": "give_credit", "amount": 500, "expiresAfter": "P90D"}
    login = {"id": "login", "type": "create_activity", "activityType": "Login"}
    pk = made(api, "manual", credit, login)
    who = contact(api)
    api.post(f"/workflows/{pk}/runs", {"contact": who})
    work()
    assert api.get(f"/contacts/{who}/credit").json()["balances"] == {"GBP": 500}
    (activity,) = api.get(f"/contacts/{who}/activities").json()
    assert (activity["type"], activity["source"]) == ("Login", "workflow")
    assert run(api, pk)["context"]["login"] == {"activity": activity["id"]}


def test_sends_an_email_and_an_sms(api: Any, settings: Any, mailoutbox: list[Any]) -> None:
    settings.SMS_BACKEND = "log"
    mail = {"id": "mail", "type": "send_email", "subject": "Hi {{ contact.firstName }}"}
    text = {"id": "text", "type": "send_sms", "text": "Hi"}
    pk = made(api, "contact_created", mail | {"body": "<p>Welcome</p>"}, text)
    contact(api, firstName="Jane", phoneNumber="07700900123")
    work()
    assert [one.subject for one in mailoutbox] == ["Hi Jane"]
    assert [one["output"]["status"] for one in run(api, pk)["executedNodes"]] == ["sent", "sent"]


def test_tells_staff(api: Any) -> None:
    from workflows.models import Alert

    pk = made(
        api, "contact_created", {"type": "notify_staff", "title": "{{ contact.firstName }} is new"}
    )
    contact(api, firstName="Jane")
    work()
    assert run(api, pk)["status"] == "completed"
    assert Alert.objects.across_organisations().get().text.startswith("Jane is new")


def test_calls_another_system(api: Any, settings: Any, httpserver: Any) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = ["127.0.0.0/8"]
    httpserver.expect_request("/hook", method="POST").respond_with_data("ok")
    step = {"type": "call_webhook", "url": httpserver.url_for("/hook")}
    pk = made(api, "contact_created", step)
    contact(api)
    work()
    assert run(api, pk)["status"] == "completed", run(api, pk)
    assert len(httpserver.log) == 1


def test_starts_another_workflow(api: Any) -> None:
    second = made(api, "manual", add_tag("second"))
    made(api, "contact_created", {"type": "start_workflow", "workflow": second})
    who = contact(api)
    work()
    assert tags(api, who) == ["second"]


def test_an_exit_ends_the_run(api: Any) -> None:
    pk = made(api, "contact_created", {"id": "end", "type": "exit"}, add_tag())
    who = contact(api)
    work()
    assert tags(api, who) == []
    assert run(api, pk)["status"] == "completed"


def test_every_step_of_the_contract_is_there() -> None:
    assert set(STEPS) == {
        "condition",
        "wait",
        "wait_for",
        "send_email",
        "send_sms",
        "call_webhook",
        "update_contact",
        "add_tag",
        "remove_tag",
        "give_credit",
        "create_activity",
        "notify_staff",
        "start_workflow",
        "exit",
    }
