"""Exporting chosen rows from the admin: asked for, then downloaded."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanSwitchWidget

from activities.admin import BULK_ACTIONS
from contacts.admin import panels
from contacts.admin.panels import BulkAction, ContactPanel
from crm.admin.base import counted
from imports.exports.activities import ActivitiesExport
from imports.exports.contacts import ContactsExport
from imports.exports.plans import Plan, export, streamed
from imports.exports.seen import SeenExport
from imports.files.writing import TooLarge
from organisations.middleware import organisation_of
from organisations.models import Organisation

if TYPE_CHECKING:
    from crm.admin.base import OrganisationAdmin

MAX_WORKBOOK = 50_000
"""A workbook is made while the browser waits: more rows than this take too long."""

_CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class ExportForm(forms.Form):
    """In which format."""

    format = forms.ChoiceField(
        label=gettext_lazy("Format"),
        choices=[
            ("csv", gettext_lazy("CSV")),
            ("xlsx", gettext_lazy("Excel (XLSX)")),
            ("jsonl", gettext_lazy("JSON Lines")),
        ],
        widget=UnfoldAdminSelectWidget,
    )


class _SeenForm(forms.Form):
    """What the file is for."""

    content = forms.ChoiceField(
        label=gettext_lazy("What"),
        required=False,
        initial="seen",
        choices=[
            ("seen", gettext_lazy("What the list shows: its columns, in its order")),
            ("all", gettext_lazy("All fields, as an import takes them")),
        ],
        widget=UnfoldAdminSelectWidget,
    )


class ActivityExportForm(_SeenForm, ExportForm):
    """In which format, and with what."""

    field_order = ("content", "format")


class ContactExportForm(_SeenForm, ExportForm):
    """In which format, and with what."""

    field_order = ("content", "format", "with_totals")

    with_totals = forms.BooleanField(
        label=gettext_lazy("With totals"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy(
            "With all fields: spend, orders and whatever else the system keeps. Leave it off for a "
            "file that is to be imported again."
        ),
    )


MakePlan = Callable[[Organisation, Any, dict[str, Any]], Plan]


def _contacts(organisation: Organisation, rows: Any, given: dict[str, Any]) -> Plan:
    return ContactsExport(organisation, rows, with_totals=given["with_totals"])


def _activities(organisation: Organisation, rows: Any, given: dict[str, Any]) -> Plan:
    return ActivitiesExport(organisation, rows)


def action(form_class: type[ExportForm], make_plan: MakePlan) -> Any:
    """An admin action: asks for the format, then answers the file of the chosen rows."""

    def run(screen: OrganisationAdmin, request: HttpRequest, rows: Any) -> HttpResponseBase:
        organisation = organisation_of(request)
        assert organisation is not None
        form = form_class(request.POST if screen.confirmed(request) else None)
        count = rows.order_by().count()
        if form.is_valid():
            if form.cleaned_data["format"] == "xlsx" and count > MAX_WORKBOOK:
                form.add_error("format", _too_many(count))
            else:
                try:
                    plan: Plan = (
                        SeenExport(screen, request, rows)
                        if form.cleaned_data["content"] == "seen"
                        else make_plan(organisation, rows, form.cleaned_data)
                    )
                    return download(plan, form.cleaned_data["format"])
                except TooLarge as error:
                    form.add_error("format", str(error))
        return screen.ask(
            request,
            title=_("Export %(rows)s") % {"rows": counted(count, screen.model)},
            notes=[_("The file holds personal data: keep it as safe as the contacts themselves.")],
            form=form,
            confirm=_("Export"),
            back=request.get_full_path(),
        )

    return run


def _too_many(count: int) -> str:
    return _("An Excel file is made of at most %(most)s rows here, not of %(count)s: take CSV.") % {
        "most": f"{MAX_WORKBOOK:,}",
        "count": f"{count:,}",
    }


def download(plan: Plan, format: str) -> HttpResponseBase:
    """The plan's rows as a file to keep. CSV has the mark by which Excel knows UTF-8. Raises
    TooLarge."""
    name = f"{plan.name}-{timezone.localdate().isoformat()}.{format}"
    content_type = _CONTENT_TYPES[format]
    response: HttpResponseBase
    if format == "xlsx":
        stream = tempfile.TemporaryFile()  # noqa: SIM115  # the response closes it
        try:
            export(plan, stream, format=format)
        except BaseException:
            stream.close()
            raise
        stream.seek(0)
        response = FileResponse(
            stream, as_attachment=True, filename=name, content_type=content_type
        )
    else:
        pieces: Iterator[bytes] = streamed(plan, format=format, bom=True)
        response = StreamingHttpResponse(pieces, content_type=content_type)
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


class ExportPanel(ContactPanel):
    """The export among the actions on contacts."""

    name = "exports"
    position = 40

    def bulk_actions(self) -> Sequence[BulkAction]:
        return [
            BulkAction(
                "export_chosen",
                _("Export"),
                "contacts.export_contact",
                action(ContactExportForm, _contacts),
            )
        ]


panels.register(ExportPanel())
BULK_ACTIONS.append(
    BulkAction(
        "export_chosen",
        gettext_lazy("Export"),  # type: ignore[arg-type]  # read before a language is chosen
        "activities.export_activity",
        action(ActivityExportForm, _activities),
    )
)
