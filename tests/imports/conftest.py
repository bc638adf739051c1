"""Commands as processes of their own, which a test can kill."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

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
