"""Fixtures of the tests of workflows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.workflows.processes import Processes


@pytest.fixture
def processes(transactional_db: None, tmp_path: Path) -> Iterator[Processes]:
    started = Processes(tmp_path)
    yield started
    for process in started.said:
        if process.poll() is None:
            started.kill(process)


@pytest.fixture
def other_side() -> Iterator[HTTPServer]:
    """What a step calls; it answers several at a time."""
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server
