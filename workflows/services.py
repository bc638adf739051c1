"""Making, changing and running workflows: every door calls these.

What is wrong with a value is Django's `ValidationError` with a dict of paths as the API has them;
what contradicts what is there is `crm.errors.Conflict`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Contact
from crm.errors import Conflict
from organisations.models import Organisation
from workflows import bell, checks, cleaning, events, existing, moves, reentry
from workflows.models import Run, StepExecution, Workflow, WorkflowVersion

Status = Workflow.Status


@transaction.atomic
def create(*, organisation: Organisation, **values: Any) -> Workflow:
    """A new workflow with its first version, a Draft unless `status` says otherwise.

    Raises ValidationError by path.
    """
    columns, trigger, steps = _read(values, organisation)
    columns.setdefault("status", Status.DRAFT)
    workflow = Workflow(organisation=organisation, starting_trigger_type=trigger["type"], **columns)
    if workflow.status == Status.ACTIVE:
        workflow.activated_at = workflow.swept_at = timezone.now()
    workflow.save(force_insert=True)
    _write_version(workflow, trigger, steps)
    events.listen(organisation)
    return workflow


@transaction.atomic
def replace(*, workflow: Workflow, values: Mapping[str, Any]) -> Workflow:
    """Make the workflow what `values` say; answers it. With another trigger or other steps that is
    a new version: runs that are on their way keep theirs. Without a `status` it keeps its own.

    Raises ValidationError by path.
    """
    current = _held(workflow)
    columns, trigger, steps = _read(values, current.organisation, current)
    version = reentry.current_version(current)
    if (version.trigger, version.steps) != (trigger, steps):
        current.version += 1
        current.starting_trigger_type = trigger["type"]
        current.failures_in_a_row = 0
        _write_version(current, trigger, steps)
    status = columns.pop("status", current.status)
    for name, value in columns.items():
        setattr(current, name, value)
    _set_status(current, status)
    return current


@transaction.atomic
def set_status(*, workflow: Workflow, status: str, include_existing: bool = False) -> Workflow:
    """Switch a workflow on or off; answers it.

    Active, it hears of what happens from now on, and its waiting runs go on. Otherwise they wait:
    what happens meanwhile starts nothing. With `include_existing` contacts who match already enter
    when it is switched on. Raises ValidationError where nobody can match already.
    """
    current = _held(workflow)
    _set_status(current, checks.choice(status, Status.values))
    if include_existing and current.status == Status.ACTIVE:
        existing.let_in(current, reentry.current_version(current), timezone.now())
    return current


@transaction.atomic
def delete(*, workflow: Workflow) -> None:
    """Delete a workflow, its versions and its runs (Glu)."""
    StepExecution.objects.filter(run__workflow=workflow)._raw_delete("default")
    Run.objects.of(workflow)._raw_delete("default")
    workflow.delete()
    events.listen(workflow.organisation)


@transaction.atomic
def start(
    *, workflow: Workflow, contact: Contact, trigger_data: Mapping[str, Any] | None = None
) -> Run:
    """Start a run of an Active workflow whose trigger is `manual` or `webhook`; answers it.

    Raises Conflict for another workflow, and when the re-entry policy forbids it.
    """
    current = _held(workflow)
    if current.starting_trigger_type not in {events.MANUAL, events.WEBHOOK}:
        raise Conflict(_("Only a workflow whose trigger is manual is started by hand."))
    if current.status != Status.ACTIVE:
        raise Conflict(_("The workflow is not active."))
    candidate = reentry.Candidate(
        workflow=current,
        version=reentry.current_version(current),
        contact=contact,
        trigger_data={"type": current.starting_trigger_type, **(trigger_data or {})},
    )
    (run,) = reentry.enter([candidate], timezone.now())
    if run is None:
        raise Conflict(_("The workflow's re-entry policy does not let this contact in again."))
    bell.ring_after_commit()
    return run


@transaction.atomic
def retry(*, run: Run) -> Run:
    """Go on with a failed run from the step that failed. Raises Conflict for any other run, and
    while another is on its way that its re-entry policy forbids it to stand beside."""
    current = _held_run(run)
    if current.status != Run.Status.FAILED:
        raise Conflict(_("Only a failed run can be retried."))
    now = timezone.now()
    _write(
        current,
        status=Run.Status.PENDING,
        attempts=0,
        error_message="",
        completed_at=None,
        due_at=now,
        entry=reentry.come_back(current),
        held=current.workflow.status != Status.ACTIVE,
    )
    events.listen(current.organisation_id)
    bell.ring_after_commit()
    return current


@transaction.atomic
def cancel(*, run: Run) -> Run:
    """End an unfinished run; what it did stays. Raises Conflict for one that has ended."""
    current = _held_run(run)
    if current.status not in Run.UNFINISHED:
        raise Conflict(_("The run has ended already."))
    _write(
        current,
        status=Run.Status.CANCELLED,
        completed_at=timezone.now(),
        due_at=None,
        waits_for=None,
        lease=None,
        leased_until=None,
        **moves.freed(current),
    )
    return current


def _read(
    values: Mapping[str, Any], organisation: Organisation, workflow: Workflow | None = None
) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
    """The columns, the trigger and the steps that `values` say. Raises ValidationError with all
    that is wrong with any of them."""
    errors = checks.Errors()
    columns = _columns(values, errors)
    trigger: dict[str, Any] = {}
    steps: list[Any] = []
    with errors.at(""):
        trigger, steps = cleaning.clean(
            values.get("trigger"),
            values.get("steps"),
            organisation=organisation,
            workflow=workflow,
        )
    errors.raise_if_any()
    return columns, trigger, steps


def _columns(values: Mapping[str, Any], errors: checks.Errors) -> dict[str, Any]:
    columns: dict[str, Any] = {"description": ""}
    with errors.at("name"):
        columns["name"] = checks.text(values.get("name"), longest=200)
    description = values.get("description")
    if description:
        with errors.at("description"):
            columns["description"] = checks.text(description, longest=2000)
    if values.get("status") is not None:
        with errors.at("status"):
            columns["status"] = checks.choice(values["status"], Status.values)
    return columns


def _write_version(workflow: Workflow, trigger: dict[str, Any], steps: list[Any]) -> None:
    WorkflowVersion.objects.create(
        organisation_id=workflow.organisation_id,
        workflow=workflow,
        number=workflow.version,
        trigger=trigger,
        steps=steps,
    )


def _set_status(workflow: Workflow, status: str) -> None:
    """Write the workflow with this status, and have its runs wait or go on."""
    before, workflow.status = workflow.status, status
    if status == Status.ACTIVE and before != Status.ACTIVE:
        workflow.activated_at = workflow.swept_at = timezone.now()
        workflow.failures_in_a_row = 0
    workflow.save()
    if status != before:
        runs = Run.objects.of(workflow).unfinished()
        runs.update(held=status != Status.ACTIVE)
        bell.ring_after_commit()
    events.listen(workflow.organisation)


def _held(workflow: Workflow) -> Workflow:
    """The workflow read anew and locked."""
    rows = Workflow.objects.for_organisation(workflow.organisation_id)
    current: Workflow = (
        rows.select_for_update(of=("self",)).select_related("organisation").get(pk=workflow.pk)
    )
    return current


def _held_run(run: Run) -> Run:
    rows = Run.objects.for_organisation(run.organisation_id)
    current: Run = (
        rows.select_for_update(of=("self",)).select_related("workflow", "version").get(pk=run.pk)
    )
    return current


def _write(run: Run, **columns: Any) -> None:
    for name, value in columns.items():
        setattr(run, name, value)
    run.save(update_fields=[*columns, "updated_at"])


def find_contact(organisation: Organisation, given: Any) -> Contact:
    """The contact that `given` (an id, or an object with identifiers) means, created when the
    identifiers are new. Raises ValidationError by path; Conflict."""
    from activities.services.recording import find_contact as find

    pk = find(organisation, given)
    contact: Contact = Contact.objects.for_organisation(organisation).get(pk=pk)
    contact.organisation = organisation
    return contact


__all__ = [
    "cancel",
    "create",
    "delete",
    "find_contact",
    "replace",
    "retry",
    "set_status",
    "start",
]
