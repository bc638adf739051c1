"""The outbox: what happened, for the workflows that may act on it (docs/decisions/0010).

Kinds of event are below. What an organisation listens to (`Organisation.listens_to`) are these
kinds, or narrower words for what a trigger wants, so that an event which no trigger could take is
not even written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from activities.models import Activity
from activities.types import BUILT_IN
from organisations.models import Organisation
from organisations.services import set_listening
from workflows import bell, causes, values
from workflows.models import Event, Run, Workflow, WorkflowVersion

OWNER = "workflows"

ACTIVITY_CREATED = "activity_created"
CONTACT_CREATED = "contact_created"
CONTACT_UPDATED = "contact_updated"
BOOKING_STATUS_CHANGED = "booking_status_changed"
REFERRAL_COMPLETED = "referral_completed"
TAG_ADDED = "tag_added"
TAG_REMOVED = "tag_removed"
SEGMENT_ENTERED = "segment_entered"
SEGMENT_LEFT = "segment_left"
DATE_ANNIVERSARY = "date_anniversary"
INACTIVITY = "inactivity"
WEBHOOK = "webhook"
MANUAL = "manual"
EXISTING = "existing"
"""Contacts who match already shall enter a workflow that was just activated."""

OF_OWN_TYPE = f"{ACTIVITY_CREATED}@own"
WITH_BOOKING = f"{ACTIVITY_CREATED}@booking"
WITH_GIFT_CARD = f"{ACTIVITY_CREATED}@giftCard"

BATCH = 500


def detail(kind: str, word: str) -> str:
    """A kind of event, narrowed: `tag_added:vip`."""
    return f"{kind}:{word}"


def of_type(name: str) -> str:
    """Activities of this type."""
    return detail(ACTIVITY_CREATED, name)


def is_built_in(name: str) -> bool:
    """Whether every organisation has this type of activity."""
    return name in BUILT_IN


def words_of(activity: Activity) -> set[str]:
    """By which words one may listen to this activity."""
    words = {ACTIVITY_CREATED, of_type(activity.type)}
    if not is_built_in(activity.type):
        words.add(OF_OWN_TYPE)
    if activity.booking_id is not None:
        words.add(WITH_BOOKING)
    if activity.gift_card is not None:
        words.add(WITH_GIFT_CARD)
    return words


def listening(organisation: Organisation) -> frozenset[str]:
    """What the organisation's workflows want to hear of; nothing while history is written."""
    if not organisation.listens_to or causes.is_quiet():
        return frozenset()
    return organisation.listened_by(OWNER)


@dataclass(frozen=True)
class Fact:
    """What is to be written down: about whom, and more in `payload`."""

    contact: int
    activity: int | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)


def write(
    organisation: Organisation | int,
    kind: str,
    facts: Iterable[Fact],
    *,
    workflow: Workflow | None = None,
) -> int:
    """Write an event for each fact, in the caller's transaction; answers how many. One insert for
    each 500. Whose doing it is, `workflows.causes` knows."""
    owner = organisation if isinstance(organisation, int) else organisation.pk
    cause, now = causes.current(), timezone.now()
    events = [
        Event(
            organisation_id=owner,
            kind=kind,
            contact_id=fact.contact,
            activity_id=fact.activity,
            workflow=workflow,
            payload=values.as_json(fact.payload),
            depth=cause.depth + 1 if cause is not None else 1,
            cause_id=cause.run if cause is not None else None,
            due_at=now,
        )
        for fact in facts
    ]
    if events:
        Event.objects.bulk_create(events, batch_size=BATCH)
        bell.ring_after_commit()
    return len(events)


def listen(organisation: Organisation | int) -> None:
    """Note with the organisation what its workflows want to hear of now: Active ones what starts
    them, and every version with an unfinished run the activities that its steps wait for."""
    from workflows.program import Program
    from workflows.triggers import TRIGGERS

    pk = organisation if isinstance(organisation, int) else organisation.pk
    # Who activates another workflow at this moment is waited for, and then seen.
    Organisation.objects.select_for_update(no_key=True).only("pk").get(pk=pk)
    wanted: set[str] = set()
    versions = WorkflowVersion.objects.for_organisation(organisation).select_related("workflow")
    active = versions.filter(workflow__status=Workflow.Status.ACTIVE)
    unfinished = Run.objects.across_organisations().unfinished().values("version")
    for version in active.filter(number=_current()):
        kind = TRIGGERS.get(version.trigger["type"])
        if kind is not None:
            wanted.update(kind.listens(version.trigger))
    waiting = versions.filter(pk__in=unfinished)
    for version in {*active.filter(number=_current()), *waiting}:
        program = Program(version.steps)
        for path, data in program.walk():
            wanted.update(map(of_type, program.kind(path).listens(data)))
    set_listening(organisation=organisation, owner=OWNER, kinds=wanted)


def _current() -> Any:
    from django.db.models import F

    return F("workflow__version")


def overdue(now: datetime) -> Any:
    """The events that a worker may take now, oldest first."""
    return Event.objects.across_organisations().filter(due_at__lte=now).order_by("due_at", "pk")
