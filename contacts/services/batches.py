"""Many contacts at once, each as if it had been given by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from contacts import identity
from contacts.history import recording
from contacts.history.recording import Pair
from contacts.models import Address, Contact, ContactRollup, ContactTag, Tag
from contacts.parts import PARTS, ContactPart
from contacts.services import news, tags
from contacts.services.locks import settling
from contacts.services.profiles import (
    take_identifiers,
    the_one_of,
    told_of,
    upsert,
    without_weak_identifiers,
)
from contacts.services.values import (
    ADDRESS_COLUMNS,
    COLUMNS,
    DERIVED,
    Errors,
    Given,
    assign,
    read,
    require_identifier,
)
from contacts.signals import contacts_created
from crm.batch import BatchResult
from crm.errors import Conflict
from organisations.models import Organisation

_TRIES = 3


class _Refused(Exception):
    """Some rows of an atomic batch cannot be taken."""

    def __init__(self, results: Sequence[BatchResult]) -> None:
        super().__init__()
        self.results = results


@dataclass(eq=False)
class _Row:
    """One row of a batch on its way: what was given, and the contact it is about."""

    index: int
    given: Given
    draft: Contact
    keys: frozenset[str] = frozenset()
    contact: Contact | None = None
    holders: Sequence[Contact] = ()
    changed: set[str] = field(default_factory=set)
    before: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Pair | None] = field(default_factory=dict)
    """What differs from before beside the columns, by the names of the JSON."""

    @property
    def target(self) -> Contact:
        """The contact that is written."""
        return self.draft if self.contact is None else self.contact

    def fresh(self) -> _Row:
        """The row as it was read, for another try."""
        return _Row(self.index, self.given, copy(self.draft), self.keys)

    @property
    def fields(self) -> set[str]:
        """The names of all that differs from before."""
        return news.names(self.changed) | self.told.keys()


def upsert_batch(
    *, organisation: Organisation, rows: Sequence[Mapping[str, Any]], atomic: bool = False
) -> list[BatchResult]:
    """`upsert` for each of `rows`, in their order: the same results, one for each.

    With `atomic` nothing is written when any row is refused; the results of the others then say
    nothing. A fixed number of queries for rows that are of different people; rows that speak of a
    contact that an earlier row spoke of begin another such group.
    """
    try:
        return _write_all(organisation, rows, atomic)
    except _Refused as refused:
        return [BatchResult(index=one.index, error=one.error) for one in refused.results]


@settling
def _write_all(
    organisation: Organisation, rows: Sequence[Mapping[str, Any]], atomic: bool
) -> list[BatchResult]:
    results: list[BatchResult] = []
    waiting = _read(organisation, rows, results)
    while waiting:
        waiting = _write_next(organisation, waiting, rows, results)
    results.sort(key=lambda result: result.index)
    if atomic and any(result.error is not None for result in results):
        raise _Refused(results)
    return results


def _read(
    organisation: Organisation, rows: Sequence[Mapping[str, Any]], results: list[BatchResult]
) -> list[_Row]:
    """The rows whose columns can be taken; the others get their result."""
    read_rows = []
    for index, values in enumerate(rows):
        draft = Contact(organisation=organisation)
        try:
            given = read(values)
            assign(draft, given)
            require_identifier(draft)
        except ValidationError as error:
            results.append(BatchResult(index=index, error=error))
            continue
        keys = {f"email {draft.email_key}"} if draft.email_key else set()
        if draft.phone_number_e164:
            keys.add(f"phone {draft.phone_number_e164}")
        read_rows.append(_Row(index, given, draft, frozenset(keys)))
    return read_rows


def _write_next(
    organisation: Organisation,
    waiting: Sequence[_Row],
    rows: Sequence[Mapping[str, Any]],
    results: list[BatchResult],
) -> list[_Row]:
    """Write as many rows from the front of `waiting` as are of different contacts; answer those
    that remain."""
    group = _of_different_keys(waiting)
    for _attempt in range(_TRIES):
        written: list[BatchResult] = []
        try:
            with transaction.atomic():
                taken = _write_group(organisation, [row.fresh() for row in group], written)
        except IntegrityError:
            continue  # somebody else was quicker, and is found now
        except (ValidationError, Conflict):
            break
        results += written
        return list(waiting[taken:])
    # One row stands against another in a way that only the database tells: one by one, each finds
    # what is there. Only then, for locks that are taken one by one are in nobody else's order.
    results += [_one(organisation, row.index, rows[row.index]) for row in group]
    return list(waiting[len(group) :])


def _of_different_keys(waiting: Sequence[_Row]) -> list[_Row]:
    seen: set[str] = set()
    group = []
    for row in waiting:
        if not seen.isdisjoint(row.keys):
            break
        seen |= row.keys
        group.append(row)
    return group


def _one(organisation: Organisation, index: int, values: Mapping[str, Any]) -> BatchResult:
    try:
        contact, created = upsert(organisation=organisation, values=values)
    except (ValidationError, Conflict) as error:
        return BatchResult(index=index, error=error)
    return BatchResult(index=index, id=contact.pk, created=created)


def _write_group(
    organisation: Organisation, group: Sequence[_Row], written: list[BatchResult]
) -> int:
    """Match, check and write the rows of a group until one is of a contact that an earlier one is
    of; answer how many were dealt with."""
    good, taken = _match(organisation, group, written)
    plan = _plan_tags(organisation, good, written)
    good = _without_refused(good, written)
    cleaned = _clean_parts(organisation, good, written)
    good = _without_refused(good, written)
    _save(organisation, good)
    _write_addresses(organisation, good)
    _write_tags(organisation, good, plan)
    _write_parts(good, cleaned)
    _keep_history(organisation, good)
    news.updated(
        organisation,
        {row.contact.pk: row.fields for row in good if row.contact is not None and row.fields},
    )
    created = [row.target.pk for row in good if row.contact is None]
    if created:
        contacts_created.send(Contact, organisation=organisation, ids=created)
    written += [
        BatchResult(index=row.index, id=row.target.pk, created=row.contact is None) for row in good
    ]
    return taken


def _without_refused(rows: Sequence[_Row], written: Sequence[BatchResult]) -> list[_Row]:
    refused = {result.index for result in written}
    return [row for row in rows if row.index not in refused]


def _match(
    organisation: Organisation, group: Sequence[_Row], written: list[BatchResult]
) -> tuple[list[_Row], int]:
    """Find each row's contact, lock it, and put the row's columns on it."""
    contacts = Contact.objects.for_organisation(organisation).select_for_update(no_key=True)
    holders = list(
        contacts.identified_by_any(
            emails=[row.draft.email_key for row in group if row.draft.email_key],
            phones=[row.draft.phone_number_e164 for row in group if row.draft.phone_number_e164],
        ).order_by("pk")
    )
    survivors = contacts.survivors(holders)
    by_key = {f"email {one.email_key}": one for one in holders if one.email_key} | {
        f"phone {one.phone_number_e164}": one for one in holders if one.phone_number_e164
    }
    matched: list[_Row] = []
    seen: set[int] = set()
    for taken, row in enumerate(group):
        row.holders = [by_key[key] for key in sorted(row.keys) if key in by_key]
        candidates = {survivors[one.pk].pk for one in row.holders}
        if not seen.isdisjoint(candidates):
            return matched, taken
        seen |= candidates
        try:
            row.contact = the_one_of(survivors[one.pk] for one in row.holders)
            if row.contact is not None:
                row.contact.organisation = organisation
                row.given = without_weak_identifiers(row.given, row.draft, row.contact, row.holders)
                row.before = {column: getattr(row.contact, column) for column in COLUMNS}
                row.changed = assign(row.contact, row.given)
        except (ValidationError, Conflict) as error:
            written.append(BatchResult(index=row.index, error=error))
            continue
        matched.append(row)
    return matched, len(group)


@dataclass
class _TagPlan:
    """The tags that a group names and those that its contacts carry, by their folded names."""

    known: dict[str, Tag]
    carried: dict[int, dict[str, Tag]]


def _plan_tags(
    organisation: Organisation, rows: Sequence[_Row], written: list[BatchResult]
) -> _TagPlan:
    """Look up the tags, and refuse the rows that name one which follows a rule."""
    naming = [row for row in rows if row.given.tags is not None]
    plan = _TagPlan(known={}, carried={})
    if not naming:
        return plan
    keys = {identity.fold(name) for row in naming for name in row.given.tags or ()}
    plan.known = {
        tag.key: tag for tag in Tag.objects.for_organisation(organisation).filter(key__in=keys)
    }
    links = ContactTag.objects.for_organisation(organisation).select_related("tag")
    there = [row.contact.pk for row in naming if row.contact is not None]
    for link in links.filter(contact__in=there) if there else ():
        plan.carried.setdefault(link.contact_id, {})[link.tag.key] = link.tag
    for row in naming:
        carried = plan.carried.get(row.target.pk, {})
        missing = {identity.fold(name) for name in row.given.tags or ()} - carried.keys()
        try:
            tags.refuse_rules(plan.known[key] for key in sorted(missing & plan.known.keys()))
        except ValidationError as error:
            written.append(BatchResult(index=row.index, error=error))
    return plan


def _clean_parts(
    organisation: Organisation, rows: Sequence[_Row], written: list[BatchResult]
) -> list[tuple[ContactPart, list[tuple[_Row, Any]]]]:
    """What each part is to write for which row; rows that do not pass are refused."""
    cleaned = []
    errors: dict[int, Errors] = {}
    for part in PARTS:
        asked = [row for row in rows if row.contact is None or row.given.of(part)]
        answers = part.clean_many(
            organisation, [(row.contact, row.given.of(part)) for row in asked]
        )
        pairs = []
        for row, answer in zip(asked, answers, strict=True):
            if isinstance(answer, ValidationError):
                errors.setdefault(row.index, Errors()).add(answer)
            else:
                pairs.append((row, answer))
        cleaned.append((part, pairs))
    for index, found in errors.items():
        try:
            found.raise_any()
        except ValidationError as error:
            written.append(BatchResult(index=index, error=error))
    return cleaned


def _save(organisation: Organisation, rows: Sequence[_Row]) -> None:
    changed = []
    columns: set[str] = set()
    moment = timezone.now()
    for row in rows:
        row.target.search_text = identity.search_text(row.target)
        if row.contact is None or not row.changed:
            continue
        columns |= row.changed
        row.contact.updated_at = moment
        changed.append(row.contact)
        keys = {
            column: getattr(row.contact, column)
            for column in row.changed.intersection(DERIVED)
            if getattr(row.contact, column) is not None
        }
        if keys and any(holder.pk != row.contact.pk for holder in row.holders):
            take_identifiers(row.contact, keys)
    if changed:
        Contact.objects.for_organisation(organisation).bulk_update(
            changed, sorted(columns | {"search_text", "updated_at"})
        )
    new = [row.draft for row in rows if row.contact is None]
    Contact.objects.bulk_create(new)
    ContactRollup.objects.bulk_create(
        ContactRollup(contact=contact, organisation=organisation) for contact in new
    )


def _write_addresses(organisation: Organisation, rows: Sequence[_Row]) -> None:
    given = {row.target.pk: row for row in rows if row.given.addresses is not None}
    addresses = Address.objects.for_organisation(organisation)
    there: dict[int, list[dict[str, str]]] = {}
    old = [pk for pk, row in given.items() if row.contact is not None]
    for values in (
        addresses.filter(contact__in=old).values("contact", *ADDRESS_COLUMNS) if old else ()
    ):
        there.setdefault(values.pop("contact"), []).append(values)
    different = [pk for pk, row in given.items() if there.get(pk, []) != row.given.addresses]
    for pk in different:
        given[pk].told["addresses"] = [there.get(pk, []), given[pk].given.addresses]
    replaced = [pk for pk in different if pk in there]
    if replaced:
        addresses.filter(contact__in=replaced).delete()
    Address.objects.bulk_create(
        Address(organisation=organisation, contact_id=pk, **address)
        for pk in different
        for address in given[pk].given.addresses or ()
    )


def _write_tags(organisation: Organisation, rows: Sequence[_Row], plan: _TagPlan) -> None:
    """As `tags.replace` for each row, on what `plan` knows."""
    wanted = {
        row: {identity.fold(name): name for name in row.given.tags}
        for row in rows
        if row.given.tags is not None
    }
    unknown: dict[str, str] = {}
    for names in wanted.values():
        for key, name in names.items():
            if key not in plan.known:
                unknown.setdefault(key, name)
    if unknown:
        plan.known |= tags.ensure(organisation, unknown.values())
    new: list[ContactTag] = []
    taken_off: list[tuple[Tag, int]] = []
    for row, names in wanted.items():
        carried = plan.carried.get(row.target.pk, {})
        dropped = tags.dropped(carried, names)
        missing = [plan.known[key] for key in names if key not in carried]
        if dropped:
            row.target.tag_links.filter(tag__in=dropped).delete()
        new += [
            ContactTag(organisation=organisation, contact=row.target, tag=tag) for tag in missing
        ]
        if dropped or missing:
            row.told["tags"] = [[tag.name for tag in dropped], [tag.name for tag in missing]]
        taken_off += [(tag, row.target.pk) for tag in dropped]
    ContactTag.objects.bulk_create(new, ignore_conflicts=True)
    news.tagged(organisation, ((link.tag, link.contact_id) for link in new), added=True)
    news.tagged(organisation, taken_off, added=False)


def _write_parts(
    rows: Sequence[_Row], cleaned: Sequence[tuple[ContactPart, list[tuple[_Row, Any]]]]
) -> None:
    good = {row.index: row for row in rows}
    by_contact = {row.target.pk: row for row in rows}
    for part, pairs in cleaned:
        wanted = [(row.target, value) for row, value in pairs if row.index in good]
        changed = part.write_many(wanted) if wanted else ()
        for pk in changed:
            differs = changed[pk] if isinstance(changed, Mapping) else [part.name]
            by_contact[pk].told |= told_of(differs)


def _keep_history(organisation: Organisation, rows: Sequence[_Row]) -> None:
    created: dict[int, dict[str, Pair | None]] = {}
    changed: dict[int, dict[str, Pair | None]] = {}
    for row in rows:
        if row.contact is None:
            columns = recording.columns_of_new(row.draft, COLUMNS)
            created[row.draft.pk] = {**columns, **row.told}
        else:
            columns = recording.columns(row.before, row.contact, row.changed)
            changed[row.contact.pk] = {**columns, **row.told}
    recording.created(organisation, created)
    recording.changed(organisation, changed)
