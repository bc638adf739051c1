"""From events to runs: which workflows start, and which waiting runs go on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from activities.models import Activity
from contacts.models import Contact
from contacts.rules import Rule, Subject
from contacts.rules.subjects import gather
from organisations.models import Organisation
from workflows import alerts, causes, events, existing, reentry
from workflows.models import Event, Run, Workflow, WorkflowVersion
from workflows.reentry import Candidate
from workflows.rulebook import Rulebook
from workflows.triggers import TRIGGERS
from workflows.triggers.base import Happening, Trigger

log = structlog.get_logger(__name__)

BATCH = 200
MAX_ATTEMPTS = 8
FIRST_PAUSE = timedelta(seconds=5)
"""Before an event that could not be matched is tried again; twice as long each time."""


def match(limit: int = BATCH) -> int:
    """Turn the oldest events that are due into runs; answers how many were dealt with.

    The events are claimed, matched and deleted in one transaction: a worker that dies leaves them
    as they were. When one cannot be matched, the others are matched one by one; that one is tried
    again later, and after the last time it stays and staff are told.
    """
    now = timezone.now()
    if not events.overdue(now).exists():
        return 0
    try:
        return len(_match_together(now, limit))
    except Exception:
        log.exception("events could not be matched together")
    matched = 0
    while matched < limit and _match_alone(now):
        matched += 1
    return matched


def _match_together(now: datetime, limit: int) -> Sequence[Event]:
    with transaction.atomic():
        claimed = list(events.overdue(now).select_for_update(skip_locked=True)[:limit])
        _process(claimed, now)
        _delete(claimed)
    return claimed


def _match_alone(now: datetime) -> int:
    failed: tuple[Event, Exception] | None = None
    with transaction.atomic():
        claimed = list(events.overdue(now).select_for_update(skip_locked=True)[:1])
        try:
            with transaction.atomic():
                _process(claimed, now)
                _delete(claimed)
        except Exception as error:
            failed = claimed[0], error
        if failed is not None:
            _postpone(*failed, now)
    return len(claimed)


def _delete(claimed: Sequence[Event]) -> None:
    pks = [event.pk for event in claimed]
    Event.objects.across_organisations().filter(pk__in=pks)._raw_delete("default")  # no cascades


def _postpone(event: Event, error: Exception, now: datetime) -> None:
    log.error("event could not be matched", id=event.pk, kind=event.kind, exc_info=error)
    event.attempts += 1
    event.error = f"{type(error).__name__}: {error}"
    event.due_at = now + FIRST_PAUSE * 2 ** (event.attempts - 1)
    if event.attempts >= MAX_ATTEMPTS:
        event.due_at = None
        alerts.tell(
            organisation=event.organisation_id,
            text=_("Something happened (%(kind)s) that no workflow could be asked about: %(error)s")
            % {"kind": event.kind, "error": event.error},
        )
    event.save(update_fields=["attempts", "error", "due_at"])


@dataclass(frozen=True)
class Listener:
    """An Active workflow and what starts it."""

    workflow: Workflow
    version: WorkflowVersion
    trigger: Trigger

    @property
    def data(self) -> Mapping[str, Any]:
        data: Mapping[str, Any] = self.version.trigger
        return data


@dataclass
class Match:
    """A listener that takes an event, if its conditions hold."""

    event: Event
    happening: Happening
    listener: Listener
    rule: Rule
    subject: Subject


def _process(claimed: Sequence[Event], now: datetime) -> None:
    for event in claimed:
        if event.kind == events.EXISTING:
            existing.take_some(event, now)
    told = [event for event in claimed if event.kind != events.EXISTING]
    if not told:
        return
    organisations = Organisation.objects.in_bulk({event.organisation_id for event in told})
    listeners = _listeners(told, organisations)
    happenings = _happenings(told, organisations, listeners)
    if listeners:
        matches = _matches(told, happenings, listeners, now)
        _enter(matches, now)
    _wake(happenings.values(), now)


def _listeners(told: Sequence[Event], organisations: Mapping[int, Organisation]) -> list[Listener]:
    """Two queries."""
    kinds = {event.kind for event in told}
    types = [name for name, kind in TRIGGERS.items() if kind.event in kinds]
    workflows = list(
        Workflow.objects.across_organisations()
        .filter(
            organisation__in=organisations,
            starting_trigger_type__in=types,
            status=Workflow.Status.ACTIVE,
        )
        .order_by("pk")
    )
    versions = reentry.current_versions(workflows) if workflows else {}
    found = []
    for workflow in workflows:
        workflow.organisation = organisations[workflow.organisation_id]
        version = versions[workflow.pk]
        found.append(Listener(workflow, version, TRIGGERS[workflow.starting_trigger_type]))
    return found


def _happenings(
    told: Sequence[Event],
    organisations: Mapping[int, Organisation],
    listeners: Iterable[Listener],
) -> dict[int, Happening]:
    """What the events are about, by the event's id: not for those whose contact or activity is
    gone, which happened to nobody any more. Two queries, and one for each merge on the way."""
    activities = _activities(told)
    contacts = Contact.objects.across_organisations().select_related("rollup")
    wanted = {event.contact_id for event in told} | {one.contact_id for one in activities.values()}
    found = contacts.in_bulk([pk for pk in wanted if pk is not None])
    current = contacts.survivors(found.values())
    happenings = {}
    for event in told:
        organisation = organisations.get(event.organisation_id)
        activity = activities.get(event.activity_id) if event.activity_id is not None else None
        if event.activity_id is not None and activity is None:
            continue
        owner = activity.contact_id if activity is not None else event.contact_id
        contact = current.get(owner) if owner is not None else None
        if organisation is None or contact is None:
            continue
        contact.organisation = organisation
        if event.kind == events.BOOKING_STATUS_CHANGED:
            activity = _latest_of_booking(event)
        if activity is not None:
            activity.organisation = organisation
        happenings[event.pk] = Happening(event.kind, organisation, contact, activity, event.payload)
    return happenings


def _activities(told: Sequence[Event]) -> dict[int, Activity]:
    asked = [event.activity_id for event in told if event.activity_id is not None]
    if not asked:
        return {}
    rows = Activity.objects.across_organisations().with_reservations()
    found: dict[int, Activity] = rows.in_bulk(asked)
    return found


def _latest_of_booking(event: Event) -> Activity | None:
    return (
        Activity.objects.for_organisation(event.organisation_id)
        .with_reservations()
        .filter(booking=event.payload.get("booking"))
        .order_by("-pk")
        .first()
    )


def _matches(
    told: Sequence[Event],
    happenings: Mapping[int, Happening],
    listeners: Sequence[Listener],
    now: datetime,
) -> list[Match]:
    """Who takes what, in the order of the events. What all rules need is read together."""
    rulebook, found = Rulebook(), []
    own_doing = _workflows_of_causes(told)
    for event in told:
        happening = happenings.get(event.pk)
        if happening is None:
            continue
        subject = Subject(happening.contact, activity=happening.activity, now=now)
        for listener in listeners:
            if (
                listener.trigger.event != event.kind
                or listener.workflow.organisation_id != event.organisation_id
                or event.workflow_id not in (None, listener.workflow.pk)
                or own_doing.get(event.cause_id) == listener.workflow.pk
                or not listener.trigger.takes(listener.data, happening)
            ):
                continue
            try:
                rule = rulebook.rule(happening.organisation, listener.data.get("conditions"))
            except ValidationError as error:
                _complain(listener, error)
                continue
            subject.expect(rule.needs)
            found.append(Match(event, happening, listener, rule, subject))
    gather({id(match.subject): match.subject for match in found}.values())
    return [match for match in found if match.rule.holds(match.subject)]


def _workflows_of_causes(told: Iterable[Event]) -> dict[int | None, int]:
    """For each run that is a cause, its workflow: none starts by its own effect."""
    causing = {event.cause_id for event in told if event.cause_id is not None}
    if not causing:
        return {}
    runs = Run.objects.across_organisations().filter(pk__in=causing)
    return dict(runs.values_list("pk", "workflow_id"))


def _complain(listener: Listener, error: ValidationError) -> None:
    """The conditions speak of something that is gone: tell staff, once until the workflow is
    changed."""
    from workflows import failures

    failures.note_broken(listener.workflow, error)


def _enter(matches: Sequence[Match], now: datetime) -> None:
    allowed = []
    for match in matches:
        if match.event.depth > causes.MAX_DEPTH:
            _refuse(match)
        else:
            allowed.append(match)
    reentry.enter([_candidate(match) for match in allowed], now)


def _candidate(match: Match) -> Candidate:
    event, happening, listener = match.event, match.happening, match.listener
    activity = happening.activity
    told = {"activity": activity.pk} if activity is not None else {}
    return Candidate(
        workflow=listener.workflow,
        version=listener.version,
        contact=happening.contact,
        activity=activity,
        trigger_data={"type": listener.trigger.type, **told, **happening.payload},
        depth=event.depth,
        cause=event.cause_id,
    )


def _refuse(match: Match) -> None:
    """End a chain that became too long: say so on the run that would have set it off further, and
    to staff."""
    reason = reentry.too_deep(match.listener.workflow)
    runs = Run.objects.for_organisation(match.event.organisation_id)
    if match.event.cause_id is not None:
        runs.filter(pk=match.event.cause_id).update(error_message=reason, updated_at=timezone.now())
    alerts.tell(organisation=match.event.organisation_id, text=reason)


def _wake(happenings: Iterable[Happening], now: datetime) -> None:
    """Have the runs looked at that wait for one of these activities."""
    came: dict[int, set[str]] = {}
    for happening in happenings:
        if happening.kind == events.ACTIVITY_CREATED and happening.activity is not None:
            came.setdefault(happening.contact.pk, set()).add(happening.activity.type)
    if not came:
        return
    waiting = Run.objects.across_organisations().filter(contact__in=came, waits_for__isnull=False)
    pks = [
        pk
        for pk, contact, types in waiting.values_list("pk", "contact_id", "waits_for")
        if not came[contact].isdisjoint(types or ())
    ]
    if pks:
        woken = Run.objects.across_organisations().filter(pk__in=pks, waits_for__isnull=False)
        woken.update(due_at=now)
