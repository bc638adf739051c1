"""Fixtures of the tests of workflows between processes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

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


@pytest.fixture
def calls(other_side: HTTPServer) -> Counter[str]:
    """How often each call of `/hook` arrived, by its key. It takes a moment, to be killed in."""
    keys: Counter[str] = Counter()

    def take(request: Request) -> Response:
        keys[request.headers["webhook-id"]] += 1
        time.sleep(0.05)
        return Response("", 200)

    other_side.expect_request("/hook").respond_with_handler(take)
    return keys
