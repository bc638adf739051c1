"""Workers of their own processes: killed, several, and asked to stop."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from integrations.outgoing import sending
from tests.workflows.processes import Processes

pytestmark = pytest.mark.slow

TASK = ("-m", "tests.integrations.outgoing.crashing")


@pytest.fixture
def processes(transactional_db: None, tmp_path: Path) -> Iterator[Processes]:
    started = Processes(tmp_path)
    if connection.vendor == "sqlite":
        started.run("manage.py", "migrate", "-v0")
    yield started
    for process in started.said:
        if process.poll() is None:
            started.kill(process)


class Held:
    """A receiver whose answer to request number `hold` waits until it is let go."""

    def __init__(self, server: HTTPServer, processes: Processes, count: int, hold: int) -> None:
        self.came: Counter[str] = Counter()
        self.holding, self.let_go = threading.Event(), threading.Event()
        self.hold, self.lock = hold, threading.Lock()
        server.expect_request("/hook").respond_with_handler(self.take)
        self.secret = processes.run(*TASK, "seed", count, server.url_for("/hook")).split()[-1]

    def take(self, request: Request) -> Response:
        headers = {name.lower(): text for name, text in request.headers.items()}
        Webhook(self.secret).verify(request.get_data(), headers)
        with self.lock:
            self.came[headers["webhook-id"]] += 1
            held = self.came.total() == self.hold
        if held:
            self.holding.set()
            self.let_go.wait(60)
        return Response("", 200)


def report(processes: Processes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(processes.run(*TASK, "report").splitlines()[-1])
    return found


def test_a_worker_that_is_killed_between_sending_and_noting_sends_the_same_id_again(
    server: HTTPServer, processes: Processes
) -> None:
    receiver = Held(server, processes, 12, hold=5)
    first = processes.start("manage.py", "worker")
    assert receiver.holding.wait(60)
    processes.kill(first)
    receiver.let_go.set()
    processes.run(*TASK, "later")
    second = processes.start("manage.py", "worker")
    processes.wait_until(lambda: report(processes)["statuses"] == ["delivered"] * 12)
    second.send_signal(signal.SIGTERM)
    assert "worker stopped" in processes.ended(second)
    assert len(receiver.came) == 12
    assert 12 < receiver.came.total() <= 12 + sending.LANES  # what the first had on its way
    assert report(processes)["attempts"] == [200] * 12


def test_two_workers_send_each_message_once(server: HTTPServer, processes: Processes) -> None:
    receiver = Held(server, processes, 80, hold=0)
    workers = [processes.start("manage.py", "worker") for _one in range(2)]
    processes.wait_until(lambda: receiver.came.total() >= 80)
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
        processes.ended(worker)
    assert set(receiver.came.values()) == {1}
    assert report(processes) == {"statuses": ["delivered"] * 80, "attempts": [200] * 80}


def test_a_worker_that_is_asked_to_stop_notes_what_is_on_its_way(
    server: HTTPServer, processes: Processes
) -> None:
    receiver = Held(server, processes, 1, hold=1)
    worker = processes.start("manage.py", "worker")
    assert receiver.holding.wait(60)
    worker.send_signal(signal.SIGTERM)
    receiver.let_go.set()
    assert "worker stopped" in processes.ended(worker)
    assert report(processes) == {"statuses": ["delivered"], "attempts": [200]}


def test_a_worker_for_cron_sends_too(server: HTTPServer, processes: Processes) -> None:
    receiver = Held(server, processes, 3, hold=0)
    processes.run("manage.py", "worker", "--once")
    assert receiver.came.total() == 3
    assert report(processes)["statuses"] == ["delivered"] * 3
