"""Reading lists and exports from a replica of PostgreSQL (`READ_REPLICA_URL`), never out of date.

A replica is read only once it has replayed all that the primary had committed when the reading
began. So whoever lists what they just wrote finds it, whichever process wrote it, and without
pinning anybody to the primary for a while. When the replica lags or is away the primary is read.
It costs a round trip to each, a fraction of a list.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.models import Model

log = structlog.get_logger(__name__)

REPLICA = "replica"
PATIENCE = 0.02
"""Seconds to wait for a replica that is behind: a healthy one is a few milliseconds away."""
AVOIDED = 5.0
"""Seconds for which one that does not answer is not asked again by this process."""

Answer = TypeVar("Answer")
Chunk = TypeVar("Chunk")

_alias: ContextVar[str | None] = ContextVar("alias", default=None)


class _Avoided:
    """What this process knows of a replica that does not answer."""

    until = 0.0


class Router:
    """Django's database router: what `reading` says for reads, the primary for all else."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        return _alias.get()

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        # Also for a row that was read from the replica.
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == DEFAULT_DB_ALIAS


def read(work: Callable[[], Answer]) -> Answer:
    """What `work` answers, which only reads: from the replica where it can be. It is called again,
    on the primary, when the replica breaks off."""
    if not _is_fresh():
        return work()
    try:
        with _reading(REPLICA):
            return work()
    except OperationalError as error:
        _avoid(error)
        return work()


def read_chunks(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The same for a long reading that is done a chunk at a time. All of it comes from where its
    first chunk came from, as the replica only gets newer."""
    alias = REPLICA if _is_fresh() else DEFAULT_DB_ALIAS
    while True:
        with _reading(alias):
            try:
                chunk = next(chunks)
            except StopIteration:
                return
        yield chunk


@contextmanager
def _reading(alias: str) -> Iterator[None]:
    token = _alias.set(alias)
    try:
        yield
    finally:
        _alias.reset(token)


def _is_fresh() -> bool:
    """Whether there is a replica that has all that was committed until now."""
    if REPLICA not in settings.DATABASES or time.monotonic() < _Avoided.until:
        return False
    primary = connections[DEFAULT_DB_ALIAS]
    if primary.in_atomic_block:  # what it wrote is not committed, so no replica has it
        return False
    with primary.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_flush_lsn()")
        (committed,) = cursor.fetchone()
    deadline = time.monotonic() + PATIENCE
    try:
        with connections[REPLICA].cursor() as cursor:
            while True:
                cursor.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [committed])
                if cursor.fetchone() == (True,):
                    return True
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.002)
    except OperationalError as error:
        _avoid(error)
        return False


def _avoid(error: OperationalError) -> None:
    _Avoided.until = time.monotonic() + AVOIDED
    log.warning("replica does not answer", error=str(error).strip())
