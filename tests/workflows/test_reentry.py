"""Who may enter again: each policy, its key, and two workers that look at the same moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from contacts.models import Contact
from organisations.models import Organisation
from tests import factories
from tests.conftest import ApiClient
from tests.contacts.test_at_once import at_once
from tests.workflows.running import PURCHASE, add_tag, contact, happens, made, runs, work
from workflows import reentry
from workflows.models import Run, Workflow

START = datetime(2027, 1, 10, 12, tzinfo=UTC)


def entering(api: Any, trigger: dict[str, Any] | None = None, **policy: Any) -> int:
    """A workflow with this policy, whose runs wait for a day."""
    trigger = {**(trigger or PURCHASE), "reentry": policy}
    return made(api, trigger, {"type": "wait", "duration": "P1D"}, add_tag("later"))


@pytest.mark.django_db
def test_every_time_is_what_happens_without_a_policy(api: Any) -> None:
    workflow = made(api, PURCHASE, {"type": "wait", "duration": "P1D"})
    jane = contact(api)
    for _time in range(3):
        happens(api, jane)
    work()
    assert len(runs(api, workflow)) == 3


@pytest.mark.django_db
def test_once_is_once_whatever_became_of_it(api: Any) -> None:
    workflow = entering(api, policy="once")
    jane, joe = contact(api, "jane"), contact(api, "joe")
    happens(api, jane)
    happens(api, jane)
    happens(api, joe)
    work()
    first, _second = runs(api, workflow)
    assert api.post(f"/workflows/{workflow}/runs/{first['id']}/cancel").status_code == 200
    happens(api, jane)
    work()
    assert sorted(one["contact"] for one in runs(api, workflow)) == sorted([jane, joe])


@pytest.mark.django_db
def test_once_in_so_long(api: Any) -> None:
    workflow = entering(api, policy="once_per", duration="P30D")
    jane = contact(api)
    for days, count in ((0, 1), (29, 1), (30, 2), (59, 2), (60, 3)):
        with time_machine.travel(START + timedelta(days=days), tick=False):
            happens(api, jane)
            happens(api, jane)
            work()
            assert len(runs(api, workflow)) == count, days


@pytest.mark.django_db
def test_one_at_a_time(api: Any) -> None:
    workflow = entering(api, policy="one_at_a_time")
    jane = contact(api)
    with time_machine.travel(START, tick=False) as clock:
        happens(api, jane)
        happens(api, jane)
        work()
        happens(api, jane)
        work()
        assert len(runs(api, workflow)) == 1
        clock.move_to(START + timedelta(days=1))
        work()
        assert runs(api, workflow)[0]["status"] == "completed"
        happens(api, jane)
        work()
        assert [one["status"] for one in runs(api, workflow)] == ["completed", "waiting"]


@pytest.mark.django_db
@pytest.mark.parametrize("policy", ["once", "every_time", "one_at_a_time"])
def test_a_key_makes_it_one_for_each_booking(api: Any, policy: str) -> None:
    trigger = {"type": "activity_created"}
    workflow = entering(api, trigger, policy=policy, key="activity.booking.id")
    jane = contact(api)
    for reference in ("B-1", "B-2"):
        for type_ in ("Booking", "Checked in", "Checked out"):
            happens(api, jane, type_, booking={"externalReference": reference})
    work()
    assert len(runs(api, workflow)) == 2


@pytest.mark.django_db
def test_contacts_that_are_merged_are_one_for_the_policy(api: Any) -> None:
    workflow = entering(api, policy="once")
    jane, joe = contact(api, "jane"), contact(api, "joe")
    happens(api, joe)
    work()
    api.post(f"/contacts/{jane}/merge", {"contact": joe})
    happens(api, jane)
    work()
    assert [one["contact"] for one in runs(api, workflow)] == [jane]
    api.post(f"/contacts/{jane}/unmerge", {"contact": joe})
    assert [one["contact"] for one in runs(api, workflow)] == [joe]


@pytest.mark.django_db
def test_two_that_were_merged_while_both_were_in_it_go_on(api: Any) -> None:
    workflow = entering(api, policy="one_at_a_time")
    jane, joe = contact(api, "jane"), contact(api, "joe")
    with time_machine.travel(START, tick=False) as clock:
        happens(api, jane)
        happens(api, joe)
        work()
        assert api.post(f"/contacts/{jane}/merge", {"contact": joe}).status_code == 200
        happens(api, jane)
        work()
        assert [one["contact"] for one in runs(api, workflow)] == [jane, jane]
        clock.move_to(START + timedelta(days=1))
        work()
        assert {one["status"] for one in runs(api, workflow)} == {"completed"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"policy": "sometimes"}, "trigger.reentry.policy"),
        ({}, "trigger.reentry.policy"),
        ({"policy": "once_per"}, "trigger.reentry.duration"),
        ({"policy": "once_per", "duration": "soon"}, "trigger.reentry.duration"),
        ({"policy": "once", "duration": "P1D"}, "trigger.reentry.duration"),
        ({"policy": "once", "key": "activity.colour"}, "trigger.reentry.key"),
        ({"policy": "once", "key": "booking"}, "trigger.reentry.key"),
        ({"policy": "once", "key": 5}, "trigger.reentry.key"),
        ({"policy": "once", "keys": "x"}, "trigger.reentry.keys"),
        ("once", "trigger.reentry"),
    ],
)
def test_a_policy_that_cannot_be_read_is_named(api: Any, policy: Any, path: str) -> None:
    body = {"name": "x", "trigger": {**PURCHASE, "reentry": policy}, "steps": []}
    answer = api.post("/workflows", body)
    assert answer.status_code == 422, answer.content
    assert [one["propertyPath"] for one in answer.json()["violations"]] == [path]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    "connection.vendor == 'sqlite'",
    reason="the test database of SQLite is in memory, which threads cannot share; "
    "writers take turns there anyway",
)
@pytest.mark.parametrize("policy", ["once", "once_per", "one_at_a_time"])
def test_those_who_enter_at_the_same_moment_are_let_in_once(policy: str) -> None:
    organisation: Organisation = factories.OrganisationFactory()
    api = ApiClient(factories.api_key(organisation))
    duration = {"duration": "P1D"} if policy == "once_per" else {}
    pk = entering(api, {"type": "manual"}, policy=policy, **duration)
    people = [contact(api, f"c{n}") for n in range(5)]

    def enter() -> None:
        workflow = Workflow.objects.for_organisation(organisation).get(pk=pk)
        version = reentry.current_version(workflow)
        found = Contact.objects.for_organisation(organisation).in_bulk(people)
        reentry.enter(
            [reentry.Candidate(workflow, version, found[one]) for one in people], timezone.now()
        )

    at_once(*[enter] * 6)
    entered = Run.objects.for_organisation(organisation).values_list("contact_id", flat=True)
    assert sorted(entered) == people
    assert connection.vendor == "postgresql"
