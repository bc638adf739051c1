"""Recording what happened: once, however often and by however many it is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DatabaseError

from activities import locks, types
from activities.models import Activity, Reservation
from activities.querysets import Fact
from activities.services.reservations import attach
from activities.services.values import Draft, not_found, read, under
from activities.signals import activities_recorded
from contacts.models import Contact, ReferralInvite
from contacts.services import upsert, upsert_batch
from contacts.services.locks import settling
from crm import causes
from crm.batch import BatchResult
from crm.errors import Conflict
from organisations.models import Organisation


def record(
    *,
    organisation: Organisation,
    contact: Contact | int | Mapping[str, Any],
    type: str,
    source: str,
    happened_at: datetime,
    spend: int = 0,
    currency_code: str | None = None,
    external_reference: str | None = None,
    booking: Reservation | int | Mapping[str, Any] | None = None,
    golf_reservation: Reservation | int | Mapping[str, Any] | None = None,
    table_reservation: Reservation | int | Mapping[str, Any] | None = None,
    purchase: str | None = None,
    gift_card: str | None = None,
    referral_invite: ReferralInvite | int | None = None,
    data: Mapping[str, Any] | None = None,
    backfill: bool = False,
) -> tuple[Activity, bool]:
    """Record an activity; answers it, and whether it is new.

    One that is known (same type and external reference, or the same gift card registered) is
    answered as it is and changes nothing: no totals, no booking, no contact.

    `contact` is a contact, an id (of a merged one: its survivor is meant), or a mapping for
    `contacts.services.upsert`. `booking` and the like are a mapping of the model's columns, which
    updates the one of the same reference and else creates one, or an id. `spend` is in the smallest
    unit of `currency_code`, by default the organisation's. A backfilled activity counts, but starts
    nothing.

    Raises ValidationError by path; Conflict from the contact. Three queries: the contact, the
    activity, the totals; one more for an own type, and those of the contact and booking given as
    mappings.
    """
    values = {
        "contact": contact,
        "type": type,
        "source": source,
        "happened_at": happened_at,
        "spend": spend,
        "currency_code": currency_code,
        "external_reference": external_reference,
        "booking": booking,
        "golf_reservation": golf_reservation,
        "table_reservation": table_reservation,
        "purchase": purchase,
        "gift_card": gift_card,
        "referral_invite": referral_invite,
        "data": data,
        "backfill": backfill,
    }
    return _record_one(organisation, values)


@settling
def _record_one(organisation: Organisation, values: Mapping[str, Any]) -> tuple[Activity, bool]:
    draft = read(organisation, values)
    _write(organisation, [draft])
    if draft.error is not None:
        raise draft.error
    return (draft.activity, True) if draft.existing is None else (draft.existing, False)


def record_batch(
    *,
    organisation: Organisation,
    rows: Sequence[Mapping[str, Any]],
    atomic: bool = False,
    backfill: bool = False,
) -> list[BatchResult]:
    """`record` for each of `rows`, mappings of its arguments, in their order: the same results.

    Each row by itself; with `atomic` nothing is written when any is refused, and the results of
    the others then say nothing. A fixed number of queries for each thousand rows, whose totals
    move by one update.
    """
    try:
        return _record_all(organisation, rows, atomic, backfill)
    except _Refused as refused:
        return refused.results


class _Refused(Exception):
    """Some rows of an atomic batch cannot be taken."""

    def __init__(self, results: Iterable[BatchResult]) -> None:
        super().__init__()
        self.results = [BatchResult(index=one.index, error=one.error) for one in results]


@settling
def _record_all(
    organisation: Organisation, rows: Sequence[Mapping[str, Any]], atomic: bool, backfill: bool
) -> list[BatchResult]:
    drafts: dict[int, Draft] = {}
    results: dict[int, BatchResult] = {}
    for index, row in enumerate(rows):
        try:
            drafts[index] = read(organisation, {**row, "backfill": True} if backfill else row)
        except ValidationError as error:
            results[index] = BatchResult(index=index, error=error)
    _write(organisation, list(drafts.values()))
    for index, draft in drafts.items():
        if draft.error is not None:
            results[index] = BatchResult(index=index, error=draft.error)
        else:
            recorded = draft.existing or draft.activity
            results[index] = BatchResult(
                index=index, id=recorded.pk, created=draft.existing is None
            )
    told = [results[index] for index in range(len(rows))]
    if atomic and any(result.error is not None for result in told):
        raise _Refused(told)
    return told


def _write(organisation: Organisation, drafts: Sequence[Draft]) -> None:
    """Settle all drafts, as if one after the other: of several that state the same fact, the first
    that can be taken is recorded."""
    _check_types(organisation, drafts)
    _check_invites(organisation, drafts)
    _find_contacts(organisation, [draft for draft in drafts if draft.open])
    waiting = [draft for draft in drafts if draft.open]
    while waiting:
        asked: set[Fact] = set()
        now: list[Draft] = []
        later: list[Draft] = []
        for draft in waiting:
            (later if draft.facts & asked else now).append(draft)
            asked |= draft.facts
        _write_distinct(organisation, now)
        told = [draft.existing or draft.activity for draft in now if draft.error is None]
        _settle_repeats(later, {fact: row for row in told for fact in row.facts()})
        waiting = [draft for draft in later if draft.open]
    new = [
        draft.activity
        for draft in drafts
        if draft.activity.pk is not None and not draft.activity.backfill
    ]
    if new:
        activities_recorded.send(Activity, organisation=organisation, activities=new)


def _settle_repeats(drafts: Iterable[Draft], held: Mapping[Fact, Activity]) -> None:
    """Settle those that repeat a fact that is `held` by now, save where the row of an earlier draft
    may hold it first."""
    undecided: set[Fact] = set()
    for draft in drafts:
        if not draft.facts & undecided:
            draft.existing = next(
                (held[fact] for fact in sorted(draft.facts) if fact in held), None
            )
        if draft.existing is None:
            undecided |= draft.facts


def _write_distinct(organisation: Organisation, drafts: Sequence[Draft]) -> None:
    """Settle drafts of which no two state the same fact."""
    _find_known(organisation, [draft for draft in drafts if draft.writes_more])
    _upsert_contacts(organisation, [draft for draft in drafts if draft.open])
    attach(organisation, [draft for draft in drafts if draft.open and draft.reservations])
    waiting = [draft for draft in drafts if draft.open]
    for _attempt in range(3):
        if not waiting:
            return
        Activity.objects.for_organisation(organisation).insert_new(
            [draft.activity for draft in waiting]
        )
        waiting = [draft for draft in waiting if draft.open]
        _find_known(organisation, waiting)
        for draft in waiting:
            for reservation in draft.anonymous if draft.existing is not None else ():
                reservation.delete()
        # What was there at the insert and is gone now was deleted in between.
        waiting = [draft for draft in waiting if draft.open]
    if waiting:
        raise DatabaseError("An activity can neither be inserted nor found.")


def _check_types(organisation: Organisation, drafts: Iterable[Draft]) -> None:
    unknown = types.unknown(organisation, {draft.activity.type for draft in drafts})
    for draft in drafts if unknown else ():
        if draft.activity.type in unknown:
            draft.error = ValidationError(
                {"type": types.unknown_type(organisation, draft.activity.type)}
            )


def _check_invites(organisation: Organisation, drafts: Iterable[Draft]) -> None:
    asked = {draft.referral_invite for draft in drafts if draft.referral_invite is not None}
    if not asked:
        return
    invites = ReferralInvite.objects.for_organisation(organisation).filter(pk__in=asked)
    there = set(invites.values_list("pk", flat=True))
    for draft in drafts:
        if draft.referral_invite in there:
            draft.activity.referral_invite_id = draft.referral_invite
        elif draft.referral_invite is not None:
            draft.error = ValidationError({"referral_invite": not_found(draft.referral_invite)})


def _find_known(organisation: Organisation, drafts: Iterable[Draft]) -> None:
    """Settle the drafts whose facts an activity states already."""
    facts = {fact for draft in drafts for fact in draft.facts}
    if not facts:
        return
    activities = Activity.objects.for_organisation(organisation).with_reservations()
    known = {fact: row for row in activities.same_as(facts) for fact in row.facts()}
    for draft in drafts:
        draft.existing = next(
            (known[fact] for fact in sorted(draft.facts) if fact in known), draft.existing
        )


def _find_contacts(organisation: Organisation, drafts: Sequence[Draft]) -> None:
    """Find whose the activities are where an id says so. A contact that was found cannot be merged
    into another, or deleted, until the transaction ends."""
    asked = {draft: pk for draft in drafts if (pk := _id(draft.contact)) is not None}
    found = survivors(organisation, set(asked.values()))
    for draft, pk in asked.items():
        if pk in found:
            draft.activity.contact_id = found[pk]
        else:
            draft.error = ValidationError({"contact": not_found(pk)})


def _upsert_contacts(organisation: Organisation, drafts: Sequence[Draft]) -> None:
    """Find or create whose the activities are where a mapping says so."""
    given = [(draft, draft.contact) for draft in drafts if isinstance(draft.contact, Mapping)]
    rows = [values for _draft, values in given]
    with causes.quiet(all(draft.activity.backfill for draft, _values in given)):
        results = upsert_batch(organisation=organisation, rows=rows) if rows else ()
    for result in results:
        draft = given[result.index][0]
        if isinstance(result.error, Conflict):
            draft.error = result.error
        elif result.error is not None:
            draft.error = under("contact", result.error)
        elif result.id is not None:
            draft.activity.contact_id = result.id


def find_contact(organisation: Organisation, given: Contact | int | Mapping[str, Any]) -> int:
    """The id of the contact that is meant, see `record`. Raises ValidationError under `contact`;
    Conflict."""
    if isinstance(given, Mapping):
        try:
            return upsert(organisation=organisation, values=given)[0].pk
        except ValidationError as error:
            raise under("contact", error) from None
    pk = given.pk if isinstance(given, Contact) else given
    found = survivors(organisation, [pk])
    if pk not in found:
        raise ValidationError({"contact": not_found(pk)})
    return found[pk]


def _id(contact: Contact | int | Mapping[str, Any]) -> int | None:
    if isinstance(contact, Contact):
        return contact.pk
    return contact if isinstance(contact, int) else None


def survivors(organisation: Organisation, pks: Iterable[int]) -> dict[int, int]:
    """For each of these ids, that of the contact that it is part of now; not for unknown ones.

    Holds the contacts: until the transaction ends none is merged into another, or deleted. One
    query, and one more for each step of the longest chain of merges.
    """
    contacts = Contact.objects.for_organisation(organisation).only("id", "merged_into")
    asked = [pk for pk in pks if 0 < pk < 2**63]
    into: dict[int, int | None] = {}
    missing = set(asked)
    while missing:
        rows = locks.hold(contacts.filter(pk__in=missing).order_by("pk"), "KEY SHARE")
        into |= {row.pk: row.merged_into_id for row in rows}
        missing = {pk for pk in into.values() if pk is not None} - into.keys()
    found = {}
    for pk in asked:
        at = pk
        while (further := into.get(at)) is not None:
            at = further
        if at in into:
            found[pk] = at
    return found
