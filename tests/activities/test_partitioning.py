"""docs/sql/partition_activities.sql: in partitions and back, while activities go on being told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from activities import services
from activities.models import Activity
from contacts import rollups
from contacts.models import Contact
from organisations.models import Organisation
from tests.conftest import ApiClient

SQL = Path(__file__).resolve().parents[2] / "docs" / "sql" / "partition_activities.sql"

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def told(contact: Contact, reference: str, spend: int = 100) -> tuple[Activity, bool]:
    return services.record(
        organisation=contact.organisation,
        contact=contact.pk,
        type="Purchase",
        source="till",
        happened_at=datetime(2026, 4, 7, tzinfo=UTC),
        spend=spend,
        currency_code="GBP",
        external_reference=reference,
    )


@contextmanager
def somebody_at_work(contact: Contact) -> Iterator[list[int]]:
    """Activities are recorded, corrected and voided all the while; how many were left."""
    left, begun, stop, errors = [0], threading.Event(), threading.Event(), []

    def work() -> None:
        number = 0
        try:
            while not stop.is_set():
                first, _new = told(contact, f"{id(stop)}-{number}")
                services.correct(activity=first, values={"spend": number})
                left[0] += 1
                if number % 3 == 0:
                    services.void(activity=first)
                    left[0] -= 1
                number += 1
                if left[0]:
                    begun.set()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield left
        begun.wait(60)
    finally:
        stop.set()
        thread.join()
    assert not errors
    assert left[0] > 0


def do(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def same() -> bool:
    """Whether both tables hold the same rows."""
    (_one, *rows), (_other, *others) = do("SELECT * FROM partitioning_compare()")
    return rows == others


@pytest.fixture
def partitioning() -> Iterator[None]:
    if connection.vendor != "postgresql":
        pytest.skip("partitions are PostgreSQL's")
    do(SQL.read_text())
    yield
    for (name,) in do("SELECT proname FROM pg_proc WHERE proname LIKE 'partitioning_%'"):
        do(f"DROP ROUTINE {name}")


def test_into_partitions_and_back_while_activities_are_told(
    partitioning: None, organisation: Organisation, api: ApiClient
) -> None:
    contact = Contact.objects.create(organisation=organisation, name="Jane")
    for number in range(250):
        told(contact, f"before-{number}")

    with somebody_at_work(contact) as meanwhile:
        do("CALL partitioning_start(4)")
        do("CALL partitioning_copy(20)")
        assert same()
        do("CALL partitioning_swap()")
    assert same()
    kept = Activity.objects.for_organisation(organisation)
    assert kept.count() == 250 + meanwhile[0]

    # In use: once whoever tells it, and found by every way in.
    assert told(contact, "before-7")[1] is False
    body = {"contact": contact.pk, "type": "Login", "source": "web"}
    answer = api.post("/api/activities", body | {"happenedAt": "2026-05-01T10:00:00Z"})
    assert answer.status_code == 201
    path = f"/api/activities/{answer.json()['id']}"
    assert api.patch(path, {"spend": 12}).json()["spend"] == 12
    assert api.get(f"/api/activities?contact={contact.pk}").json()[0]["type"] == "Login"
    assert api.delete(path).status_code == 204
    other = Contact.objects.create(organisation=organisation, name="Jane too")
    told(other, "of-the-other")
    merged = api.post(f"/api/contacts/{contact.pk}/merge", {"contact": other.pk})
    assert merged.status_code == 200, merged.content
    assert same()

    with somebody_at_work(contact) as since:
        do("CALL partitioning_swap()")
    assert same()
    # The one that was merged in has brought one, and its merge is told as one.
    assert kept.count() == 250 + meanwhile[0] + since[0] + 2
    do("CALL partitioning_abandon()")
    assert rollups.recompute(organisation=organisation) == 0
