"""What the page of one run tells: where it went, what each step gave, and what set it off."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.forms import Media
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy

from activities.models import Activity
from workflows.admin.drawing import draw
from workflows.messages.models import Message
from workflows.models import Run, StepExecution
from workflows.steps import STEPS
from workflows.triggers import TRIGGERS

STYLES = Media(css={"all": ["regulars/workflows.css", "regulars/runs.css"]})
MOST = 50
"""As many messages, and runs that it set off, as are listed."""
STEP_COLOURS = {
    StepExecution.Status.WAITING: "warning",
    StepExecution.Status.RETRYING: "warning",
    StepExecution.Status.COMPLETED: "success",
    StepExecution.Status.FAILED: "danger",
}
PAGES = {
    "activity": ("activities_activity", gettext_lazy("The activity")),
    "alert": ("workflows_alert", gettext_lazy("The alert")),
    "entry": ("rewards_creditentry", gettext_lazy("The credit")),
    "message": ("workflows_message", gettext_lazy("The message")),
    "started": ("workflows_run", gettext_lazy("The run")),
}
"""Where the row is shown that a key of an output names."""
TOLD = frozenset({"type", "activity"})
"""What the page says of the trigger's data in words."""
BEGINNINGS = {
    "existing": gettext_lazy("Let in when the workflow was activated"),
    "start_workflow": gettext_lazy("Started by another workflow"),
}
"""How runs begin, beside their triggers."""


@dataclass(frozen=True)
class Line:
    """A step that the run took, or is at."""

    execution: StepExecution
    label: str
    colour: str
    told: str
    links: Sequence[tuple[str, Any]]
    output: str


def told(request: HttpRequest, run: Run) -> dict[str, Any]:
    """What the template shows. Ten queries or so, however much the run did."""
    executions = list(run.executions.order_by("number"))
    version, activity = run.version, None
    if request.user.has_perm("activities.view_activity"):
        activity = _activity(run)
    return {
        "run": run,
        "drawing": draw(
            version.trigger,
            version.steps,
            organisation=run.organisation,
            executions=executions,
        ),
        "lines": [_line(one) for one in executions],
        "began": _began(run),
        "activity": activity,
        "trigger_data": _pairs(run.trigger_data, without={"type"} if activity is None else TOLD),
        "context_json": pretty(run.context) if run.context else "",
        "cause": _runs_of_contact(run).filter(pk=run.cause_id).first() if run.cause_id else None,
        "set_off": list(_runs_of_contact(run).filter(cause=run.pk).order_by("pk")[:MOST]),
        "sent": _messages(run) if request.user.has_perm("workflows.view_message") else [],
    }


def pretty(data: Any) -> str:
    """JSON for people."""
    return json.dumps(data, indent=2, ensure_ascii=False)


def words_of(step_type: str, output: Mapping[str, Any]) -> str:
    """What a step gave, in words; empty where only the JSON says it."""
    kind = STEPS.get(step_type)
    if kind is None or not output:
        return ""
    try:
        return kind.told(output)
    except Exception:  # as `Step.told` says
        return ""


def label_of(step_type: str) -> str:
    """What people call this type of step."""
    kind = STEPS.get(step_type)
    return str(kind.label) if kind is not None else step_type


def _line(execution: StepExecution) -> Line:
    return Line(
        execution=execution,
        label=label_of(execution.type),
        colour=STEP_COLOURS[StepExecution.Status(execution.status)],
        told=words_of(execution.type, execution.output),
        links=[
            (reverse(f"admin:{page}_change", args=[execution.output[key]]), label)
            for key, (page, label) in PAGES.items()
            if isinstance(execution.output.get(key), int)
        ],
        output=pretty(execution.output) if execution.output else "",
    )


def _began(run: Run) -> str:
    """How the run began, in words."""
    name = str(run.trigger_data.get("type") or run.version.trigger["type"])
    kind = TRIGGERS.get(name)
    return str(kind.label if kind is not None else BEGINNINGS.get(name, name))


def _pairs(data: Mapping[str, Any], *, without: Collection[str]) -> list[tuple[str, str]]:
    """What the trigger said, but for what is told otherwise."""
    return [
        (key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for key, value in data.items()
        if key not in without
    ]


def _activity(run: Run) -> Activity | None:
    """What set it off, while it is there."""
    if run.activity_id is None:
        return None
    activities = Activity.objects.for_organisation(run.organisation_id)
    found: Activity | None = activities.filter(pk=run.activity_id).first()
    return found


def _runs_of_contact(run: Run) -> Any:
    runs = Run.objects.for_organisation(run.organisation_id)
    return runs.filter(contact=run.contact_id).select_related("workflow")


def _messages(run: Run) -> list[Message]:
    """Those that it sent, or did not, found by their contact."""
    messages = Message.objects.for_organisation(run.organisation_id)
    return list(messages.filter(contact=run.contact_id, run=run.pk).order_by("pk")[:MOST])
