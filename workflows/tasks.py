"""The tasks of Celery's workers. They call what `manage.py worker` calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from crm.celery import app
from workflows import bell, schedule, worker

log = structlog.get_logger(__name__)

AT_A_TIME = 10.0
"""Seconds after which a task makes room for others, such as a request to stop."""
STALE = 60.0
"""Seconds after which a message that nobody took says nothing any more. The clocks of two machines
may differ by less."""


@contextmanager
def outlasting_the_database() -> Iterator[None]:
    """One that does not answer fails no task: the next beat looks again."""
    try:
        yield
    except worker.DATABASE_AWAY as error:
        log.warning("database does not answer", error=str(error).strip())


@app.task(name="workflows.work", expires=STALE)  # type: ignore[untyped-decorator]
def work() -> None:
    """Do what is due, and when that takes long, have somebody go on with it."""
    with outlasting_the_database():
        if not worker.work_for(AT_A_TIME):
            bell.ring_after_commit()


@app.task(name="workflows.keep_house", expires=STALE)  # type: ignore[untyped-decorator]
def keep_house() -> None:
    """Run the housekeeping that is due."""
    with outlasting_the_database():
        schedule.run_due()
