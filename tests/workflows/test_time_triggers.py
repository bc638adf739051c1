"""What time alone, another system, or a person starts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from tests.workflows.running import add_tag, contact, happens, made, run, runs, tags, work
from workflows import sweeps
from workflows.triggers import TRIGGERS

pytestmark = pytest.mark.django_db


def started(api: Any, pk: int) -> int:
    """How many runs there are when the clock was looked at."""
    sweeps.sweep()
    work()
    return len(runs(api, pk))


def test_a_birthday_at_a_time_of_day_once_a_year(api: Any) -> None:
    trigger = {"type": "date_anniversary", "field": "contact.dob", "offset": "-P3D", "at": "10:00"}
    with time_machine.travel(datetime(2026, 6, 1, 12, tzinfo=UTC), tick=False) as clock:
        pk = made(api, trigger, add_tag("birthday"))
        who = contact(api, dob="1980-06-20")
        contact(api, "other", dob="1980-06-25")
        assert started(api, pk) == 0
        clock.move_to(datetime(2026, 6, 17, 8, 59, tzinfo=UTC))  # 9:59 in London
        assert started(api, pk) == 0
        clock.move_to(datetime(2026, 6, 17, 9, 1, tzinfo=UTC))
        assert started(api, pk) == 1
        assert started(api, pk) == 1
        clock.move_to(datetime(2026, 6, 18, tzinfo=UTC))
        assert started(api, pk) == 1
        clock.move_to(datetime(2027, 6, 17, 9, 1, tzinfo=UTC))
        assert started(api, pk) == 2
    assert runs(api, pk)[0]["contact"] == who


def test_the_date_of_a_custom_field_in_its_very_year(api: Any) -> None:
    api.post("/custom-fields", {"label": "Wedding", "name": "wedding", "type": "Date"})
    field = "contact.customFields.wedding"
    trigger = {"type": "date_anniversary", "field": field, "repeat": "once"}
    with time_machine.travel(datetime(2026, 6, 1, 12, tzinfo=UTC), tick=False) as clock:
        pk = made(api, trigger, add_tag())
        contact(api, customFields={"wedding": "2026-06-20"})
        contact(api, "old", customFields={"wedding": "2020-06-20"})
        clock.move_to(datetime(2026, 6, 20, 9, tzinfo=UTC))
        assert started(api, pk) == 1


def test_a_year_since_the_contact_was_made(api: Any) -> None:
    with time_machine.travel(datetime(2026, 6, 1, 12, tzinfo=UTC), tick=False) as clock:
        pk = made(api, {"type": "date_anniversary", "field": "contact.createdAt"}, add_tag())
        contact(api)
        clock.move_to(datetime(2026, 6, 2, 12, tzinfo=UTC))
        assert started(api, pk) == 0
        clock.move_to(datetime(2027, 6, 1, 12, tzinfo=UTC))
        assert started(api, pk) == 1


def test_29_february_is_kept_on_the_28th(api: Any) -> None:
    with time_machine.travel(datetime(2026, 2, 1, tzinfo=UTC), tick=False) as clock:
        pk = made(api, {"type": "date_anniversary", "field": "dob"}, add_tag())
        contact(api, dob="1980-02-29")
        clock.move_to(datetime(2026, 2, 28, 12, tzinfo=UTC))
        assert started(api, pk) == 1
        clock.move_to(datetime(2026, 3, 1, 12, tzinfo=UTC))
        assert started(api, pk) == 1


def test_not_seen_for_a_while(api: Any) -> None:
    begin = datetime(2026, 4, 8, 12, tzinfo=UTC)
    with time_machine.travel(begin, tick=False) as clock:
        pk = made(api, {"type": "inactivity", "duration": "P90D"}, add_tag())
        who = contact(api)
        happens(api, who, happenedAt="2026-04-08T12:00:00Z")
        clock.move_to(begin + timedelta(days=89))
        assert started(api, pk) == 0
        clock.move_to(begin + timedelta(days=90, minutes=1))
        assert started(api, pk) == 1
        assert started(api, pk) == 1
        happens(api, who, happenedAt=(begin + timedelta(days=90)).isoformat())
        clock.move_to(begin + timedelta(days=181))
        assert started(api, pk) == 2


def test_another_system_calls(api: Any) -> None:
    pk = made(api, "webhook", add_tag("called"))
    url = api.get(f"/workflows/{pk}").json()["webhookUrl"]
    path = url[url.index("/hooks/") :]

    def post(address: str, body: bytes) -> Any:
        return Client().post(address, body, content_type="application/json")

    answer = post(path, b'{"contact": {"emailAddress": "new@example.com"}, "room": 12}')
    assert answer.status_code == 202, answer.content
    work()
    told = run(api, pk)
    assert told["triggerData"] == {"type": "webhook", "data": {"room": 12}}
    assert tags(api, told["contact"]) == ["called"]
    assert post(path, b"{").status_code == 400
    assert post(path, b"[]").status_code == 422
    assert post(path, b"{}").status_code == 422
    assert post(path, b'{"contact": {"emailAddress": "no"}}').status_code == 422
    assert post(path, b"{" + b" " * 70_000 + b"}").status_code == 413
    assert post(path[:-1] + "_", b"{}").status_code == 404
    api.post(f"/workflows/{pk}/pause")
    assert post(path, b'{"contact": {"emailAddress": "a@example.com"}}').status_code == 409
    assert api.get("/contacts?emailAddress=a@example.com").json() == []


def test_an_address_is_called_no_more_often_than_a_key_may(
    api: Any, settings: Any, own_counter: None
) -> None:
    one, other = (api.get(f"/workflows/{made(api, 'webhook')}").json() for _time in range(2))
    settings.API_RATE_LIMIT = "2/h"
    answers = [Client().post(one["webhookUrl"]) for _time in range(3)]
    answers.append(Client().post(other["webhookUrl"]))
    assert [answer.status_code for answer in answers] == [400, 400, 429, 400]
    assert int(answers[2].headers["Retry-After"]) > 0


def test_by_hand(api: Any) -> None:
    pk = made(api, "manual", add_tag())
    who = contact(api)
    answer = api.post(f"/workflows/{pk}/runs", {"contact": who, "data": {"why": "asked"}})
    assert answer.status_code == 201
    assert answer.json()["status"] == "pending"
    work()
    assert run(api, pk)["status"] == "completed"
    other = made(api, "contact_created")
    assert api.post(f"/workflows/{other}/runs", {"contact": who}).status_code == 409


def test_every_trigger_of_the_contract_is_there() -> None:
    assert set(TRIGGERS) == {
        "activity_created",
        "contact_created",
        "contact_updated",
        "order_created",
        "booking_created",
        "booking_status_changed",
        "gift_card_purchased",
        "customer_created",
        "member_created",
        "subscription_created",
        "referral_completed",
        "tag_added",
        "tag_removed",
        "segment_entered",
        "segment_left",
        "date_anniversary",
        "inactivity",
        "webhook",
        "manual",
    }
