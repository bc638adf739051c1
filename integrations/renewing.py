"""Spending what another system gave us to be used once, by one worker alone.

A refresh token is spent by asking with it. Whoever is to ask takes a lease, in a transaction of its
own; asks, while no lock is held; and stores what came back, in another. A worker that died in
between leaves a lease that runs out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from integrations import reading
from integrations.models import Connection, digest
from integrations.sources.base import Asleep, NotUnderstood
from workflows import alerts

LEASE = timedelta(minutes=2)
"""Longer than the one request takes at most."""
OTHERS_TAKE = timedelta(seconds=10)
"""When to come back while another worker asks."""

PLACE = "renewal"
"""Where the lease stands in `Connection.cursor`."""


@transaction.atomic(durable=True)
def begin(*, connection: Connection, spends: str, lease: str) -> bool:
    """Take the lease to spend the credential `spends`. False when the connection has other
    credentials by now, which `connection` then has too: there is nothing left to do.

    Raises Asleep while another has the lease; NotUnderstood when the credential was refused before.
    """
    current = _locked(connection)
    if current.secrets != connection.secrets:
        connection.credentials = current.credentials
        return False
    kept = current.cursor.get(PLACE) or {}
    token = digest(str(current.secrets[spends]))
    if kept.get("refused") == token:
        raise NotUnderstood(kept["reason"])
    until = reading.moment(kept.get("until"))
    if until is not None and until > timezone.now():
        raise Asleep(_("Another worker renews the access token."), OTHERS_TAKE)
    until = timezone.now() + LEASE
    _note(connection, current, {"lease": lease, "until": until.isoformat(), "spends": token})
    return True


@transaction.atomic(durable=True)
def finish(*, connection: Connection, lease: str, credentials: Mapping[str, str]) -> None:
    """Store what came back for what was spent, and end the lease."""
    current = _locked(connection)
    secrets = {**current.secrets, **credentials}
    secrets = {name: value for name, value in secrets.items() if value}
    current.credentials = secrets
    current.save(update_fields=["credentials", "updated_at"])
    connection.credentials = current.credentials
    _end(connection, current, lease)


@transaction.atomic(durable=True)
def give_up(*, connection: Connection, lease: str) -> None:
    """End the lease: there was no answer, and somebody may try again."""
    _end(connection, _locked(connection), lease)


@transaction.atomic(durable=True)
def fail(*, connection: Connection, lease: str, reason: str) -> None:
    """Note that what was to be spent was refused, so that it is not tried for ever, and tell
    staff."""
    current = _locked(connection)
    kept = current.cursor.get(PLACE) or {}
    if kept.get("lease") != lease:
        return
    _note(connection, current, {"refused": kept["spends"], "reason": reason[:500]})
    alerts.tell(
        organisation=connection.organisation_id,
        text=_(
            "%(connection)s: the access token could not be renewed: %(reason)s Enter new tokens."
        )
        % {"connection": connection, "reason": reason},
        link=reverse("admin:integrations_connection_change", args=[connection.pk]),
    )


def _locked(connection: Connection) -> Connection:
    """The row as it is now. Deliveries may come in meanwhile: they ask for a weaker lock."""
    rows = Connection.objects.for_organisation(connection.organisation_id)
    current: Connection = rows.select_for_update(no_key=True).get(pk=connection.pk)
    return current


def _end(connection: Connection, current: Connection, lease: str) -> None:
    if (current.cursor.get(PLACE) or {}).get("lease") == lease:
        _note(connection, current, None)


def _note(connection: Connection, current: Connection, place: Mapping[str, str] | None) -> None:
    cursor = {name: value for name, value in current.cursor.items() if name != PLACE}
    if place is not None:
        cursor[PLACE] = dict(place)
    rows = Connection.objects.for_organisation(connection.organisation_id)
    rows.filter(pk=connection.pk).update(cursor=cursor)
    connection.cursor = cursor
