"""Celery's workers beside one of `manage.py worker`, while workers die and the broker goes away."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from django.db import connection
from pytest_httpserver import HTTPServer

from tests.workflows.brokers import RabbitMQ, Redis
from tests.workflows.crashing import check
from tests.workflows.processes import Processes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="machines cannot share SQLite"),
]

CONTACTS = 30
KILLS = 4
CONCURRENCY = 2
AT_ONCE = 2 * CONCURRENCY + 1
"""How many calls are on their way at most: of two workers of Celery's, and the embedded one."""


@pytest.fixture(params=[RabbitMQ, Redis])
def broker(request: pytest.FixtureRequest) -> Iterator[RabbitMQ | Redis]:
    there = request.param()
    yield there
    there.close()


def start_celery(processes: Processes, *options: str) -> subprocess.Popen[bytes]:
    name = f"worker{len(processes.said)}@%h"
    command = ("-m", "celery", "-A", "crm", "worker", "--hostname", name)
    return processes.start(*command, "--concurrency", CONCURRENCY, *options)


def test_workers_die_and_the_broker_goes_away_and_nothing_is_lost_or_doubled(
    broker: RabbitMQ | Redis, processes: Processes, other_side: HTTPServer, calls: Counter[str]
) -> None:
    def celery() -> subprocess.Popen[bytes]:
        return start_celery(processes, "--beat")

    def embedded() -> subprocess.Popen[bytes]:
        return processes.start("manage.py", "worker")

    def stop(kind: object) -> None:
        for start, worker in workers:
            if start is kind:
                worker.send_signal(signal.SIGTERM)
                processes.ended(worker)

    processes.environment |= broker.settings
    seed = ("seed", CONTACTS, other_side.url_for("/hook"))
    processes.task(*seed)
    processes.ring()  # and have the broker go away in the middle of messages
    chance = random.Random(7)
    workers = [(start, start()) for start in (celery, celery, embedded)]
    # One after the other is killed and starts again; the broker goes and comes back.
    for number in range(KILLS):
        enough = min(len(calls) + 4, CONTACTS)
        processes.wait_until(lambda enough=enough: len(calls) >= enough)  # type: ignore[misc]
        time.sleep(chance.random() / 10)
        start, victim = workers.pop(0)
        processes.kill(victim)
        workers.append((start, start()))
        (broker.cut if number % 2 == 0 else broker.mend)()
        processes.task("later")
    processes.wait_until(lambda: len(calls) == CONTACTS)
    # What happens while there is no broker is done when it is back, by Celery's alone.
    stop(embedded)
    processes.task("later")
    broker.cut()
    processes.task(*seed)
    broker.mend()
    processes.wait_until(lambda: len(calls) == 2 * CONTACTS)
    processes.wait_until_all_ended()
    stop(celery)
    check(processes.report(), 2 * CONTACTS)
    # Elsewhere at least once, with a key by which the other side knows it again.
    assert len(calls) == 2 * CONTACTS
    assert sum(calls.values()) <= 2 * CONTACTS + (KILLS + 1) * AT_ONCE


def test_a_message_after_the_commit_is_enough(
    broker: RabbitMQ | Redis, processes: Processes, other_side: HTTPServer, calls: Counter[str]
) -> None:
    processes.task("seed", 1, other_side.url_for("/hook"))
    processes.environment |= broker.settings
    start_celery(processes)  # and no beat
    processes.ring()
    processes.wait_until(lambda: len(calls) == 1)
