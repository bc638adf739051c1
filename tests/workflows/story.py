"""What tests of workflows share: building one over the API, and letting the worker work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from workflows import engine, sweeps
from workflows.models import Event, Run

MOMENT = "2026-04-07T10:30:00+00:00"


def workflow(
    api: Any, trigger: Any, *steps: dict[str, Any], status: str = "Active", **more: Any
) -> int:
    """The id of a new workflow. `trigger` is its JSON, or its type alone."""
    given = {"type": trigger} if isinstance(trigger, str) else trigger
    body = {"name": "Test", "status": status, "trigger": given, "steps": list(steps), **more}
    answer = api.post("/workflows", body)
    assert answer.status_code == 201, answer.content
    found: int = answer.json()["id"]
    return found


def tag(name: str = "seen", **more: Any) -> dict[str, Any]:
    return {"type": "add_tag", "tag": name, **more}


def contact(api: Any, email: str = "jane@example.com", **values: Any) -> int:
    answer = api.post("/contacts", {"emailAddress": email, "firstName": "Jane", **values})
    assert answer.status_code in {200, 201}, answer.content
    found: int = answer.json()["id"]
    return found


def record(api: Any, who: int, kind: str = "Purchase", **values: Any) -> dict[str, Any]:
    body = {"contact": who, "type": kind, "source": "till", "happenedAt": MOMENT, **values}
    answer = api.post("/activities", body)
    assert answer.status_code in {200, 201}, answer.content
    found: dict[str, Any] = answer.json()
    return found


def work() -> None:
    """Do all that is due now, as a worker does."""
    sweeps.sweep()
    for _count in range(200):
        if not engine.work():
            break
    now = timezone.now() + timedelta(seconds=1)
    assert not Event.objects.across_organisations().filter(due_at__lte=now).exists()
    assert not Run.objects.across_organisations().claimable(timezone.now()).exists()


def runs(api: Any, pk: int) -> list[dict[str, Any]]:
    """The runs of a workflow, oldest first."""
    found: list[dict[str, Any]] = api.get(f"/workflows/{pk}/runs").json()
    return found[::-1]


def tags(api: Any, who: int) -> set[str]:
    return {one["name"] for one in api.get(f"/contacts/{who}").json()["tags"]}


def path(run: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["id"], one["status"]) for one in run["executedNodes"]]
