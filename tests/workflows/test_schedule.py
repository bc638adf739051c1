"""What the worker does and when: each job at its beat, once, whoever runs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from contacts.models import Contact
from crm.api.models import IdempotentRequest
from organisations.models import Organisation
from tests import factories
from workflows import schedule, worker
from workflows.models import ScheduledJob

DAY = timedelta(days=1)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, db: None) -> list[str]:
    """Only one job, which notes that it ran."""
    notes: list[str] = []
    job = schedule.Job("sweep", DAY, lambda: notes.append("sweep"))
    monkeypatch.setattr(schedule, "JOBS", {job.name: job})
    return notes


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, db: None) -> Callable[[Exception], None]:
    def fail_with(error: Exception) -> None:
        def run() -> None:
            raise error

        monkeypatch.setattr(schedule, "JOBS", {"sweep": schedule.Job("sweep", DAY, run)})

    return fail_with


def test_a_new_job_is_due_at_once_and_then_after_its_period(ran: list[str]) -> None:
    assert schedule.run_due() == (1, 0)
    assert schedule.run_due() == (0, 0)
    assert ran == ["sweep"]
    row = ScheduledJob.objects.get(name="sweep")
    assert row.last_finished_at is not None
    assert row.due_at > timezone.now() + DAY - timedelta(minutes=1)


def test_a_job_keeps_its_time_of_day_and_makes_up_for_nothing(ran: list[str]) -> None:
    beat = timezone.now() - timedelta(days=3, hours=1)
    ScheduledJob.objects.create(name="sweep", due_at=beat)
    schedule.run_due()
    schedule.run_due()
    assert ran == ["sweep"]
    assert ScheduledJob.objects.get(name="sweep").due_at == beat + 4 * DAY


def test_a_job_claimed_by_another_worker_is_left_to_it(ran: list[str]) -> None:
    now = timezone.now()
    job = schedule.JOBS["sweep"]
    assert schedule.claim(job, now) is not None
    assert schedule.claim(job, now) is None
    assert schedule.run_due() == (0, 0)


def test_a_job_whose_worker_died_is_due_again_after_the_lease(ran: list[str]) -> None:
    now = timezone.now()
    schedule.claim(schedule.JOBS["sweep"], now)
    assert schedule.claim(schedule.JOBS["sweep"], now + schedule.LEASE) is not None


def test_two_workers_that_read_the_same_time_do_not_both_win(ran: list[str]) -> None:
    """The second one's UPDATE finds the time moved on."""
    due = timezone.now() - timedelta(minutes=1)
    ScheduledJob.objects.create(name="sweep", due_at=due)
    job, now = schedule.JOBS["sweep"], timezone.now()
    moved = ScheduledJob.objects.filter(name="sweep", due_at=due)
    assert schedule.claim(job, now) is not None
    assert moved.update(due_at=now) == 0


def test_a_failure_is_kept_and_tried_again_and_the_next_success_clears_it(
    failing: Callable[[Exception], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(ValueError("no broom"))
    assert schedule.run_due() == (1, 1)
    row = ScheduledJob.objects.get(name="sweep")
    assert row.last_error == "ValueError: no broom"
    assert row.last_finished_at is None
    assert timezone.now() < row.due_at <= timezone.now() + schedule.LEASE

    monkeypatch.setattr(schedule, "JOBS", {"sweep": schedule.Job("sweep", DAY, lambda: None)})
    ScheduledJob.objects.update(due_at=timezone.now())
    assert schedule.run_due() == (1, 0)
    assert ScheduledJob.objects.get(name="sweep").last_error == ""


def test_one_failing_job_does_not_keep_the_others(
    monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    notes: list[str] = []

    def fail() -> None:
        raise RuntimeError

    jobs = {
        "first": schedule.Job("first", DAY, fail),
        "second": schedule.Job("second", DAY, lambda: notes.append("second")),
    }
    monkeypatch.setattr(schedule, "JOBS", jobs)
    assert schedule.run_due() == (2, 1)
    assert notes == ["second"]


@pytest.mark.django_db
def test_once_does_what_is_due_and_tells() -> None:
    said = StringIO()
    call_command("worker", "--once", stdout=said)
    assert said.getvalue() == f"{len(schedule.JOBS)} jobs run, 0 failed\n"
    assert set(ScheduledJob.objects.values_list("name", flat=True)) == set(schedule.JOBS)


def test_once_ends_with_an_error_when_a_job_failed(failing: Callable[[Exception], None]) -> None:
    failing(ValueError("no broom"))
    with pytest.raises(CommandError):
        call_command("worker", "--once", stdout=StringIO())


@pytest.mark.django_db
def test_the_worker_scores_rfm(organisation: Organisation, api_for: Any) -> None:
    api = api_for(organisation)
    purchase = {
        "contact": {"emailAddress": "regular@example.com"},
        "type": "Purchase",
        "source": "till",
        "happenedAt": "2026-01-02T10:00:00+00:00",
        "spend": 1200,
    }
    assert api.post("/activities", purchase).status_code == 201
    schedule.JOBS["recompute_rfm"].run()
    contact = Contact.objects.for_organisation(organisation).get()
    assert contact.rollup.recency is not None


@pytest.mark.django_db
def test_one_organisation_that_fails_does_not_keep_the_others_from_their_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = factories.OrganisationFactory(), factories.OrganisationFactory()
    scored = []

    def recompute(organisation: Organisation) -> int:
        if organisation == first:
            raise ValueError("broken")
        scored.append(organisation)
        return 0

    monkeypatch.setattr("workflows.housekeeping.rfm.recompute", recompute)
    with pytest.raises(ExceptionGroup):
        schedule.JOBS["recompute_rfm"].run()
    assert scored == [second]


@pytest.mark.django_db
def test_answers_kept_for_a_day_are_forgotten_after_it(organisation: Organisation) -> None:
    def kept(key: str, started_at: datetime) -> None:
        IdempotentRequest.objects.create(
            organisation=organisation, key=key, fingerprint="f", status=201, started_at=started_at
        )

    kept("old", timezone.now() - timedelta(hours=30))
    kept("new", timezone.now() - timedelta(hours=1))
    schedule.JOBS["prune_idempotent_requests"].run()
    assert list(IdempotentRequest.objects.values_list("key", flat=True)) == ["new"]


def test_the_worker_waits_out_a_database_that_goes_away(
    ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing the tests' own connection would end their transaction, so that is left out."""
    stop = threading.Event()
    tries: Iterator[bool] = iter([False, False, True])

    def run_due(_stopping: Callable[[], bool]) -> None:
        if next(tries):
            stop.set()
        else:
            raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(worker.schedule, "run_due", run_due)
    monkeypatch.setattr(worker.connections, "close_all", lambda: None)
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)
    monkeypatch.setattr(worker, "LONGEST_BACK_OFF", 0.01)
    monkeypatch.setattr(stop, "wait", lambda _seconds: stop.is_set())
    worker.work(stop)
    assert next(tries, None) is None


@pytest.mark.django_db
def test_to_look_for_work_costs_three_queries_a_job(
    ran: list[str], django_assert_max_num_queries: Any
) -> None:
    schedule.run_due()
    # the row is there, its time is read, the next time is read
    with django_assert_max_num_queries(3 if connection.vendor == "postgresql" else 5):
        schedule.run_due()
        schedule.seconds_until_due(30)
