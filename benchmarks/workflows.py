"""How fast the worker is, and what workflows that do not match cost whoever posts an activity."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.test import Client
from django.utils import timezone

from benchmarks.measuring import Row, Sizes, against, race, rate
from contacts import services as contact_services
from contacts.models import Contact
from organisations.models import Organisation
from organisations.services import create_api_key, create_organisation
from workflows import engine, matching, services
from workflows.models import Event, Run, StepExecution, Workflow

ALWAYS = {"id": "all", "type": "condition", "conditions": {"all": []}}
NEVER = {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": 10**6}]}
MOST_RUNS = 10_000
POSTS = 40
POSTS_TURNS = 2
REQUESTS = "requests/s"


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


def workflows(sizes: Sizes) -> list[Row]:
    """What the worker does, and what it costs whoever posts."""
    return [*runs(sizes), *posting(sizes)]


def runs(sizes: Sizes) -> list[Row]:
    """Runs that do nothing, against claiming and finishing bare rows."""
    organisation, people = _organisation(1000)
    empty, asking = _workflow(organisation), _workflow(organisation, ALWAYS)
    count = min(sizes.rows // 5, MOST_RUNS)

    def timed(workflow: Workflow, work: Callable[[], None]) -> float:
        _due(workflow, people, count)
        found = rate(count, work)
        unfinished = Run.objects.across_organisations().exclude(status="completed")
        assert not unfinished.exists()
        return found

    rates = race(
        {
            "floor": lambda _turn: timed(empty, partial(_bare, engine.BATCH)),
            "ours": lambda _turn: timed(empty, _engine),
            "asking": lambda _turn: timed(asking, _engine),
        },
        sizes.turns,
    )
    return [
        against(
            "worker, runs without steps",
            rates["ours"],
            rates["floor"],
            unit="runs/s",
            goal=0.3,
            note=f"the floor claims and finishes {engine.BATCH} bare rows at a time",
        ),
        against("worker, runs with one condition", rates["asking"], rates["floor"], unit="runs/s"),
    ]


def posting(sizes: Sizes) -> list[Row]:
    """`POST /activities` with 50 Active workflows that hear of it and do not match."""
    settings.API_RATE_LIMIT = "1000000/s"
    settings.ALLOWED_HOSTS = ["testserver"]
    organisation, people = _organisation(100)
    quiet, quiet_people = _organisation(100)
    for _number in range(50):
        _workflow(organisation, conditions=NEVER)

    def poster(one: Organisation, ids: list[int]) -> Callable[[int], float]:
        client = Client(headers={"x-api-key": create_api_key(organisation=one, name="bench")[1]})
        return lambda _turn: rate(POSTS, lambda: [_post(client, pk) for pk in ids[:POSTS]])

    rates = race(
        {"unheard": poster(quiet, quiet_people), "heard": poster(organisation, people)},
        POSTS_TURNS * sizes.turns,
    )
    heard = Event.objects.for_organisation(organisation).count()
    assert heard == POSTS * POSTS_TURNS * sizes.turns, heard
    return [
        against(
            "POST /activities, 50 workflows that do not match, against none",
            rates["heard"],
            rates["unheard"],
            unit=REQUESTS,
            goal=1.2,
            at_most=True,
        ),
        Row("worker, asking 50 workflows", rate(heard, _match), None, None, None, None, "events/s"),
    ]


def _match() -> None:
    while matching.match():
        pass


def _post(client: Client, contact: int) -> None:
    body = {
        "contact": contact,
        "type": "Purchase",
        "source": "bench",
        "happenedAt": "2026-04-07T14:30:00+00:00",
        "spend": 100,
    }
    response = client.post("/api/activities", body, content_type="application/json")
    assert response.status_code == 201, response.content
