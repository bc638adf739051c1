"""Workflows as a client makes them, and a worker that works until nothing is due."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from workflows import engine

PURCHASE = {"type": "activity_created", "activityTypes": ["Purchase"]}


def add_tag(name: str = "seen", **more: Any) -> dict[str, Any]:
    """A step whose effect is easily seen."""
    return {"type": "add_tag", "tag": name, **more}


def made(api: Any, trigger: dict[str, Any] | str, *steps: dict[str, Any], **more: Any) -> int:
    """The id of a new Active workflow. `trigger` is its JSON, or its type alone."""
    given = {"type": trigger} if isinstance(trigger, str) else trigger
    body = {
        "name": f"When {given['type']}",
        "status": "Active",
        "trigger": given,
        "steps": list(steps),
        **more,
    }
    answer = api.post("/workflows", body)
    assert answer.status_code == 201, answer.content
    pk: int = answer.json()["id"]
    return pk


def work(most: int = 200) -> int:
    """Be the worker until nothing is due; answers how often it found something."""
    for times in range(most):
        if not engine.work():
            return times
    raise AssertionError("the worker never came to an end")


def contact(api: Any, name: str = "jane", **values: Any) -> int:
    """The id of a new contact."""
    answer = api.post("/contacts", {"emailAddress": f"{name}@example.com", **values})
    assert answer.status_code == 201, answer.content
    pk: int = answer.json()["id"]
    return pk


def happens(api: Any, who: Any, type_: str = "Purchase", **values: Any) -> int:
    """The id of a new activity that happened just now."""
    body = {
        "contact": who,
        "type": type_,
        "source": "test",
        "happenedAt": (timezone.now() - timedelta(seconds=1)).isoformat(),
        **values,
    }
    answer = api.post("/activities", body)
    assert answer.status_code == 201, answer.content
    pk: int = answer.json()["id"]
    return pk


def runs(api: Any, workflow: int) -> list[dict[str, Any]]:
    """The workflow's runs, oldest first."""
    answer = api.get(f"/workflows/{workflow}/runs?itemsPerPage=1000")
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()
    return found[::-1]


def run(api: Any, workflow: int) -> dict[str, Any]:
    """The workflow's only run."""
    (only,) = runs(api, workflow)
    return only


def tags(api: Any, who: int) -> list[str]:
    """The names of the contact's tags."""
    return [tag["name"] for tag in api.get(f"/contacts/{who}").json()["tags"]]


def path(told: dict[str, Any]) -> list[str]:
    """The ids of the steps that a run took."""
    return [node["id"] for node in told["executedNodes"]]


def outcomes(told: dict[str, Any]) -> list[tuple[str, str]]:
    """The same with what became of each."""
    return [(node["id"], node["status"]) for node in told["executedNodes"]]
