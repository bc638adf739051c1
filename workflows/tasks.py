"""The tasks of Celery's workers. They call what `manage.py worker` calls."""

from __future__ import annotations

from crm.celery import app
from workflows import schedule, worker

AT_A_TIME = 10.0
"""Seconds after which a task makes room for others, such as a request to stop."""


def _work() -> None:
    if not worker.work_for(AT_A_TIME):
        work.apply_async(expires=AT_A_TIME)


def _keep_house() -> None:
    schedule.run_due()


work = app.task(_work, name="workflows.work")
keep_house = app.task(_keep_house, name="workflows.keep_house")
