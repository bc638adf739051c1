"""Looking for what time alone brings about: dates that come round, and contacts not seen for long.

Each sweep takes what became due since the last one and writes events for it. An `Occasion` says
that a moment was taken, so that no sweep takes it twice, however often it is killed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from contacts.models import Contact
from contacts.querysets import ContactQuerySet
from contacts.rules.durations import Duration
from customfields.models import CustomFieldValue
from workflows import checks, dates, events, reentry
from workflows.events import Fact
from workflows.models import Occasion, Workflow
from workflows.triggers.time import earliest

BATCH = 500
LOOK_BACK = timedelta(days=1)
"""What was recorded late (a correction, a date of birth told on the day) is found so much later."""
_FIRST_YEAR = 1900


@dataclass(frozen=True)
class Due:
    """A contact whose moment has come, and what tells it from the contact's other moments."""

    contact: int
    key: str
    payload: Mapping[str, Any]


def sweep() -> int:
    """Take what became due, of all Active workflows that time starts; answers how much that was."""
    active = Workflow.objects.across_organisations().filter(
        status=Workflow.Status.ACTIVE, starting_trigger_type__in=_SWEEPS
    )
    return sum(_sweep(workflow) for workflow in active.select_related("organisation"))


def _sweep(workflow: Workflow) -> int:
    now = timezone.now()
    since = max(
        (workflow.swept_at or now) - LOOK_BACK, workflow.activated_at or workflow.created_at
    )
    data = reentry.current_version(workflow).trigger
    kind = events.INACTIVITY if data["type"] == events.INACTIVITY else events.DATE_ANNIVERSARY
    taken, batch = 0, []
    for due in _SWEEPS[workflow.starting_trigger_type](workflow, data, since, now):
        batch.append(due)
        if len(batch) == BATCH:
            taken += _take(workflow, kind, batch)
            batch = []
    taken += _take(workflow, kind, batch)
    Workflow.objects.for_organisation(workflow.organisation_id).filter(pk=workflow.pk).update(
        swept_at=now
    )
    return taken


def _take(workflow: Workflow, kind: str, found: Sequence[Due]) -> int:
    """Write an event for each that was not taken before: both or neither."""
    if not found:
        return 0
    occasions = Occasion.objects.for_organisation(workflow.organisation_id)
    with transaction.atomic():
        there = set(
            occasions.filter(
                workflow=workflow, contact__in=[one.contact for one in found]
            ).values_list("contact_id", "key")
        )
        new = [one for one in found if (one.contact, one.key) not in there]
        Occasion.objects.bulk_create(
            Occasion(
                organisation_id=workflow.organisation_id,
                workflow=workflow,
                contact_id=one.contact,
                key=one.key,
            )
            for one in new
        )
        facts = (Fact(one.contact, payload=one.payload) for one in new)
        return events.write(workflow.organisation_id, kind, facts, workflow=workflow)


def _contacts(workflow: Workflow) -> ContactQuerySet:
    contacts = Contact.objects.for_organisation(workflow.organisation_id).current()
    return contacts.filter(redacted_at=None)


def _unseen(
    workflow: Workflow, data: Mapping[str, Any], since: datetime, now: datetime
) -> Iterator[Due]:
    """Those whose last interaction lies `duration` back since the last sweep."""
    length = checks.duration(data["duration"])
    after, until = earliest(length, since), earliest(length, now)
    still = Q(rollup__last_interacted_at__gt=after, rollup__last_interacted_at__lte=until)
    never = Q(rollup__last_interacted_at=None, created_at__gt=after, created_at__lte=until)
    rows = _contacts(workflow).filter(still | never).order_by("pk")
    columns = rows.values_list("pk", "rollup__last_interacted_at", "created_at")
    for pk, interacted, created in columns.iterator(chunk_size=BATCH):
        seen = (interacted or created).isoformat(timespec="seconds")
        yield Due(pk, seen[:40], {"since": seen})


def _anniversaries(
    workflow: Workflow, data: Mapping[str, Any], since: datetime, now: datetime
) -> Iterator[Due]:
    """Those whose date, moved by the offset, came round since the last sweep."""
    field = dates.field(data["field"], workflow.organisation, ("contact",))
    offset = checks.offset(data.get("offset"))
    at = checks.clock(data["at"]) if data.get("at") is not None else dates.BEGINNING
    once = data.get("repeat") == "once"
    # Wherever on earth the contact is, its day is one of these.
    first, last = since.date() - timedelta(days=1), now.date() + timedelta(days=1)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    bases = sorted({base for day in days for base in _bases(day, offset, once)})
    for contact, base in _having(workflow, field.name, bases):
        for year in {day.year + shift for day in days for shift in (-1, 0, 1)}:
            occurrence = base if once else _in_year(base, year)
            zone = dates.zone_of(workflow.organisation, contact)
            moment = dates.moment_of(occurrence, offset, at, zone)
            if since < moment <= now and (once or occurrence.year >= base.year):
                yield Due(contact.pk, occurrence.isoformat(), {"date": occurrence.isoformat()})
                break


def _bases(day: date, offset: tuple[int, Duration], once: bool) -> Iterator[date]:
    """The dates whose anniversary, moved by the offset, may be on this day. Where months are of
    different lengths, some more than there are: the moment itself decides."""
    sign, length = offset
    origin = length.day_before(day) if sign > 0 else length.day_after(day)
    spread = 3 if length.months else 0
    for shift in range(-spread, spread + 1):
        near = origin + timedelta(days=shift)
        if once:
            yield near
            continue
        for year in range(_FIRST_YEAR, near.year + 2):
            yield _in_year(near, year)
            if (near.month, near.day) == (2, 28) and _is_leap(year):
                yield date(year, 2, 29)


def _in_year(day: date, year: int) -> date:
    """The day in another year; 29 February is kept on the 28th where there is none."""
    if (day.month, day.day) == (2, 29) and not _is_leap(year):
        return date(year, 2, 28)
    return day.replace(year=year)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _having(workflow: Workflow, name: str, bases: Sequence[date]) -> Iterator[tuple[Contact, date]]:
    """The contacts with one of these dates in the field, with it. By index, 500 dates at a time."""
    contacts = _contacts(workflow)
    for start in range(0, len(bases), BATCH):
        some = bases[start : start + BATCH]
        if name == "contact.dob":
            for contact in contacts.filter(dob__in=some).iterator(chunk_size=BATCH):
                assert contact.dob is not None  # it is one of the days
                yield contact, contact.dob
        elif name == "contact.createdAt":
            yield from _created_on(workflow, contacts, some)
        else:
            yield from _with_value(workflow, name.removeprefix(dates.CUSTOM), some)


def _created_on(
    workflow: Workflow, contacts: ContactQuerySet, days: Iterable[date]
) -> Iterator[tuple[Contact, date]]:
    wanted = Q(pk__in=[])
    oldest = contacts.order_by("created_at").values_list("created_at", flat=True).first()
    for day in days:
        # A day of any zone on earth, and then that of the contact's own.
        begins = datetime.combine(day, time(), UTC) - timedelta(hours=14)
        if oldest is not None and begins + timedelta(hours=40) >= oldest:
            wanted |= Q(created_at__gte=begins, created_at__lt=begins + timedelta(hours=40))
    for contact in contacts.filter(wanted).iterator(chunk_size=BATCH):
        zone = dates.zone_of(workflow.organisation, contact)
        yield contact, contact.created_at.astimezone(zone).date()


def _with_value(
    workflow: Workflow, name: str, days: Sequence[date]
) -> Iterator[tuple[Contact, date]]:
    values = CustomFieldValue.objects.for_organisation(workflow.organisation_id).filter(
        field__name=name, value_date__in=days
    )
    rows = values.filter(contact__merged_into=None, contact__redacted_at=None)
    for value in rows.select_related("contact").iterator(chunk_size=BATCH):
        assert value.value_date is not None  # it is one of the days
        yield value.contact, value.value_date


_SWEEPS = {events.INACTIVITY: _unseen, events.DATE_ANNIVERSARY: _anniversaries}
