"""The worker's share: applying what came in, once, in whatever order it came.

A worker leases deliveries (`SKIP LOCKED` on PostgreSQL), reads each (which may ask the other
system) and applies it in one transaction that also marks it as applied: a worker that dies in
between costs nothing but the time of its lease.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, OperationalError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from crm import actors, causes
from crm.actors import Actor, Kind
from crm.errors import Conflict, in_words
from integrations.changes import Change, NotYet
from integrations.desk import Desk
from integrations.models import Connection, Delivery
from integrations.secrets import Unreadable
from integrations.sources import SOURCES
from integrations.sources.base import Asleep, NotUnderstood, parse
from workflows import alerts

log = structlog.get_logger(__name__)

BATCH = 50
LEASE = timedelta(minutes=5)
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
    for delivery in deliveries:
        if stopping():
            _give_back(deliveries)
            break
        apply(delivery)
    return bool(deliveries)


def claim(limit: int) -> list[Delivery]:
    """Lease the deliveries that are due longest. Three queries; one when there are none."""
    now = timezone.now()
    due = Delivery.objects.across_organisations().claimable(now)
    if not due.exists():
        return []
    with transaction.atomic():
        rows = due.select_for_update(of=("self",), skip_locked=True)
        found = list(rows.order_by("due_at", "id")[:limit])
        lease, until = uuid.uuid4(), now + LEASE
        for delivery in found:
            delivery.lease, delivery.leased_until = lease, until
        Delivery.objects.across_organisations().filter(pk__in=[one.pk for one in found]).update(
            lease=lease, leased_until=until
        )
    connections = (
        Connection.objects.across_organisations()
        .select_related("organisation")
        .in_bulk({one.connection_id for one in found})
    )
    for delivery in found:
        delivery.connection = connections[delivery.connection_id]
    return found


def _give_back(deliveries: Sequence[Delivery]) -> None:
    rows = Delivery.objects.across_organisations().filter(
        pk__in=[one.pk for one in deliveries], lease=deliveries[0].lease, due_at__isnull=False
    )
    rows.update(lease=None, leased_until=None)


def apply(delivery: Delivery) -> None:
    """Apply a leased delivery and store how it went. Never raises but for the database's death."""
    connection = delivery.connection
    try:
        changes = _read(delivery)
        with transaction.atomic():
            desk = Desk(connection, delivery)
            _write(desk, changes)
            _store(delivery, desk)
    except _LeaseLost:
        log.info("delivery taken over", delivery=delivery.pk)
    except NotYet as waits:
        _wait(delivery, waits)
    except Asleep as asleep:
        _retry(delivery, str(asleep), asleep.after)
    except (NotUnderstood, ValidationError, Conflict, Unreadable) as error:
        text = in_words(error) if isinstance(error, ValidationError | Conflict) else str(error)
        _fail(delivery, text)
    except (IntegrityError, OperationalError) as error:
        # Somebody else wrote the same at this moment, or a deadlock was ended.
        _retry(delivery, type(error).__name__, timedelta(seconds=random.uniform(0.1, 2)))  # noqa: S311 - not a secret
    except DatabaseError:
        raise
    except Exception as error:
        log.exception("delivery failed", delivery=delivery.pk)
        _retry(delivery, f"{type(error).__name__}: {error}")


def _read(delivery: Delivery) -> list[Change]:
    kind = SOURCES[delivery.connection.source]
    if not delivery.body:
        raise NotUnderstood(_("The body was erased."))
    return list(kind.read(delivery.topic, parse(delivery.body), delivery.connection))


def _write(desk: Desk, changes: Sequence[Change]) -> None:
    by = Actor(Kind.INTEGRATION, desk.connection.pk, str(desk.connection))
    with causes.quiet(desk.history), actors.acting(by):
        for change in changes:
            if desk.connection.status == Connection.Status.DISABLED and not change.always:
                desk.note(_("The connection is switched off."))
                continue
            change.apply(desk)


def write_page(connection: Connection, changes: Sequence[Change], *, history: bool) -> list[str]:
    """Apply what was fetched, each change by itself; answers what could not be written, and why.

    What hangs on something that has not come is left out: a fetch brings it later, or never.
    """
    problems = []
    for change in changes:
        for attempt in range(3):
            try:
                with transaction.atomic():
                    desk = Desk(connection, history=history)
                    _write(desk, [change])
                    wake(desk)
            except (IntegrityError, OperationalError):
                if attempt == 2:
                    raise
                continue
            except NotYet as waits:
                problems.append(_("waits for %(object)s") % {"object": waits.object})
            except (ValidationError, Conflict) as error:
                problems.append(in_words(error))
            break
    return problems


def _store(delivery: Delivery, desk: Desk) -> None:
    """In the transaction of what was applied: once."""
    desk.write_traces()
    wake(desk)
    changed = _finish(
        delivery,
        status=Status.APPLIED if desk.did_anything else Status.IGNORED,
        notes=desk.notes,
        error="",
        due_at=None,
        waits_for=None,
        applied_at=timezone.now(),
    )
    if not changed:
        raise _LeaseLost


class _LeaseLost(Exception):
    """Another worker has the delivery by now: what was done here is undone."""


def wake(desk: Desk) -> None:
    """Let the deliveries go on that waited for what is here now."""
    if desk.came:
        waiting = Delivery.objects.for_organisation(desk.organisation).filter(
            connection=desk.connection, waits_for__in=desk.came
        )
        waiting.update(due_at=timezone.now(), waits_for=None)


def _finish(delivery: Delivery, **values: object) -> int:
    rows = Delivery.objects.for_organisation(delivery.organisation_id)
    mine = rows.filter(pk=delivery.pk, lease=delivery.lease)
    return mine.update(**values, lease=None, leased_until=None, attempts=delivery.attempts + 1)


def _wait(delivery: Delivery, waits: NotYet) -> None:
    late = timezone.now() - delivery.received_at > PATIENCE
    if late:
        _fail(delivery, _("%(object)s never came.") % {"object": waits.object})
        return
    # Looked at again now and then too: what it waits for may have come at this very moment.
    _finish(
        delivery,
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
    _finish(delivery, status=Status.WAITING, error=reason[:2000], due_at=due_at)


def _pause(delivery: Delivery) -> datetime:
    seconds = PAUSES[min(delivery.attempts, len(PAUSES) - 1)]
    return timezone.now() + timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311 - not a secret


def _fail(delivery: Delivery, reason: str) -> None:
    _finish(delivery, status=Status.FAILED, error=reason[:2000], due_at=None, waits_for=None)
    _tell_staff(delivery, reason)


def _tell_staff(delivery: Delivery, reason: str) -> None:
    """Tell of failures in a row, once: when the fifth has come."""
    rows = Delivery.objects.for_organisation(delivery.organisation_id)
    settled = rows.filter(connection=delivery.connection_id, due_at=None).exclude(
        status=Status.REFUSED
    )
    statuses = list(settled.values_list("status", flat=True)[: ALERT_AFTER + 1])
    failed = [status == Status.FAILED for status in statuses]
    if len(failed) >= ALERT_AFTER and all(failed[:ALERT_AFTER]) and failed[ALERT_AFTER:] != [True]:
        alerts.tell(
            organisation=delivery.organisation_id,
            text=_("%(connection)s: %(count)d deliveries in a row failed. The last: %(reason)s")
            % {"connection": delivery.connection, "count": ALERT_AFTER, "reason": reason},
            link=reverse("admin:integrations_connection_change", args=[delivery.connection_id]),
        )
