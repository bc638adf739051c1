"""Trying a workflow on a contact: what would happen, shown on the canvas and step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import INPUT_CLASSES, UnfoldAdminSelectWidget

from activities.models import Activity
from contacts.models import Contact
from crm.admin.base import OrganisationAdmin
from crm.admin.widgets import Autocomplete
from organisations.middleware import organisation_of
from organisations.models import Organisation
from workflows import reentry, simulation
from workflows.admin.drawing import draw
from workflows.admin.run_page import STYLES, label_of, pretty, words_of
from workflows.models import Run, StepExecution, Workflow, WorkflowVersion
from workflows.triggers import TRIGGERS
from workflows.triggers.base import Happening

LATEST = 20
"""As many activities of the contact as are offered."""


class SimulationForm(forms.Form):
    """On whom, with which activity, and when."""

    contact = forms.ModelChoiceField(
        label=gettext_lazy("Contact"),
        queryset=Contact.objects.none(),
        widget=Autocomplete(Run._meta.get_field("contact"), admin.site),
        help_text=gettext_lazy("Type a name, an e-mail address or a phone number."),
    )
    activity = forms.ModelChoiceField(
        label=gettext_lazy("Activity"),
        queryset=Activity.objects.none(),
        required=False,
        empty_label=gettext_lazy("The latest that starts it"),
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("One of the contact's latest, as what sets the workflow off."),
    )
    at = forms.DateTimeField(
        label=gettext_lazy("As if it were"),
        required=False,
        widget=forms.DateTimeInput(
            attrs={"type": "datetime-local", "class": " ".join(INPUT_CLASSES)},
            format="%Y-%m-%dT%H:%M",
        ),
        help_text=gettext_lazy("Now, when left empty."),
    )

    def __init__(self, data: Any, *, organisation: Organisation, version: WorkflowVersion) -> None:
        super().__init__(data)
        self.organisation = organisation
        self.version = version
        self.trigger = TRIGGERS[version.trigger["type"]]
        contacts: Any = self.fields["contact"]
        contacts.queryset = Contact.objects.for_organisation(organisation).current()
        if "activity" not in self.trigger.about:
            del self.fields["activity"]
        elif data is not None:
            self._offer_activities(data.get("contact", ""))

    def _offer_activities(self, contact: str) -> None:
        activities: Any = self.fields["activity"]
        pk = int(contact) if contact.isdecimal() and len(contact) < 19 else 0
        latest = Activity.objects.for_organisation(self.organisation).filter(contact=pk)
        ids = latest.order_by("-happened_at", "-pk").values_list("pk", flat=True)[:LATEST]
        rows = Activity.objects.for_organisation(self.organisation).with_reservations()
        activities.queryset = rows.filter(pk__in=list(ids)).order_by("-happened_at", "-pk")

    def clean(self) -> dict[str, Any]:
        """With the activity, where none was chosen: the latest that the trigger takes."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        contact = cleaned.get("contact")
        if contact is not None:
            contact.organisation = self.organisation
        if contact is not None and "activity" in self.fields and not self.errors:
            cleaned["activity"] = cleaned["activity"] or self._latest(contact)
        return cleaned

    def _latest(self, contact: Contact) -> Activity | None:
        offered: Any = self.fields["activity"]
        latest: list[Activity] = list(offered.queryset)
        for activity in latest:
            activity.organisation = self.organisation
            happening = Happening(self.trigger.event, self.organisation, contact, activity)
            if self.trigger.takes(self.version.trigger, happening):
                return activity
        return latest[0] if latest else None


@dataclass
class Line:
    """A step as it would go: `at` when, `until` to when it would wait."""

    id: str
    type: str
    at: datetime | None
    until: datetime | None = None
    status: str = ""
    error: str = ""
    output: Mapping[str, Any] = field(default_factory=dict)
    conditions: Sequence[Mapping[str, Any]] = ()

    @property
    def label(self) -> str:
        return label_of(self.type)

    @property
    def told(self) -> str:
        return words_of(self.type, self.output)

    @property
    def message(self) -> Mapping[str, Any] | None:
        """What would be sent, of a step that sends. One that has a plain text beside is HTML."""
        return self.output if "body" in self.output and "to" in self.output else None

    @property
    def more(self) -> str:
        """The output as JSON, where it is not told in words."""
        return pretty(self.output) if self.output and not self.told else ""

    def execution(self) -> StepExecution:
        """What the canvas lights its path by."""
        return StepExecution(
            step_id=self.id,
            type=self.type,
            status=self.status,
            output=self.output,
            error=self.error,
        )


def lines_of(taken: Sequence[Mapping[str, Any]]) -> list[Line]:
    """The steps of a simulation. A step that waits first and then goes on is one line."""
    lines: list[Line] = []
    for one in taken:
        if not lines or lines[-1].id != one["id"]:
            lines.append(Line(one["id"], one["type"], parse_datetime(one["at"])))
        line = lines[-1]
        if one["status"] == StepExecution.Status.WAITING:
            line.until = parse_datetime(one["output"]["until"])
        line.status, line.output, line.error = one["status"], one["output"], one["error"]
        line.conditions = one["conditions"]
    return lines


class Simulating(OrganisationAdmin):
    """The page on which a workflow is tried. For the screen of workflows."""

    def has_simulate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As over the API: whoever may change workflows."""
        return self._owns(request, obj) and request.user.has_perm("workflows.change_workflow")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.simulate_view)
        route = "<path:object_id>/simulate/"
        return [path(route, view, name="workflows_workflow_simulate"), *super().get_urls()]

    def simulate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks on whom, and shows what would happen. Changes nothing."""
        workflow: Workflow = self.existing(request, object_id)
        if not self.has_simulate_permission(request, workflow):
            raise PermissionDenied
        organisation = cast(Organisation, organisation_of(request))
        workflow.organisation = organisation
        version = reentry.current_version(workflow)
        form = SimulationForm(request.POST or None, organisation=organisation, version=version)
        found = self._found(workflow, version, form) if form.is_valid() else {}
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            "admin/workflows/run/simulation.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "original": workflow,
                "title": _("Try %(workflow)s on a contact") % {"workflow": workflow.name},
                "form": form,
                "back": self.url("change", workflow.pk),
                "media": self.media + form.media + STYLES,
                **found,
            },
        )

    def _found(
        self, workflow: Workflow, version: WorkflowVersion, form: SimulationForm
    ) -> dict[str, Any]:
        """What the simulation found, for the template."""
        given = form.cleaned_data
        told = simulation.simulate(
            workflow=workflow,
            contact=given["contact"],
            activity=given.get("activity"),
            at=given["at"],
        )
        lines = lines_of(told["path"])
        return {
            "told": told,
            "contact": given["contact"],
            "activity": given.get("activity"),
            "lines": lines,
            "drawing": draw(
                version.trigger,
                version.steps,
                organisation=workflow.organisation,
                executions=[line.execution() for line in lines],
            ),
        }
