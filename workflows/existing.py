"""Contacts who match a workflow already when it is activated: how many, and letting them in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from contacts import rules
from contacts.models import Contact
from contacts.querysets import ContactQuerySet
from workflows import events, reentry
from workflows.models import Event, Workflow, WorkflowVersion
from workflows.reentry import Candidate
from workflows.triggers import TRIGGERS

BATCH = 500
MOST = 10_000
"""How far they are counted."""
SAMPLE = 5


def matching(workflow: Workflow, version: WorkflowVersion, now: datetime) -> ContactQuerySet | None:
    """The contacts who match now; None when the trigger is about something that happens, which did
    not happen to them."""
    trigger = version.trigger
    contacts = Contact.objects.for_organisation(workflow.organisation_id).current()
    contacts = contacts.filter(redacted_at=None)
    found = TRIGGERS[trigger["type"]].existing(trigger, contacts, now)
    conditions = trigger.get("conditions")
    if found is None or not conditions:
        return found
    rule = rules.parse(conditions, organisation=workflow.organisation)
    return rule.narrow(found, now=now)


def preview(workflow: Workflow, version: WorkflowVersion, now: datetime) -> dict[str, Any]:
    """How many contacts match already (at most `MOST`), and some of them."""
    found = matching(workflow, version, now)
    if found is None:
        return {"matching": None, "capped": False, "sample": []}
    pks = list(found.order_by("-pk").values_list("pk", flat=True)[: MOST + 1])
    return {"matching": min(len(pks), MOST), "capped": len(pks) > MOST, "sample": pks[:SAMPLE]}


def let_in(workflow: Workflow, version: WorkflowVersion, now: datetime) -> None:
    """Have the contacts who match now enter, some at a time, by the worker. Raises ValidationError
    where nobody can match already."""
    if matching(workflow, version, now) is None:
        raise ValidationError(
            {
                "includeExisting": ValidationError(
                    _("This trigger is about something that happens: nobody matches already."),
                    code="not_applicable",
                )
            }
        )
    Event.objects.create(
        organisation_id=workflow.organisation_id,
        kind=events.EXISTING,
        workflow=workflow,
        payload={"after": 0, "version": version.pk},
        due_at=now,
    )


def take_some(event: Event, now: datetime) -> None:
    """Let the next 500 in, and note where to go on. In the transaction that deletes `event`."""
    versions = WorkflowVersion.objects.for_organisation(event.organisation_id)
    version = (
        versions.select_related("workflow__organisation")
        .filter(pk=event.payload["version"], workflow__status=Workflow.Status.ACTIVE)
        .first()
    )
    if version is None or version.number != version.workflow.version:
        return  # changed, paused or deleted since: who was to enter is no longer known
    workflow = version.workflow
    found = matching(workflow, version, now)
    if found is None:
        return
    contacts = list(found.filter(pk__gt=event.payload["after"]).order_by("pk")[:BATCH])
    for contact in contacts:
        contact.organisation = workflow.organisation
    reentry.enter(
        [
            Candidate(workflow, version, contact, trigger_data={"type": events.EXISTING})
            for contact in contacts
        ],
        now,
    )
    if len(contacts) == BATCH:
        Event.objects.create(
            organisation_id=event.organisation_id,
            kind=events.EXISTING,
            workflow=workflow,
            payload={**event.payload, "after": contacts[-1].pk},
            due_at=now,
        )
