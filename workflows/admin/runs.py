"""Runs: their list, and what is done to one of them or to many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.forms import Field, IntegerField, Media
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from activities.admin import ByContact
from contacts import timeline
from contacts.admin import panels
from contacts.admin.panels import ContactPanel
from contacts.models import Contact
from contacts.timeline import Cursor, Entry, TimelineSource
from crm.admin.base import counted
from crm.admin.filters import ChoiceFilter, FormFilter, MomentFilter, TextFilter
from crm.admin.unfold import action, display
from crm.errors import Conflict
from organisations.middleware import organisation_of
from organisations.models import Organisation
from workflows import services
from workflows.admin import run_page
from workflows.admin.counting import MOST_RUNS
from workflows.messages.admin import CONTACTS, Untouched
from workflows.models import Run, StepExecution, Workflow, WorkflowVersion
from workflows.program import Program

LATEST = 10
LONGEST_ERROR = 200
MAX_STEERED = 1_000
"""As many runs as are retried or cancelled while somebody waits for the page."""
COLOURS = {
    Run.Status.PENDING: "info",
    Run.Status.RUNNING: "info",
    Run.Status.WAITING: "warning",
    Run.Status.COMPLETED: "success",
    Run.Status.FAILED: "danger",
    Run.Status.CANCELLED: "",
}
AT_IT: Mapping[str, Sequence[str]] = {
    Run.Status.WAITING: (StepExecution.Status.WAITING, StepExecution.Status.RETRYING),
    Run.Status.FAILED: (StepExecution.Status.FAILED,),
}
"""What a step is at which a run of this status stands."""


class WorkflowFilter(ChoiceFilter):
    title = gettext_lazy("Workflow")
    parameter_name = "workflow"

    def options(self) -> list[tuple[str, Any]]:
        organisation = organisation_of(self.request)
        if organisation is None:
            return []
        workflows = Workflow.objects.for_organisation(organisation).order_by("name", "pk")
        return [(str(pk), name) for pk, name in workflows.values_list("pk", "name")]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(workflow=self.answer())


class VersionFilter(FormFilter):
    title = gettext_lazy("Version")
    parameter_name = "version"

    def fields(self) -> dict[str, Field]:
        widget = UnfoldAdminIntegerFieldWidget()
        return {"": IntegerField(label=self.title, min_value=1, max_value=10**6, widget=widget)}

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(version__number=self.answer())


class StatusFilter(ChoiceFilter):
    title = gettext_lazy("Status")
    parameter_name = "status"

    def options(self) -> list[tuple[str, Any]]:
        return list(Run.Status.choices)

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        # The index by status is each workflow's.
        organisation = cast(Organisation, organisation_of(request))
        workflows = Workflow.objects.for_organisation(organisation).order_by()
        return rows.filter(status=self.answer(), workflow__in=workflows.values("pk"))


class StepFilter(TextFilter):
    """The runs that came to a step, by its id. With a status, those that stand there so.

    Looked for among the latest of those that the filters before it leave, as cards count them.
    """

    title = gettext_lazy("Step")
    parameter_name = "step"

    def fields(self) -> dict[str, Field]:
        (field,) = super().fields().values()
        field.help_text = _("By its id, among the latest %(most)s runs that fit otherwise.") % {
            "most": f"{MOST_RUNS:,}"
        }
        return {"": field}

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        latest = rows.order_by("-created_at", "-pk").values("pk")[:MOST_RUNS]
        here = StepExecution.objects.filter(run=OuterRef("pk"), step_id=self.answer())
        at_it = AT_IT.get(request.GET.get("status", ""))
        came = Exists(here.filter(status__in=at_it) if at_it else here)
        return rows.filter(came, pk__in=latest)


class StartedFilter(MomentFilter):
    title = gettext_lazy("Started")
    parameter_name = "started"
    column = "created_at"


@admin.register(Run)
class RunAdmin(Untouched, ByContact):
    """Every way of a contact through a workflow, newest first."""

    list_display = ("created_at", "who", "of", "coloured_status", "at_step", "ends")
    list_filter = (WorkflowFilter, StatusFilter, VersionFilter, StartedFilter, StepFilter)
    search_help_text = gettext_lazy("Contact, or the number of a run")
    ordering = ("-created_at", "-id")
    url_lookups = (*ByContact.url_lookups, "workflow", "status", "version")
    prefetch: Sequence[Any] = (
        CONTACTS,
        Prefetch("workflow", Workflow.objects.across_organisations()),
        Prefetch("version", WorkflowVersion.objects.across_organisations()),
    )
    actions = ("retry_chosen", "cancel_chosen")
    actions_detail = ("retry", "cancel")
    fieldsets = ((None, {"fields": ()}),)
    change_form_template = "admin/workflows/run/page.html"

    @property
    def media(self) -> Media:
        return super().media + run_page.STYLES

    # The list

    @display(description=gettext_lazy("workflow"))
    def of(self, obj: Run) -> str:
        return _("%(workflow)s (version %(number)d)") % {
            "workflow": obj.workflow.name,
            "number": obj.version.number,
        }

    @display(
        description=gettext_lazy("status"),
        label={str(status): colour for status, colour in COLOURS.items()},
    )
    def coloured_status(self, obj: Run) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description=gettext_lazy("step"))
    def at_step(self, obj: Run) -> str:
        if not obj.position:
            return "—"
        try:
            program = Program(obj.version.steps)
            label, name = program.kind(obj.position).label, program.at(obj.position)["id"]
        except LookupError:  # a type of step that there is no more
            return obj.position
        return f"{label} · {name}"

    @display(description=gettext_lazy("ended, or goes on"))
    def ends(self, obj: Run) -> str:
        return ends(obj)

    def referred(self, request: HttpRequest, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        number = text.removeprefix("#")
        return rows.filter(pk=number) if number.isdecimal() and len(number) < 19 else rows.none()

    # One run

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        run = self.get_object(request, object_id)
        if run is None:
            return super().change_view(request, object_id, form_url, extra_context)
        run.organisation = cast(Organisation, organisation_of(request))
        request.run = run  # type: ignore[attr-defined]
        context = {
            **run_page.told(request, run),
            "status_colour": COLOURS[Run.Status(run.status)],
            "ends": ends(run),
        }
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Run | None:
        """Once for a request, with the workflow and the version."""
        known: Run | None = getattr(request, "run", None)
        return known or super().get_object(request, object_id, from_field)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        rows = super().get_queryset(request)
        match = request.resolver_match
        one = match is not None and "object_id" in match.kwargs
        return rows.select_related("workflow", "version", "contact") if one else rows

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> Any:
        """Those that the run's status leaves."""
        run: Run | None = getattr(request, "run", None)
        found = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [one for one in found if run is None or POSSIBLE[one.path](run)]

    def has_steer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may change workflows may retry and cancel their runs."""
        return self._owns(request, obj) and request.user.has_perm("workflows.change_workflow")

    @action(
        description=gettext_lazy("Retry from the failed step"),
        permissions=["steer"],
        icon="replay",
        variant=ActionVariant.PRIMARY,
    )
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        run: Run = self.existing(request, object_id)
        return self._steer(
            request,
            run,
            services.retry,
            title=_("Retry this run?"),
            notes=[_("It goes on from the step that failed. What was done before stays done.")],
            confirm=_("Retry"),
            done=_("The run goes on."),
        )

    @action(description=gettext_lazy("Cancel the run"), permissions=["steer"], icon="cancel")
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        run: Run = self.existing(request, object_id)
        return self._steer(
            request,
            run,
            services.cancel,
            title=_("Cancel this run?"),
            notes=[_("It ends where it is. What it did stays; this cannot be undone.")],
            confirm=_("Cancel the run"),
            done=_("The run is cancelled."),
        )

    def _steer(
        self,
        request: HttpRequest,
        run: Run,
        service: Callable[..., Run],
        *,
        done: str,
        **question: Any,
    ) -> HttpResponse:
        back = self.url("change", run.pk)
        if not self.confirmed(request):
            return self.ask(request, back=back, obj=run, **question)
        try:
            service(run=run)
        except Conflict as error:
            messages.error(request, error.detail)
        else:
            messages.success(request, done)
        return HttpResponseRedirect(back)

    # Many runs

    @admin.action(description=gettext_lazy("Retry"), permissions=["steer"])
    def retry_chosen(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse | None:
        return self._steer_chosen(
            request,
            queryset,
            queryset.filter(status=Run.Status.FAILED),
            services.retry,
            title=_("Retry %(runs)s?"),
            note=_("Only failed runs are retried, each from the step that failed."),
            confirm=_("Retry"),
            done=_("%(runs)s retried."),
        )

    @admin.action(description=gettext_lazy("Cancel"), permissions=["steer"])
    def cancel_chosen(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse | None:
        return self._steer_chosen(
            request,
            queryset,
            queryset.filter(status__in=Run.UNFINISHED),
            services.cancel,
            title=_("Cancel %(runs)s?"),
            note=_("Only runs that are on their way are cancelled. What they did stays."),
            confirm=_("Cancel them"),
            done=_("%(runs)s cancelled."),
        )

    def _steer_chosen(
        self,
        request: HttpRequest,
        queryset: QuerySet[Run],
        able: QuerySet[Run],
        service: Callable[..., Run],
        *,
        title: str,
        note: str,
        confirm: str,
        done: str,
    ) -> HttpResponse | None:
        count = able.order_by()[: MAX_STEERED + 1].count()
        if count > MAX_STEERED:
            told = _("At most %(number)s runs at once. Filter first.")
            messages.error(request, told % {"number": f"{MAX_STEERED:,}"})
            return None
        if not self.confirmed(request):
            return self.ask(
                request,
                title=title % {"runs": counted(count, Run)},
                notes=[note],
                confirm=confirm,
                back=request.get_full_path(),
            )
        steered, refused = 0, []
        for run in list(able):
            try:
                service(run=run)
            except Conflict as error:  # somebody was quicker, or another run stands in the way
                refused.append(f"#{run.pk}: {error.detail}")
            else:
                steered += 1
        messages.success(request, done % {"runs": counted(steered, Run)})
        for line in refused[:LATEST]:
            messages.error(request, line)
        return None


POSSIBLE: Mapping[str, Callable[[Run], bool]] = {
    "retry": lambda run: run.status == Run.Status.FAILED,
    "cancel": lambda run: run.status in Run.UNFINISHED,
}
"""Whether a run's status leaves what a button does."""


def ends(run: Run) -> str:
    """When it ended, or until when it waits."""
    if run.completed_at is not None:
        return _moment(run.completed_at)
    if run.held:
        return _("when the workflow is active again")
    if run.due_at is None or run.status != Run.Status.WAITING:
        return "—"
    if run.attempts:
        return _("next try %(moment)s") % {"moment": _moment(run.due_at)}
    return _("waits until %(moment)s") % {"moment": _moment(run.due_at)}


def _moment(value: Any) -> str:
    return date_format(localtime(value), "DATETIME_FORMAT")


class Runs(TimelineSource):
    """A contact's ways through workflows, where they began."""

    kind = "run"
    label = gettext_lazy("Workflow runs")
    icon = "route"
    permission = "workflows.view_run"
    position = 6

    def entries(
        self, request: HttpRequest, contact: Contact, before: Cursor | None, limit: int
    ) -> list[Entry]:
        runs = Run.objects.for_organisation(contact.organisation_id).filter(contact=contact)
        rows = self.below(runs.select_related("workflow"), before, "created_at")
        return [self._entry(run) for run in rows[:limit]]

    def _entry(self, run: Run) -> Entry:
        status = format_html(
            '<span class="rg-badge rg-run-{}">{}</span>', run.status, run.get_status_display()
        )
        told = ends(run) if run.status in Run.UNFINISHED else run.error_message[:LONGEST_ERROR]
        return Entry(
            at=run.created_at,
            kind=self.kind,
            pk=run.pk,
            title=run.workflow.name,
            url=reverse("admin:workflows_run_change", args=[run.pk]),
            detail=format_html("{} {}", status, "" if told == "—" else told),
            by=_("Workflow"),
        )


timeline.register(Runs())


class RunsPanel(ContactPanel):
    """What becomes of a contact's runs."""

    name = "workflow_runs"
    position = 25

    def erased(self, contact: Contact) -> Sequence[str]:
        return [_("Workflow runs that are on their way end; what their steps said is erased.")]

    def deleted(self, contact: Contact) -> Sequence[str]:
        return [_("Workflow runs are deleted.")]


panels.register(RunsPanel())
