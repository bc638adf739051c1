"""Workflows, what waits to start them, their runs; and what the worker has to do and when."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.crypto import get_random_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from activities.models import Activity
from contacts.models import Contact
from crm.causes import Cause
from organisations.models import TenantModel
from workflows.querysets import RunQuerySet


class ScheduledJob(models.Model):
    """A housekeeping job that the worker runs again and again (see `workflows.schedule`).

    `due_at` moves on when a worker claims the job, so that two workers never run it at once.
    `last_error` is empty when the last run went well.
    """

    name = models.CharField(max_length=60, primary_key=True)
    due_at = models.DateTimeField()
    last_finished_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True, default="")

    def __str__(self) -> str:
        return self.name


def new_secret() -> str:
    """What makes the address of a workflow's own webhook one that nobody guesses."""
    return get_random_string(40)


class Workflow(TenantModel):
    """What happens by itself: a trigger, and steps for the contact that it is about.

    Trigger and steps are a `WorkflowVersion`'s; `version` is the number of the current one. Runs
    keep the version with which they began. `secret` is the last part of the address under which
    another system starts it (`webhook`); it is shown again, so it is kept as it is.
    """

    class Status(models.TextChoices):
        DRAFT = "Draft", _("Draft")
        ACTIVE = "Active", _("Active")
        PAUSED = "Paused", _("Paused")

    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), blank=True, default="")
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.DRAFT
    )
    starting_trigger_type = models.CharField(_("trigger"), max_length=40)
    version = models.PositiveIntegerField(_("version"), default=1)
    secret = models.CharField(max_length=64, unique=True, default=new_secret, editable=False)
    # What became due earlier than this (a birthday, an inactivity) starts nothing.
    activated_at = models.DateTimeField(_("activated"), null=True, blank=True, editable=False)
    # How far the sweep for what time alone brings about has looked (`workflows.sweeps`).
    swept_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Runs that failed one after the other, none completing in between.
    failures_in_a_row = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("workflow")
        verbose_name_plural = _("workflows")
        ordering = ["-created_at", "-id"]
        indexes = [
            # GET /workflows: newest first.
            models.Index(fields=["organisation", "-created_at", "-id"], name="workflow_newest"),
            # Which are to be asked when something happens.
            models.Index(
                fields=["organisation", "starting_trigger_type"],
                name="workflow_active",
                condition=Q(status="Active"),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WorkflowVersion(TenantModel):
    """Trigger and steps of a workflow as they were at one time. Never changed once runs may have
    begun with it."""

    workflow = models.ForeignKey(Workflow, models.CASCADE, related_name="versions", db_index=False)
    number = models.PositiveIntegerField(_("version"))
    trigger = models.JSONField(_("trigger"))
    steps = models.JSONField(_("steps"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("version")
        verbose_name_plural = _("versions")
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="workflow_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.workflow_id} v{self.number}"


# The id of a row that may be gone: no constraint, no index, and nothing to do when the row is
# deleted, so that deleting costs what it did before there were workflows.
LOOSE: dict[str, Any] = {"db_constraint": False, "db_index": False, "related_name": "+"}


class Event(TenantModel):
    """Something that happened and that a workflow may want to act on: the outbox.

    Written in the transaction in which it happened, only when an Active workflow listens; read,
    matched into runs and deleted in one transaction by the worker. `kind` is what happened (see
    `workflows.triggers`), `depth` and `cause` say whose doing it was, `due_at` is null for one
    that could not be matched however often it was tried.
    """

    kind = models.CharField(max_length=40)
    contact = models.ForeignKey(Contact, models.DO_NOTHING, null=True, **LOOSE)
    activity = models.ForeignKey(Activity, models.DO_NOTHING, null=True, **LOOSE)
    # Only this one is asked: what is meant for one workflow alone (its webhook, its birthdays).
    workflow = models.ForeignKey(Workflow, models.DO_NOTHING, null=True, **LOOSE)
    payload = models.JSONField(default=dict)
    depth = models.PositiveSmallIntegerField(default=1)
    cause = models.ForeignKey("Run", models.DO_NOTHING, null=True, **LOOSE)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            # The worker: what is due, oldest first.
            models.Index(
                fields=["due_at", "id"], name="event_due", condition=Q(due_at__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class Run(TenantModel):
    """One contact's way through a workflow.

    `position` is the path of the next step (`steps.0.then.1`), empty before the first and after
    the last. `context` holds what steps gave, by their ids; `trigger_data` what started it.

    A run can be claimed when `due_at` has passed, `held` is false (its workflow is not paused) and
    nobody's lease is running: `lease` is the token of whoever claimed it, until `leased_until`.
    `taken` counts the steps that are behind it, `attempts` the failed ones of the step at hand.

    `entry` is what no two runs of the workflow and contact may have at once (see
    `workflows.reentry`); null when it stands in nobody's way.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("Pending")
        RUNNING = "running", _("Running")
        WAITING = "waiting", _("Waiting")
        COMPLETED = "completed", _("Completed")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    UNFINISHED: ClassVar = (Status.PENDING, Status.RUNNING, Status.WAITING)

    workflow = models.ForeignKey(
        Workflow, models.CASCADE, related_name="runs", db_index=False, verbose_name=_("workflow")
    )
    version = models.ForeignKey(
        WorkflowVersion, models.CASCADE, related_name="runs", verbose_name=_("version")
    )
    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        related_name="workflow_runs",
        db_index=False,
        verbose_name=_("contact"),
    )
    activity = models.ForeignKey(
        Activity, models.DO_NOTHING, null=True, **LOOSE, verbose_name=_("activity")
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.PENDING
    )
    position = models.CharField(max_length=250, blank=True, default="")
    context = models.JSONField(_("context"), default=dict)
    trigger_data = models.JSONField(_("trigger data"), default=dict)
    key = models.CharField(_("key"), max_length=255, blank=True, default="")
    entry = models.CharField(max_length=80, null=True, editable=False)
    depth = models.PositiveSmallIntegerField(default=1)
    cause = models.ForeignKey("self", models.DO_NOTHING, null=True, **LOOSE)
    # The types of activity that a `wait_for` step waits for; null when the run waits for none.
    waits_for = models.JSONField(null=True, editable=False)
    taken = models.PositiveIntegerField(default=0, editable=False)
    # What the step at hand kept for when it is run again.
    memory = models.JSONField(default=dict, editable=False)
    held = models.BooleanField(default=False, editable=False)
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    lease = models.UUIDField(null=True, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    error_message = models.TextField(_("error"), blank=True, default="")
    created_at = models.DateTimeField(_("started"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)
    completed_at = models.DateTimeField(_("completed"), null=True, blank=True)

    objects: ClassVar = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workflow", "contact", "entry"],
                name="run_entry_once",
                condition=Q(entry__isnull=False),
            )
        ]
        indexes = [
            # The worker: what is due, oldest first.
            models.Index(
                fields=["due_at"], name="run_due", condition=Q(due_at__isnull=False, held=False)
            ),
            # The admin's list: newest first.
            models.Index(fields=["organisation", "-created_at", "-id"], name="run_of_organisation"),
            # GET /workflows/{id}/runs: newest first.
            models.Index(fields=["workflow", "-created_at", "-id"], name="run_newest"),
            # The same by status, and what is unfinished when a workflow is paused.
            models.Index(fields=["workflow", "status", "-created_at", "-id"], name="run_status"),
            # A contact's runs; once_per; and its deletion and merges.
            models.Index(fields=["contact", "workflow", "-created_at"], name="run_of_contact"),
            # A contact's timeline.
            models.Index(fields=["contact", "-created_at", "-id"], name="run_timeline"),
            # An activity that runs of its contact wait for.
            models.Index(
                fields=["contact"], name="run_waits_for", condition=Q(waits_for__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return gettext("Run %(number)s") % {"number": self.pk}

    def as_cause(self) -> Cause:
        """What this run writes is its doing."""
        return Cause(self.pk, self.workflow_id, self.depth)


class StepExecution(models.Model):
    """A step of a run that was done, or is at it: the `number`th of that run, from 1.

    Written in the transaction that moves the run on, so it is there once or not at all. `output`
    is what the step gave; `error` why its last attempt failed.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RETRYING = "retrying", _("To be tried again")
        COMPLETED = "completed", _("Completed")
        FAILED = "failed", _("Failed")

    run = models.ForeignKey(Run, models.CASCADE, related_name="executions", db_index=False)
    number = models.PositiveIntegerField()
    step_id = models.CharField(max_length=60)
    type = models.CharField(max_length=40)
    status = models.CharField(max_length=10, choices=Status.choices)
    started_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=1)
    output = models.JSONField(default=dict)
    error = models.TextField(blank=True, default="")

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="step_execution_once")
        ]

    def __str__(self) -> str:
        return f"{self.run_id}.{self.number} {self.type}"


class Occasion(TenantModel):
    """A moment that time alone brought about and that a workflow took: a birthday, the end of a
    patience. There once, so that no sweep takes it twice."""

    workflow = models.ForeignKey(Workflow, models.CASCADE, related_name="+", db_index=False)
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "contact", "key"], name="occasion_once")
        ]
        indexes = [
            # The contact's deletion.
            models.Index(fields=["contact"], name="occasion_of_contact")
        ]

    def __str__(self) -> str:
        return f"{self.workflow_id} {self.contact_id} {self.key}"


class Alert(TenantModel):
    """Something that staff should look at, shown on the admin's first page until it was seen."""

    text = models.TextField(_("text"))
    link = models.CharField(_("link"), max_length=300, blank=True, default="")
    # Of whom it speaks: what it says goes with their data.
    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="alerts",
        db_index=False,  # alert_of_contact
        verbose_name=_("contact"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    seen_at = models.DateTimeField(_("seen"), null=True, blank=True)
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("seen by"),
    )

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-created_at", "-id"]
        indexes = [
            # The admin's first page: what nobody has seen yet.
            models.Index(
                fields=["organisation", "-created_at", "-id"],
                name="alert_unseen",
                condition=Q(seen_at=None),
            ),
            # All of them, newest first.
            models.Index(fields=["organisation", "-created_at", "-id"], name="alert_newest"),
            models.Index(
                fields=["contact"], name="alert_of_contact", condition=Q(contact__isnull=False)
            ),
        ]

    @property
    def title(self) -> str:
        """The first line of its text."""
        return self.text.partition("\n")[0]

    @property
    def rest(self) -> str:
        """What stands below it; may be empty."""
        return self.text.partition("\n")[2].strip()

    def __str__(self) -> str:
        return self.text


# Last: they point at runs.
import workflows.messages.models  # noqa: E402, F401
