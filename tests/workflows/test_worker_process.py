"""The worker as a process: it stops when asked to, and comes back to a restarted database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def start(database: Path) -> subprocess.Popen[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": f"sqlite:///{database}",
        "PYTHONUNBUFFERED": "1",
    }
    return subprocess.Popen(
        [sys.executable, "manage.py", "worker"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def lines_until(process: subprocess.Popen[str], wanted: str, seconds: float = 60) -> str:
    assert process.stdout is not None
    seen, give_up = "", time.monotonic() + seconds
    for line in process.stdout:
        seen += line
        if wanted in line or time.monotonic() > give_up:
            break
    assert wanted in seen, seen
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_when_asked_to(tmp_path: Path, asked: signal.Signals) -> None:
    database = tmp_path / "worker.sqlite3"
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{database}"},
        check=True,
    )
    process = start(database)
    lines_until(process, "job=clear_expired_sessions")
    process.send_signal(asked)
    rest, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "worker stopped" in rest
    assert "Traceback" not in rest


@pytest.mark.slow
def test_it_refuses_a_database_without_tables_with_a_sentence(tmp_path: Path) -> None:
    process = start(tmp_path / "empty.sqlite3")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "migrate" in said
    assert "Traceback" not in said
