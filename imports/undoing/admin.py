"""Undoing an import in the admin: it says what will go, asks, and says what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.admin.forms import Refused
from crm.errors import Conflict
from imports.models import Import, KeptRow, What
from imports.undoing.service import Undone, ahead, undo
from imports.undoing.words import listed, row_of
from imports.wizard import services as wizard

if TYPE_CHECKING:
    from imports.admin import ImportAdmin

SECONDS = 20
"""How long a browser waits; what is left is done when asked again."""

NEEDED: dict[str, tuple[str, ...]] = {
    Import.Kind.CONTACTS: ("contacts.delete_contact",),
    Import.Kind.ACTIVITIES: ("contacts.delete_contact", "activities.delete_activity"),
    Import.Kind.CUSTOM_FIELDS: ("customfields.delete_customfield",),
}
"""What one must be permitted to do, by the kind of import."""

_SHOWN = 100
_PAGES = {
    What.CONTACT: "admin:contacts_contact_change",
    What.ACTIVITY: "admin:activities_activity_change",
    What.BOOKING: "admin:activities_booking_change",
    What.GOLF_RESERVATION: "admin:activities_golfreservation_change",
    What.TABLE_RESERVATION: "admin:activities_tablereservation_change",
    What.CUSTOM_FIELD: "admin:customfields_customfield_change",
}


def ask_and_undo(screen: ImportAdmin, request: HttpRequest, run: Import) -> HttpResponse:
    """The page that asks; confirmed, it is undone, and its own page says what was kept."""
    back = screen.url("change", run.pk)
    if not screen.confirmed(request):
        return screen.ask(
            request,
            title=_("Undo the import of %(file)s?") % {"file": run.file_name},
            notes=_notes(run),
            confirm=_("Undo this import"),
            danger=True,
            back=back,
            obj=run,
        )
    try:
        # One that the wizard stopped is not to go on any more.
        stopped = wizard.is_stopped(run)
        report = undo(run=run, seconds=SECONDS, unfinished=stopped)
        if stopped:
            wizard.close(run)
    except Conflict as error:
        screen.tell(request, Refused(error))
    else:
        screen.log_change(request, run, [{"changed": {"fields": ["undone"]}}])
        _tell(request, report)
    return HttpResponseRedirect(back)


def _notes(run: Import) -> list[str]:
    sizes = ahead(run)
    deleted = {what: number for what, (number, _changed) in sizes.items() if number}
    restored = {what: number for what, (_created, number) in sizes.items() if number}
    notes = []
    if deleted:
        notes.append(
            _("Deleted, because this import created them: %(rows)s.") % {"rows": listed(deleted)}
        )
    if restored:
        notes.append(
            _("As they were before, because this import changed them: %(rows)s.")
            % {"rows": listed(restored)}
        )
    if not notes:
        notes.append(_("It created nothing and changed nothing."))
    return [
        *notes,
        _("What somebody changed since stays as it is, and you see what and why."),
        _("The totals follow. The file can be imported again afterwards."),
    ]


def _tell(request: HttpRequest, report: Undone) -> None:
    did = told(report.deleted, report.restored)
    if report.finished:
        messages.success(request, _("The import is undone. %(did)s") % {"did": did})
    else:
        messages.warning(
            request,
            _("There is more than can be undone at once. %(did)s Undo it again to go on.")
            % {"did": did},
        )
    if report.kept:
        message = ngettext(
            "%(number)s row stays as it is: see below.",
            "%(number)s rows stay as they are: see below.",
            report.kept,
        )
        messages.warning(request, message % {"number": f"{report.kept:,}"})


def told(deleted: dict[str, int], restored: dict[str, int]) -> str:
    """What was done, in a sentence or two."""
    sentences = [
        text % {"rows": listed(rows)}
        for text, rows in (
            (_("Deleted: %(rows)s."), deleted),
            (_("As before: %(rows)s."), restored),
        )
        if rows
    ]
    return " ".join(sentences) or _("There was nothing to do.")


def kept(run: Import) -> SafeString | str:
    """The first rows that were kept, each with its page and the reason."""
    rows = list(KeptRow.objects.filter(run=run).order_by("pk")[: _SHOWN + 1])
    lines = format_html_join(
        "", "<li>{}: {}</li>", ((_link(row), row.reason) for row in rows[:_SHOWN])
    )
    more = format_html("<li>{}</li>", _("and more")) if len(rows) > _SHOWN else ""
    return format_html('<ul class="rg-lines">{}{}</ul>', lines, more) if rows else "—"


def _link(row: KeptRow) -> SafeString | str:
    text = row_of(row.what, row.row_id, row.name)
    try:
        page = reverse(_PAGES[What(row.what)], args=[row.row_id])
    except NoReverseMatch:
        return text
    return format_html('<a href="{}" class="text-primary-600">{}</a>', page, text)
