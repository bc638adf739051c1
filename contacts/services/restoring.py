"""Putting back what a contact had."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from contacts import identity
from contacts.history import recording
from contacts.history.reading import PERMISSIONS, Action, Change
from contacts.models import Contact, Tag
from contacts.services import tags
from contacts.services.locks import locked, settling
from contacts.services.profiles import redacted, update
from contacts.services.values import COLUMNS
from crm.api.names import snake
from crm.errors import Conflict

RESTORABLE = frozenset({Action.CHANGED, Action.RESTORED, Action.UNDONE})
"""What can be put back by itself: a merge is undone, and a new contact had nothing before."""


def restorable(change: Change) -> list[str]:
    """The names of what `put_back` puts back of this change."""
    if change.action not in RESTORABLE:
        return []
    return [name for name in change.changes if name != PERMISSIONS]


@settling
def put_back(*, contact: Contact, change: Change, names: Collection[str] | None = None) -> Contact:
    """Give the contact again what it had before `change`, in all of it or in these names (of its
    JSON). Tags that were taken off are put on, and the other way round; others stay.

    An update like any other, by the same rules; the history says that it was put back. Raises
    ValidationError by column, where a rule stands against it by now, or when the change cannot be
    put back; Conflict when another contact has the identifier, and for a contact that was redacted
    or merged.
    """
    current = locked(contact)
    if current.redacted_at is not None:
        raise redacted(current)
    if current.pk != contact.pk or change.contact != current.pk:
        raise Conflict(
            _("This is a change of contact %(id)d, which is part of another by now.")
            % {"id": change.contact},
            [current.pk],
        )
    wanted = restorable(change)
    if names is not None:
        wanted = [name for name in wanted if name in names]
    if not wanted:
        raise ValidationError(
            {"field": ValidationError(_("This cannot be put back."), code="not_restorable")}
        )
    if "phoneNumber" in wanted and "phoneNumberCountryCode" in change.changes:
        wanted.append("phoneNumberCountryCode")  # how to read it
    with recording.restoring():
        return update(contact=current, values=_values(current, change, wanted))


def _values(contact: Contact, change: Change, names: Collection[str]) -> dict[str, Any]:
    """What `update` is to be given."""
    values: dict[str, Any] = {}
    for name in names:
        before, after = change.changes[name]
        first, _dot, rest = name.partition(".")
        if name == "tags":
            values["tags"] = _tags(contact, back=before, off=after)
        elif rest:
            values.setdefault(first, {})[rest] = before
        elif (column := snake(name)) in COLUMNS:
            values[column] = date.fromisoformat(before) if column == "dob" and before else before
        else:
            values[name] = before
    return values


def _tags(contact: Contact, *, back: Collection[str], off: Collection[str]) -> list[str]:
    """The tags that the contact is to have."""
    gone = {identity.fold(name) for name in off}
    carried = contact.tags.all()
    for tag in carried:
        if tag.key in gone and tag.kind == Tag.Kind.WORKFLOW:
            tags.untag(contacts=contact, name=tag.name)  # which an update leaves alone
    return [*(tag.name for tag in carried if tag.key not in gone), *back]
