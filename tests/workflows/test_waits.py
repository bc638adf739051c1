"""Waits: so long, until a time of day, until a date, and for something to happen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from tests.workflows.running import (
    PURCHASE,
    add_tag,
    contact,
    happens,
    made,
    path,
    run,
    runs,
    tags,
    work,
)

pytestmark = pytest.mark.django_db

START = datetime(2027, 3, 27, 10, 0, tzinfo=UTC)
"""A day before British clocks go forward."""


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def due(api: Any, workflow: int) -> str:
    """Until when the only run waits."""
    told = run(api, workflow)
    assert told["status"] == "waiting"
    until: str = told["executedNodes"][-1]["output"]["until"]
    return until


def waits(api: Any, who: int, trigger: dict[str, Any] | None = None, **wait: Any) -> str:
    """Until when a contact waits at such a step."""
    workflow = made(api, trigger or PURCHASE, {"type": "wait", **wait}, add_tag("later"))
    happens(api, who)
    work()
    return due(api, workflow)


def test_so_long_and_not_a_second_less(api: Any, clock: Any) -> None:
    jane = contact(api)
    assert waits(api, jane, duration="PT36H") == "2027-03-28T22:00:00+00:00"
    clock.move_to(START + timedelta(hours=35, minutes=59, seconds=59))
    assert work() == 0
    assert tags(api, jane) == []
    clock.move_to(START + timedelta(hours=36))
    work()
    assert tags(api, jane) == ["later"]


def test_days_are_by_the_contacts_clock(api: Any, clock: Any) -> None:
    assert waits(api, contact(api), duration="P1D") == "2027-03-28T09:00:00+00:00"
    there = contact(api, "there", timezone="America/New_York")
    workflow = made(api, {"type": "tag_added"}, {"type": "wait", "duration": "P1D"})
    api.put(f"/contacts/{there}/tags/x")
    work()
    assert due(api, workflow) == "2027-03-28T10:00:00+00:00"


@pytest.mark.parametrize(
    ("zone", "until", "moment"),
    [
        ("Europe/London", "10:00", "2027-03-27T10:00:00+00:00"),
        ("Europe/London", "09:00", "2027-03-28T08:00:00+00:00"),  # summer by then
        ("America/New_York", "09:00", "2027-03-27T13:00:00+00:00"),
        ("Asia/Tokyo", "09:00", "2027-03-28T00:00:00+00:00"),
    ],
)
def test_until_a_time_of_day_where_the_contact_is(
    api: Any, clock: Any, zone: str, until: str, moment: str
) -> None:
    workflow = made(api, PURCHASE, {"type": "wait", "until": until}, add_tag("later"))
    happens(api, contact(api, timezone=zone))
    work()
    told = run(api, workflow)
    assert told["executedNodes"][0]["output"]["until"] == moment
    assert told["status"] == ("completed" if moment <= START.isoformat() else "waiting")


def test_a_while_and_then_until_a_time_of_day(api: Any, clock: Any) -> None:
    until = waits(api, contact(api), duration="PT12H", until="09:00")
    assert until == "2027-03-28T08:00:00+00:00"


def test_until_a_date_of_the_contact_or_its_booking(api: Any, clock: Any) -> None:
    api.post("/custom-fields", {"label": "Renewal", "name": "renewal", "type": "Date"})
    jane = contact(api, customFields={"renewal": "2027-06-30"})
    renewal = made(
        api,
        PURCHASE,
        {"type": "wait", "field": "contact.customFields.renewal", "offset": "-P1M", "at": "08:30"},
    )
    stay = made(
        api,
        {"type": "booking_created"},
        {"type": "wait", "field": "activity.booking.checkIn", "offset": "-PT2H"},
    )
    happens(api, jane)
    booking = {"externalReference": "B-1", "checkIn": "2027-05-01T14:00:00+00:00"}
    happens(api, jane, "Booking", booking=booking)
    work()
    assert due(api, renewal) == "2027-05-30T07:30:00+00:00"
    assert due(api, stay) == "2027-05-01T12:00:00+00:00"


def test_a_date_that_has_passed_or_is_not_there_is_not_waited_for(api: Any, clock: Any) -> None:
    workflow = made(
        api, PURCHASE, {"id": "w", "type": "wait", "field": "contact.dob"}, add_tag("later")
    )
    for who in (contact(api, "old", dob="1980-05-01"), contact(api, "none")):
        happens(api, who)
    work()
    first, second = runs(api, workflow)
    assert (first["status"], second["status"]) == ("completed", "completed")
    assert "skipped" in second["context"]["w"]


STAY = {
    "id": "stay",
    "type": "wait_for",
    "activityTypes": ["Checked in"],
    "timeout": "P7D",
    "then": [add_tag("came", id="came")],
    "else": [add_tag("missed", id="missed")],
}


def test_what_is_waited_for_comes(api: Any, clock: Any) -> None:
    workflow = made(api, PURCHASE, STAY)
    jane, joe = contact(api, "jane"), contact(api, "joe")
    happens(api, jane)
    happens(api, joe)
    work()
    assert due_of(api, workflow) == ["2027-04-03T09:00:00+00:00"] * 2
    clock.move_to(START + timedelta(days=3))
    happens(api, jane, "Login")
    happens(api, jane, "Checked in", backfill=True)
    work()
    assert (tags(api, jane), tags(api, joe)) == ([], [])
    arrival = happens(api, jane, "Checked in")
    work()
    first, second = runs(api, workflow)
    assert path(first) == ["stay", "came"]
    assert first["context"]["stay"] == {"path": "then", "activity": arrival}
    assert second["status"] == "waiting"
    assert (tags(api, jane), tags(api, joe)) == (["came"], [])


def due_of(api: Any, workflow: int) -> list[str]:
    return [one["executedNodes"][-1]["output"]["until"] for one in runs(api, workflow)]


def test_what_is_waited_for_does_not_come(api: Any, clock: Any) -> None:
    workflow = made(api, PURCHASE, STAY)
    jane = contact(api)
    happens(api, jane, "Checked in")  # before it is waited for
    clock.shift(60)
    happens(api, jane)
    work()
    clock.move_to(START + timedelta(days=8))
    work()
    assert path(run(api, workflow)) == ["stay", "missed"]
    assert tags(api, jane) == ["missed"]


def test_only_what_fits_the_conditions_is_what_is_waited_for(api: Any, clock: Any) -> None:
    conditions = {"all": [{"field": "activity.spend", "operator": "gte", "value": 5000}]}
    big = {**STAY, "activityTypes": ["Purchase"], "conditions": conditions}
    made(api, {"type": "contact_created"}, big)
    jane = contact(api)
    work()
    happens(api, jane, spend=4999)
    work()
    assert tags(api, jane) == []
    happens(api, jane, spend=5000)
    work()
    assert tags(api, jane) == ["came"]


def test_what_came_while_the_workflow_was_paused_is_seen_when_it_goes_on(
    api: Any, clock: Any
) -> None:
    workflow = made(api, PURCHASE, STAY)
    jane = contact(api)
    happens(api, jane)
    work()
    api.post(f"/workflows/{workflow}/pause")
    happens(api, jane, "Checked in")
    work()
    assert tags(api, jane) == []
    api.post(f"/workflows/{workflow}/activate")
    work()
    assert tags(api, jane) == ["came"]
