"""Keeping the tags of segments right: after changes of contacts, by and by for whole segments.

What is decided is written while the segment's row is held, in one transaction: a contact that
changes meanwhile is in the queue, and is looked at after.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.db import Error, InterfaceError, OperationalError, connection, transaction
from django.db.models import Count, F
from django.utils import timezone

from contacts.models import Contact, ContactTag
from contacts.rules import Reading, Rule, parse
from contacts.segments.models import Segment, SegmentCheck
from contacts.segments.queue import enqueue
from contacts.segments.rules import tags_named
from contacts.signals import segment_changed, tags_changed
from crm import causes
from crm.causes import Cause
from organisations.models import Organisation

log = structlog.get_logger(__name__)

CHECKED_TOGETHER = 250
"""Contacts out of the queue that are looked at in one transaction."""
SWEEP = timedelta(hours=1)
"""How often a segment is looked through whose rule time alone changes."""
CARE = timedelta(days=1)
"""How often any other is: for what no queue tells, such as an organisation's new time zone."""
AFTER_ERROR = timedelta(hours=1)
AT_A_TIME = 0.5
"""Seconds after which other work of the worker has its turn."""
LONGEST_HOLD = 0.1
"""Seconds that a step of a whole refresh should take: so long may a writer of the same contacts
have to wait."""
SMALLEST_STEP, LARGEST_STEP = 50, 2000


class _Step:
    size = 500
    """Contacts that the next step of a whole refresh looks at, as the last steps taught."""


def refresh_due(stopping: Callable[[], bool] = lambda: False) -> int:
    """Look at contacts that changed, then go on with segments that are due; answers at how many
    contacts were looked. 0: nothing is left to do now.

    Takes about half a second, so that it is to be called again until it answers 0. Whatever is
    killed in the middle goes on where it was. Any number of workers may do this at once.
    """
    looked = 0
    until = time.monotonic() + AT_A_TIME
    for work in (_check_some, _refresh_some):
        while time.monotonic() < until and not stopping():
            done = work()
            looked += done
            if not done:
                break
    return looked


def is_due() -> bool:
    """Whether `refresh_due` would find something. Two queries at most."""
    return (
        SegmentCheck.objects.across_organisations().exists()
        or Segment.objects.across_organisations().due(timezone.now()).exists()
    )


def _without_compiling() -> None:
    """PostgreSQL would compile a query (300 ms) that it takes for long, as it takes any with a few
    subqueries, and that takes 5 ms."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL jit = off")


# After changes.


def _check_some() -> int:
    """Look at some contacts out of the queue, of one organisation."""
    checks = SegmentCheck.objects.across_organisations()
    if not checks.exists():  # without a transaction, which on SQLite keeps writers waiting
        return 0
    with transaction.atomic():
        _without_compiling()
        first = checks.order_by("pk").select_for_update(skip_locked=True, of=("self",)).first()
        if first is None:
            return 0  # others are at it
        organisation = Organisation.objects.get(pk=first.organisation_id)
        segments = list(Segment.objects.for_organisation(organisation).select_related("tag").held())
        rows = list(
            checks.filter(organisation=organisation)
            .order_by("pk")
            .select_for_update(skip_locked=True, of=("self",))[:CHECKED_TOGETHER]
        )
        why = _reasons(rows)
        _check(organisation, segments, why)
        checks.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


@dataclass(frozen=True)
class _Reason:
    """Why a contact is looked at: whose doing it was, and whether that was history."""

    cause: Cause | None = None
    quiet: bool = False


def _reasons(rows: Iterable[SegmentCheck]) -> dict[int, _Reason]:
    """By contact. Of several changes the one deepest in a chain of workflows counts, lest the chain
    never end; and it is history only when all of them are."""
    found: dict[int, _Reason] = {}
    for row in rows:
        cause, quiet = Cause.from_json(row.cause), row.quiet
        before = found.get(row.contact_id)
        if before is not None:
            quiet = quiet and before.quiet
            known = [one for one in (before.cause, cause) if one is not None]
            cause = max(known, key=lambda one: one.depth, default=None)
        found[row.contact_id] = _Reason(cause, quiet)
    return found


def _check(
    organisation: Organisation, segments: Sequence[Segment], why: Mapping[int, _Reason]
) -> None:
    ids = sorted(why)
    contacts = Contact.objects.for_organisation(organisation).filter(pk__in=ids)
    gone = len(ids) > contacts.count() if segments else False
    now = timezone.now()
    for segment, rule in _in_order(organisation, segments):
        moved = _guarded(segment, lambda: _apply(segment, rule, {"in": ids}, now))  # noqa: B023
        for move in moved or ():
            for reason in {why[pk] for pk in move.ids}:
                some = [pk for pk in move.ids if why[pk] == reason]
                _tell(segment, some, entered=move.entered, reason=reason)
    if gone:
        _count(segments)


# Whole segments.


def _refresh_some() -> int:
    """Go on with the segment that is due the longest, by one step."""
    due = Segment.objects.across_organisations().due(timezone.now())
    if not due.exists():
        return 0
    with transaction.atomic():
        _without_compiling()
        segment = (
            due.select_related("tag", "organisation")
            .select_for_update(skip_locked=True, no_key=True, of=("self",))
            .first()
        )
        if segment is None:
            return 0
        organisation = segment.organisation
        rule = _read(segment, Reading(organisation))
        if rule is None:
            return 1
        started = time.monotonic()
        looked = _guarded(segment, lambda: _step(segment, rule, _Step.size))
        if looked is not None:
            _learn(looked, time.monotonic() - started)
        return max(looked or 0, 1)


def _learn(looked: int, seconds: float) -> None:
    """Fit the size of a step to how long this one took."""
    if seconds > LONGEST_HOLD:
        _Step.size = max(SMALLEST_STEP, int(_Step.size * LONGEST_HOLD / seconds))
    elif looked == _Step.size and seconds < LONGEST_HOLD / 2:
        _Step.size = min(LARGEST_STEP, _Step.size * 2)


def _step(segment: Segment, rule: Rule, size: int) -> int:
    """Look at the next contacts; answers at how many."""
    now = timezone.now()
    after = segment.done_up_to or 0
    contacts = Contact.objects.for_organisation(segment.organisation).filter(pk__gt=after)
    ids = list(contacts.order_by("pk").values_list("pk", flat=True)[:size])
    if ids:
        for move in _apply(segment, rule, {"gte": ids[0], "lte": ids[-1]}, now):
            _tell(segment, move.ids, entered=move.entered, reason=_Reason())
            if _is_watched(segment):
                enqueue(segment.organisation, move.ids)
    if len(ids) == size:
        segment.done_up_to = ids[-1]
    else:
        segment.done_up_to = None
        segment.refreshed_at = now
        segment.due_at = now + (SWEEP if rule.moves_with_time else CARE)
        _count([segment])
    segment.error = ""
    _save(segment)
    return len(ids)


def _is_watched(segment: Segment) -> bool:
    """Whether the rule of another segment names this one's tag."""
    others = Segment.objects.for_organisation(segment.organisation).exclude(pk=segment.pk)
    reading = Reading(segment.organisation)
    return any(
        segment.tag.key in tags_named(rule)
        for one in others.select_related("tag")
        if (rule := _parsed(one, reading)) is not None
    )


def _save(segment: Segment) -> None:
    # Not `updated_at`: nobody changed the segment.
    Segment.objects.across_organisations().filter(pk=segment.pk).update(
        done_up_to=segment.done_up_to,
        refreshed_at=segment.refreshed_at,
        due_at=segment.due_at,
        error=segment.error,
    )


# Both.


@dataclass(frozen=True)
class _Move:
    """Contacts that came in, or left."""

    ids: list[int]
    entered: bool


def _in_order(
    organisation: Organisation, segments: Sequence[Segment]
) -> list[tuple[Segment, Rule]]:
    """The segments whose rules can be read; those whose tags others name come before them."""
    reading = Reading(organisation)
    rules = {one: rule for one in segments if (rule := _read(one, reading)) is not None}
    by_key = {one.tag.key: one for one in rules}
    ordered: dict[Segment, Rule] = {}

    def put(segment: Segment, below: frozenset[Segment]) -> None:
        if segment in ordered or segment in below:
            return
        for key in sorted(tags_named(rules[segment]) & by_key.keys()):
            put(by_key[key], below | {segment})
        ordered[segment] = rules[segment]

    for segment in rules:
        put(segment, frozenset())
    return list(ordered.items())


def _parsed(segment: Segment, reading: Reading) -> Rule | None:
    try:
        return parse(segment.rules, organisation=reading.organisation, reading=reading)
    except ValidationError:
        return None


def _read(segment: Segment, reading: Reading) -> Rule | None:
    """The segment's rule; one that cannot be read any more is noted, and left for an hour."""
    try:
        return parse(segment.rules, organisation=reading.organisation, reading=reading)
    except ValidationError as error:
        _break(segment, " ".join(error.messages))
        return None


def _guarded(segment: Segment, work: Callable[[], Any]) -> Any:
    """What `work` answers; None when the database refused it, which is noted: a rule that cannot be
    followed must not stop the others."""
    try:
        with transaction.atomic():
            return work()
    except (OperationalError, InterfaceError):
        raise
    except Error as error:
        log.exception("segment failed", segment=segment.pk)
        _break(segment, f"{type(error).__name__}: {error}")
        return None


def _break(segment: Segment, error: str) -> None:
    if segment.error != error or segment.due_at <= timezone.now():
        log.warning("segment cannot be refreshed", segment=segment.pk, error=error)
        segment.error = error
        segment.done_up_to = None
        segment.due_at = timezone.now() + AFTER_ERROR
        _save(segment)


def _apply(segment: Segment, rule: Rule, among: Mapping[str, Any], now: datetime) -> list[_Move]:
    """Put the tag on and take it off where the rule says otherwise. Three queries when nothing
    does, one more for each of the two."""
    everyone = Contact.objects.for_organisation(rule.organisation).current()
    chosen = everyone.filter(**{f"pk__{name}": value for name, value in among.items()})
    fit = set(rule.narrow(chosen, now=now, among=among).values_list("pk", flat=True))
    links = ContactTag.objects.for_organisation(rule.organisation).filter(tag=segment.tag_id)
    bounded = links.filter(**{f"contact__{name}": value for name, value in among.items()})
    have = set(bounded.values_list("contact_id", flat=True))
    entered = _put_on(segment, sorted(fit - have))
    left = _take_off(segment, sorted(have - fit))
    if entered or left:
        Segment.objects.across_organisations().filter(pk=segment.pk).update(
            contact_count=F("contact_count") + (len(entered) - len(left))
        )
    moves = (_Move(entered, entered=True), _Move(left, entered=False))
    return [move for move in moves if move.ids]


def _put_on(segment: Segment, ids: Collection[int]) -> list[int]:
    """Put the tag on; answers who has it now and had it not. A contact that is about to be merged
    or deleted is waited for."""
    if not ids:
        return []
    quote = connection.ops.quote_name
    there = ", ".join(["%s"] * len(ids))
    hold = " ORDER BY id FOR KEY SHARE" if connection.vendor == "postgresql" else ""
    moment = connection.ops.adapt_datetimefield_value(timezone.now())
    cast = "::timestamptz" if connection.vendor == "postgresql" else ""
    return _answers(
        f"INSERT INTO {quote(ContactTag._meta.db_table)}"  # noqa: S608  # names of ours
        " (organisation_id, contact_id, tag_id, created_at)"
        f" SELECT organisation_id, id, %s, %s{cast} FROM {quote(Contact._meta.db_table)}"
        f" WHERE id IN ({there}) AND merged_into_id IS NULL{hold}"
        " ON CONFLICT (tag_id, contact_id) DO NOTHING RETURNING contact_id",
        [segment.tag_id, moment, *ids],
    )


def _take_off(segment: Segment, ids: Collection[int]) -> list[int]:
    """Take the tag off; answers who had it."""
    if not ids:
        return []
    there = ", ".join(["%s"] * len(ids))
    return _answers(
        f"DELETE FROM {connection.ops.quote_name(ContactTag._meta.db_table)}"  # noqa: S608
        f" WHERE tag_id = %s AND contact_id IN ({there}) RETURNING contact_id",
        [segment.tag_id, *ids],
    )


def _answers(sql: str, params: Sequence[Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return sorted(row[0] for row in cursor.fetchall())


def _tell(segment: Segment, ids: list[int], *, entered: bool, reason: _Reason) -> None:
    with causes.acting(reason.cause), causes.quiet(reason.quiet):
        segment_changed.send(Segment, segment=segment, contact_ids=ids, entered=entered)
        tags_changed.send(
            type(segment.tag),
            organisation=segment.organisation,
            tag=segment.tag,
            contact_ids=ids,
            added=entered,
        )


def _count(segments: Sequence[Segment]) -> None:
    """Count anew who carries the tags of these. Two queries."""
    links = ContactTag.objects.across_organisations().filter(
        tag__in=[one.tag_id for one in segments]
    )
    found = dict(links.order_by().values_list("tag").annotate(number=Count("pk")))
    for segment in segments:
        number = found.get(segment.tag_id, 0)
        Segment.objects.across_organisations().filter(pk=segment.pk).exclude(
            contact_count=number
        ).update(contact_count=number)
