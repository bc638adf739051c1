"""Processes for tests of what happens between several of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection

ROOT = Path(__file__).resolve().parents[2]

TASK = ("-m", "tests.workflows.crashing")


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
                start_new_session=True,  # so that what it starts can be killed with it
            )
        self.said[process] = path
        return process

    def ended(self, process: subprocess.Popen[bytes]) -> str:
        """What a process said that ended well."""
        process.wait(timeout=120)
        said = self.said[process].read_text()
        assert process.returncode == 0, said
        return said

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a process, and whatever it started, in the middle of it."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def run(self, *arguments: object) -> str:
        return self.ended(self.start(*arguments))

    def task(self, *arguments: object) -> str:
        """Run a task of `tests.workflows.crashing`."""
        return self.run(*TASK, *arguments)

    def ring(self) -> subprocess.Popen[bytes]:
        """Tell Celery's workers to look, again and again."""
        return self.start(*TASK, "ring")

    def report(self) -> dict[str, Any]:
        """What became of it all."""
        found: dict[str, Any] = json.loads(self.task("report").splitlines()[-1])
        return found

    def wait_until_all_ended(self) -> None:
        self.wait_until(lambda: set(self.report()["statuses"]) == {"completed"})

    def wait_until(self, condition: Callable[[], bool], seconds: float = 120) -> None:
        give_up = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > give_up:
                told = "\n".join(path.read_text() for path in self.said.values())
                raise AssertionError(f"it never came to that:\n{told}")
            time.sleep(0.02)
