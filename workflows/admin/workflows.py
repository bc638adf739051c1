"""Workflows: their list, and the canvas on which one is made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldBooleanWidget

from contacts.admin.rules import RuleWidget
from crm.admin.filters import ChoiceFilter
from crm.admin.forms import ServiceForm, ServiceFormSet
from crm.admin.paging import CappedChangeList
from crm.admin.unfold import display
from organisations.middleware import organisation_of
from organisations.models import Organisation
from workflows import cleaning, existing, reentry, services
from workflows.admin import counting
from workflows.admin.drawing import TRIGGER, draw
from workflows.admin.exchange import Exchanging
from workflows.admin.forms import PartForm, WorkflowForm
from workflows.admin.palette import palette
from workflows.admin.simulating import Simulating
from workflows.messages import variables
from workflows.models import Run, Workflow
from workflows.program import Program
from workflows.serializers import webhook_url
from workflows.steps import STEPS
from workflows.steps.base import CleanContext, Step
from workflows.triggers import TRIGGERS
from workflows.triggers.base import Trigger

Draft = dict[str, Any]
CANVAS = forms.Media(css={"all": ["regulars/workflows.css"]}, js=["regulars/workflows.js"])
STATUS_COLOURS = {
    Workflow.Status.ACTIVE: "success",
    Workflow.Status.PAUSED: "warning",
    Workflow.Status.DRAFT: "info",
}


class StatusFilter(ChoiceFilter):
    title = gettext_lazy("Status")
    parameter_name = "status"

    def options(self) -> list[tuple[str, Any]]:
        return list(Workflow.Status.choices)

    def narrow(self, request: HttpRequest, rows: Any) -> Any:
        return rows.filter(status=self.answer())


class WorkflowChangeList(CappedChangeList):
    """With what became of each workflow's runs: two queries for the page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        counts = counting.of_workflows(self.result_list, timezone.now())
        for workflow in self.result_list:
            workflow.counts = counts.get(workflow.pk, {})


class ExistingForm(forms.Form):
    """Asked when a workflow is activated that contacts match already."""

    include_existing = forms.BooleanField(required=False, widget=UnfoldBooleanWidget)


@admin.register(Workflow)
class WorkflowAdmin(Simulating, Exchanging):
    """The list of workflows, and their canvas."""

    form = WorkflowForm
    fields = ("name", "description", "trigger", "steps")
    list_display = ("name", "coloured_status", "starts", "on_their_way", "failed", "last_run")
    list_filter = (StatusFilter,)
    search_fields = ("name",)
    ordering = ("-created_at", "-id")
    # The canvas warns by itself: what is drawn is no field that Unfold watches.
    warn_unsaved_form = False
    change_form_template = "admin/workflows/workflow/change_form.html"

    # The list

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[CappedChangeList]:
        return WorkflowChangeList

    def for_list(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        listed: QuerySet[Any] = super().for_list(rows).annotate(last_run_at=counting.last_run())
        return listed

    @display(
        description=gettext_lazy("status"),
        label={str(status): colour for status, colour in STATUS_COLOURS.items()},
    )
    def coloured_status(self, obj: Workflow) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description=gettext_lazy("starts when"))
    def starts(self, obj: Workflow) -> str:
        trigger = TRIGGERS.get(obj.starting_trigger_type)
        return str(trigger.label) if trigger is not None else obj.starting_trigger_type

    @display(description=gettext_lazy("on their way"))
    def on_their_way(self, obj: Any) -> Any:
        return obj.counts.get("unfinished", 0)

    @display(description=gettext_lazy("failed in 30 days"))
    def failed(self, obj: Any) -> str:
        failed = obj.counts.get("failed", 0)
        if not failed:
            return "0"
        runs = reverse("admin:workflows_run_changelist")
        status = Run.Status.FAILED
        return format_html(
            '<a href="{}?workflow={}&status={}">{}</a>', runs, obj.pk, status, failed
        )

    @display(description=gettext_lazy("last run"))
    def last_run(self, obj: Any) -> Any:
        return obj.last_run_at

    # The canvas

    def get_urls(self) -> list[Any]:
        pages = [
            ("draw/", self.draw_view, "draw"),
            ("panel/", self.panel_view, "panel"),
            ("<path:object_id>/activate/", self.activate_view, "activate"),
            ("<path:object_id>/pause/", self.pause_view, "pause"),
        ]
        own = [
            path(route, self.admin_site.admin_view(view), name=f"workflows_workflow_{name}")
            for route, view, name in pages
        ]
        return [*own, *super().get_urls()]

    @property
    def media(self) -> forms.Media:
        # The panel's HTML comes later, and brings no scripts.
        return super().media + RuleWidget().media + CANVAS

    def render_change_form(  # type: ignore[override]  # Django names each of them
        self,
        request: HttpRequest,
        context: dict[str, Any],
        **options: Any,
    ) -> HttpResponse:
        """Django's, with the drawing, and what there is to choose from."""
        obj: Workflow | None = options.get("obj")
        form: WorkflowForm = context["adminform"].form
        organisation = cast(Organisation, organisation_of(request))
        draft = form.draft()
        editable = self.has_change_permission(request, obj) if obj else True
        counts, hook = {}, ""
        if obj is not None:
            obj.organisation = organisation
            version = reentry.current_version(obj)
            counts = counting.of_steps(obj, version)
            hook = webhook_url(obj, version) or ""
        context |= {
            "drawing": draw(
                draft["trigger"],
                draft["steps"],
                organisation=organisation,
                counts=counts,
                errors=form.refused_parts,
            ),
            "document": draft,
            "form": form,
            "links": self._links(obj) if obj is not None else [],
            "editable": editable,
            "palette": palette() if editable else None,
            "counted": counting.MOST_RUNS,
            "hook": hook,
            "draw_url": self.url("draw"),
            "panel_url": self.url("panel"),
            "show_save_and_continue": False,
            "show_save_and_add_another": False,
        }
        return super().render_change_form(request, context, **options)

    def _links(self, workflow: Workflow) -> list[tuple[str, str]]:
        """What else there is to a workflow."""
        runs = reverse("admin:workflows_run_changelist")
        return [
            (f"{runs}?workflow={workflow.pk}", _("Runs")),
            (self.url("simulate", workflow.pk), _("Try on a contact")),
            (self.url("export", workflow.pk), _("Export")),
        ]

    def draw_view(self, request: HttpRequest) -> HttpResponse:
        """The canvas of a draft, with what is wrong at its cards. The counts it has already."""
        organisation, workflow, draft = self._asked(request)
        drawing = draw(
            draft["trigger"],
            draft["steps"],
            organisation=organisation,
            errors=_errors(draft, organisation, workflow),
        )
        context = {"drawing": drawing, "editable": True, "opens": True}
        return TemplateResponse(request, "admin/workflows/canvas.html", context)

    def panel_view(self, request: HttpRequest) -> HttpResponse:
        """The form of a part of a draft; with `apply`, the part's new JSON, or the form with what
        is wrong."""
        organisation, workflow, draft = self._asked(request)
        place = request.POST.get("path", "")
        kind, part = _part(draft, place)
        started_by = TRIGGERS.get(str((draft["trigger"] or {}).get("type")))
        about = started_by.about if started_by is not None else ("contact", "activity")
        context = CleanContext(organisation, about, workflow)
        posted = request.POST if "apply" in request.POST else None
        form = PartForm(kind, part, context, posted)
        if posted is not None:
            changed = form.json()
            part.clear()
            part.update(changed)
            form.refuse(_at(place, kind, _errors(draft, organisation, workflow)))
            if form.is_valid():
                return JsonResponse({"part": changed})
        return TemplateResponse(
            request,
            "admin/workflows/panel.html",
            {
                "form": form,
                "kind": kind,
                "path": place,
                "variables": variables.paths(variables.known(organisation, about)),
                "editable": self._may_write(request, workflow),
            },
        )

    def _asked(self, request: HttpRequest) -> tuple[Organisation, Workflow | None, Draft]:
        """Whose draft was posted, of which workflow, and what it says."""
        if not self.has_view_permission(request):
            raise Http404
        if request.method != "POST":
            raise BadRequest
        organisation = organisation_of(request)
        if organisation is None:
            raise Http404
        pk = request.POST.get("workflow")
        workflow = self.existing(request, pk) if pk else None
        if workflow is not None:
            workflow.organisation = organisation
        try:
            draft = json.loads(request.POST.get("document", ""))
        except ValueError:
            raise BadRequest from None
        if not isinstance(draft, dict) or not isinstance(draft.get("trigger"), dict):
            raise BadRequest
        return organisation, workflow, {"trigger": draft["trigger"], "steps": draft.get("steps")}

    def _may_write(self, request: HttpRequest, workflow: Workflow | None) -> bool:
        if workflow is None:
            return self.has_add_permission(request)
        return self.has_change_permission(request, workflow)

    # Switching on and off

    def activate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks whether contacts who match already shall enter."""
        workflow = self._switched(request, object_id)
        now = existing.preview(workflow, reentry.current_version(workflow), timezone.now())
        matching = now["matching"]
        form = ExistingForm(request.POST or None)
        if matching:
            form.fields["include_existing"].label = ngettext(
                "Let the %(count)d contact in who matches already",
                "Let the %(count)d contacts in who match already",
                matching,
            ) % {"count": matching}
        if self.confirmed(request) and form.is_valid():
            return self._switch(
                request,
                workflow,
                Workflow.Status.ACTIVE,
                include_existing=bool(matching) and form.cleaned_data["include_existing"],
            )
        notes = [_("It hears of what happens from now on; what happened before starts nothing.")]
        if workflow.status == Workflow.Status.PAUSED:
            notes.append(_("Its runs that wait go on."))
        if now["capped"]:
            notes.append(_("More than %(count)d contacts match already.") % {"count": matching})
        return self.ask(
            request,
            title=_("Activate %(name)s?") % {"name": workflow.name},
            notes=notes,
            form=form if matching else None,
            confirm=_("Activate"),
            back=self.url("change", workflow.pk),
            obj=workflow,
        )

    def pause_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        workflow = self._switched(request, object_id)
        if self.confirmed(request):
            return self._switch(request, workflow, Workflow.Status.PAUSED)
        return self.ask(
            request,
            title=_("Pause %(name)s?") % {"name": workflow.name},
            notes=[
                _("What happens while it is paused starts nothing, also later."),
                _("Its runs wait where they are, until it is activated again."),
            ],
            confirm=_("Pause"),
            back=self.url("change", workflow.pk),
            obj=workflow,
        )

    def _switched(self, request: HttpRequest, object_id: str) -> Workflow:
        workflow: Workflow = self.existing(request, object_id)
        if not self.has_change_permission(request, workflow):
            raise Http404
        workflow.organisation = cast(Organisation, organisation_of(request))
        return workflow

    def _switch(
        self, request: HttpRequest, workflow: Workflow, status: str, **options: Any
    ) -> HttpResponse:
        try:
            changed = services.set_status(workflow=workflow, status=status, **options)
        except ValidationError as error:
            for line in error.messages:
                messages.error(request, line)
        else:
            told = {"name": changed.name, "status": changed.get_status_display()}
            messages.success(request, _("%(name)s is now: %(status)s.") % told)
        return HttpResponseRedirect(self.url("change", workflow.pk))

    # Writing

    def write(
        self,
        request: HttpRequest,
        obj: Workflow | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> Workflow:
        values = {name: form.cleaned_data[name] for name in self.fields}
        if obj is not None:
            return services.replace(workflow=obj, values=values)
        return services.create(organisation=cast(Organisation, organisation_of(request)), **values)

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        """Back to the canvas: there is more to do with a workflow than to save it."""
        return HttpResponseRedirect(self.url("change", obj.pk))

    response_post_save_change = response_post_save_add

    def erase(self, request: HttpRequest, obj: Workflow) -> None:
        services.delete(workflow=obj)

    def consequences(self, obj: Workflow) -> list[str]:
        return [_("Its runs go with it, also those that are on their way.")]


def _part(draft: Draft, place: str) -> tuple[Step | Trigger, dict[str, Any]]:
    """The step or trigger at this path of a draft. 404 where there is none."""
    kinds: Mapping[str, Step | Trigger] = TRIGGERS if place == TRIGGER else STEPS
    try:
        part: Any = draft["trigger"] if place == TRIGGER else Program(draft["steps"]).at(place)
        return kinds[part["type"]], part
    except (LookupError, TypeError, ValueError):
        raise Http404 from None


def _errors(
    draft: Draft, organisation: Organisation, workflow: Workflow | None
) -> dict[str, list[str]]:
    """What is wrong with a draft, by path."""
    try:
        cleaning.clean(
            draft["trigger"], draft["steps"], organisation=organisation, workflow=workflow
        )
    except ValidationError as error:
        return error.message_dict
    return {}


def _at(place: str, kind: Step | Trigger, errors: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The errors at this path, by path within it; those of the steps of its branches are theirs."""
    own = {
        path.removeprefix(place).removeprefix("."): lines
        for path, lines in errors.items()
        if path == place or path.startswith(f"{place}.")
    }
    branches = kind.paths if isinstance(kind, Step) else ()
    return {path: lines for path, lines in own.items() if path.partition(".")[0] not in branches}
