"""How many runs came to each step, and how many each workflow has: what lists and cards tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.db.models import Count, IntegerField, OuterRef, Q, Subquery
from django.urls import reverse
from django.utils.http import urlencode

from crm.admin.paging import MAX_ROWS
from workflows.admin.drawing import Counts
from workflows.models import Run, StepExecution, Workflow, WorkflowVersion

MOST_RUNS = 1_000
"""So many of the latest runs of a version are counted: their steps are read through an index, at
any size of the table."""
LATELY = timedelta(days=30)


def of_steps(workflow: Workflow, version: WorkflowVersion) -> dict[str, Counts]:
    """The counts of each step by its id, of the latest `MOST_RUNS` runs of this version. One
    query."""
    runs = Run.objects.across_organisations().filter(workflow=workflow, version=version)
    latest = runs.order_by("-created_at", "-pk").values("pk")[:MOST_RUNS]
    status = StepExecution.Status
    rows = (
        StepExecution.objects.filter(run__in=latest)
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


class UpTo(Subquery):
    """How many rows a queryset has, counted no further than its limit."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


def of_workflows(workflows: Iterable[Workflow], now: datetime) -> dict[int, dict[str, int]]:
    """By the id of each workflow: its `unfinished` runs, and those that `failed` lately, each up to
    one more than a list counts. One query, answered by the index `run_status` alone."""
    runs = Run.objects.across_organisations().filter(workflow=OuterRef("pk")).values("pk")
    failed = runs.filter(status=Run.Status.FAILED, created_at__gte=now - LATELY)
    rows = Workflow.objects.across_organisations().filter(
        pk__in=[workflow.pk for workflow in workflows]
    )
    counted = rows.annotate(
        unfinished=UpTo(runs.filter(status__in=Run.UNFINISHED)[: MAX_ROWS + 1]),
        failed=UpTo(failed[: MAX_ROWS + 1]),
    )
    return {
        row["pk"]: {name: row[name] for name in ("unfinished", "failed")}
        for row in counted.order_by().values("pk", "unfinished", "failed")
    }


def last_run() -> Subquery:
    """Of a workflow: when its latest run began. For annotations; one look into an index each."""
    runs = Run.objects.across_organisations().filter(workflow=OuterRef("pk"))
    return Subquery(runs.order_by("-created_at", "-pk").values("created_at")[:1])
