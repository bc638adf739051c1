"""What a merge gives the survivor instead of its own, because somebody chose so; and back again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError

from contacts.history import recording
from contacts.history.recording import Pair
from contacts.models import Contact, Merge
from contacts.parts import PARTS
from contacts.services.profiles import update
from contacts.services.values import COLUMNS
from crm.api.names import camel, snake

_PHONE = ("phone_number", "phone_number_country_code")
_IDENTIFIERS: Mapping[str, tuple[str, ...]] = {
    "email_address": ("email_address", "email_key"),
    "phone_number": (*_PHONE, "phone_number_e164"),
}


def give(done: Merge, theirs: Collection[str]) -> None:
    """Give the survivor the absorbed contact's values of these names (of its JSON), as an update
    does, and note what it had. What is unset there is not taken.

    An identifier that the survivor gives up stands on the absorbed contact's row from now on, so
    that it goes on finding the survivor. Raises what `update` raises.
    """
    before = done.survivor
    had = texts(before)
    values = _values(_of(done.absorbed, theirs))
    if not values:
        return
    done.survivor = update(contact=before, values=values)
    has = texts(done.survivor)
    done.chosen = {
        name: [had.get(name), has.get(name)]
        for name in had.keys() | has.keys()
        if had.get(name) != has.get(name)
    }
    done.save(update_fields=["chosen"])
    _keep_identifiers(done, before)


def take_back(undone: Merge) -> None:
    """Give the survivor again what it had, where it is as it was chosen. Its rows are written; the
    two that the merge has are as they were read before.

    A custom value that a rule refuses by now stays as it is. Raises Conflict when another contact
    took an identifier meanwhile.
    """
    _release_identifiers(undone)
    has = texts(undone.survivor)
    back = {
        name: before for name, (before, after) in undone.chosen.items() if has.get(name) == after
    }
    own = {name: value for name, value in back.items() if "." not in name}
    if own:
        update(contact=undone.survivor, values=_values(own))
    for name in back.keys() - own.keys():
        try:
            update(contact=undone.survivor, values=_values({name: back[name]}))
        except ValidationError:
            continue


def texts(contact: Contact) -> dict[str, Any]:
    """What the contact has, by the names of its JSON, as its history tells it; without what is
    unset."""
    own = {camel(column): recording.text(getattr(contact, column)) for column in COLUMNS}
    found: dict[str, Any] = {name: value for name, value in own.items() if value}
    for part in PARTS:
        found |= part.texts(contact)
    return found


def _of(absorbed: Contact, names: Collection[str]) -> dict[str, Any]:
    has = texts(absorbed)
    wanted = {*names}
    if camel(_PHONE[0]) in wanted:
        wanted.add(camel(_PHONE[1]))  # how to read it
    return {name: has[name] for name in wanted if name in has}


def _values(given: Mapping[str, Any]) -> dict[str, Any]:
    """What `update` is to be given."""
    values: dict[str, Any] = {}
    for name, value in given.items():
        first, _dot, rest = name.partition(".")
        if rest:
            values.setdefault(first, {})[rest] = value
        else:
            column = snake(name)
            values[column] = date.fromisoformat(value) if column == "dob" and value else value
    return values


def _keep_identifiers(done: Merge, before: Contact) -> None:
    """Put what the survivor gave up on the absorbed contact's row, where there is room by it."""
    absorbed = _reread(done)
    had = {column: getattr(absorbed, column) for column in COLUMNS}
    for name, columns in _IDENTIFIERS.items():
        given_up = getattr(before, columns[-1])
        changed = given_up and given_up != getattr(done.survivor, columns[-1])
        if changed and getattr(absorbed, name) is None:
            for column in columns:
                setattr(absorbed, column, getattr(before, column))
    _write(absorbed, had)
    done.absorbed = absorbed


def _release_identifiers(undone: Merge) -> None:
    """Take what the survivor had given up off the absorbed contact's row."""
    absorbed = undone.absorbed
    had = {column: getattr(absorbed, column) for column in COLUMNS}
    for name, columns in _IDENTIFIERS.items():
        pair: Pair | None = undone.chosen.get(camel(name))
        if pair is not None and pair[0] and getattr(absorbed, name) == pair[0]:
            for column in columns:
                setattr(absorbed, column, None)
    _write(absorbed, had)


def _write(absorbed: Contact, had: Mapping[str, Any]) -> None:
    names = {column for column, value in had.items() if value != getattr(absorbed, column)}
    if names:
        absorbed.save()
        told = recording.columns(had, absorbed, names)
        recording.changed(absorbed.organisation, {absorbed.pk: told})


def _reread(done: Merge) -> Contact:
    contacts = Contact.objects.for_organisation(done.organisation_id)
    absorbed: Contact = contacts.get(pk=done.absorbed_id)
    absorbed.organisation = done.survivor.organisation
    return absorbed
