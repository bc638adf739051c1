"""Connecting other systems, and what is done with what they delivered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.errors import Conflict
from integrations.models import (
    Connection,
    Delivery,
    DeliveryTrace,
    ObjectState,
    digest,
    new_token,
)
from integrations.querysets import DeliveryQuerySet
from integrations.sources import SOURCES, Source
from integrations.sources.base import PREVIOUS_SECRET
from organisations.models import Organisation
from workflows import bell

Status = Connection.Status
MAX_CREDENTIAL = 5000


@transaction.atomic
def connect(
    *,
    organisation: Organisation,
    source: str,
    credentials: Mapping[str, str],
    name: str = "",
    options: Mapping[str, str] | None = None,
) -> Connection:
    """Connect an account of another system. `path` of the answer is the address to enter there.

    Raises ValidationError by name: `source`, a credential, an option; Conflict when the account is
    connected already.
    """
    kind = _kind(source)
    tidy = _clean_credentials(kind, credentials)
    namespace = kind.namespace(tidy)[:100]
    rows = Connection.objects.for_organisation(organisation)
    there = rows.filter(namespace=namespace).first()
    if there is not None:
        raise Conflict(_("%(account)s is connected already.") % {"account": namespace}, [there.pk])
    token = new_token()
    connection = Connection(
        organisation=organisation,
        source=source,
        name=name.strip() or f"{kind.label} {kind.account(tidy)}"[:200],
        namespace=namespace,
        token=token,
        token_digest=digest(token),
        credentials=tidy,  # type: ignore[misc]  # any JSON
        options=_clean_options(kind, options or {}),
    )
    connection.poll_due_at = _first_poll(connection)
    connection.save()
    return connection


@transaction.atomic
def change(
    *,
    connection: Connection,
    name: str | None = None,
    credentials: Mapping[str, str | None] | None = None,
    options: Mapping[str, str] | None = None,
) -> Connection:
    """Change a connection. Of `credentials` only those are changed that are given and not empty;
    None takes one away. The account stays: another one is another connection. A secret that is
    replaced is kept as the previous one."""
    current = _locked(connection)
    kind = _kind(current.source)
    if name is not None:
        current.name = name.strip() or current.name
    if credentials:
        known = current.known_secrets
        merged = known | {key: value for key, value in credentials.items() if value != ""}
        tidy = _clean_credentials(
            kind, {key: value for key, value in merged.items() if value is not None}
        )
        if kind.namespace(tidy)[:100] != current.namespace:
            raise ValidationError(
                _("This is another account than %(account)s: connect it on its own.")
                % {"account": current.namespace}
            )
        if _rotates(kind, known, tidy) and not credentials.get(PREVIOUS_SECRET.name):
            tidy[PREVIOUS_SECRET.name] = known[kind.signed_by]
        current.credentials = tidy
        current.poll_due_at = _first_poll(current)
    if options is not None:
        current.options = _clean_options(kind, {**current.options, **options})
    current.save()
    return current


def _rotates(kind: Source, known: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether the secret becomes another, of a source that takes the previous one for a while. One
    that is taken away is gone at once."""
    former, new = known.get(kind.signed_by), wanted.get(kind.signed_by)
    keeps = any(one.name == PREVIOUS_SECRET.name for one in kind.credentials)
    return keeps and bool(former and new) and former != new


@transaction.atomic
def change_address(*, connection: Connection) -> Connection:
    """Give the connection another address; the former is unknown from now on."""
    current = _locked(connection)
    token = new_token()
    current.token, current.token_digest = token, digest(token)
    current.save(update_fields=["token", "token_digest", "updated_at"])
    return current


@transaction.atomic
def pause(*, connection: Connection) -> Connection:
    """Let what comes in lie there until the connection is resumed, and ask for nothing."""
    return _set_status(connection, Status.PAUSED)


@transaction.atomic
def resume(*, connection: Connection) -> Connection:
    """Go on, with what came in meanwhile first. Also for one that was switched off there."""
    current = _set_status(connection, Status.ACTIVE)
    deliveries = Delivery.objects.for_organisation(connection.organisation_id)
    put_off = deliveries.filter(connection=current, due_at__gt=timezone.now())
    put_off.update(due_at=timezone.now())
    return current


def _set_status(connection: Connection, status: str) -> Connection:
    current = _locked(connection)
    current.status, current.status_reason = status, ""
    current.poll_due_at = _first_poll(current)
    current.save(update_fields=["status", "status_reason", "poll_due_at", "updated_at"])
    bell.ring_after_commit()
    return current


@transaction.atomic
def disconnect(*, connection: Connection) -> None:
    """Forget the connection, its credentials, and all that it delivered. Contacts, activities and
    external ids stay."""
    current = _locked(connection)
    rows = Delivery.objects.for_organisation(connection.organisation_id).filter(connection=current)
    states = ObjectState.objects.for_organisation(connection.organisation_id)
    # By the statement: there may be millions, and nobody listens for them.
    DeliveryTrace.objects.filter(delivery__in=rows)._raw_delete(rows.db)
    rows._raw_delete(rows.db)
    states.filter(connection=current)._raw_delete(rows.db)
    current.delete()


@transaction.atomic
def replay(*, deliveries: DeliveryQuerySet) -> int:
    """Have deliveries applied again; answers how many. What is known already does not double.

    Refused ones, and those whose body was erased, are left out. One statement.
    """
    bell.ring_after_commit()
    kept = deliveries.exclude(status=Delivery.Status.REFUSED).exclude(body="")
    return kept.update(
        status=Delivery.Status.RECEIVED,
        due_at=timezone.now(),
        attempts=0,
        waits_for=None,
        notes=[],
        error="",
    )


def _first_poll(connection: Connection) -> datetime | None:
    """When a connection that was just changed is asked: at once, if it can be."""
    kind = _kind(connection.source)
    if kind.poll_every is None or connection.status != Status.ACTIVE:
        return None
    return timezone.now() if kind.may_ask(connection.known_secrets) else None


def _locked(connection: Connection) -> Connection:
    rows = Connection.objects.for_organisation(connection.organisation_id)
    current: Connection = rows.select_for_update().get(pk=connection.pk)
    current.organisation = connection.organisation
    return current


def _kind(source: str) -> Source:
    if source not in SOURCES:
        raise ValidationError(
            {
                "source": _("There is no source %(source)s; there are %(known)s.")
                % {"source": source[:40], "known": ", ".join(sorted(SOURCES))}
            }
        )
    return SOURCES[source]


def _clean_credentials(kind: Source, given: Mapping[str, str]) -> dict[str, str]:
    known = {one.name: one for one in kind.credentials}
    errors = {
        name: _("%(source)s has no such credential; it has %(known)s.")
        % {"source": kind.label, "known": ", ".join(known) or _("none")}
        for name in given.keys() - known.keys()
    }
    tidy = {name: value.strip() for name, value in given.items() if value and value.strip()}
    for name, one in known.items():
        if one.required and not tidy.get(name):
            errors[name] = _("This is required.")
        elif len(tidy.get(name, "")) > MAX_CREDENTIAL or "\0" in tidy.get(name, ""):
            errors[name] = _("This cannot be a credential.")
    if errors:
        raise ValidationError(errors)
    kind.check(tidy)
    return tidy


def _clean_options(kind: Source, given: Mapping[str, str]) -> dict[str, str]:
    known = {one.name: one for one in kind.every_option}
    cleaned, errors = {}, {}
    for name in given.keys() - known.keys():
        errors[name] = _("There is no such option.")
    for name, one in known.items():
        value = given.get(name) or one.default
        if one.choices and value not in dict(one.choices):
            errors[name] = _("Choose one of %(known)s.") % {
                "known": ", ".join(key for key, _label in one.choices)
            }
        cleaned[name] = value
    if errors:
        raise ValidationError(errors)
    kind.check_options(cleaned)
    return cleaned
