"""The JSON of workflows, their runs, and simulations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from activities.models import Activity
from contacts.models import Contact
from crm.api.json import moment
from crm.api.serializers import (
    CharField,
    DateTimeField,
    IntegerField,
    ReferenceField,
    Serializer,
)
from workflows.models import Run, StepExecution, Workflow, WorkflowVersion
from workflows.triggers import TRIGGERS


class WorkflowSerializer(Serializer):
    """A workflow with its current version. docs/workflows.md describes triggers and steps."""

    id = IntegerField(read_only=True)
    name = CharField(max_length=200)
    description = CharField(required=False, allow_blank=True, max_length=2000)
    status = serializers.ChoiceField(Workflow.Status.choices, required=False)
    starting_trigger_type = serializers.ChoiceField(sorted(TRIGGERS), read_only=True)
    trigger = serializers.DictField(help_text=_("`{type, conditions, reentry, …}`"))
    steps = serializers.ListField(
        child=serializers.DictField(), help_text=_("Each `{id, type, …}`, in their order.")
    )
    version = IntegerField(read_only=True)
    webhook_url = CharField(
        read_only=True,
        allow_null=True,
        help_text=_("Where another system starts it, when its trigger is `webhook`."),
    )
    created_at = DateTimeField(read_only=True)
    updated_at = DateTimeField(read_only=True)


class ActivateSerializer(Serializer):
    """The body of activate."""

    include_existing = serializers.BooleanField(
        default=False, help_text=_("Let the contacts in who match already.")
    )


class ExistingSerializer(Serializer):
    """How many contacts match already."""

    matching = IntegerField(
        allow_null=True, help_text=_("Null when the trigger is about something that happens.")
    )
    capped = serializers.BooleanField(help_text=_("Whether there are more than `matching`."))
    sample = serializers.ListField(child=IntegerField())


class ExecutedNodeSerializer(Serializer):
    """A step that a run has taken, or is at."""

    id = CharField()
    type = CharField()
    status = serializers.ChoiceField(StepExecution.Status.choices)
    started_at = DateTimeField()
    completed_at = DateTimeField(allow_null=True)
    attempts = IntegerField()
    output = serializers.DictField()
    error = CharField(allow_blank=True)


class RunSerializer(Serializer):
    """A contact's way through a workflow."""

    id = IntegerField()
    workflow_id = IntegerField()
    workflow_name = CharField()
    version = IntegerField()
    contact = IntegerField()
    status = serializers.ChoiceField(Run.Status.choices)
    context = serializers.DictField()  # type: ignore[assignment]  # declared, not an attribute
    executed_nodes = ExecutedNodeSerializer(many=True)
    error_message = CharField(allow_blank=True)
    trigger_data = serializers.DictField()
    created_at = DateTimeField()
    updated_at = DateTimeField()
    completed_at = DateTimeField(allow_null=True)


class StartSerializer(Serializer):
    """The body that starts a run."""

    contact = ReferenceField("contacts", Contact.objects)
    data = serializers.DictField(  # type: ignore[assignment]  # declared, not an attribute
        required=False, help_text=_("Kept in `triggerData`.")
    )


class SimulateSerializer(Serializer):
    """The body of simulate."""

    contact = ReferenceField("contacts", Contact.objects)
    activity = ReferenceField(
        "activities",
        find=lambda organisation, pk: (
            Activity.objects.for_organisation(organisation)
            .with_reservations()
            .filter(pk=pk)
            .first()
        ),
        required=False,
        allow_null=True,
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        activity = attrs.get("activity")
        if activity is not None and activity.contact_id != attrs["contact"].pk:
            raise serializers.ValidationError(
                {"activity": _("This is an activity of another contact.")}, "of_another_contact"
            )
        return attrs


class SimulatedStepSerializer(Serializer):
    """A step as it would go."""

    id = CharField()
    type = CharField()
    status = serializers.ChoiceField(["completed", "waiting", "failed"])
    at = DateTimeField(help_text=_("When, by the clock of the simulation."))
    output = serializers.DictField()
    error = CharField(allow_blank=True)
    conditions = serializers.ListField(
        child=serializers.DictField(), help_text=_("What became of those of a condition step.")
    )


class SimulationSerializer(Serializer):
    """What a workflow would do."""

    workflow_id = IntegerField()
    version = IntegerField()
    contact = IntegerField()
    activity = IntegerField(allow_null=True)
    starts = serializers.BooleanField(
        help_text=_("Whether trigger and conditions would let the contact in.")
    )
    conditions = serializers.ListField(child=serializers.DictField())
    status = serializers.ChoiceField(["completed", "failed"])
    error_message = CharField(allow_blank=True)
    path = SimulatedStepSerializer(many=True)
    messages = serializers.ListField(child=serializers.DictField())


def webhook_url(workflow: Workflow, version: WorkflowVersion) -> str | None:
    """Where another system starts it, when its trigger is `webhook`."""
    if version.trigger["type"] != "webhook":
        return None
    return settings.SITE_URL + reverse("workflow-hook", args=[workflow.secret])


def told(workflow: Workflow, version: WorkflowVersion) -> dict[str, Any]:
    """A workflow as the API tells it."""
    return {
        "id": workflow.pk,
        "name": workflow.name,
        "description": workflow.description,
        "status": workflow.status,
        "startingTriggerType": workflow.starting_trigger_type,
        "trigger": version.trigger,
        "steps": version.steps,
        "version": workflow.version,
        "webhookUrl": webhook_url(workflow, version),
        "createdAt": moment(workflow.created_at),
        "updatedAt": moment(workflow.updated_at),
    }


def told_run(run: Run, executions: Iterable[StepExecution]) -> dict[str, Any]:
    """A run as the API tells it. Its workflow and version have been read with it."""
    return {
        "id": run.pk,
        "workflowId": run.workflow_id,
        "workflowName": run.workflow.name,
        "version": run.version.number,
        "contact": run.contact_id,
        "status": run.status,
        "context": run.context,
        "executedNodes": [_told_step(one) for one in executions],
        "errorMessage": run.error_message,
        "triggerData": run.trigger_data,
        "createdAt": moment(run.created_at),
        "updatedAt": moment(run.updated_at),
        "completedAt": moment(run.completed_at) if run.completed_at is not None else None,
    }


def _told_step(step: StepExecution) -> dict[str, Any]:
    return {
        "id": step.step_id,
        "type": step.type,
        "status": step.status,
        "startedAt": moment(step.started_at),
        "completedAt": moment(step.completed_at) if step.completed_at is not None else None,
        "attempts": step.attempts,
        "output": step.output,
        "error": step.error,
    }
