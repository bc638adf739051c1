"""Workers that are killed in the middle of it: every run ends, and each effect happens once."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter

import pytest
from django.db import connection
from pytest_httpserver import HTTPServer

from tests.workflows.crashing import check
from tests.workflows.processes import Processes

CONTACTS = 60
KILLS = 6


@pytest.mark.slow
def test_killed_workers_lose_nothing_and_double_nothing_of_ours(
    processes: Processes, other_side: HTTPServer, calls: Counter[str]
) -> None:
    if connection.vendor == "sqlite":
        processes.run("manage.py", "migrate", "-v0")
    processes.task("seed", CONTACTS, other_side.url_for("/hook"))
    chance = random.Random(7)
    for _time in range(KILLS):
        enough = min(len(calls) + 3, CONTACTS)
        workers = [processes.start("manage.py", "worker") for _one in range(2)]
        processes.wait_until(lambda enough=enough: len(calls) >= enough)  # type: ignore[misc]
        time.sleep(chance.random() / 4)
        for worker in workers:
            processes.kill(worker)
        processes.task("later")
    last = processes.start("manage.py", "worker")
    processes.wait_until(lambda: len(calls) == CONTACTS)
    processes.wait_until_all_ended()
    last.send_signal(signal.SIGTERM)
    assert "worker stopped" in processes.ended(last)
    check(processes.report(), CONTACTS)
    # Elsewhere at least once, with a key by which the other side knows it again.
    assert len(calls) == CONTACTS
    assert sum(calls.values()) <= CONTACTS + 2 * KILLS
