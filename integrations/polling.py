"""Asking other systems: what webhooks missed, and what happened before we were connected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from integrations import applying
from integrations.models import Connection
from integrations.secrets import Unreadable
from integrations.sources import SOURCES
from integrations.sources.base import Asleep, NotUnderstood

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=15)
"""How long a poll is left to its worker: it is moved on with every page."""
BACK_OFF = timedelta(minutes=5)

SYNC = "sync"
POLL = "poll"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fetch has come. `problems` are this page's rows that could not be written."""

    seen: int
    total: int | None
    problems: list[str]


def sync(connection: Connection, since: datetime) -> Iterator[Progress]:
    """Fetch all since then as history: it counts, and starts no workflow and no webhook.

    After each page its place is stored: a sync from the same time that was cut off goes on there.
    Raises Asleep, NotUnderstood.
    """
    kind = SOURCES[connection.source]
    kept = connection.cursor.get(SYNC) or {}
    same = kept.get("since") == since.isoformat()
    cursor = kept.get("cursor", {}) if same else {}
    for page in kind.fetch(connection, since, cursor):
        problems = applying.write_page(connection, page.changes, history=True)
        _remember(connection, SYNC, {"since": since.isoformat(), "cursor": dict(page.cursor)})
        yield Progress(page.seen, page.total, problems)
    _remember(connection, SYNC, None)


def poll(connection: Connection) -> int:
    """Fetch what changed since the last time, a little before it; how many pages there were.

    What is found starts workflows, as a webhook would have. Raises Asleep, NotUnderstood.
    """
    kind = SOURCES[connection.source]
    kept = connection.cursor.get(POLL) or {}
    began = timezone.now()
    known = parse_datetime(kept.get("since", "")) if kept.get("since") else None
    since = (known or connection.created_at) - kind.overlap
    pages = 0
    for page in kind.fetch(connection, since, kept.get("cursor") or {}):
        applying.write_page(connection, page.changes, history=False)
        pages += 1
        place = {"since": kept.get("since"), "cursor": dict(page.cursor)}
        _remember(connection, POLL, place, poll_due_at=timezone.now() + LEASE)
    _remember(connection, POLL, {"since": began.isoformat(), "cursor": {}})
    return pages


def _remember(connection: Connection, name: str, place: object, **columns: object) -> None:
    with transaction.atomic():
        rows = Connection.objects.for_organisation(connection.organisation_id)
        current = rows.select_for_update(no_key=True).only("cursor").get(pk=connection.pk)
        cursor = {**current.cursor, name: place}
        if place is None:
            del cursor[name]
        rows.filter(pk=connection.pk).update(cursor=cursor, **columns)
    connection.cursor = cursor


def work(stopping: Callable[[], bool] = lambda: False) -> bool:
    """Ask one connection that is due; whether there was any."""
    now = timezone.now()
    rows = Connection.objects.across_organisations()
    due = rows.filter(poll_due_at__lte=now, status=Connection.Status.ACTIVE)
    connection = due.select_related("organisation").order_by("poll_due_at").first()
    if connection is None or stopping():
        return False
    claimed = due.filter(pk=connection.pk, poll_due_at=connection.poll_due_at)
    if not claimed.update(poll_due_at=now + LEASE):
        return True
    every = SOURCES[connection.source].poll_every or timedelta(hours=1)
    error = ""
    try:
        poll(connection)
    except Asleep as asleep:
        error, every = str(asleep), max(asleep.after or BACK_OFF, timedelta(seconds=1))
    except (NotUnderstood, Unreadable) as wrong:
        error = str(wrong)
    except Exception as wrong:
        log.exception("poll failed", connection=connection.pk)
        error = f"{type(wrong).__name__}: {wrong}"
    rows.filter(pk=connection.pk).update(
        poll_due_at=timezone.now() + every, polled_at=timezone.now(), poll_error=error[:2000]
    )
    return True
