"""Sending what is due, to many endpoints at a time.

A sender is one loop that reads and writes the database, and a few threads that only wait for
answers. An endpoint that does not answer holds at most `LANES` of them, and one that fails again
and again is tried by one request at a time, so the others are not kept waiting.

A delivery is leased, sent, and its attempt noted: whoever dies in between leaves a lease that runs
out, and the message is sent again under the same `webhook-id`.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connections, transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from crm import outbound
from integrations.outgoing import attempts, spreading
from integrations.outgoing.attempts import Result
from integrations.outgoing.models import WebhookDelivery, WebhookEndpoint, WebhookMessage
from integrations.outgoing.querysets import EndpointQuerySet
from integrations.secrets import Unreadable, opened
from workflows.worker import DATABASE_AWAY

log = structlog.get_logger(__name__)

THREADS = 64
"""Requests that a worker has on their way at a time."""
LANES = 8
"""Of these, to one endpoint."""
LEASE = timedelta(minutes=1)
"""How long a delivery is left to its worker. A request ends after `outbound.SECONDS`."""
LOOK_EVERY = 0.5
"""Seconds between two looks at what else is due, while answers are waited for."""


@dataclass(frozen=True, slots=True)
class Call:
    """A message to an endpoint, with all that sending it takes. `delivery` is the leased one."""

    endpoint: int
    url: str
    key: str
    body: bytes
    secret: Any
    former: Any
    delivery: int = 0

    @classmethod
    def of(cls, endpoint: WebhookEndpoint, message: WebhookMessage, delivery: int = 0) -> Call:
        """No query."""
        return cls(
            endpoint=endpoint.pk,
            url=endpoint.url,
            key=message.key,
            body=message.body.encode(),
            secret=endpoint.secret,
            former=endpoint.former_secret if endpoint.has_two_secrets(timezone.now()) else None,
            delivery=delivery,
        )

    def send(self) -> Result:
        """POST it. No query."""
        started = timezone.now()
        try:
            signature = outbound.signed(
                secret=opened(self.secret),
                former=opened(self.former),
                message_id=self.key,
                moment=started,
                body=self.body,
            )
            headers = {"content-type": "application/json", **signature}
            answer = outbound.post(self.url, body=self.body, headers=headers)
        except (outbound.Refused, outbound.Unreachable, Unreadable) as error:
            return Result(started, error=str(error))
        return Result(started, answer)


def send_due(stopping: Callable[[], bool] = lambda: False) -> int:
    """Send all that is due, and what becomes due meanwhile; answers how many requests that took.

    When `stopping`, what is on its way is finished and nothing else begun.
    """
    count = 0
    lease = uuid.uuid4()
    flying: dict[Future[Result], Call] = {}
    with ThreadPoolExecutor(THREADS, "webhooks") as pool:
        while True:
            if not stopping():
                spreading.spread()
                busy = Counter(call.endpoint for call in flying.values())
                for call in claim(lease, THREADS - len(flying), busy):
                    flying[pool.submit(call.send)] = call
            if not flying:
                return count
            done, _not_done = wait(flying, LOOK_EVERY, FIRST_COMPLETED)
            results: dict[int, dict[int, Result]] = defaultdict(dict)
            for future in done:
                call = flying.pop(future)
                results[call.endpoint][call.delivery] = _result(future)
            for endpoint, its in results.items():
                attempts.note(endpoint, lease, its)
            count += len(done)


def _result(future: Future[Result]) -> Result:
    try:
        return future.result()
    except Exception as error:
        log.exception("webhook could not be sent")
        return Result(timezone.now(), error=f"{type(error).__name__}: {error}")


def claim(lease: uuid.UUID, free: int, busy: Counter[int]) -> list[Call]:
    """Lease what may be sent now: so many at most, and at each endpoint no more than it has lanes
    beside those that are `busy`. One query when there is nothing."""
    now = timezone.now()
    full = [pk for pk, count in busy.items() if count >= LANES]
    calls: list[Call] = []
    # In no order: where there are more than threads, each has its chance.
    for endpoint in _waited_for(now).exclude(pk__in=full).order_by("?"):
        lanes = 1 if attempts.is_shaky(endpoint) else LANES
        wanted = min(lanes - busy[endpoint.pk], free - len(calls))
        if wanted > 0:
            calls += _lease(endpoint, lease, wanted, now)
    return calls


def _waited_for(now: datetime) -> EndpointQuerySet:
    """The endpoints to which something may be sent now."""
    due = WebhookDelivery.objects.across_organisations().due(now)
    # In order, so that the index of what is due is read and not all that was ever delivered.
    first = due.filter(endpoint=OuterRef("pk")).order_by("due_at", "pk").values("pk")[:1]
    endpoints: EndpointQuerySet = WebhookEndpoint.objects.across_organisations().ready(now)
    return endpoints.alias(first=Subquery(first)).filter(first__isnull=False)


def _lease(endpoint: WebhookEndpoint, lease: uuid.UUID, wanted: int, now: datetime) -> list[Call]:
    deliveries = WebhookDelivery.objects.for_organisation(endpoint.organisation_id)
    with transaction.atomic():
        due = deliveries.filter(endpoint=endpoint).due(now).in_turn(now)
        rows = due.select_related("message").select_for_update(of=("self",), skip_locked=True)
        found = list(rows.order_by("due_at", "pk")[:wanted])
        if not found or (attempts.is_shaky(endpoint) and not _take_turn(endpoint, now)):
            return []
        deliveries.filter(pk__in=[row.pk for row in found]).update(
            lease=lease, leased_until=now + LEASE
        )
    return [Call.of(endpoint, row.message, row.pk) for row in found]


def _take_turn(endpoint: WebhookEndpoint, now: datetime) -> bool:
    """Whether this worker is the one to try an endpoint that fails."""
    rows = WebhookEndpoint.objects.for_organisation(endpoint.organisation_id).ready(now)
    return bool(rows.filter(pk=endpoint.pk).update(rests_until=now + LEASE))


class Background:
    """A sender in a thread of its own, so that workflows do not wait for answers."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def work(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Have it run while there is something to send. Two queries; answers False, as there is
        nothing to do for the caller."""
        if (self._thread is None or not self._thread.is_alive()) and _is_something_due():
            self._thread = threading.Thread(target=self._run, args=[stopping], name="webhooks")
            self._thread.start()
        return False

    def finish(self) -> None:
        """Wait until it has sent what is due, or what is on its way when it is to stop."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, stopping: Callable[[], bool]) -> None:
        try:
            send_due(stopping)
        except DATABASE_AWAY as error:
            log.warning("database does not answer", error=str(error).strip())
        except Exception:
            log.exception("webhooks could not be sent")
        finally:
            connections.close_all()


def _is_something_due() -> bool:
    new = WebhookMessage.objects.across_organisations().filter(spread=False)
    return new.exists() or _waited_for(timezone.now()).exists()


background = Background()
