"""What workflows cost those who write, and the worker: numbers of queries that do not grow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.workflows.running import PURCHASE, add_tag, contact, happens, made, work
from workflows import engine, matching
from workflows.models import Event

pytestmark = pytest.mark.django_db

ALWAYS = {"type": "condition", "conditions": {"all": []}, "then": [], "else": []}


def queries(do: Callable[[], object]) -> list[str]:
    """The statements that `do` makes."""
    with CaptureQueriesContext(
        connection,
    ) as captured:
        do()
    return [one["sql"] for one in captured.captured_queries]


def outbox(statements: list[str]) -> list[str]:
    return [sql for sql in statements if "workflows_" in sql]


def every_write(api: Any, who: int, booking: int) -> list[tuple[str, Callable[[], Any]]]:
    """Something of each kind that a trigger may wait for."""
    batch = {
        "activities": [
            {"contact": who, "type": "Login", "source": "x", "happenedAt": "2026-04-07T10:00:00Z"}
        ]
        * 20
    }
    return [
        ("activity", lambda: happens(api, who)),
        ("activities", lambda: api.post("/activities/batch", batch)),
        ("contact", lambda: contact(api, f"new{timezone.now():%f}")),
        ("change", lambda: api.patch(f"/contacts/{who}", {"firstName": f"{timezone.now():%f}"})),
        ("status", lambda: api.patch(f"/bookings/{booking}", {"status": f"{timezone.now():%f}"})),
        ("tag", lambda: api.put(f"/contacts/{who}/tags/{timezone.now():%f}")),
    ]


def test_writing_costs_one_insert_when_a_workflow_listens_and_nothing_when_none_does(
    api: Any,
) -> None:
    jane = contact(api)
    happens(api, jane, "Booking", booking={"externalReference": "B-1"})
    booking = api.get("/bookings").json()[0]["id"]
    before = {name: queries(do) for name, do in every_write(api, jane, booking)}
    assert [name for name, statements in before.items() if outbox(statements)] == []
    for type_ in ("contact_created", "booking_status_changed", "activity_created"):
        made(api, {"type": type_})
    heard = {name: queries(do) for name, do in every_write(api, jane, booking)}
    told = {
        name: (len(heard[name]) - len(before[name]), len(outbox(heard[name]))) for name in heard
    }
    assert told == {
        "activity": (1, 1),
        "activities": (1, 1),
        "contact": (1, 1),
        "change": (0, 0),
        "status": (1, 1),
        "tag": (0, 0),
    }


def test_writing_costs_nothing_more_with_fifty_workflows_that_want_something_else(
    api: Any,
) -> None:
    jane = contact(api)
    before = queries(lambda: happens(api, jane))
    for number in range(50):
        types = ["Login", "Checked in", "Refund"]
        made(api, {"type": "activity_created", "activityTypes": types}, name=f"W{number}")
    assert len(queries(lambda: happens(api, jane))) == len(before)


def test_asking_fifty_workflows_about_fifty_events_costs_what_one_costs(api: Any) -> None:
    condition = {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": 1000}]}

    def cost(events: int) -> int:
        for number in range(events):
            happens(api, contact(api, f"c{number}.{timezone.now():%f}"))
        assert Event.objects.across_organisations().count() == events
        return len(queries(matching.match))

    made(api, {**PURCHASE, "conditions": condition})
    one = cost(1)
    for number in range(49):
        made(api, {**PURCHASE, "conditions": condition}, name=f"W{number}")
    assert cost(50) <= one


def test_runs_that_only_read_cost_the_same_however_many_there_are(api: Any) -> None:
    made(api, PURCHASE, ALWAYS, {"type": "exit"})

    def cost(count: int) -> int:
        for number in range(count):
            happens(api, contact(api, f"c{number}.{timezone.now():%f}"))
        matching.match()
        return len(queries(lambda: engine.run_due(1000)))

    one = cost(1)
    assert cost(40) == one
    assert one <= 14


def test_a_worker_that_has_nothing_to_do_asks_little(
    api: Any, django_assert_max_num_queries: Any
) -> None:
    made(api, PURCHASE, add_tag("x"))
    work()
    with django_assert_max_num_queries(6):
        assert engine.work() == 0
