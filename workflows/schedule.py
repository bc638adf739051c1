"""Housekeeping that the worker does again and again: which jobs there are, and running those due.

A job is a function registered with `@every(period)` (see `workflows.housekeeping`). Its row in
`ScheduledJob` says when it is due; to claim it is to move that time on, with one UPDATE that only
one worker can win.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import connection
from django.utils import timezone

from workflows.models import ScheduledJob

log = structlog.get_logger(__name__)

LEASE = timedelta(hours=1)
"""How long a claimed job is left to its worker, and when one that failed is tried again."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do once in every `period`. `run` opens its own transactions."""

    name: str
    period: timedelta
    run: Callable[[], None]


JOBS: dict[str, Job] = {}


def every(period: timedelta) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a function as a job of its own name."""

    def register(run: Callable[[], None]) -> Callable[[], None]:
        JOBS[run.__name__] = Job(run.__name__, period, run)
        return run

    return register


def claim(job: Job, now: datetime) -> datetime | None:
    """The next beat of `job` when it is due and this caller is the one to run it, else None.

    A job that was never seen is due at once. Claimed, it is due again after `LEASE` or its period,
    whichever is shorter, so that a worker that dies costs no more than that. The next beat keeps
    the time of day of the ones before; beats missed while no worker ran are not made up for.
    Two or three queries.
    """
    ScheduledJob.objects.bulk_create(
        [ScheduledJob(name=job.name, due_at=now)], ignore_conflicts=True
    )
    due_at = ScheduledJob.objects.values_list("due_at", flat=True).get(name=job.name)
    if due_at > now:
        return None
    won = ScheduledJob.objects.filter(name=job.name, due_at=due_at).update(
        due_at=now + min(LEASE, job.period)
    )
    missed = (now - due_at) // job.period
    return due_at + (missed + 1) * job.period if won else None


def run_due(stopping: Callable[[], bool] = lambda: False) -> tuple[int, int]:
    """Run every job that is due, one after the other; answers how many ran and how many failed.

    A job that fails is logged, its error kept in its row, and it is tried again after `LEASE`.
    """
    ran = failed = 0
    for job in list(JOBS.values()):
        if stopping():
            break
        next_beat = claim(job, timezone.now())
        if next_beat is not None:
            ran += 1
            failed += not _run(job, next_beat)
    return ran, failed


def _run(job: Job, next_beat: datetime) -> bool:
    """Run a claimed job and note how it went: true when it went well."""
    row = ScheduledJob.objects.filter(name=job.name)
    started = timezone.now()
    try:
        job.run()
    except Exception as error:
        log.exception("job failed", job=job.name)
        if not connection.is_usable():
            connection.close()  # the error was the connection's: a new one may do
        row.update(last_error=f"{type(error).__name__}: {error}")
        return False
    finished = timezone.now()
    row.update(last_error="", last_finished_at=finished, due_at=next_beat)
    log.info("job done", job=job.name, seconds=round((finished - started).total_seconds(), 2))
    return True


def seconds_until_due(longest: float) -> float:
    """How long until the next job is due: at most `longest`, at least a tenth of a second."""
    next_due = (
        ScheduledJob.objects.filter(name__in=JOBS)
        .order_by("due_at")
        .values_list("due_at", flat=True)
        .first()
    )
    if next_due is None:
        return longest
    return min(longest, max(0.1, (next_due - timezone.now()).total_seconds()))
