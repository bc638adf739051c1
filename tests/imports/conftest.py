"""Commands as processes of their own, which a test can kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from imports.models import Import
from organisations.models import Organisation
from tests.admin.conftest import owner, staff_of  # noqa: F401  # fixtures, of the wizard

ROOT = Path(__file__).resolve().parent.parent.parent


class House:
    """The commands as processes of their own, on a database that is not the tests'."""

    def __init__(self, url: str) -> None:
        self._environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url}

    def start(self, *arguments: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: Any) -> tuple[int, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        return process.returncode, out or err

    def run_killed(
        self, *arguments: Any, watched: Callable[[], object], kills: int = 3, further: float = 0.0
    ) -> tuple[int, int, str]:
        """A command that is killed and given again, to its end: its exit code, how often it was
        killed, and what it said.

        It is killed in the middle of a batch: when `watched` is no longer what it was when it
        began, and `further` seconds after that, each time so much more.
        """
        killed = 0
        while True:
            before = watched()
            process = self.start(*arguments)
            while process.poll() is None and (killed >= kills or watched() == before):
                time.sleep(0.01)
            if killed < kills:
                time.sleep(further * killed)
                process.send_signal(signal.SIGKILL)
            out, err = process.communicate()
            if process.returncode != -signal.SIGKILL:
                return process.returncode, killed, out or err
            killed += 1


def told_of(organisation: Organisation) -> tuple[Any, ...]:
    """What the only import of the organisation says of itself: its status, how many rows are done,
    and what became of them."""
    run = Import.objects.for_organisation(organisation).get()
    rows = (run.created_rows, run.updated_rows, run.unchanged_rows, run.failed_rows)
    return run.status, run.rows_done, rows


def rows_done(organisation: Organisation) -> int:
    """How far the import is; -1 before it has begun."""
    runs = Import.objects.for_organisation(organisation)
    return max(runs.values_list("rows_done", flat=True), default=-1)


@pytest.fixture
def house(tmp_path: Path, transactional_db: None) -> Iterator[House]:
    """On SQLite a file of its own, which this process then reads; on PostgreSQL the tests'."""
    if connection.vendor == "postgresql":
        given = connection.settings_dict
        login = f"{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}"
        yield House(f"postgres://{login}/{given['NAME']}")
        return
    path = tmp_path / "house.sqlite3"
    house = House(f"sqlite:///{path}")
    assert house.run("migrate", "-v0")[0] == 0
    before = connection.settings_dict["NAME"]
    # The tests' own is in memory and goes when its connection does.
    tests_own = connections["default"]
    connections["default"] = tests_own.copy()
    connections["default"].settings_dict = {**tests_own.settings_dict, "NAME": str(path)}
    try:
        yield house
    finally:
        connections["default"].close()
        connections["default"] = tests_own
        assert connection.settings_dict["NAME"] == before
