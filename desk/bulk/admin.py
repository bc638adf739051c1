"""Bulk changes in the admin: asked for above the list of contacts, watched and undone here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from contacts.admin import panels
from contacts.admin.panels import BulkAction, ContactPanel
from contacts.models import ContactTag, Tag
from contacts.querysets import ContactQuerySet
from crm.admin.base import OrganisationAdmin
from crm.admin.forms import Refused
from crm.admin.paging import MAX_ROWS
from crm.admin.unfold import display
from crm.admin.widgets import Autocomplete
from crm.errors import Conflict
from customfields.models import CustomField
from desk.bulk import services
from desk.bulk.models import BulkItem, BulkJob
from organisations.middleware import organisation_of
from organisations.models import Organisation

NAMED = 20
FAILED = 200


class TagForm(forms.Form):
    """Which tag to put on."""

    name = forms.CharField(
        label=gettext_lazy("Tag"),
        max_length=100,
        widget=UnfoldAdminTextInputWidget(attrs={"list": "known-tags", "autocomplete": "off"}),
        help_text=gettext_lazy("One that is there, or a new one."),
    )

    def __init__(self, organisation: Organisation, *args: Any) -> None:
        super().__init__(*args)

    def told(self) -> dict[str, Any]:
        """What the action is told."""
        return {"name": self.cleaned_data["name"]}


class UntagForm(forms.Form):
    """Which tag to take off."""

    tag = forms.ModelChoiceField(
        label=gettext_lazy("Tag"),
        queryset=Tag.objects.none(),
        widget=Autocomplete(ContactTag._meta.get_field("tag"), admin.site),
    )

    def __init__(self, organisation: Organisation, *args: Any) -> None:
        super().__init__(*args)
        field: Any = self.fields["tag"]
        field.queryset = Tag.objects.for_organisation(organisation)

    def told(self) -> dict[str, Any]:
        """What the action is told."""
        return {"name": self.cleaned_data["tag"].name}


class SetForm(forms.Form):
    """Which field to set, and to what: the value as an import takes it."""

    field = forms.ModelChoiceField(
        label=gettext_lazy("Custom field"),
        queryset=CustomField.objects.none(),
        widget=UnfoldAdminSelectWidget,
    )
    value = forms.CharField(
        label=gettext_lazy("Value"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy(
            "Empty clears the field. A date as 2026-04-07, yes or no as true or false, several "
            "options with commas between them."
        ),
    )

    def __init__(self, organisation: Organisation, *args: Any) -> None:
        super().__init__(*args)
        fields = CustomField.objects.for_organisation(organisation).active()
        field: Any = self.fields["field"]
        field.queryset = fields.filter(unique=False).order_by("label")

    def told(self) -> dict[str, Any]:
        """What the action is told."""
        field: CustomField = self.cleaned_data["field"]
        value = self.cleaned_data["value"].strip() or None
        return {"field": field.name, "label": field.label, "value": value}


def asked(
    key: str, form_class: Callable[..., Any], title: str, confirm: str, template: str
) -> Callable[..., HttpResponse | None]:
    """An action on the list of contacts: asks, then does it, at once to few and in the worker to
    many."""

    def run(
        screen: OrganisationAdmin, request: HttpRequest, contacts: ContactQuerySet
    ) -> HttpResponse | None:
        organisation = organisation_of(request)
        assert organisation is not None
        form = form_class(organisation, request.POST if screen.confirmed(request) else None)
        if form.is_valid():
            try:
                job = services.start(
                    organisation=organisation,
                    by=cast(User, request.user),
                    action=key,
                    told=form.told(),
                    contacts=contacts,
                )
            except (ValidationError, Conflict) as error:
                for name, lines in Refused(error).by_path.items():
                    form.add_error(name if name in form.fields else None, lines)
            else:
                return _started(request, job)
        count = contacts.order_by()[: MAX_ROWS + 1].count()
        known = Tag.objects.for_organisation(organisation).filter(kind=Tag.Kind.MANUAL)
        return screen.ask(
            request,
            title=title % {"contacts": _many(count)},
            notes=_names(contacts, count),
            form=form,
            confirm=confirm,
            back=request.get_full_path(),
            context={"known_tags": known.values_list("name", flat=True)[:500]},
            template=template,
        )

    return run


def _many(count: int) -> str:
    if count > MAX_ROWS:
        return _("more than %(number)s contacts") % {"number": f"{MAX_ROWS:,}"}
    return ngettext("%(number)s contact", "%(number)s contacts", count) % {"number": f"{count:,}"}


def _names(contacts: ContactQuerySet, count: int) -> list[str]:
    """The first of them by name, and how many more."""
    lines = [str(contact) for contact in contacts[:NAMED]]
    if count > MAX_ROWS:
        lines.append(_("and many more"))
    elif count > NAMED:
        lines.append(_("and %(number)s more") % {"number": f"{count - NAMED:,}"})
    return lines


def _started(request: HttpRequest, job: BulkJob) -> HttpResponse | None:
    """Few contacts are done now, and the list says so; else on to the page of the job."""
    page = _page(job)
    if job.total > services.AT_ONCE:
        return HttpResponseRedirect(page)
    services.run(job)
    job.refresh_from_db()
    messages.success(
        request,
        format_html('{} <a href="{}" class="rg-link">{}</a>', _summary(job), page, _("Show, undo")),
    )
    return None


def _page(job: BulkJob) -> str:
    return str(admin.site._registry[BulkJob].url("change", job.pk))  # type: ignore[attr-defined]


def _summary(job: BulkJob) -> str:
    """`Tag “VIP” put on: 3 contacts changed, 1 was so already.`"""
    text = ngettext(
        "%(job)s: %(changed)s contact changed", "%(job)s: %(changed)s contacts changed", job.changed
    ) % {"job": job, "changed": f"{job.changed:,}"}
    same = job.done - job.changed - job.failed
    if same:
        already = ngettext("%(same)s was so already", "%(same)s were so already", same)
        text += ", " + already % {"same": f"{same:,}"}
    if job.failed:
        text += ", " + _("%(failed)s failed") % {"failed": f"{job.failed:,}"}
    return f"{text}."


@admin.register(BulkJob)
class BulkJobAdmin(OrganisationAdmin):
    """What was done to many contacts, by whom, and how far it came."""

    list_display = ("what", "by_name", "progress", "status", "created_at")
    list_display_links = ("what",)
    ordering = ("-created_at", "-id")
    change_form_template = "admin/desk/bulk/page.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=gettext_lazy("what"))
    def what(self, obj: BulkJob) -> str:
        return str(obj)

    @display(description=gettext_lazy("progress"))
    def progress(self, obj: BulkJob) -> str:
        return f"{obj.done:,} / {obj.total:,}"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/progress/", view(self.fragment), name="desk_bulkjob_progress"),
            path("<int:pk>/move/<str:move>/", view(self.move), name="desk_bulkjob_move"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        job = self.existing(request, object_id)
        if not self.has_view_permission(request, job):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), **self._told(request, job)}
        return render(
            request,
            "admin/desk/bulk/page.html",
            {**context, "opts": self.opts, "original": job, "title": str(job)},
        )

    def fragment(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How far it is, for the page that waits."""
        job = self.existing(request, str(pk))
        return render(request, "admin/desk/bulk/progress.html", self._told(request, job))

    def move(self, request: HttpRequest, pk: int, move: str) -> HttpResponse:
        """Stop it, go on, or undo it."""
        job = self.existing(request, str(pk))
        moves = {"stop": services.stop, "resume": services.resume, "undo": services.undo}
        if request.method == "POST" and move in moves:
            if not request.user.has_perm("contacts.change_contact"):
                raise PermissionDenied
            try:
                moves[move](job=job)
                if move == "undo" and job.changed <= services.AT_ONCE:
                    services.run(job)
            except Conflict as error:
                messages.error(request, error.detail)
        return HttpResponseRedirect(self.url("change", pk))

    def _told(self, request: HttpRequest, job: BulkJob) -> dict[str, Any]:
        """Two queries at most: those that failed."""
        failed = BulkItem.objects.filter(job=job, outcome=BulkItem.Outcome.FAILED)
        undoing = job.status in (BulkJob.Status.UNDOING, BulkJob.Status.UNDONE)
        total = job.changed if undoing else job.total
        done = job.undone + job.kept if undoing else job.done
        return {
            "job": job,
            "summary": _summary(job),
            "done": done,
            "total": total,
            "percent": 100 * done // total if total else 100,
            "failures": list(failed.order_by("contact_id")[:FAILED]) if job.failed else [],
            "may_move": request.user.has_perm("contacts.change_contact"),
            "can_undo": job.changed > 0
            and job.status in (BulkJob.Status.STOPPED, BulkJob.Status.COMPLETED),
        }


class BulkPanel(ContactPanel):
    """Tagging, untagging and setting a field, among the actions on contacts."""

    name = "bulk"
    position = 5

    def bulk_actions(self) -> Sequence[BulkAction]:
        tag_page, page = "admin/contacts/tag.html", "admin/question.html"
        return [
            BulkAction(
                "tag_chosen",
                _("Tag"),
                "contacts.change_contact",
                asked("tag", TagForm, _("Tag %(contacts)s"), _("Tag"), tag_page),
            ),
            BulkAction(
                "untag_chosen",
                _("Untag"),
                "contacts.change_contact",
                asked("untag", UntagForm, _("Take a tag off %(contacts)s"), _("Untag"), page),
            ),
            BulkAction(
                "set_chosen",
                _("Set a custom field"),
                "contacts.change_contact",
                asked("set", SetForm, _("Set a field of %(contacts)s"), _("Set"), page),
            ),
        ]


panels.register(BulkPanel())
