"""A workflow that fails again and again: staff are told, once for each time that it begins to."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db.models import F
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from workflows import alerts
from workflows.models import Workflow

TOO_MANY = 5
"""Runs that fail one after the other, none completing in between."""


def note_failure(workflow: Workflow, reason: str) -> None:
    """Count a failed run, in the transaction that fails it."""
    rows = Workflow.objects.for_organisation(workflow.organisation_id).filter(pk=workflow.pk)
    rows.update(failures_in_a_row=F("failures_in_a_row") + 1)
    (count,) = rows.values_list("failures_in_a_row", flat=True) or (0,)
    if count == TOO_MANY:
        _tell(
            workflow,
            _("%(workflow)s failed %(count)d times in a row. The last time: %(reason)s")
            % {"workflow": workflow.name, "count": count, "reason": reason},
        )


def note_success(workflow: Workflow) -> None:
    """A run completed. No query when none had failed."""
    if workflow.failures_in_a_row:
        rows = Workflow.objects.for_organisation(workflow.organisation_id).filter(pk=workflow.pk)
        rows.filter(failures_in_a_row__gt=0).update(failures_in_a_row=0)
        workflow.failures_in_a_row = 0


def note_broken(workflow: Workflow, error: ValidationError) -> None:
    """Its conditions cannot be read any more: what they speak of is gone. Staff are told once,
    until a run completes."""
    rows = Workflow.objects.for_organisation(workflow.organisation_id).filter(pk=workflow.pk)
    if rows.filter(failures_in_a_row__lt=TOO_MANY).update(failures_in_a_row=TOO_MANY):
        _tell(
            workflow,
            _("%(workflow)s starts no more, because its conditions cannot be read: %(reason)s")
            % {"workflow": workflow.name, "reason": " ".join(error.messages)},
        )


def _tell(workflow: Workflow, text: str) -> None:
    alerts.tell(organisation=workflow.organisation_id, text=text, link=link_of(workflow))


def link_of(workflow: Workflow) -> str:
    """The workflow's page in the admin."""
    try:
        return reverse("admin:workflows_workflow_change", args=[workflow.pk])
    except NoReverseMatch:
        return ""
