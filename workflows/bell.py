"""Telling Celery's workers, after a commit, that there is something to do.

A thread of its own does it, so nobody who writes waits for a broker; and once for all that happened
while it was at it. Without `CELERY_BROKER_URL` there is nobody to tell.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import transaction

log = structlog.get_logger(__name__)

REST = 0.05
"""Seconds between two messages of a process."""
BACK_OFF = 5.0
"""Seconds until a broker that did not answer is tried again. The beat rings meanwhile."""


def ring_after_commit() -> None:
    """Have the workers look once the transaction is committed. No query."""
    if settings.CELERY_BROKER_URL:
        transaction.on_commit(_bell.ring, robust=True)


def _tell_workers() -> None:
    from workflows import tasks

    tasks.work.apply_async(retry=False)


class Bell:
    """`ring` returns at once; a thread calls `tell`, once for all rings since the last time."""

    def __init__(
        self, tell: Callable[[], None], rest: float = REST, back_off: float = BACK_OFF
    ) -> None:
        self._tell, self._rest, self._back_off = tell, rest, back_off
        self._rung = threading.Event()
        self._lock = threading.Lock()
        self._process = 0

    def ring(self) -> None:
        self._rung.set()
        if self._process == os.getpid():
            return
        with self._lock:
            if self._process != os.getpid():  # a fork has no threads
                threading.Thread(target=self._serve, name="bell", daemon=True).start()
                self._process = os.getpid()

    def _serve(self) -> None:
        while self._rung.wait():
            self._rung.clear()
            try:
                self._tell()
                time.sleep(self._rest)
            except Exception as error:  # whatever it is: the beat rings too
                log.warning("broker does not answer", error=str(error), seconds=self._back_off)
                time.sleep(self._back_off)


_bell = Bell(_tell_workers)
