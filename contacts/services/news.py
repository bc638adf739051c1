"""Telling that contacts changed: their `updatedAt`, and the signals for whoever acts on it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from contacts import rollups
from contacts.models import Contact, Tag
from contacts.signals import contacts_updated, tags_changed
from crm.api.names import camel
from organisations.models import Organisation

UNKNOWN: frozenset[str] = frozenset()

T = TypeVar("T")


def updated(
    organisation: Organisation, changed: Iterable[int] | Mapping[int, Collection[str]]
) -> None:
    """These contacts changed just now: moves `updatedAt`, and sends `contacts_updated`.

    A mapping says in what, by the names of the contact's JSON. The queries of `rollups.touch`.
    """
    fields = changed if isinstance(changed, Mapping) else dict.fromkeys(changed, UNKNOWN)
    if not fields:
        return
    rollups.touch(fields)
    if contacts_updated.has_listeners(Contact):
        for ids in _batches(sorted(fields)):
            told = {pk: fields[pk] for pk in ids}
            contacts_updated.send(Contact, organisation=organisation, ids=ids, fields=told)


def tagged(organisation: Organisation, links: Iterable[tuple[Tag, int]], *, added: bool) -> None:
    """These tags were put on these contacts (by id), or taken off. Sends `tags_changed`, once for
    each tag."""
    if not tags_changed.has_listeners(Tag):
        return
    by_tag: dict[int, tuple[Tag, list[int]]] = {}
    for tag, contact in links:
        by_tag.setdefault(tag.pk, (tag, []))[1].append(contact)
    for tag, contacts in by_tag.values():
        for ids in _batches(sorted(contacts)):
            tags_changed.send(Tag, organisation=organisation, tag=tag, contact_ids=ids, added=added)


def names(columns: Iterable[str]) -> set[str]:
    """Columns as the contact's JSON names them, without those that it does not show."""
    return {camel(column) for column in columns if column != "email_key"}


def _batches(items: Sequence[T]) -> Iterator[list[T]]:
    for start in range(0, len(items), rollups.BATCH):
        yield list(items[start : start + rollups.BATCH])
