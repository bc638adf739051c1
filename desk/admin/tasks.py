"""Tasks: on a contact's page, and the list of all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminSelectWidget

from contacts import timeline
from contacts.admin import composing, page
from contacts.models import Contact
from contacts.timeline import Cursor, Entry, TimelineSource
from crm.admin.base import OrganisationAdmin, link
from crm.admin.filters import ChoiceFilter
from crm.admin.forms import ServiceForm, ServiceFormSet
from crm.admin.site import PAGES
from crm.admin.unfold import display
from desk import colleagues, services
from desk.admin.notes import called, writer
from desk.models import Task
from organisations.middleware import organisation_of
from organisations.models import Organisation

MOST_OPEN = 20
_CONTACT = Prefetch("contact", Contact.objects.across_organisations().defer("search_text"))


def staff(request: HttpRequest) -> list[User]:
    """The colleagues to choose from. One query a request."""
    known: list[User] | None = getattr(request, "colleagues", None)
    if known is None:
        known = colleagues.of(cast(Organisation, organisation_of(request)))
        request.colleagues = known  # type: ignore[attr-defined]
    return known


def choices(users: list[User]) -> list[tuple[str, str]]:
    """Anybody, and each of them."""
    return [("", _("Anybody")), *((str(user.pk), colleagues.called(user)) for user in users)]


class QuickTask(forms.Form):
    """What is to be done, by whom and until when."""

    # The service says what is wrong with what is given.
    title = forms.CharField(
        label=gettext_lazy("What is to be done"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    due_on = forms.DateField(
        label=gettext_lazy("Due on"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
    )
    due_time = forms.TimeField(
        label=gettext_lazy("At"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    assignee = forms.TypedChoiceField(label=gettext_lazy("For"), required=False, empty_value=None)

    def __init__(self, request: HttpRequest, data: Any = None) -> None:
        super().__init__(data, auto_id="task-%s")
        users = staff(request)
        by_id = {str(user.pk): user for user in users}
        field = cast(forms.TypedChoiceField, self.fields["assignee"])
        field.choices = choices(users)
        field.coerce = by_id.__getitem__
        field.initial = str(request.user.pk) if str(request.user.pk) in by_id else ""


def due(task: Task) -> str:
    """Until when, as people say it."""
    if task.due_on is None:
        return ""
    day = _said(task.due_on, _now(task).date())
    return f"{day}, {time_format(task.due_time, 'TIME_FORMAT')}" if task.due_time else day


def _said(day: date, today: date) -> str:
    names = {-1: _("yesterday"), 0: _("today"), 1: _("tomorrow")}
    return names.get((day - today).days) or date_format(day, "DATE_FORMAT")


def is_overdue(task: Task) -> bool:
    """Whether it should have been done by now."""
    if task.done_at is not None or task.due_on is None:
        return False
    now = _now(task)
    return (task.due_on, task.due_time or time.max) < (now.date(), now.time())


def _now(task: Task) -> datetime:
    """By the organisation's clock: a contact's page may be read by the contact's."""
    return timezone.localtime(timezone=ZoneInfo(task.organisation.timezone))


def shown(request: HttpRequest, task: Task, *, with_contact: bool = False) -> SafeString:
    """A line with what is to be done, a box to tick, until when and for whom."""
    erased = task.contact is not None and task.contact.redacted_at is not None
    may_change = request.user.has_perm("desk.change_task") and not erased
    return render_to_string(
        "admin/desk/task.html",
        {
            "task": task,
            "due": due(task),
            "overdue": is_overdue(task),
            "assignee": called(task.assignee) if task.assignee_id else _("anybody"),
            "mine": task.assignee_id == request.user.pk,
            "done_by": called(task.done_by) if task.done_by_id else "",
            "may_change": may_change,
            "with_contact": with_contact and task.contact is not None,
        },
        request,
    )


def rows_of(contact: Contact) -> Any:
    """The contact's tasks with what is shown of them."""
    tasks = Task.objects.for_organisation(contact.organisation_id).filter(contact=contact)
    return tasks.select_related("assignee", "author", "done_by")


class Tasks(TimelineSource):
    """What was to be done, where it was written down."""

    kind = "task"
    label = gettext_lazy("Tasks")
    icon = "task_alt"
    permission = "desk.view_task"
    position = 3

    def entries(
        self, request: HttpRequest, contact: Contact, before: Cursor | None, limit: int
    ) -> list[Entry]:
        found = list(self.below(rows_of(contact), before, "created_at")[:limit])
        for task in found:
            task.contact, task.organisation = contact, contact.organisation
        return [
            Entry(
                at=task.created_at,
                kind=self.kind,
                pk=task.pk,
                title=_("Task by %(name)s") % {"name": called(task.author)},
                detail=shown(request, task),
            )
            for task in found
        ]


timeline.register(Tasks())


def open_tasks(request: HttpRequest, contact: Contact) -> SafeString | str:
    """What is still to be done about the contact, the soonest first. One query."""
    if not request.user.has_perm("desk.view_task"):
        return ""
    found = list(rows_of(contact).unfinished().soonest_first()[: MOST_OPEN + 1])
    if not found:
        return ""
    for task in found:
        task.contact, task.organisation = contact, contact.organisation
    return render_to_string(
        "admin/desk/open_tasks.html",
        {
            "lines": [shown(request, task) for task in found[:MOST_OPEN]],
            "more": len(found) > MOST_OPEN,
            "all_of_them": f"{reverse('admin:desk_task_changelist')}?contact={contact.pk}",
        },
        request,
    )


# The doors.


@require_POST
def add(request: HttpRequest, object_id: int | None = None) -> HttpResponse:
    """Write one down, about this contact or about none."""
    organisation = organisation_of(request)
    contact = page.found(request, object_id) if object_id is not None else None
    if organisation is None or not request.user.has_perm("desk.add_task"):
        raise PermissionDenied

    def write(given: Mapping[str, Any]) -> str:
        services.add_task(
            organisation=organisation, by=writer(request), values={**given, "contact": contact}
        )
        return _("The task is added.")

    back = reverse("admin:desk_work")
    if contact is not None:
        back = reverse("admin:contacts_contact_change", args=[contact.pk])
    return composing.answer(request, back=back, form=QuickTask(request, request.POST), write=write)


@require_POST
def finish(request: HttpRequest, object_id: int) -> HttpResponse:
    """Tick it off (`done` is "yes"), or take that back."""
    organisation = organisation_of(request)
    if organisation is None or object_id >= 2**63:
        raise Http404
    task = Task.objects.for_organisation(organisation).filter(pk=object_id).first()
    if task is None:
        raise Http404
    if not request.user.has_perm("desk.change_task"):
        raise PermissionDenied
    task.organisation = organisation
    done = request.POST.get("done") == "yes"

    def write(_given: Mapping[str, Any]) -> str:
        services.finish_task(task=task, by=writer(request), done=done)
        return _("Done.") if done else _("It is to be done again.")

    back = reverse("admin:desk_work")
    if task.contact_id is not None:
        back = reverse("admin:contacts_contact_change", args=[task.contact_id])
    return composing.answer(request, back=back, write=write)


PAGES.append(
    lambda site: [
        path("tasks/", site.admin_view(add), name="desk_task_note"),
        path("tasks/about/<int:object_id>/", site.admin_view(add), name="desk_task_about"),
        path("tasks/<int:object_id>/done/", site.admin_view(finish), name="desk_task_finish"),
    ]
)


# The list of all, and one of them.


class TaskForm(ServiceForm):
    """A task. Who may be chosen works here."""

    assignee = forms.TypedChoiceField(
        label=gettext_lazy("For"), required=False, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.organisation is None or "assignee" not in self.fields:
            return
        users = colleagues.of(self.organisation)
        task: Task = self.instance
        if task.assignee is not None and task.assignee not in users:
            users.append(task.assignee)
        by_id = {str(user.pk): user for user in users}
        field = cast(forms.TypedChoiceField, self.fields["assignee"])
        field.choices = choices(users)
        field.coerce, field.empty_value = (lambda pk: by_id[str(pk)]), None


class OpenFilter(ChoiceFilter):
    title = gettext_lazy("Done")
    parameter_name = "state"

    def options(self) -> list[tuple[str, Any]]:
        return [("open", _("To be done")), ("done", _("Done"))]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(done_at__isnull=self.answer() == "open")


class ForFilter(ChoiceFilter):
    title = gettext_lazy("For")
    parameter_name = "whose"

    def options(self) -> list[tuple[str, Any]]:
        return [("nobody", _("Anybody")), *choices(staff(self.request))[1:]]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        whose = self.answer()
        return rows.filter(assignee=None if whose == "nobody" else whose)


@admin.register(Task)
class TaskAdmin(OrganisationAdmin):
    """Everybody's tasks, newest first."""

    form = TaskForm
    fields = ("title", "contact", ("due_on", "due_time"), "assignee")
    autocomplete_fields = ("contact",)
    list_display = ("what", "about", "until", "whose", "created_at", "state")
    list_filter = (OpenFilter, ForFilter)
    list_select_related = ("assignee",)
    ordering = ("-created_at", "-id")
    search_fields = ("contact",)
    search_help_text = gettext_lazy("Contact")
    url_lookups = ("contact", "contact__exact")
    prefetch = (_CONTACT,)

    @display(description=gettext_lazy("what is to be done"))
    def what(self, obj: Task) -> str:
        return str(obj)

    @display(description=gettext_lazy("contact"))
    def about(self, obj: Task) -> str:
        return link(obj.contact) if obj.contact is not None else ""

    @display(description=gettext_lazy("due"))
    def until(self, obj: Task) -> str:
        return due(obj)

    @display(description=gettext_lazy("for"))
    def whose(self, obj: Task) -> str:
        return called(obj.assignee) if obj.assignee_id else _("Anybody")

    @display(
        description=gettext_lazy("state"),
        label={"open": "info", "overdue": "danger", "done": "success"},
    )
    def state(self, obj: Task) -> tuple[str, str]:
        if obj.done_at is not None:
            return "done", _("Done")
        return ("overdue", _("Overdue")) if is_overdue(obj) else ("open", _("To be done"))

    def for_list(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return super().for_list(rows.select_related("assignee"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        organisation, text = organisation_of(request), search_term.strip()
        if organisation is None or not text:
            return queryset, False
        contacts = Contact.objects.for_organisation(organisation).current().search(text)
        ids = list(contacts.order_by("-created_at", "-id").values_list("pk", flat=True)[:200])
        return queryset.filter(contact__in=ids), False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # What was erased on request is not written again.
        erased = (
            isinstance(obj, Task)
            and obj.contact is not None
            and obj.contact.redacted_at is not None
        )
        return not erased and super().has_change_permission(request, obj)

    def write(
        self,
        request: HttpRequest,
        obj: Task | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> Task:
        organisation = cast(Organisation, organisation_of(request))
        if obj is not None:
            return services.change_task(task=obj, values=form.changed_values())
        return services.add_task(
            organisation=organisation, by=writer(request), values=form.cleaned_data
        )

    def erase(self, request: HttpRequest, obj: Task) -> None:
        services.delete_task(task=obj)

    def response_post_save_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        back = _BACK.get(request.GET.get("back", ""))
        if back is not None and (back == "work" or obj.contact_id is not None):
            return HttpResponseRedirect(_address(back, obj))
        return super().response_post_save_change(request, obj)


_BACK = {"work": "work", "contact": "contact"}


def _address(back: str, task: Task) -> str:
    if back == "work":
        return reverse("admin:desk_work")
    return reverse("admin:contacts_contact_change", args=[task.contact_id])
