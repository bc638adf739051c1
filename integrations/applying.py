"""The worker's share: applying what came in, once, in whatever order it came.

A worker leases deliveries (`SKIP LOCKED` on PostgreSQL), reads each (which may ask the other
system) and applies several of a connection in one transaction that also marks them as applied: a
worker that dies in between costs nothing but the time of its lease. Where one of them cannot be
applied, those before it, it alone, and those after it are applied, each in a transaction.
"""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import F
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from crm import actors, causes
from crm.actors import Actor, Kind
from crm.errors import Conflict, in_words
from integrations import identity
from integrations.changes import Change, NotYet
from integrations.desk import Desk, write_traces
from integrations.memory import Memory, Refused
from integrations.models import Connection, Delivery
from integrations.secrets import Unreadable
from integrations.sources import SOURCES
from integrations.sources.base import Asleep, NotUnderstood, load
from workflows import alerts

log = structlog.get_logger(__name__)

BATCH = 200
"""Deliveries claimed at a time."""
TOGETHER = 50
"""As many are applied in one transaction: others wait for what it has locked, a tenth of a second
or two."""
TRIES = 3
"""As often a transaction is tried that meets another."""
LEASE = timedelta(minutes=5)
RESERVE = timedelta(minutes=1)
"""Nothing more is begun when so little of the lease is left."""
PAUSED = timedelta(days=1)
"""When deliveries of a paused connection are looked at again, unless it is resumed before."""
PAUSES = (5, 30, 300, 1800, 7200, 4 * 3600, 12 * 3600)
"""Seconds before each new attempt; after the last the delivery has failed."""
PATIENCE = timedelta(days=3)
"""How long a delivery waits for what it speaks of: vendors deliver late, by a day and more."""
ALERT_AFTER = 5
"""So many deliveries in a row that failed are told to staff."""

Status = Delivery.Status


def work(stopping: Callable[[], bool] = lambda: False) -> bool:
    """Apply what is due, a batch at most; whether there was anything."""
    deliveries = claim(BATCH)
    for some in _of_one_connection(deliveries):
        if stopping() or _is_over(some[0]):
            _give_back(deliveries)
            break
        apply_all(some)
    return bool(deliveries)


def claim(limit: int) -> list[Delivery]:
    """Lease the deliveries that are due longest. Three queries; one when there are none.

    What comes to a paused connection is put off until it is resumed.
    """
    now = timezone.now()
    due = Delivery.objects.across_organisations().claimable(now)
    if not due.exists():
        return []
    with transaction.atomic():
        rows = due.select_for_update(of=("self",), skip_locked=True)
        found = list(rows.order_by("due_at", "id")[:limit])
        connections = (
            Connection.objects.across_organisations()
            .select_related("organisation")
            .in_bulk({one.connection_id for one in found})
        )
        paused = {pk for pk, one in connections.items() if one.status == Connection.Status.PAUSED}
        if paused:
            _put_off([one for one in found if one.connection_id in paused], now + PAUSED)
        taken = [one for one in found if one.connection_id not in paused]
        lease, until = uuid.uuid4(), now + LEASE
        for delivery in taken:
            delivery.connection = connections[delivery.connection_id]
            delivery.lease, delivery.leased_until = lease, until
        Delivery.objects.across_organisations().filter(pk__in=[one.pk for one in taken]).update(
            lease=lease, leased_until=until
        )
    return taken


def _put_off(deliveries: Sequence[Delivery], until: datetime) -> None:
    """Have deliveries of paused connections wait, but for one that is resumed at this moment."""
    connections = Connection.objects.across_organisations().select_for_update(no_key=True)
    still = connections.filter(
        pk__in={one.connection_id for one in deliveries}, status=Connection.Status.PAUSED
    )
    paused = set(still.order_by("pk").values_list("pk", flat=True))
    waiting = [one.pk for one in deliveries if one.connection_id in paused]
    Delivery.objects.across_organisations().filter(pk__in=waiting).update(due_at=until)


def _of_one_connection(deliveries: Iterable[Delivery]) -> Iterator[list[Delivery]]:
    """The deliveries in their order, as many at a time as are applied together."""
    by_connection: defaultdict[int, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        by_connection[delivery.connection_id].append(delivery)
    for some in by_connection.values():
        for start in range(0, len(some), TOGETHER):
            yield some[start : start + TOGETHER]


def _is_over(delivery: Delivery) -> bool:
    """Whether the lease is as good as over: other systems may have answered slowly."""
    return delivery.leased_until is not None and timezone.now() > delivery.leased_until - RESERVE


def _give_back(deliveries: Sequence[Delivery]) -> None:
    rows = Delivery.objects.across_organisations().filter(
        pk__in=[one.pk for one in deliveries], lease=deliveries[0].lease, due_at__isnull=False
    )
    rows.update(lease=None, leased_until=None)


@dataclass(eq=False)
class Job:
    """Changes that are applied together or not at all, and the `delivery` that told them."""

    changes: Sequence[Change]
    delivery: Delivery | None = None

    @property
    def alone(self) -> bool:
        """Whether it shares its transaction with no other."""
        return any(change.alone for change in self.changes)

    @property
    def objects(self) -> set[tuple[str, str]]:
        return {one for change in self.changes for one in change.objects()}

    @property
    def hangs(self) -> bool:
        """Whether it hangs on something that it does not bring itself."""
        needed = {change.needs() for change in self.changes} - {None}
        return bool(needed - self.objects)

    def missing(self, memory: Memory, coming: set[tuple[str, str]]) -> NotYet | None:
        """What has to be there first and is neither known nor `coming` before it."""
        made = set(coming)
        for change in self.changes:
            needed = change.needs()
            if needed is not None and needed not in made and not memory.state(*needed).known:
                return NotYet(*needed)
            made.update(change.objects())
        return None


def apply_all(deliveries: Sequence[Delivery]) -> None:
    """Apply leased deliveries of one connection and store how it went. Raises what the database
    raises that is not there."""
    jobs = []
    for delivery in deliveries:
        try:
            jobs.append(Job(_read(delivery), delivery))
        except Exception as error:
            _put_aside(delivery, error)

    def failed(job: Job, error: Exception) -> None:
        assert job.delivery is not None
        _put_aside(job.delivery, error)

    _run(deliveries[0].connection, jobs, failed)


def _read(delivery: Delivery) -> list[Change]:
    kind = SOURCES[delivery.connection.source]
    if not delivery.body:
        raise NotUnderstood(_("The body was erased."))
    return list(kind.read(delivery.topic, load(delivery.body), delivery.connection))


def _run(
    connection: Connection,
    jobs: Iterable[Job],
    failed: Callable[[Job, Exception], None],
    *,
    history: bool = False,
) -> None:
    """Apply all jobs, as many together as can be; `failed` is called for those that cannot."""
    waiting = _groups(jobs)[::-1]
    while waiting:
        group = waiting.pop()
        try:
            late = _settle(connection, group, history)
        except Exception as error:
            culprit, reason = _blame(error)
            if len(group) == 1:
                failed(group[0], reason)
            elif culprit is None:
                waiting += [[job] for job in group[::-1]]
            else:
                at = group.index(culprit)
                waiting += [part for part in (group[at + 1 :], [culprit], group[:at]) if part]
        else:
            for job, not_yet in late:
                failed(job, not_yet)


def _groups(jobs: Iterable[Job]) -> list[list[Job]]:
    """The jobs in their order, as many together as may be."""
    groups: list[list[Job]] = []
    for job in jobs:
        last = groups[-1] if groups else []
        if not last or len(last) == TOGETHER or job.alone or last[-1].alone:
            groups.append([])
        groups[-1].append(job)
    return groups


@contextmanager
def _blaming(job: Job) -> Iterator[None]:
    """What goes wrong within is this job's fault, save what others write at the same moment."""
    try:
        yield
    except (Refused, IntegrityError, OperationalError):
        raise
    except Exception as error:
        raise _Stuck(job, error) from error


def _blame(error: Exception) -> tuple[Job | None, Exception]:
    """Whose fault it is that nothing was applied, where that is known, and what the fault is."""
    return (error.job, error.reason) if isinstance(error, _Stuck) else (None, error)


class _Stuck(Exception):
    """One of several jobs cannot be applied: what was done here is undone."""

    def __init__(self, job: Job, reason: Exception) -> None:
        super().__init__(str(reason))
        self.job, self.reason = job, reason


class _LeaseLost(Exception):
    """Another worker has a delivery by now: what was done here is undone."""


def _settle(connection: Connection, jobs: Sequence[Job], history: bool) -> list[tuple[Job, NotYet]]:
    """`_apply_together`, again where others wrote the same, or a deadlock was ended."""
    for _attempt in range(TRIES - 1):
        try:
            return _apply_together(connection, jobs, history)
        except (IntegrityError, OperationalError):
            continue
    return _apply_together(connection, jobs, history)


def _apply_together(
    connection: Connection, jobs: Sequence[Job], history: bool
) -> list[tuple[Job, NotYet]]:
    """Apply these jobs in one transaction; answers those that have to wait. Where one cannot be
    applied, none is.

    Some thirty queries, however many jobs, and those of services for each that changes a contact.
    """
    desks: dict[Desk, Job] = {}
    by = Actor(Kind.INTEGRATION, connection.pk, str(connection))
    with transaction.atomic(), causes.quiet(history), actors.acting(by):
        memory = Memory(connection, history=history)
        memory.learn([change for job in jobs for change in job.changes])
        waves, late = _ready(memory, jobs)
        try:
            while any(waves):
                for wave in waves:
                    _introduce(memory, wave)
                    for job in wave:
                        desk = Desk(memory, job.delivery)
                        desks[desk] = job
                        with _blaming(job):
                            _write(desk, job.changes)
                    memory.settle_activities()
                # What they wait for may have come with one of these.
                waves, late = _ready(memory, [job for job, _missing in late])
            memory.settle()
        except Refused as refused:
            raise _Stuck(desks[refused.desk], refused.error) from refused
        _store(list(desks), memory)
    return late


def _in_waves(jobs: Sequence[Job]) -> list[list[Job]]:
    """The jobs, so that each wave has one for an object at most, and later news in a later one.

    Which of different objects comes first does not matter, so those come first that others may
    hang on.
    """
    waves: list[list[Job]] = []
    reached: dict[tuple[str, str], int] = {}
    for job in jobs:
        objects = job.objects
        number = max((reached.get(one, 0) for one in objects), default=0)
        reached |= dict.fromkeys(objects, number + 1)
        if number == len(waves):
            waves.append([])
        waves[number].append(job)
    return [sorted(wave, key=lambda job: job.hangs) for wave in waves]


def _ready(memory: Memory, jobs: Sequence[Job]) -> tuple[list[list[Job]], list[tuple[Job, NotYet]]]:
    """The jobs that can be applied, in waves; and those that hang on what has not come."""
    late: list[tuple[Job, NotYet]] = []
    coming: set[tuple[str, str]] = set()
    ready: list[list[Job]] = []
    for wave in _in_waves(jobs):
        ready.append([])
        for job in wave:
            missing = job.missing(memory, coming)
            if missing is not None:
                late.append((job, missing))
            else:
                ready[-1].append(job)
                coming |= job.objects
    return ready, late


def _introduce(memory: Memory, jobs: Sequence[Job]) -> None:
    """Create the contacts that these jobs would create, together."""
    identity.introduce(
        memory,
        [
            person
            for job in jobs
            for change in job.changes
            if change.always or memory.connection.status != Connection.Status.DISABLED
            for person in change.newcomers(memory)
        ],
    )


def _write(desk: Desk, changes: Sequence[Change]) -> None:
    """Apply the changes of one job."""
    for change in changes:
        if desk.connection.status == Connection.Status.DISABLED and not change.always:
            desk.note(_("The connection is switched off."))
            continue
        with desk.memory.aside(change.alone):
            change.apply(desk)


def _store(desks: Sequence[Desk], memory: Memory) -> None:
    """In the transaction of what was applied: once."""
    wake(memory.connection, [name for desk in desks for name in desk.came])
    told = [desk for desk in desks if desk.delivery is not None]
    write_traces(told)
    alike: defaultdict[tuple[Any, ...], list[Delivery]] = defaultdict(list)
    for desk in told:
        assert desk.delivery is not None
        if desk.unfinished:
            _go_on(desk.delivery, desk.notes)
            continue
        became = Status.APPLIED if desk.did_anything else Status.IGNORED
        alike[became, *desk.notes].append(desk.delivery)
    for (status, *notes), deliveries in alike.items():
        changed = _finish(
            deliveries,
            status=status,
            notes=notes,
            error="",
            due_at=None,
            waits_for=None,
            applied_at=timezone.now(),
        )
        if changed != len(deliveries):
            raise _LeaseLost


def _go_on(delivery: Delivery, notes: Sequence[str]) -> None:
    """In the transaction of a part of what a delivery asks for: the next one is due at once."""
    mine = _finish(
        [delivery],
        status=Status.RECEIVED,
        notes=notes,
        error="",
        due_at=timezone.now(),
        waits_for=None,
        attempts=0,
    )
    if not mine:
        raise _LeaseLost


def wake(connection: Connection, came: Collection[str]) -> None:
    """Let the deliveries go on that waited for what is here now."""
    if came:
        waiting = Delivery.objects.for_organisation(connection.organisation_id).filter(
            connection=connection, waits_for__in=set(came)
        )
        waiting.update(due_at=timezone.now(), waits_for=None)


def write_page(connection: Connection, changes: Sequence[Change], *, history: bool) -> list[str]:
    """Apply what was fetched, each change by itself; answers what could not be written, and why.

    What hangs on something that has not come is left out: a fetch brings it later, or never.
    """
    problems = []

    def failed(job: Job, error: Exception) -> None:
        if isinstance(error, NotYet):
            problems.append(_("waits for %(object)s") % {"object": error.object})
        elif isinstance(error, ValidationError | Conflict):
            problems.append(in_words(error))
        elif isinstance(error, DataError | OverflowError):  # what no column holds
            problems.append(str(error))
        else:
            raise error

    _run(connection, [Job([change]) for change in changes], failed, history=history)
    return problems


# What cannot be applied, now or ever


def _put_aside(delivery: Delivery, error: Exception) -> None:
    """Store why a leased delivery was not applied, and when it is tried again, if it is."""
    if isinstance(error, _LeaseLost):
        log.info("delivery taken over", delivery=delivery.pk)
    elif isinstance(error, NotYet):
        _wait(delivery, error)
    elif isinstance(error, Asleep):
        _retry(delivery, str(error), error.after)
    elif isinstance(error, ValidationError | Conflict):
        _fail(delivery, in_words(error))
    elif isinstance(error, NotUnderstood | Unreadable):
        _fail(delivery, str(error))
    elif isinstance(error, IntegrityError | OperationalError):
        # Somebody else goes on writing the same.
        _retry(delivery, type(error).__name__, timedelta(seconds=random.uniform(0.1, 2)))  # noqa: S311 - not a secret
    elif isinstance(error, InterfaceError):
        raise error
    else:
        log.error("delivery failed", delivery=delivery.pk, exc_info=error)
        _retry(delivery, f"{type(error).__name__}: {error}")


def _finish(deliveries: Sequence[Delivery], **values: object) -> int:
    """Let leased deliveries go; how many of them still were ours."""
    first = deliveries[0]
    rows = Delivery.objects.for_organisation(first.organisation_id)
    mine = rows.filter(pk__in=[one.pk for one in deliveries], lease=first.lease)
    counted = {"attempts": F("attempts") + 1, **values}
    return mine.update(**counted, lease=None, leased_until=None)


def _wait(delivery: Delivery, waits: NotYet) -> None:
    late = timezone.now() - delivery.received_at > PATIENCE
    if late:
        _fail(delivery, _("%(object)s never came.") % {"object": waits.object})
        return
    # Looked at again now and then too: what it waits for may have come at this very moment.
    _finish(
        [delivery],
        status=Status.WAITING,
        waits_for=waits.object,
        notes=[_("Waits for %(object)s.") % {"object": waits.object}],
        due_at=_pause(delivery),
    )


def _retry(delivery: Delivery, reason: str, after: timedelta | None = None) -> None:
    if delivery.attempts >= len(PAUSES):
        _fail(delivery, reason)
        return
    due_at = timezone.now() + after if after is not None else _pause(delivery)
    _finish([delivery], status=Status.WAITING, error=reason[:2000], due_at=due_at)


def _pause(delivery: Delivery) -> datetime:
    seconds = PAUSES[min(delivery.attempts, len(PAUSES) - 1)]
    return timezone.now() + timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311 - not a secret


def _fail(delivery: Delivery, reason: str) -> None:
    _finish([delivery], status=Status.FAILED, error=reason[:2000], due_at=None, waits_for=None)
    _tell_staff(delivery, reason)


def _tell_staff(delivery: Delivery, reason: str) -> None:
    """Tell of failures in a row, once: when the fifth has come."""
    rows = Delivery.objects.for_organisation(delivery.organisation_id)
    # Those that came no later: behind them a backlog may lie, of any length.
    settled = rows.filter(
        connection=delivery.connection_id, due_at=None, received_at__lte=delivery.received_at
    ).exclude(status=Status.REFUSED)
    statuses = list(settled.values_list("status", flat=True)[: ALERT_AFTER + 1])
    failed = [status == Status.FAILED for status in statuses]
    if len(failed) >= ALERT_AFTER and all(failed[:ALERT_AFTER]) and failed[ALERT_AFTER:] != [True]:
        alerts.tell(
            organisation=delivery.organisation_id,
            text=_("%(connection)s: %(count)d deliveries in a row failed. The last: %(reason)s")
            % {"connection": delivery.connection, "count": ALERT_AFTER, "reason": reason},
            link=reverse("admin:integrations_connection_change", args=[delivery.connection_id]),
        )
