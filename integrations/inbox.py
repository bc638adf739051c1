"""The door for all sources: `POST /integrations/{source}/{token}`, and what a vendor adds to it.

Raw bytes first. The signature is checked over them, the delivery is stored in one short
transaction, and a worker applies it.
"""

from __future__ import annotations

from http import HTTPStatus

import structlog
from django.db import InterfaceError, OperationalError
from django.db import connection as database
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from crm.api.errors import not_found, problem, too_large
from integrations.models import Connection, Delivery, digest
from integrations.secrets import Unreadable, opened
from integrations.sources import SOURCES
from integrations.sources.base import Forged, Hook, NotUnderstood, Source
from workflows import bell

log = structlog.get_logger(__name__)

LARGEST = 2 * 1024 * 1024
MOST_REFUSED = 20
"""So many forged deliveries of a connection are kept in each hour of the clock, to see what is
wrong by; more would let strangers fill the database."""

_ANYWHERE = "/integrations"
"""What answers name in place of the address, which has the secret in it."""
_KEPT = frozenset({"content-type", "user-agent", "date"})

_known: dict[tuple[str, str], Connection] = {}
"""The connections that this process has taken deliveries for, by source and digest of the token.
They are a guess: what comes is stored only while the row is still as remembered here."""
_MOST_KNOWN = 1000

Status = Delivery.Status


@csrf_exempt
@require_POST
def receive(request: HttpRequest, source: str, token: str, rest: str = "") -> HttpResponse:
    """2xx for what is stored, again for what was stored before; 401, 404, 413.

    One statement for what is new of a connection that is known; two more for all else.
    """
    kind, place = SOURCES.get(source), (source, digest(token))
    known = _known.get(place)
    connection = known or find(source, token)
    if kind is None or connection is None or not kind.hooks:
        return not_found(_ANYWHERE)
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST:
        return too_large(_ANYWHERE)
    raw = request.read(LARGEST + 1)
    if len(raw) > LARGEST:
        return too_large(_ANYWHERE)
    hook = Hook(
        raw=raw,
        headers={name.lower(): value for name, value in request.headers.items()},
        rest=rest,
        query=request.META.get("QUERY_STRING", ""),
    )
    if known is not None:
        if _keep_of_known(kind, known, hook):
            return kind.answer(hook, HTTPStatus.OK)
        # It came before, or is forged; or the connection is another by now.
        connection = find(source, token)
        if connection is None:
            _known.pop(place, None)
            return not_found(_ANYWHERE)
    try:
        verdict = kind.verify(hook, connection)
    except Forged as forged:
        _keep_refused(kind, connection, hook, str(forged))
        return problem(HTTPStatus.UNAUTHORIZED, str(forged), instance=_ANYWHERE)
    except Unreadable as error:
        log.error("credentials unreadable", connection=connection.pk)
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), instance=_ANYWHERE)
    keep(kind, connection, hook, verdict)
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[place] = connection
    return kind.answer(hook, HTTPStatus.OK)


def find(source: str, token: str) -> Connection | None:
    """The connection of this address."""
    connections = Connection.objects.across_organisations().order_by()
    found: Connection | None = next(iter(connections.filter(token_digest=digest(token))), None)
    if found is None or found.source != source:
        return None
    try:
        return found if constant_time_compare(opened(found.token), token) else None
    except Unreadable:
        return found  # its digest is right, which is as good


def keep(kind: Source, connection: Connection, hook: Hook, verdict: str) -> None:
    """Store a genuine delivery for a worker, unless it is there already. One insert."""
    Delivery.objects.receive(_genuine(kind, connection, hook, verdict))
    bell.ring_after_commit()


def _keep_of_known(kind: Source, known: Connection, hook: Hook) -> bool:
    """Store a delivery of a connection as this process remembers it; whether it was genuine by
    that, and new, and the row still the same."""
    try:
        delivery = _genuine(kind, known, hook, kind.verify(hook, known))
    except (Forged, Unreadable):
        return False
    stored = _insert(delivery, known)
    bell.ring_after_commit()
    return stored


def _insert(delivery: Delivery, known: Connection) -> bool:
    """The insert finds out by itself whether the database is still there: to ask before, as is
    done for other requests, takes as long again. What is inserted twice is there once."""
    database.health_check_done = True  # type: ignore[attr-defined]  # the stubs lack it
    try:
        return Delivery.objects.receive(delivery, known)
    except (OperationalError, InterfaceError):
        if database.in_atomic_block or database.is_usable():
            raise
        database.close()
        return Delivery.objects.receive(delivery, known)


def _genuine(kind: Source, connection: Connection, hook: Hook, verdict: str) -> Delivery:
    delivery = _delivery(kind, connection, hook, verdict)
    delivery.key = kind.delivery_key(hook)[:200]
    delivery.due_at = timezone.now()
    try:
        delivery.body = kind.body(hook)
    except NotUnderstood as error:
        delivery.status, delivery.error, delivery.due_at = Status.FAILED, str(error), None
    return delivery


def _delivery(kind: Source, connection: Connection, hook: Hook, verdict: str) -> Delivery:
    kept = _KEPT | kind.headers
    return Delivery(
        organisation_id=connection.organisation_id,
        connection=connection,
        topic=kind.topic(hook)[:100],
        headers={name: hook.headers[name][:500] for name in sorted(kept & hook.headers.keys())},
        verdict=verdict[:200],
    )


def _keep_refused(kind: Source, connection: Connection, hook: Hook, reason: str) -> None:
    """Keep a forged delivery while the hour has a place for it. One query when it has none.

    Places are keys, which are looked up: to count what came would cost the more, the more came.
    """
    hour = f"{timezone.now():%Y-%m-%dT%H}"
    places = [f"refused:{hour}:{number}" for number in range(MOST_REFUSED)]
    rows = Delivery.objects.for_organisation(connection.organisation_id)
    taken = rows.filter(connection=connection, key__in=places).order_by()
    free = set(places) - set(taken.values_list("key", flat=True))
    if not free:
        return
    delivery = _delivery(kind, connection, hook, reason)
    delivery.key = min(free, key=places.index)
    delivery.status = Status.REFUSED
    Delivery.objects.receive(delivery)
