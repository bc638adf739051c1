"""A step of a run at the time when it is run, without the engine around it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError

from contacts import services
from contacts.models import Contact
from organisations.models import Organisation
from workflows.models import Run, Workflow, WorkflowVersion
from workflows.steps import STEPS
from workflows.steps.base import CleanContext, Moment, Outcome

NOON = datetime(2026, 4, 7, 12, 0, tzinfo=UTC)


def contact_of(organisation: Organisation, **values: Any) -> Contact:
    """Jane, unless said otherwise."""
    jane = {
        "email_address": "jane@example.com",
        "phone_number": "+447700900123",
        "first_name": "Jane",
        "last_name": "Hull",
    }
    made, _created = services.upsert(organisation=organisation, values=jane | values)
    return made


def run_of(contact: Contact, steps: list[dict[str, Any]]) -> Run:
    organisation = contact.organisation
    workflow = Workflow.objects.create(
        organisation=organisation, name="Thank you", starting_trigger_type="manual"
    )
    version = WorkflowVersion.objects.create(
        organisation=organisation,
        workflow=workflow,
        number=1,
        trigger={"type": "manual"},
        steps=steps,
    )
    return Run.objects.create(
        organisation=organisation, workflow=workflow, version=version, contact=contact
    )


def moment_of(
    contact: Contact, data: dict[str, Any], *, now: datetime = NOON, **more: Any
) -> Moment:
    data = {"id": "step", **data}
    run = run_of(contact, [data])
    given = {"activity": None, "idempotency_key": f"run-{run.pk}-1", **more}
    return Moment(
        organisation=contact.organisation, contact=contact, run=run, data=data, now=now, **given
    )


def run(moment: Moment) -> Outcome:
    return STEPS[moment.data["type"]].run(moment)


def simulate(moment: Moment) -> Outcome:
    moment.simulated = True
    return STEPS[moment.data["type"]].simulate(moment)


def refused(
    organisation: Organisation, data: dict[str, Any], about: tuple[str, ...] = ("contact",)
) -> dict[str, list[str]]:
    """What is wrong with a step, by path; nothing when it can be saved."""
    try:
        STEPS[data["type"]].clean(data, CleanContext(organisation, about))
    except ValidationError as error:
        return dict(error.message_dict)
    return {}
