"""Workers that are killed in the middle of it: every run ends, and each effect happens once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

ROOT = Path(__file__).resolve().parents[2]
CONTACTS = 60
KILLS = 6
STEPS = 5


class Processes:
    """Python, started on a database that processes can share, of the kind that is tested."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: dict[subprocess.Popen[bytes], Path] = {}
        address = f"sqlite:///{folder / 'shared.sqlite3'}"
        if connection.vendor == "postgresql":
            its = connection.settings_dict
            address = f"postgres://{its['USER']}@{its['HOST']}:{its['PORT']}/{its['NAME']}"
        self.environment = os.environ | {
            "DATABASE_URL": address,
            "WEBHOOKS_ALLOW_PRIVATE": "127.0.0.0/8",
            "API_RATE_LIMIT": "100000/s",
        }

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        path = self.folder / f"{len(self.said)}.log"
        with path.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.said[process] = path
        return process

    def ended(self, process: subprocess.Popen[bytes]) -> str:
        """What a process said that ended well."""
        process.wait(timeout=120)
        said = self.said[process].read_text()
        assert process.returncode == 0, said
        return said

    def run(self, *arguments: object) -> str:
        return self.ended(self.start(*arguments))

    def wait_until(self, condition: Callable[[], bool], seconds: float = 120) -> None:
        give_up = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > give_up:
                told = "\n".join(path.read_text() for path in self.said.values())
                raise AssertionError(f"it never came to that:\n{told}")
            time.sleep(0.02)


@pytest.fixture
def processes(transactional_db: None, tmp_path: Path) -> Iterator[Processes]:
    started = Processes(tmp_path)
    yield started
    for process in started.said:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def other_side() -> Iterator[HTTPServer]:
    """What a step calls; it answers several at a time."""
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


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
            worker.send_signal(signal.SIGKILL)
            worker.wait()
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
