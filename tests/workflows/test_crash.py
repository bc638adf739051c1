"""Workers that are killed in the middle of it: every run ends, and each effect happens once."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from typing import Any

import pytest
from django.db import connection
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.workflows.processes import Processes

CONTACTS = 60
KILLS = 6
STEPS = 5


@pytest.mark.slow
def test_killed_workers_lose_nothing_and_double_nothing_of_ours(
    processes: Processes, other_side: HTTPServer
) -> None:
    keys: Counter[str] = Counter()

    def take(request: Request) -> Response:
        keys[request.headers["webhook-id"]] += 1
        time.sleep(0.01)
        return Response("", 200)

    other_side.expect_request("/hook").respond_with_handler(take)
    if connection.vendor == "sqlite":
        processes.run("manage.py", "migrate", "-v0")
    task = ("-m", "tests.workflows.crashing")
    processes.run(*task, "seed", CONTACTS, other_side.url_for("/hook"))
    chance = random.Random(7)
    for _time in range(KILLS):
        enough = min(len(keys) + 3, CONTACTS)
        workers = [processes.start("manage.py", "worker") for _one in range(2)]
        processes.wait_until(lambda enough=enough: len(keys) >= enough)  # type: ignore[misc]
        time.sleep(chance.random() / 4)
        for worker in workers:
            processes.kill(worker)
        processes.run(*task, "later")
    last = processes.start("manage.py", "worker")
    processes.wait_until(lambda: len(keys) == CONTACTS)
    told: dict[str, Any] = {}
    for _time in range(20):
        told = json.loads(processes.run(*task, "report").splitlines()[-1])
        if told["statuses"] == ["completed"] * CONTACTS:
            break
    last.send_signal(signal.SIGTERM)
    assert "worker stopped" in processes.ended(last)
    assert told["errors"] == []
    assert told["statuses"] == ["completed"] * CONTACTS
    assert told["visits"] == [2] * CONTACTS
    assert told["credit"] == [100] * CONTACTS
    assert told["executions"] == STEPS * CONTACTS
    # Elsewhere at least once, with a key by which the other side knows it again.
    assert len(keys) == CONTACTS
    assert sum(keys.values()) <= CONTACTS + 2 * KILLS
