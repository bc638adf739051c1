"""Messages about one contact come in their order; nobody else waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from integrations.outgoing import sending
from tests.integrations.outgoing.conftest import Receiver, happens, new_contact, send

pytestmark = pytest.mark.django_db

Make = Callable[..., Receiver]


def spends(receiver: Receiver) -> list[int]:
    return [said["data"]["spend"] for said in receiver.told("activity.created")]


def test_a_later_message_waits_while_an_earlier_one_is_tried(
    api: Any, receiver: Make, jane: int
) -> None:
    one = receiver(eventTypes=["activity.created"])
    john = new_contact(api, "john")
    with time_machine.travel(timezone.now(), tick=False) as clock:
        one.answers = [500]
        for spend in (1, 2, 3):
            happens(api, jane, spend=spend)
        send()
        happens(api, john, spend=10)
        send()
        assert spends(one) == [10]
        clock.shift(timedelta(seconds=5))
        send()
    assert spends(one) == [10, 1, 2, 3]


def test_after_three_tries_it_waits_no_more(api: Any, receiver: Make, jane: int) -> None:
    one = receiver(eventTypes=["activity.created"])
    with time_machine.travel(timezone.now(), tick=False) as clock:
        one.answers = [500, 500, 500]
        happens(api, jane, spend=1)
        happens(api, jane, spend=2)
        send()
        clock.shift(timedelta(seconds=5))
        send()
        assert spends(one) == []
        clock.shift(timedelta(minutes=5))
        send()
        assert spends(one) == [2]
        clock.shift(timedelta(minutes=30))
        send()
    assert spends(one) == [2, 1]


def test_a_hundred_messages_about_few_contacts_keep_their_order(api: Any, receiver: Make) -> None:
    one = receiver(eventTypes=["activity.created"])
    contacts = [new_contact(api, f"c{number}") for number in range(5)]
    for number in range(100):
        happens(api, contacts[number % 5], spend=number)
    send()
    for contact in contacts:
        its = [said["data"]["spend"] for said in one.told() if said["data"]["contact"] == contact]
        assert its == sorted(its)
        assert len(its) == 20


def test_an_endpoint_that_hangs_holds_nobody_up_but_itself(
    api: Any, server: HTTPServer, receiver: Make
) -> None:
    """It answers when the other one has been told everything: it had to go on meanwhile."""
    good = receiver("/good", eventTypes=["activity.created"])
    others_are_done = threading.Event()
    held: list[int] = []
    waiting: set[int] = set()

    def hang(request: Request) -> Response:
        waiting.add(threading.get_ident())
        held.append(len(waiting))
        in_time = others_are_done.wait(9)
        waiting.discard(threading.get_ident())
        return Response("", 200 if in_time else 500)

    def take(request: Request) -> Response:
        answer = good.take(request)
        if len(good.taken) == 60:
            others_are_done.set()
        return answer

    server.clear_all_handlers()
    server.expect_request("/hangs").respond_with_handler(hang)
    server.expect_request("/good").respond_with_handler(take)
    hanging = api.post("/webhook-endpoints", {"url": server.url_for("/hangs")}).json()["id"]
    for number in range(60):
        happens(api, new_contact(api, f"c{number}"))
    send()
    assert len(good.taken) == 60
    assert max(held) == sending.LANES
    deliveries = api.get(f"/webhook-endpoints/{hanging}/deliveries?itemsPerPage=1000").json()
    assert {one["status"] for one in deliveries} == {"delivered"}
    assert {len(one["attempts"]) for one in deliveries} == {1}
