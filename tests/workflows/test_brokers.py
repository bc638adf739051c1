"""Celery's workers and one of `manage.py worker` at the same runs, some of them killed, while the
broker comes and goes: every run ends, and each effect happens once."""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import time
from collections import Counter
from contextlib import suppress
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.workflows.processes import Processes

CONTACTS = 40
KILLS = 4
STEPS = 5
TASK = ("-m", "tests.workflows.crashing")


class Line:
    """The way to a broker, which can be cut and mended. The broker itself is others' too."""

    def __init__(self, port: int) -> None:
        self.to = port
        self._open: list[socket.socket] = []
        self._door: socket.socket | None = None
        self.port = 0
        self.mend()

    def mend(self) -> None:
        self._door = door = socket.create_server(("127.0.0.1", self.port), reuse_port=True)
        self.port = door.getsockname()[1]
        Thread(target=self._serve, args=(door,), daemon=True).start()

    def cut(self) -> None:
        assert self._door is not None
        for one in (self._door, *self._open):
            with suppress(OSError):  # the other side was first
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def _serve(self, door: socket.socket) -> None:
        while True:
            try:
                near, _address = door.accept()
                far = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                return
            self._open += near, far
            for ends in ((near, far), (far, near)):
                Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while said := one.recv(65536):
                other.sendall(said)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def line_to(port: int) -> Line:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        pytest.skip(f"no broker answers on port {port} of this machine")
    return Line(port)


BROKERS = {
    "rabbitmq": (5672, "amqp://guest:guest@127.0.0.1:{port}//"),
    "redis": (6379, "redis://127.0.0.1:{port}/11"),
}


@pytest.mark.slow
@pytest.mark.skipif(connection.vendor != "postgresql", reason="machines cannot share SQLite")
@pytest.mark.parametrize("broker", BROKERS)
def test_workers_die_and_the_broker_goes_away_and_nothing_is_lost_or_doubled(
    broker: str, processes: Processes, other_side: HTTPServer
) -> None:
    keys: Counter[str] = Counter()

    def take(request: Request) -> Response:
        keys[request.headers["webhook-id"]] += 1
        time.sleep(0.05)
        return Response("", 200)

    def celery() -> subprocess.Popen[bytes]:
        name = f"w{len(processes.said)}@%h"
        return processes.start(
            *("-m", "celery", "-A", "crm", "worker", "--beat", "-c", 2, "-n", name)
        )

    def embedded() -> subprocess.Popen[bytes]:
        return processes.start("manage.py", "worker")

    def seed() -> None:
        processes.run(*TASK, "seed", CONTACTS, other_side.url_for("/hook"))

    def told() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(processes.run(*TASK, "report").splitlines()[-1])
        return found

    other_side.expect_request("/hook").respond_with_handler(take)
    port, url = BROKERS[broker]
    line = line_to(port)
    processes.environment |= {
        "CELERY_BROKER_URL": url.format(port=line.port),
        "CELERY_QUEUE": f"test-{random.SystemRandom().randrange(10**9)}",
    }
    chance = random.Random(7)
    seed()
    workers = [(start, start()) for start in (celery, celery, embedded)]
    # One after the other is killed, each kind, and starts again; the broker goes and comes back.
    for number in range(KILLS):
        enough = min(len(keys) + 4, CONTACTS)
        processes.wait_until(lambda enough=enough: len(keys) >= enough)  # type: ignore[misc]
        time.sleep(chance.random() / 10)
        start, victim = workers.pop(0)
        processes.kill(victim)
        workers.append((start, start()))
        (line.cut if number % 2 == 0 else line.mend)()
        processes.run(*TASK, "later")
    processes.wait_until(lambda: len(keys) == CONTACTS)
    # Without the embedded one; and what happens while there is no broker is done when it is back.
    for start, worker in workers:
        if start is embedded:
            worker.send_signal(signal.SIGTERM)
            assert "worker stopped" in processes.ended(worker)
    processes.run(*TASK, "later")
    line.cut()
    seed()
    line.mend()
    processes.wait_until(lambda: len(keys) == 2 * CONTACTS)
    processes.wait_until(lambda: set(told()["statuses"]) == {"completed"})
    for start, worker in workers:
        if start is celery:
            worker.send_signal(signal.SIGTERM)
            processes.ended(worker)
    became = told()
    assert became["errors"] == []
    assert became["events"] == 0
    assert became["statuses"] == ["completed"] * 2 * CONTACTS
    assert became["visits"] == [2] * 2 * CONTACTS
    assert became["credit"] == [100] * 2 * CONTACTS
    assert became["executions"] == STEPS * 2 * CONTACTS
    # Elsewhere at least once, with a key by which the other side knows it again.
    assert len(keys) == 2 * CONTACTS
    assert sum(keys.values()) <= 2 * CONTACTS + KILLS * 4
