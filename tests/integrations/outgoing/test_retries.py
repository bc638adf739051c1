"""What follows when a message is not taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from pytest_httpserver import HTTPServer
from werkzeug import Response

from crm import outbound
from integrations.outgoing import attempts, sending
from tests.integrations.outgoing.conftest import Receiver, happens, new_contact, send
from workflows.models import Alert

pytestmark = pytest.mark.django_db

Make = Callable[..., Receiver]
START = datetime(2026, 4, 7, 14, 30, tzinfo=UTC)
SCHEDULE = [
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def alerts() -> list[str]:
    return list(Alert.objects.across_organisations().values_list("text", flat=True))


def test_a_message_is_tried_by_the_schedule_and_then_no_more(
    api: Any, receiver: Make, jane: int, clock: time_machine.Traveller
) -> None:
    one = receiver(eventTypes=["activity.created"])
    one.answers = [500] * 20
    happens(api, jane)
    assert send() == 1
    for pause in SCHEDULE:
        assert one.delivery().due_at - datetime.now(UTC) == pause
        clock.shift(pause - timedelta(seconds=1))
        assert send() == 0
        clock.shift(1)
        assert send() == 1
    clock.shift(timedelta(days=30))
    assert send() == 0
    delivery = one.delivery()
    assert (delivery.status, delivery.error) == ("failed", "HTTP 500")
    assert one.statuses() == [500] * 10


def test_a_later_attempt_sends_the_same_bytes_under_the_same_id(
    api: Any, receiver: Make, jane: int, clock: time_machine.Traveller
) -> None:
    one = receiver(eventTypes=["activity.created"])
    one.answers = [500, 404]
    activity = happens(api, jane, spend=100)["id"]
    send()
    api.patch(f"/activities/{activity}", {"spend": 90})
    for pause in SCHEDULE[:2]:
        clock.shift(pause)
        send()
    assert one.statuses() == [500, 404, 200]
    assert len({body for _headers, body in one.requests}) == 1
    assert len({headers["Webhook-Id"] for headers, _body in one.requests}) == 1
    stamps = [int(headers["Webhook-Timestamp"]) for headers, _body in one.requests]
    assert [stamp - stamps[0] for stamp in stamps] == [0, 5, 305]
    assert one.delivery().status == "delivered"
    assert one.endpoint().failures_in_a_row == 0


def test_each_attempt_is_kept_with_how_the_answer_began(
    api: Any, server: HTTPServer, jane: int
) -> None:
    server.expect_request("/hook").respond_with_data("x" * 5000, 503)
    endpoint = api.post("/webhook-endpoints", {"url": server.url_for("/hook")}).json()["id"]
    happens(api, jane)
    send()
    (delivery,) = api.get(f"/webhook-endpoints/{endpoint}/deliveries").json()
    (attempt,) = delivery["attempts"]
    assert attempt["startedAt"] == "2026-04-07T14:30:00+00:00"
    assert (attempt["status"], attempt["error"]) == (503, "")
    assert attempt["answer"] == "x" * 2048
    assert attempt["seconds"] >= 0
    assert delivery["nextAttemptAt"] == "2026-04-07T14:30:05+00:00"


@pytest.mark.parametrize(("asked", "seconds"), [("120", 120), ("1", 5), ("soon", 5)])
def test_whoever_asks_to_be_left_alone_for_longer_is(
    api: Any, server: HTTPServer, jane: int, asked: str, seconds: int
) -> None:
    server.expect_request("/hook").respond_with_data("", 429, headers={"Retry-After": asked})
    endpoint = api.post("/webhook-endpoints", {"url": server.url_for("/hook")}).json()["id"]
    happens(api, jane)
    send()
    (delivery,) = api.get(f"/webhook-endpoints/{endpoint}/deliveries").json()
    due = datetime.fromisoformat(delivery["nextAttemptAt"])
    assert due - START == timedelta(seconds=seconds)


def test_a_redirect_is_not_followed(api: Any, server: HTTPServer, jane: int) -> None:
    server.expect_request("/hook").respond_with_response(
        Response(status=307, headers={"Location": server.url_for("/inside")})
    )
    server.expect_request("/inside").respond_with_data("secret")
    endpoint = api.post("/webhook-endpoints", {"url": server.url_for("/hook")}).json()["id"]
    happens(api, jane)
    send()
    (delivery,) = api.get(f"/webhook-endpoints/{endpoint}/deliveries").json()
    assert [attempt["status"] for attempt in delivery["attempts"]] == [307]
    assert [request.path for request, _response in server.log] == ["/hook"]
    assert delivery["status"] == "pending"


def test_410_switches_the_endpoint_off_at_once_and_staff_are_told(
    api: Any, receiver: Make, jane: int
) -> None:
    one = receiver(description="Warehouse", eventTypes=["activity.created"])
    one.answers = [410]
    for _time in range(3):
        happens(api, jane)
    send()
    told = api.get(f"/webhook-endpoints/{one.id}").json()
    assert (told["status"], told["statusReason"]) == (
        "disabled",
        "It answered 410: it wants no more.",
    )
    assert alerts() == ["The webhook Warehouse is switched off. It answered 410: it wants no more."]
    assert len(one.requests) == 1
    assert {delivery.status for delivery in one.deliveries()} == {"failed"}
    happens(api, jane)
    assert send() == 0
    assert one.deliveries().count() == 3


def test_five_days_of_failure_switch_the_endpoint_off_and_staff_are_told(
    api: Any, receiver: Make, jane: int, clock: time_machine.Traveller
) -> None:
    one = receiver(eventTypes=["activity.created"])
    one.answers = [500] * 1000
    for _day in range(5):
        happens(api, jane)
        send()
        clock.shift(timedelta(days=1))
    assert one.endpoint().status == "active"
    assert alerts() == []
    send()
    assert one.endpoint().status == "disabled"
    (text,) = alerts()
    assert "has failed for 5 days. The last time: HTTP 500" in text


def test_an_endpoint_that_takes_one_message_now_and_then_is_not_switched_off(
    api: Any, receiver: Make, jane: int, clock: time_machine.Traveller
) -> None:
    one = receiver(eventTypes=["activity.created"])
    for _day in range(12):
        one.answers = [500]
        happens(api, jane)
        send()
        clock.shift(timedelta(seconds=5))
        send()
        clock.shift(timedelta(days=1))
    assert one.endpoint().status == "active"
    assert len(one.taken) == 12


def test_an_endpoint_that_was_switched_off_begins_anew(api: Any, receiver: Make, jane: int) -> None:
    one = receiver(eventTypes=["activity.created"])
    one.answers = [410]
    happens(api, jane)
    send()
    told = api.patch(f"/webhook-endpoints/{one.id}", {"status": "active"}).json()
    assert (told["status"], told["statusReason"]) == ("active", "")
    happens(api, jane)
    send()
    assert one.statuses() == [410, 200]


def test_an_endpoint_that_fails_again_and_again_is_tried_by_one_request_at_a_time(
    api: Any, receiver: Make, clock: time_machine.Traveller
) -> None:
    one = receiver(eventTypes=["activity.created"])
    contacts = [new_contact(api, f"c{number}") for number in range(30)]
    one.answers = [500] * 1000
    for contact in contacts:
        happens(api, contact)
    send()
    began = len(one.requests)
    assert began < attempts.TOO_MANY + sending.LANES  # those that were on their way together
    assert send() == 0
    clock.shift(59)
    assert send() == 0
    clock.shift(1)
    assert send() == 1
    one.answers = []
    clock.shift(60)
    send()
    assert len(one.taken) == 30
    # Nobody lost an attempt to the outage but those that were tried in it.
    assert one.deliveries().filter(tries=1).count() == 30 - began - 1


# Where it goes


def test_a_private_address_is_refused_when_the_endpoint_is_saved(
    api: Any, receiver: Make, settings: Any
) -> None:
    one = receiver()
    settings.WEBHOOKS_ALLOW_PRIVATE = []
    for url in ("https://127.0.0.1/", "http://10.0.0.1/", "https://localhost/", "ftp://x/"):
        for answer in (
            api.post("/webhook-endpoints", {"url": url}),
            api.patch(f"/webhook-endpoints/{one.id}", {"url": url}),
        ):
            assert answer.status_code == 422
            (violation,) = answer.json()["violations"]
            assert violation["propertyPath"] == "url"


def test_a_private_address_is_refused_when_sending(
    api: Any, receiver: Make, jane: int, settings: Any
) -> None:
    one = receiver()
    settings.WEBHOOKS_ALLOW_PRIVATE = []
    happens(api, jane)
    send()
    assert one.requests == []
    (attempt,) = one.delivery().attempts.all()
    assert attempt.status is None
    assert "is a private address" in attempt.error


def test_a_name_that_turns_private_after_it_was_saved_is_refused(
    api: Any, receiver: Make, jane: int, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding, over the whole way."""
    settings.WEBHOOKS_ALLOW_PRIVATE = []
    monkeypatch.setattr(outbound, "resolve", lambda _host, _port: ["93.184.216.34"])
    url = "https://rebinding.example.com/hook"
    endpoint = api.post("/webhook-endpoints", {"url": url}).json()["id"]
    monkeypatch.setattr(outbound, "resolve", lambda _host, _port: ["127.0.0.1"])
    happens(api, jane)
    send()
    (delivery,) = api.get(f"/webhook-endpoints/{endpoint}/deliveries").json()
    assert "private address" in delivery["attempts"][0]["error"]


def test_nobody_at_the_address_is_a_failed_attempt(api: Any, receiver: Make, jane: int) -> None:
    one = receiver()
    api.patch(f"/webhook-endpoints/{one.id}", {"url": "http://127.0.0.1:1/hook"})
    happens(api, jane)
    send()
    (attempt,) = one.delivery().attempts.all()
    assert attempt.error.startswith("No answer")
    assert one.endpoint().failures_in_a_row == 1
