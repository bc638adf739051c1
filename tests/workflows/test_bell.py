"""Telling Celery's workers that there is something to do: soon, not more often than needed, and
without anybody having to wait for a broker."""

from __future__ import annotations

import re
import socket
import time
from itertools import product
from queue import Queue
from threading import Event
from typing import Any

import pytest

from tests.workflows.processes import Processes
from tests.workflows.running import PURCHASE, add_tag, contact, happens, made
from workflows import bell, worker
from workflows.bell import Bell


class Heard:
    """What workers are told; each telling takes until it is let go on."""

    def __init__(self) -> None:
        self.begun: Queue[int] = Queue()
        self.go_on = Event()
        self.count = 0

    def tell(self) -> None:
        self.count += 1
        self.begun.put(self.count)
        assert self.go_on.wait(10)
        if self.count == 1:
            raise ConnectionError("no broker")


def test_many_rings_while_one_is_told_are_told_once_more() -> None:
    heard = Heard()
    told = Bell(heard.tell, rest=0, back_off=0)
    told.ring()
    assert heard.begun.get(timeout=10) == 1
    for _time in range(100):
        told.ring()
    assert heard.count == 1  # and nobody waited for it
    heard.go_on.set()  # it fails: the next is told all the same
    assert heard.begun.get(timeout=10) == 2
    told.ring()
    assert heard.begun.get(timeout=10) == 3


def test_after_a_failure_it_is_quiet_for_a_while() -> None:
    tried: Queue[float] = Queue()

    def tell() -> None:
        tried.put(time.monotonic())
        raise ConnectionError("no broker")

    told = Bell(tell, rest=0, back_off=0.2)
    told.ring()
    first = tried.get(timeout=10)
    told.ring()
    assert tried.get(timeout=10) - first >= 0.2


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []
    monkeypatch.setattr(bell._bell, "ring", lambda: found.append(1))
    return found


@pytest.mark.django_db
def test_it_rings_after_the_commit_and_only_when_there_is_something_to_do(
    api: Any, settings: Any, rings: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    settings.CELERY_BROKER_URL = "amqp://broker"
    jane = contact(api)
    with django_capture_on_commit_callbacks(execute=True):
        happens(api, jane)
    assert rings == []
    made(api, PURCHASE, add_tag("x"))
    with django_capture_on_commit_callbacks(execute=True):
        happens(api, jane)
        assert rings == []
    assert rings == [1]
    pk = made(api, {"type": "manual"}, add_tag("x"))
    with django_capture_on_commit_callbacks(execute=True):
        api.post(f"/workflows/{pk}/runs", {"contact": jane})
    assert rings == [1, 1]


@pytest.mark.django_db
def test_without_a_broker_nobody_is_told(
    api: Any, rings: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    made(api, PURCHASE, add_tag("x"))
    with django_capture_on_commit_callbacks(execute=True):
        happens(api, contact(api))
    assert rings == []


@pytest.mark.django_db
def test_a_task_works_until_nothing_is_left_or_its_time_is_over(api: Any) -> None:
    made(api, PURCHASE, add_tag("x"))
    happens(api, contact(api))
    assert not worker.work_for(-1)
    assert worker.work_for(60)


@pytest.mark.slow
def test_a_broker_that_is_away_or_silent_costs_those_who_write_nothing(
    processes: Processes,
) -> None:
    def said(process: Any) -> str:
        return processes.said[process].read_text()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        ringing = []
        for scheme, port in product(("amqp", "redis"), (1, silent.getsockname()[1])):
            processes.environment["CELERY_BROKER_URL"] = f"{scheme}://127.0.0.1:{port}"
            ringing.append(processes.ring())
        for process in ringing:
            processes.wait_until(
                lambda process=process: "broker does not answer" in said(process),  # type: ignore[misc]
                seconds=60,
            )
    for process in ringing:
        times = [float(took) for took in re.findall(r"rang in (\S+) s", said(process))]
        assert times
        assert max(times) < 2  # while each try to reach the broker takes 4 and more
