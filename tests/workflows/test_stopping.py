"""A worker that is to stop in the middle of many runs gives back what it has not begun."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.running import PURCHASE, add_tag, contact, happens, made, runs, work
from workflows import engine

pytestmark = pytest.mark.django_db


def test_another_worker_takes_at_once_what_one_that_stops_leaves(api: Any) -> None:
    pk = made(api, PURCHASE, add_tag("x"))
    for name in ("ann", "ben", "cat"):
        happens(api, contact(api, name))

    def statuses() -> list[str]:
        return [told["status"] for told in runs(api, pk)]

    engine.work(stopping=lambda: "completed" in statuses())
    assert statuses().count("completed") == 1
    work()
    assert statuses() == ["completed"] * 3
