"""Writing the history: one row for each write and contact, in the transaction of that write."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from contacts.history.models import ContactChange
from crm.api.names import camel

if TYPE_CHECKING:
    from contacts.models import Contact, Tag
    from organisations.models import Organisation

Pair = Sequence[Any]
"""[before, after]."""

Told = Mapping[str, Pair | None]
"""What changed, by the names of the contact's JSON. None: somebody else keeps from what to what."""

Action = ContactChange.Action

_BATCH = 2000

_action: ContextVar[str] = ContextVar("action", default=Action.CHANGED)
_elsewhere: ContextVar[bool] = ContextVar("elsewhere", default=False)


@contextmanager
def restoring() -> Iterator[None]:
    """What changes within is put back, and the history says so."""
    token = _action.set(Action.RESTORED)
    try:
        yield
    finally:
        _action.reset(token)


@contextmanager
def kept_elsewhere() -> Iterator[None]:
    """What changes within is remembered by whoever asked for it (an import): it must not be told
    twice."""
    token = _elsewhere.set(True)
    try:
        yield
    finally:
        _elsewhere.reset(token)


def changed(organisation: Organisation, told: Mapping[int, Told]) -> None:
    """These contacts, by id, changed in this. One INSERT for each two thousand; none for those of
    whom there is nothing to tell."""
    rows = {pk: known for pk, one in told.items() if (known := _known(one))}
    _write(organisation, rows, _action.get())


def created(organisation: Organisation, told: Mapping[int, Told]) -> None:
    """These contacts are new, with these values. One INSERT for each two thousand."""
    _write(organisation, {pk: _known(one) for pk, one in told.items()}, Action.CREATED)


def tagged(organisation: Organisation, tag: Tag, ids: Collection[int], *, added: bool) -> None:
    """The tag was put on these contacts, or taken off. One INSERT for each two thousand."""
    pair = [[], [tag.name]] if added else [[tag.name], []]
    changed(organisation, {pk: {"tags": pair} for pk in ids})


def happened(
    organisation: Organisation,
    contact_id: int,
    action: str,
    told: Told,
    *,
    other: int | None = None,
) -> None:
    """Something befell the contact, whether a value changed by it or not. One INSERT."""
    _write(organisation, {contact_id: _known(told)}, action, other)


def erase(contacts: Collection[Contact]) -> None:
    """Forget the values: the contacts are being redacted. Who wrote when stays. One UPDATE."""
    organisation_id = next(iter(contacts)).organisation_id
    rows = ContactChange.objects.for_organisation(organisation_id)
    rows.filter(contact__in=contacts).update(changes={})


def _known(told: Told) -> dict[str, Pair]:
    return {name: pair for name, pair in told.items() if pair is not None}


def _write(
    organisation: Organisation,
    rows: Mapping[int, Mapping[str, Pair]],
    action: str,
    other: int | None = None,
) -> None:
    if not rows or _elsewhere.get():
        return
    now = timezone.now()
    ContactChange.objects.bulk_create(
        [
            ContactChange(
                organisation=organisation,
                contact_id=pk,
                action=action,
                at=now,
                changes=changes,
                other=other,
            )
            for pk, changes in rows.items()
        ],
        batch_size=_BATCH,
    )


# From what to what.

_PHONE, _CODE = "phone_number", "phone_number_country_code"


def columns(before: Mapping[str, Any], contact: Contact, names: Collection[str]) -> dict[str, Pair]:
    """What became of these columns of the contact, of those that `before` has. The calling code
    goes with a phone number: it cannot be read again without."""
    if _PHONE in names:
        names = {*names, _CODE}
    return {
        camel(column): [text(before[column]), text(getattr(contact, column))]
        for column in before
        if column in names
    }


def columns_of_new(contact: Contact, names: Collection[str]) -> dict[str, Pair]:
    """What a new contact has in these columns, without what it has unless told otherwise."""
    usual = {"kind": contact.Kind.PERSON, "timezone": contact.organisation.timezone}
    values = {column: getattr(contact, column) for column in names}
    return {
        camel(column): [None, text(value)]
        for column, value in values.items()
        if value and value != usual.get(column)
    }


def text(value: Any) -> str | None:
    """A column's value as the API shows it."""
    if value is None:
        return None
    return value.isoformat() if isinstance(value, date) else str(value)
