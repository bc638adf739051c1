"""Workflows as files: out, in, and the ready-made ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextareaWidget

from crm.admin.base import OrganisationAdmin
from crm.admin.unfold import action
from organisations.middleware import organisation_of
from organisations.models import Organisation
from workflows import exchange, ready_made
from workflows.admin.drawing import Drawing, draw
from workflows.admin.run_page import STYLES, pretty
from workflows.models import Workflow


class ImportForm(forms.Form):
    """A file, or what is in one."""

    file = forms.FileField(
        label=gettext_lazy("File"), required=False, widget=UnfoldAdminFileFieldWidget
    )
    text = forms.CharField(
        label=gettext_lazy("Or paste it here"),
        required=False,
        strip=False,
        max_length=exchange.LARGEST,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 12, "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        file = cleaned.get("file")
        if file is not None and file.size > exchange.LARGEST:
            self.add_error("file", _("A workflow is of 1 MB at most."))
        elif not self.errors and file is None and not cleaned.get("text"):
            self.add_error("file", _("Choose a file, or paste what is in one."))
        return cleaned

    def document(self) -> bytes | str:
        """What was given, read."""
        file = self.cleaned_data.get("file")
        text: bytes | str = file.read() if file is not None else self.cleaned_data["text"]
        return text


class Exchanging(OrganisationAdmin):
    """Export, import, and starting from a template. For the screen of workflows."""

    actions_list = ("ready_made", "bring_in")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.export_view)
        route = "<path:object_id>/export/"
        return [path(route, view, name="workflows_workflow_export"), *super().get_urls()]

    def export_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The workflow as a file."""
        workflow: Workflow = self.existing(request, object_id)
        if not self.has_view_permission(request, workflow):
            raise PermissionDenied
        workflow.organisation = cast(Organisation, organisation_of(request))
        try:
            document = exchange.export(workflow)
        except ValidationError as error:
            for line in _told(error):
                messages.error(request, line)
            return HttpResponseRedirect(self.url("change", workflow.pk))
        name = slugify(workflow.name) or f"workflow-{workflow.pk}"
        return HttpResponse(
            pretty(document),
            content_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="{name}.json"'},
        )

    @action(
        description=gettext_lazy("Import"), permissions=["add"], icon="upload", url_path="import"
    )
    def bring_in(self, request: HttpRequest) -> HttpResponse:
        """Asks for a file, and makes a Draft of it."""
        form = ImportForm(*((request.POST, request.FILES) if self.confirmed(request) else ()))
        if form.is_valid():
            try:
                return self._brought_in(request, form.document())
            except ValidationError as error:
                form.add_error(None, _told(error))
        return self.ask(
            request,
            title=_("Import a workflow"),
            notes=[
                _("It becomes a draft: nothing starts it until you activate it."),
                _("Segments, custom fields and other workflows that it names must be there."),
            ],
            form=form,
            confirm=_("Import"),
        )

    @action(description=gettext_lazy("Start from a template"), permissions=["add"], icon="style")
    def ready_made(self, request: HttpRequest) -> HttpResponse:
        """Shows the ready-made workflows, and makes a Draft of the chosen one."""
        organisation = cast(Organisation, organisation_of(request))
        chosen = request.POST.get("name", "")
        if request.method == "POST":
            if chosen not in ready_made.NAMES:
                raise Http404
            try:
                return self._brought_in(request, ready_made.text(chosen))
            except ValidationError as error:
                for line in _told(error):
                    messages.error(request, line)
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            "admin/workflows/run/ready_made.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("Start from a template"),
                "cards": list(_cards(organisation)),
                "media": self.media + STYLES,
            },
        )

    def _brought_in(self, request: HttpRequest, text: bytes | str) -> HttpResponse:
        """Make the Draft and go to its canvas. Raises ValidationError."""
        organisation = cast(Organisation, organisation_of(request))
        workflow = exchange.bring_in(organisation=organisation, text=text)
        self.log_addition(request, workflow, [{"added": {}}])
        messages.success(request, _("%(name)s is a draft now.") % {"name": workflow.name})
        return HttpResponseRedirect(self.url("change", workflow.pk))


def _cards(
    organisation: Organisation,
) -> Iterator[tuple[str, Mapping[str, Any], Drawing]]:
    for name, document in ready_made.documents().items():
        drawing = draw(document["trigger"], document["steps"], organisation=organisation)
        yield name, document, drawing


def _told(error: ValidationError) -> list[str]:
    """All that is wrong, each with its place."""
    if not hasattr(error, "error_dict"):
        return error.messages
    return [
        line if place == NON_FIELD_ERRORS else f"{place}: {line}"
        for place, lines in error.message_dict.items()
        for line in lines
    ]
