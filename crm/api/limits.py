"""How often a key may ask: so many requests in each second, minute, hour or day.

The processes of one machine count together in a small file that they all map into memory; machines
count together in Redis when `CACHE_URL` names one. A count costs a few microseconds in the file and
two round trips in Redis. Whatever fails here lets requests through: the limit protects the
service and must not take it down.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import mmap
import os
import stat
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.core.cache import cache
from rest_framework.exceptions import Throttled

if TYPE_CHECKING:
    from crm.api.views import ApiView
    from organisations.models import ApiKey

logger = logging.getLogger("crm.api")

PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Rate(NamedTuple):
    """`limit` requests in each `period` seconds."""

    limit: int
    period: int


@lru_cache(maxsize=8)
def parse_rate(text: str) -> Rate:
    """`100/s` → Rate(100, 1). The setting was checked at the start (crm.environment)."""
    limit, _slash, unit = text.partition("/")
    return Rate(int(limit), PERIODS[unit])


class Standing(NamedTuple):
    """Where somebody stands: `used` requests of `limit`, until `reset` seconds are over."""

    limit: int
    used: int
    reset: int

    def refuse_excess(self) -> None:
        """Raise Throttled past the limit."""
        if self.used > self.limit:
            raise Throttled(wait=self.reset)


def count(owner: int) -> Standing:
    """Count a request of `owner`: the id of an API key, or below zero that of whatever else has a
    door of its own."""
    rate = parse_rate(settings.API_RATE_LIMIT)
    now = time.time()
    used = _count(owner, rate, int(now // rate.period))
    return Standing(rate.limit, used, ceil(rate.period - now % rate.period))


def check(view: ApiView, key: ApiKey) -> None:
    """Count this request of `key` and tell the client where it stands; raises Throttled past the
    limit."""
    standing = count(key.pk)
    view.headers["RateLimit-Limit"] = str(standing.limit)
    view.headers["RateLimit-Remaining"] = str(max(0, standing.limit - standing.used))
    view.headers["RateLimit-Reset"] = str(standing.reset)
    standing.refuse_excess()


def _count(key_id: int, rate: Rate, window: int) -> int:
    if settings.CACHE_URL:
        counted = _shared.add(key_id, rate, window)
        if counted is not None:
            return counted
    return _machine().add(key_id, window)


class RedisCounter:
    """Counts of all machines, in the cache that `CACHE_URL` names. While that does not answer,
    each machine counts for itself."""

    RETRY_AFTER = 5.0

    def __init__(self) -> None:
        self._silent_until = 0.0

    def add(self, key_id: int, rate: Rate, window: int) -> int | None:
        """The number of requests of this key in this window, this one included; None when Redis
        does not answer."""
        if time.monotonic() < self._silent_until:
            return None
        name = f"api-rate:{key_id}:{rate.period}:{window}"
        try:
            try:
                return int(cache.incr(name))
            except ValueError:  # the first of this window
                if cache.add(name, 1, timeout=2 * rate.period):
                    return 1
                return int(cache.incr(name))
        except Exception as error:
            # Whatever it is (a client's own errors, a socket's), the request goes on.
            logger.warning("Redis does not count requests, so this machine does: %s", error)
            self._silent_until = time.monotonic() + self.RETRY_AFTER
            return None


class MachineCounter:
    """Counts of all processes of this machine: a hash table of (key, window, count) in a file.

    A slot is locked while it is read and written: by `fcntl` against other processes, which the
    system undoes when one dies, and by a mutex against threads, which share a process's locks.
    """

    SLOT = struct.Struct("=qqq")
    SLOTS = 16_384
    PROBES = 8

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        found = os.fstat(self._file)
        if found.st_uid != os.getuid() or not stat.S_ISREG(found.st_mode):
            os.close(self._file)
            raise PermissionError(f"{path} belongs to somebody else")
        size = self.SLOT.size * self.SLOTS
        if found.st_size < size:
            os.ftruncate(self._file, size)
        self._memory = mmap.mmap(self._file, size)
        self._mutex = threading.Lock()

    @contextmanager
    def _locked(self, place: int) -> Iterator[None]:
        length = self.SLOT.size * self.PROBES
        with self._mutex:
            fcntl.lockf(self._file, fcntl.LOCK_EX, length, place)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, length, place)

    def add(self, key_id: int, window: int) -> int:
        """The number of requests of this key in this window, this one included."""
        home = key_id % (self.SLOTS - self.PROBES) * self.SLOT.size
        with self._locked(home):
            free = home
            for probe in range(self.PROBES):
                place = home + probe * self.SLOT.size
                owner, counted, count = self.SLOT.unpack_from(self._memory, place)
                if owner == key_id:
                    count = count + 1 if counted == window else 1
                    self.SLOT.pack_into(self._memory, place, key_id, window, count)
                    return int(count)
                # Free: never used, or last used in a window that is over.
                if counted != window and free == home:
                    free = place
            self.SLOT.pack_into(self._memory, free, key_id, window, 1)
            return 1


def _directory() -> Path:
    """Where the file lives: ours alone, so that nobody can put another in its place."""
    given = settings.API_RATE_LIMIT_DIR
    path = Path(given) if given else Path(tempfile.gettempdir()) / f"regulars-{os.getuid()}"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(f"{path} is not a directory of ours alone")
    return path


@lru_cache(maxsize=1)
def _machine() -> MachineCounter:
    database = settings.DATABASES["default"]
    # Ids are a database's own: two installations on one machine count apart.
    whose = "|".join(str(database.get(part, "")) for part in ("HOST", "PORT", "NAME"))
    name = f"rate-{hashlib.sha256(whose.encode()).hexdigest()[:16]}"
    try:
        return MachineCounter(_directory() / name)
    except OSError as error:
        logger.warning("Requests are counted by each process alone: %s", error)
        path = Path(tempfile.mkdtemp()) / name
        counter = MachineCounter(path)
        path.unlink()
        path.parent.rmdir()
        return counter


_shared = RedisCounter()
