"""Imports and what became of them, in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from crm.actors import Kind
from crm.admin.unfold import action, display
from imports.exports import admin as exports  # noqa: F401  # adds itself to the lists
from imports.models import Import
from imports.undoing import admin as undoing
from imports.wizard import panel, showing  # noqa: F401  # adds itself to the contact list
from imports.wizard.admin import WizardPages
from imports.wizard.models import FailedRow, Upload


@admin.register(Import)
class ImportAdmin(WizardPages):
    """The report of each import, and the wizard that begins one (docs/import.md)."""

    list_display = (
        "file_name",
        "kind",
        "coloured_status",
        "progress",
        "by",
        "created_rows",
        "updated_rows",
        "unchanged_rows",
        "failed_rows",
        "created_at",
    )
    ordering = ("-created_at", "-id")
    list_before_template = "admin/imports/unfinished.html"
    actions_detail = ("undo_import",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "file_name",
                    "kind",
                    "status",
                    "by",
                    "created_at",
                    "took",
                    "in_the_wizard",
                )
            },
        ),
        (
            gettext_lazy("Report"),
            {
                "fields": (
                    "rows_done",
                    "created_rows",
                    "updated_rows",
                    "unchanged_rows",
                    "failed_rows",
                    "errors",
                ),
                "description": gettext_lazy(
                    "Rows that failed are in the errors file with the reason beside each: mend "
                    "them there and import that file."
                ),
            },
        ),
        (gettext_lazy("Columns"), {"fields": ("columns",)}),
        (gettext_lazy("Options"), {"fields": ("options_given",)}),
    )

    @display(
        description=gettext_lazy("status"),
        label={
            Import.Status.RUNNING: "info",
            Import.Status.COMPLETED: "success",
            Import.Status.UNDOING: "warning",
            Import.Status.UNDONE: "warning",
        },
    )
    def coloured_status(self, obj: Import) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description=gettext_lazy("rows"))
    def progress(self, obj: Import) -> SafeString | str:
        done = f"{obj.rows_done:,}"
        if obj.status != Import.Status.RUNNING or not obj.rows_about:
            return done
        return format_html(
            '<span class="rg-import-rows">{}<progress max="{}" value="{}" '
            'aria-label="{}"></progress></span>',
            done,
            max(obj.rows_about, obj.rows_done),
            obj.rows_done,
            _("%(done)s of about %(about)s rows") % {"done": done, "about": f"{obj.rows_about:,}"},
        )

    @display(description=gettext_lazy("by"))
    def by(self, obj: Import) -> str:
        if obj.by_kind == Kind.COMMAND:
            return str(Kind.COMMAND.label)
        return obj.by_name or "—"

    @display(description=gettext_lazy("in the wizard"))
    def in_the_wizard(self, obj: Import) -> SafeString | str:
        upload = self._upload_of(obj)
        if upload is None:
            return "—"
        page = showing.page_of(upload)
        words = _("Its report") if page == "report" else _("How far it is")
        return format_html('<a href="{}" class="rg-link">{}</a>', showing.url(upload, page), words)

    @display(description=gettext_lazy("errors file"))
    def errors(self, obj: Import) -> SafeString | str:
        upload = self._upload_of(obj)
        if upload is not None and FailedRow.objects.filter(upload=upload).exists():
            return format_html(
                '<a href="{}" class="rg-link">{}</a>',
                showing.url(upload, "errors"),
                _("Download the errors file"),
            )
        return obj.errors_file or "—"

    def _upload_of(self, obj: Import) -> Upload | None:
        """The file of the wizard that it is of, as long as that is kept."""
        return Upload.objects.for_organisation(obj.organisation_id).filter(run=obj).first()

    @display(description=gettext_lazy("took"))
    def took(self, obj: Import) -> str:
        return _("%(seconds)s seconds") % {"seconds": f"{obj.seconds:,.1f}"}

    @display(description=gettext_lazy("columns"))
    def columns(self, obj: Import) -> SafeString | str:
        return pairs((header, target or _("left out")) for header, target in obj.mapping.items())

    @display(description=gettext_lazy("options"))
    def options_given(self, obj: Import) -> SafeString | str:
        return pairs(
            (name, ", ".join(map(str, value)) if isinstance(value, list) else value)
            for name, value in obj.options.items()
            # Columns are shown above; of the wizard's reading only its own number is known.
            if value and name not in ("mapping", "new_fields", "reading")
        )

    @display(description=gettext_lazy("undone"))
    def undone_rows(self, obj: Import) -> str:
        return undoing.told(obj.undone.get("deleted", {}), obj.undone.get("restored", {}))

    @display(description=gettext_lazy("kept"))
    def kept_rows(self, obj: Import) -> SafeString | str:
        return undoing.kept(obj)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        sets = list(super().get_fieldsets(request, obj))
        if obj is not None and obj.status in {Import.Status.UNDOING, Import.Status.UNDONE}:
            told: Any = {
                "fields": ("undone_rows", "kept_rows"),
                "description": _(
                    "Rows that were changed since the import are kept as they are. When nothing is"
                    " in the way any more, undo it again."
                ),
            }
            sets.insert(1, (_("Undone"), told))
        return sets

    @action(
        description=gettext_lazy("Undo this import"),
        permissions=["undo"],
        url_path="undo",
        icon="undo",
        variant=ActionVariant.DANGER,
    )
    def undo_import(self, request: HttpRequest, object_id: str) -> HttpResponse:
        run = self.existing(request, object_id)
        if not self.has_undo_permission(request, run):
            raise PermissionDenied
        return undoing.ask_and_undo(self, request, run)

    def has_undo_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for deleting what it created."""
        kind = obj.kind if isinstance(obj, Import) else Import.Kind.CONTACTS
        return self._owns(request, obj) and request.user.has_perms(undoing.NEEDED[kind])

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it is what an undo goes by


def pairs(items: Any) -> SafeString | str:
    """`header → field`, a line each."""
    lines = format_html_join("", "<li>{} → <strong>{}</strong></li>", items)
    return format_html('<ul class="rg-lines">{}</ul>', lines) if lines else "—"
