"""How many runs came to each step, and how many each workflow has: what lists and cards tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q
from django.urls import reverse
from django.utils.http import urlencode

from workflows.admin.drawing import Counts
from workflows.models import Run, StepExecution, Workflow, WorkflowVersion

MOST_RUNS = 10_000
"""So many of the latest runs of a version are counted: what a page can wait for."""
LATELY = timedelta(days=30)


def of_steps(workflow: Workflow, version: WorkflowVersion) -> dict[str, Counts]:
    """The counts of each step by its id, of the latest `MOST_RUNS` runs of this version. One
    query."""
    runs = Run.objects.of(workflow).filter(version=version).order_by("-created_at", "-pk")
    status = StepExecution.Status
    rows = (
        StepExecution.objects.filter(run__in=runs.values("pk")[:MOST_RUNS])
        .values("step_id")
        .annotate(
            entered=Count("pk"),
            waiting=Count("pk", Q(status__in=[status.WAITING, status.RETRYING])),
            failed=Count("pk", Q(status=status.FAILED)),
        )
    )
    return {
        row["step_id"]: Counts(
            row["entered"], row["waiting"], row["failed"], _links(workflow, row["step_id"])
        )
        for row in rows
    }


def _links(workflow: Workflow, step_id: str) -> Mapping[str, str]:
    """Where the runs are listed that a count is of."""
    runs = reverse("admin:workflows_run_changelist")
    filters: dict[str, str | int] = {"workflow": workflow.pk, "step": step_id}
    return {
        "entered": f"{runs}?{urlencode(filters)}",
        "waiting": f"{runs}?{urlencode({**filters, 'status': Run.Status.WAITING})}",
        "failed": f"{runs}?{urlencode({**filters, 'status': Run.Status.FAILED})}",
    }


def of_workflows(workflows: Iterable[Workflow], now: datetime) -> dict[int, dict[str, Any]]:
    """By the id of each workflow: its `unfinished` runs, those that `failed` lately, and when the
    `last` began that did either or began lately. One query, from an index."""
    rows = (
        Run.objects.across_organisations()
        .filter(workflow__in=[workflow.pk for workflow in workflows])
        .filter(Q(status__in=Run.UNFINISHED) | Q(created_at__gte=now - LATELY))
        .values("workflow")
        .annotate(
            unfinished=Count("pk", Q(status__in=Run.UNFINISHED)),
            failed=Count("pk", Q(status=Run.Status.FAILED, created_at__gte=now - LATELY)),
            last=Max("created_at"),
        )
    )
    return {row["workflow"]: dict(row) for row in rows}
