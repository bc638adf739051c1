"""What webhooks cost those who write: nothing when nobody listens, else one insert."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from integrations.outgoing import sending
from tests.integrations.outgoing.conftest import Receiver, happens, send

pytestmark = pytest.mark.django_db


def queries(do: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        do()
    return [one["sql"] for one in captured.captured_queries]


def ours(statements: list[str]) -> list[str]:
    return [sql for sql in statements if "integrations_webhook" in sql]


def test_an_activity_costs_one_insert_more_however_many_endpoints_there_are(
    api: Any, receiver: Callable[..., Receiver], jane: int
) -> None:
    batch = {
        "activities": [
            {"contact": jane, "type": "Login", "source": "x", "happenedAt": "2026-04-07T10:00:00Z"}
        ]
        * 20
    }
    post = {
        "one": lambda: happens(api, jane),
        "batch": lambda: api.post("/activities/batch", batch),
    }
    before = {name: queries(do) for name, do in post.items()}
    assert [name for name, statements in before.items() if ours(statements)] == []
    receiver("/first", eventTypes=["contact.created"])
    assert {name: len(queries(do)) for name, do in post.items()} == {
        name: len(statements) for name, statements in before.items()
    }
    receiver("/second", eventTypes=["activity.created"])
    receiver("/third", filters={"data.type": ["Purchase"]})
    after = {name: queries(do) for name, do in post.items()}
    for name, statements in after.items():
        assert len(statements) - len(before[name]) == 1
        (insert,) = ours(statements)
        assert insert.startswith("INSERT")


def test_nobody_is_listened_for_once_the_endpoint_is_gone(
    api: Any, receiver: Callable[..., Receiver], jane: int
) -> None:
    one = receiver()
    api.delete(f"/webhook-endpoints/{one.id}")
    assert ours(queries(lambda: happens(api, jane))) == []


def test_a_worker_that_has_nothing_to_send_asks_little(
    api: Any,
    receiver: Callable[..., Receiver],
    jane: int,
    django_assert_num_queries: Any,
) -> None:
    receiver()
    happens(api, jane)
    send()
    with django_assert_num_queries(2):
        sending.background.work()
    with django_assert_num_queries(2):
        send()
