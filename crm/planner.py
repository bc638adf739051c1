"""Which ways of reading a table PostgreSQL's planner is to leave out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction

_WAYS_TO_SCAN = (
    "SELECT set_config('enable_seqscan', %s, true), set_config('enable_indexscan', %s, true)"
)


@contextmanager
def by_index(connection: Any, *, bitmaps_only: bool = False) -> Iterator[None]:
    """Has PostgreSQL read no whole table. It takes that for cheaper than looking up rows, on disks
    as they were when its costs were set."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(_WAYS_TO_SCAN, ["off", "off" if bitmaps_only else "on"])
        yield
        cursor.execute(_WAYS_TO_SCAN, ["on", "on"])
