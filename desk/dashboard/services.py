"""Keeping the dashboard's figures: when they are computed, by whom, and how old they may be.

Figures that are quick to compute are computed while the page is made, and not kept. Others are
shown as they were last found, with the time of that, and a worker is asked for newer ones, which
the page fetches when they are there: nothing is computed that nobody looks at.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from django.db import connections
from django.db.models import Q
from django.utils import timezone

from desk.dashboard import figures, periods
from desk.dashboard.models import DashboardSnapshot
from organisations.models import Organisation
from organisations.querysets import TenantQuerySet
from workflows.worker import DATABASE_AWAY

log = structlog.get_logger(__name__)

STANDING = "standing"
"""The snapshot of what has no period."""
FRESH = timedelta(minutes=1)
"""How old kept figures get, at least, before new ones are wanted. What takes long gets older, so
that nobody's looking takes more than a thirtieth of a processor."""
REST = 30
LEASE = timedelta(minutes=10)
"""How long a snapshot is left to whoever computes it."""
PATIENCE = timedelta(seconds=20)
"""After so long without a worker, whoever waits has it computed."""
KEPT = timedelta(days=7)
"""How long the figures of periods that nobody looks at are kept."""


def look(organisation: Organisation, keys: Sequence[str]) -> Mapping[str, DashboardSnapshot]:
    """The figures of these periods, as new as they are to be had at once.

    One query where they are kept and fresh. `figures` is None where nothing is known yet, and
    `due_at` set where something newer is on its way.
    """
    kept = {
        row.period: row for row in _rows().for_organisation(organisation).filter(period__in=keys)
    }
    now = timezone.now()
    return {key: _newest(organisation, key, kept.get(key), now) for key in keys}


def _newest(
    organisation: Organisation, key: str, row: DashboardSnapshot | None, now: datetime
) -> DashboardSnapshot:
    if row is None:
        period = None if key == STANDING else periods.of_key(key, _today(organisation, now))
        if figures.is_quick(organisation, period, now):
            return find(DashboardSnapshot(organisation=organisation, period=key))
        row, _created = _rows().get_or_create(organisation=organisation, period=key)
        return _ask(row, now)
    fresh_for = max(FRESH, timedelta(seconds=REST * row.seconds))
    if row.computed_at is None or now - row.computed_at > fresh_for:
        return _ask(row, now)
    return row


def _ask(row: DashboardSnapshot, now: datetime) -> DashboardSnapshot:
    """Have a worker compute it."""
    if row.due_at is None:
        _of(row).filter(due_at=None).update(due_at=now)
        row.due_at = now
    return row


def find(row: DashboardSnapshot) -> DashboardSnapshot:
    """Fill in the figures, as they are now. At a million contacts some seconds."""
    organisation, now, begun = row.organisation, timezone.now(), time.perf_counter()
    if row.period == STANDING:
        row.figures = figures.standing(organisation)
    else:
        period = periods.of_key(row.period, _today(organisation, now))
        row.figures = figures.of_period(organisation, period, now)
    row.computed_at, row.seconds = now, round(time.perf_counter() - begun, 3)
    return row


def compute(row: DashboardSnapshot) -> None:
    """Find the figures and keep them."""
    find(row)
    _of(row).update(
        figures=row.figures,
        computed_at=row.computed_at,
        seconds=row.seconds,
        due_at=None,
        leased_until=None,
    )


def is_neglected(row: DashboardSnapshot) -> bool:
    """Whether it has been wanted for long and nobody has begun: no worker runs."""
    return (
        row.due_at is not None
        and row.leased_until is None
        and timezone.now() - row.due_at > PATIENCE
    )


def compute_due(stopping: Callable[[], bool] = lambda: False) -> int:
    """Compute what is wanted, one after the other; answers how many that were."""
    count = 0
    while not stopping():
        row = _wanted(timezone.now()).select_related("organisation").order_by("due_at").first()
        if row is None:
            break
        if take(row):
            compute(row)
            count += 1
    return count


def take(row: DashboardSnapshot) -> bool:
    """Lease it; false when somebody else was quicker."""
    now = timezone.now()
    return bool(_of(row).filter(_unleased(now)).update(leased_until=now + LEASE))


def prune() -> int:
    """Forget periods that nobody has looked at for long; answers how many."""
    until = timezone.now() - KEPT
    old = Q(computed_at__lt=until) | Q(computed_at=None, due_at__lt=until)
    return _rows().filter(old).delete()[0]


def _today(organisation: Organisation, now: datetime) -> date:
    return now.astimezone(ZoneInfo(organisation.timezone)).date()


def _rows() -> TenantQuerySet[DashboardSnapshot]:
    return DashboardSnapshot.objects.across_organisations()


def _of(row: DashboardSnapshot) -> TenantQuerySet[DashboardSnapshot]:
    return _rows().filter(pk=row.pk)


def _unleased(now: datetime) -> Q:
    return Q(leased_until=None) | Q(leased_until__lte=now)


def _wanted(now: datetime) -> TenantQuerySet[DashboardSnapshot]:
    return _rows().filter(_unleased(now), due_at__lte=now)


class Background:
    """Computes in a thread of its own, so that workflows do not wait for it."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def work(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Have it run while something is wanted. One query; answers False, as there is nothing to
        do for the caller."""
        running = self._thread is not None and self._thread.is_alive()
        if not running and _wanted(timezone.now()).exists():
            self._thread = threading.Thread(target=self._run, args=[stopping], name="dashboard")
            self._thread.start()
        return False

    def finish(self) -> None:
        """Wait for what is being computed."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, stopping: Callable[[], bool]) -> None:
        try:
            compute_due(stopping)
        except DATABASE_AWAY as error:
            log.warning("database does not answer", error=str(error).strip())
        except Exception:
            log.exception("dashboard could not be computed")
        finally:
            connections.close_all()


background = Background()
