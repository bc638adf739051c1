"""Waits for something that the contact does, and goes another way when it does not come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import Activity
from contacts.rules import Subject
from workflows import checks, inputs
from workflows.steps.base import (
    Branch,
    CleanContext,
    Family,
    Moment,
    Outcome,
    Step,
    WaitFor,
    step,
)
from workflows.words import Said, length, several, when

MOST = 100
"""How many activities are looked at for one that fits the conditions."""


@step
class WaitForStep(Step):
    """`{"activityTypes": ["Checked in"], "conditions": {…}, "timeout": "P7D", "then": […],
    "else": […]}`: `then` when such an activity is recorded after the run came here, `else` when
    the time is over. History (`backfill`) is not waited for.
    """

    type = "wait_for"
    label = gettext_lazy("Wait for an activity")
    keys = frozenset({"activityTypes", "conditions", "timeout"})
    paths = ("then", "else")
    hint = gettext_lazy("Until the contact does something, or the time is over.")
    family = Family.FLOW
    icon = "pending_actions"
    form = (
        inputs.ActivityTypes("activityTypes", gettext_lazy("For any of"), required=True),
        inputs.Rule("conditions", gettext_lazy("That fits"), about=("contact", "activity")),
        inputs.Length("timeout", gettext_lazy("At most"), required=True),
    )
    blank = {"timeout": "P7D"}

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        told = {"types": several(data["activityTypes"]), "length": length(data["timeout"])}
        return _("%(types)s, at most %(length)s") % told

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors = checks.Errors()
        with errors.at("activityTypes"):
            checks.activity_types(data.get("activityTypes"), context.organisation, needed=True)
        with errors.at("timeout"):
            checks.duration(data.get("timeout"))
        if data.get("conditions") is not None:
            with errors.at("conditions"):
                about = ("contact", "activity")
                checks.conditions(data["conditions"], context.organisation, about)
        errors.raise_if_any()

    def listens(self, data: Mapping[str, Any]) -> Sequence[str]:
        given = data["activityTypes"]
        return [given] if isinstance(given, str) else list(given)

    def told(self, output: Mapping[str, Any]) -> str:
        if "until" in output:
            return _("Until %(moment)s at most.") % {"moment": when(output["until"])}
        return _("It came.") if output["path"] == "then" else _("It did not come in time.")

    def run(self, moment: Moment) -> Outcome:
        since, until = self._span(moment)
        came = self._came(moment, since)
        if came is not None:
            return Branch("then", {"path": "then", "activity": came.pk})
        if until <= moment.now:
            return Branch("else", {"path": "else"})
        return self._park(moment, since, until)

    def simulate(self, moment: Moment) -> Outcome:
        """Nothing comes: the clock of a simulation runs to the end of the patience."""
        since, until = self._span(moment)
        if until <= moment.now:
            return Branch("else", {"path": "else"})
        return self._park(moment, since, until)

    def _park(self, moment: Moment, since: datetime, until: datetime) -> WaitFor:
        memory = {"since": since.isoformat(), "until": until.isoformat()}
        return WaitFor(self.listens(moment.data), until, memory)

    def _span(self, moment: Moment) -> tuple[datetime, datetime]:
        if moment.memory:
            since = datetime.fromisoformat(moment.memory["since"])
            return since, datetime.fromisoformat(moment.memory["until"])
        return moment.now, checks.duration(moment.data["timeout"]).after(moment.now, moment.zone)

    def _came(self, moment: Moment, since: datetime) -> Activity | None:
        activities = (
            Activity.objects.for_organisation(moment.organisation)
            .with_reservations()
            .filter(contact=moment.contact, type__in=self.listens(moment.data))
            .filter(created_at__gte=since, backfill=False)
            .order_by("pk")
        )
        if moment.activity is not None:
            activities = activities.exclude(pk=moment.activity.pk)
        rule = moment.rule(moment.data.get("conditions"))
        for activity in activities[:MOST]:
            activity.organisation = moment.organisation
            if rule.holds(Subject(moment.contact, activity=activity, now=moment.now)):
                return activity
        return None
