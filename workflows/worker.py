"""The worker: a process that does what is due, until it is told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connections

from workflows import engine, schedule

log = structlog.get_logger(__name__)

LONGEST_SLEEP = 30.0
"""Seconds between two looks at the database when nothing is due."""

LOOK_EVERY = 1.0
"""Seconds between two looks at what happened: so soon are segments right, and workflows begin."""

SHORTEST_BACK_OFF, LONGEST_BACK_OFF = 0.5, 30.0
"""Seconds between two tries to reach a database that does not answer: twice as long each time."""

DATABASE_AWAY = (OperationalError, InterfaceError)
"""What the database raises that does not answer."""

Share = Callable[..., object]

_shares: list[Share] = [engine.work]
_endings: list[Callable[[], None]] = []


def also(share: Share, *, finish: Callable[[], None] | None = None) -> None:
    """Have workers do this too: called with `stopping`, it does some of what is due and answers
    how much, or whether there was any. For apps above this one, from their `ready`.

    `finish` waits for what the share does in threads of its own.
    """
    if share not in _shares:
        _shares.append(share)
        if finish is not None:
            _endings.append(finish)


def look(stopping: Callable[[], bool]) -> bool:
    """Do some of what is due, of every share; whether there was any."""
    done = [share(stopping=stopping) for share in _shares]
    return any(done)


def finish() -> None:
    """Wait for what shares do in threads of their own."""
    for ending in _endings:
        ending()


def work(stop: threading.Event) -> None:
    """Do what is due, sleep until something is, again and again, until `stop` is set.

    What runs when `stop` is set is finished first. A database that goes away is waited for.
    """
    log.info("worker started", jobs=sorted(schedule.JOBS))
    back_off = SHORTEST_BACK_OFF
    while not stop.is_set():
        try:
            close_old_connections()
            schedule.run_due(stop.is_set)
            busy = look(stop.is_set)
            pause = 0.0 if busy else min(schedule.seconds_until_due(LONGEST_SLEEP), LOOK_EVERY)
            if back_off > SHORTEST_BACK_OFF:
                log.info("database answers again")
            back_off = SHORTEST_BACK_OFF
        except DATABASE_AWAY as error:
            log.warning("database does not answer", error=str(error).strip(), seconds=back_off)
            connections.close_all()
            pause, back_off = back_off, min(back_off * 2, LONGEST_BACK_OFF)
        stop.wait(pause)
    finish()
    log.info("worker stopped")


def work_for(seconds: float) -> bool:
    """Do what is due, for so long at most (and the step at hand); whether nothing is left.

    Raises what the database raises.
    """
    end = time.monotonic() + seconds

    def stopping() -> bool:
        return time.monotonic() > end

    while not stopping():
        if not look(stopping):
            return True
    return False
