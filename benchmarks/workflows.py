"""How fast the worker is, and what workflows that do not match cost whoever posts an activity."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.test import Client
from django.utils import timezone

from contacts import services as contact_services
from contacts.models import Contact
from organisations.models import Organisation
from organisations.services import create_api_key, create_organisation
from workflows import engine, matching, services
from workflows.models import Event, Run, StepExecution, Workflow

ALWAYS = {"id": "all", "type": "condition", "conditions": {"all": []}}
NEVER = {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": 10**6}]}
POSTS = 400
TURNS = 5


def _organisation(people: int) -> tuple[Organisation, list[int]]:
    organisation = create_organisation(name="Bench")
    rows = [{"email_address": f"guest.{number}@example.com"} for number in range(people)]
    contact_services.upsert_batch(organisation=organisation, rows=rows)
    found = Contact.objects.for_organisation(organisation).values_list("pk", flat=True)
    return organisation, list(found)


def _workflow(organisation: Organisation, *steps: Any, **trigger: Any) -> Workflow:
    return services.create(
        organisation=organisation,
        name="Bench",
        status="Active",
        trigger={"type": "activity_created", **trigger},
        steps=list(steps),
    )


def _due(workflow: Workflow, people: list[int], count: int) -> None:
    """So many runs that are due."""
    StepExecution.objects.all().delete()
    Run.objects.across_organisations().all().delete()
    version = workflow.versions.get()
    Run.objects.bulk_create(
        (
            Run(
                organisation=workflow.organisation,
                workflow=workflow,
                version=version,
                contact_id=people[number % len(people)],
                position="steps.0" if version.steps else "",
                due_at=timezone.now(),
            )
            for number in range(count)
        ),
        batch_size=1000,
    )


def _bare(size: int) -> None:
    """Claim `size` rows and finish them, a transaction each, until none is left."""
    while True:
        now = timezone.now()
        with transaction.atomic():
            due = Run.objects.across_organisations().claimable(now).order_by("due_at")
            pks = list(due.select_for_update(skip_locked=True).values_list("pk", flat=True)[:size])
            some = Run.objects.across_organisations().filter(pk__in=pks)
            some.update(lease=uuid.uuid4(), leased_until=now + timedelta(minutes=5))
        if not pks:
            return
        with transaction.atomic():
            some.update(status="completed", completed_at=now, due_at=None, lease=None)


def _engine() -> None:
    while engine.run_due():
        pass


def runs(rows: int) -> None:
    """Runs that do nothing, against claiming and finishing bare rows. By turns, because a busy
    machine is not equally busy all the time."""
    organisation, people = _organisation(1000)
    empty, asking = _workflow(organisation), _workflow(organisation, ALWAYS)
    contenders: tuple[tuple[str, Workflow, int, Callable[[], None]], ...] = (
        (f"floor: {engine.BATCH} bare rows at a time", empty, rows, partial(_bare, engine.BATCH)),
        ("floor: bare rows, one by one", empty, min(rows, 1000), partial(_bare, 1)),
        ("the engine, no steps", empty, rows, _engine),
        ("the engine, one condition", asking, rows, _engine),
    )
    rates: dict[str, list[float]] = {}
    for _turn in range(TURNS):
        for name, workflow, count, work in contenders:
            _due(workflow, people, count)
            rates.setdefault(name, []).append(count / _seconds(work))
            unfinished = Run.objects.across_organisations().exclude(status="completed")
            assert not unfinished.exists()
    found = {name: statistics.median(some) for name, some in rates.items()}
    batched, alone, *_ours = found.values()
    for name, one in found.items():
        print(f"  {name:<34} {one:>8,.0f} runs/s  {one / batched:>6.2f} {one / alone:>6.2f}")


def posting() -> None:
    """`POST /activities` with 50 Active workflows that hear of it and do not match."""
    settings.API_RATE_LIMIT = "1000000/s"
    organisation, people = _organisation(100)
    quiet, quiet_people = _organisation(100)
    for _number in range(50):
        _workflow(organisation, conditions=NEVER)
    clients = [
        Client(headers={"x-api-key": create_api_key(organisation=one, name="bench")[1]})
        for one in (organisation, quiet)
    ]
    times: list[list[float]] = [[], []]
    # By turns, so that whatever else the machine does hits both alike.
    for number in range(POSTS):
        for which, its_people in enumerate((people, quiet_people)):
            body = {
                "contact": its_people[number % 100],
                "type": "Purchase",
                "source": "bench",
                "happenedAt": "2026-04-07T14:30:00+00:00",
                "spend": 100,
            }
            times[which].append(_seconds(partial(_post, clients[which], body)))
    heard, unheard = map(statistics.median, times)
    assert Event.objects.across_organisations().count() == POSTS
    asked = _seconds(_match)
    print(f"  POST /activities, no workflow      {unheard * 1000:>8.2f} ms")
    print(f"  POST /activities, 50 do not match  {heard * 1000:>8.2f} ms  {heard / unheard:>14.2f}")
    print(f"  asking 50 workflows                {POSTS / asked:>8,.0f} events/s")


def _match() -> None:
    while matching.match():
        pass


def _post(client: Client, body: dict[str, Any]) -> None:
    response = client.post("/api/activities", body, content_type="application/json")
    assert response.status_code == 201, response.content


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
