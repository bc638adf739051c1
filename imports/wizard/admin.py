"""The wizard's pages: each step has an address of its own, and what was said stays when one goes
back and forth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from crm.admin.base import OrganisationAdmin
from crm.admin.forms import Refused
from crm.errors import Conflict
from imports.batches import Failure
from imports.errors_file import as_csv
from imports.files.source import Unusable
from imports.models import Import
from imports.wizard import receiving, services, showing, working
from imports.wizard.forms import ReadingForm, UploadForm, megabytes, options_form, too_large
from imports.wizard.models import FailedRow, PreviewRow, Upload
from organisations.middleware import organisation_of
from organisations.models import Organisation

Stage = Upload.Stage

NEEDED: dict[str, tuple[str, ...]] = {
    Upload.Kind.CONTACTS: (
        "imports.add_import",
        "contacts.add_contact",
        "contacts.change_contact",
    ),
    Upload.Kind.ACTIVITIES: (
        "imports.add_import",
        "contacts.add_contact",
        "contacts.change_contact",
        "activities.add_activity",
    ),
}
"""What one must be permitted to do, by the kind of file."""
MAKES_FIELDS = "customfields.add_customfield"
MAKES_TAGS = "contacts.add_tag"
UNFINISHED = 10
"""As many files that were not brought to their end are listed."""

CSS = {"all": ("regulars/imports.css",)}
JS = ("regulars/imports.js",)


class WizardPages(OrganisationAdmin):
    """The pages of the wizard, for the screen of imports."""

    class Media:
        css = CSS
        js = JS

    def get_urls(self) -> list[Any]:
        pages = [
            (name, path(f"uploads/<int:pk>/{name}/", self.admin_site.admin_view(view)))
            for name, view in (
                ("file", self.file_view),
                ("columns", self.columns_view),
                ("preview", self.preview_view),
                ("run", self.run_view),
                ("report", self.report_view),
                ("state", self.state_view),
                ("errors", self.errors_view),
                ("discard", self.discard_view),
            )
        ]
        row = path(
            "uploads/<int:pk>/preview/<int:line>/", self.admin_site.admin_view(self.correct_view)
        )
        for name, address in (*pages, ("correct", row)):
            address.name = f"imports_import_{name}"
        # What comes is looked at before the token in it is: see `receiving`.
        add = self.admin_site.admin_view(csrf_exempt(self._receive))
        return [
            path("add/", add, name="imports_import_add"),
            *(address for _name, address in pages),
            row,
            *super().get_urls(),
        ]

    # Who may.

    def has_add_permission(self, request: HttpRequest) -> bool:
        return organisation_of(request) is not None and bool(self._kinds(request))

    def _kinds(self, request: HttpRequest) -> list[tuple[str, Any]]:
        """The kinds of file that this member of staff may import."""
        may = cast(User, request.user).has_perms
        return [(kind, label) for kind, label in Upload.Kind.choices if may(NEEDED[kind])]

    def _uploads(self, request: HttpRequest) -> QuerySet[Upload]:
        kinds = [kind for kind, _label in self._kinds(request)]
        uploads: QuerySet[Upload] = self.rows_of(request, Upload)
        return uploads.filter(kind__in=kinds)

    def _upload(self, request: HttpRequest, pk: int) -> Upload:
        """The upload, or 404 when it is not there or not this organisation's; 403 for who may not
        import."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        one = self._uploads(request).select_related("run").filter(pk=pk).first()
        if one is None:
            raise Http404
        one.organisation = cast(Organisation, organisation_of(request))
        if one.run is not None:
            one.run.organisation = one.organisation
        return one

    # Step 1: what, and the file.

    def _receive(self, request: HttpRequest) -> HttpResponseBase:
        quota = receiving.guard(request) if request.method == "POST" else None

        def view(request: HttpRequest) -> HttpResponseBase:
            return self.start_view(request, quota)

        return csrf_protect(view)(request)

    def start_view(
        self, request: HttpRequest, quota: receiving.Quota | None = None
    ) -> HttpResponseBase:
        """Takes in a file."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        kinds = self._kinds(request)
        form = UploadForm(
            *((request.POST, request.FILES) if request.method == "POST" else ()),
            kinds=kinds,
            initial={"kind": request.GET.get("kind", kinds[0][0])},
        )
        if quota is not None and quota.is_exceeded:
            form.errors["file"] = form.error_class([too_large()])
        elif form.is_bound and form.is_valid():
            one = services.upload(
                organisation=cast(Organisation, organisation_of(request)),
                user=cast(User, request.user),
                kind=form.cleaned_data["kind"],
                file=form.cleaned_data["file"],
            )
            working.at_once(one)
            return HttpResponseRedirect(showing.url(one, "file"))
        return self._page(
            request,
            None,
            "file",
            "start",
            title=_("Import a file"),
            form=form,
            most=settings.IMPORTS_MAX_MB,
        )

    def file_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Shows what the file was found to be, and reads it in another way."""
        one = self._upload(request, pk)
        if not one.is_open:
            return self._where_it_is(one)
        form = ReadingForm(one, *((request.POST,) if request.method == "POST" else ()))
        if request.method == "POST" and form.is_valid():
            if self._done(request, services.read_again, one=one, reading=form.cleaned_data):
                working.at_once(one)
            return HttpResponseRedirect(showing.url(one, "file"))
        return self._page(
            request,
            one,
            "file",
            "file",
            form=form,
            size=megabytes(one.size),
            progress=showing.progress(one),
            earlier=services.imported_before(one),
        )

    # Step 2: columns.

    def columns_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Shows what the columns are, and takes what they are said to be."""
        one = self._upload(request, pk)
        if not one.is_open or one.stage in (Stage.READING, Stage.UNUSABLE):
            return self._where_it_is(one)
        form = options_form(one, *((request.POST,) if request.method == "POST" else ()))
        choices, errors = one.choices, {}
        if request.method == "POST":
            valid = form.is_valid()
            choices = self._chosen(request, one, form.options() if valid else {})
            if request.POST.get("do") == "back":
                self._done(request, services.keep_choices, one=one, choices=choices)
                return HttpResponseRedirect(showing.url(one, "file"))
            if valid:
                errors = self._choose(request, one, choices)
                if not errors:
                    return HttpResponseRedirect(showing.url(one, "preview"))
        for name in set(errors) & set(form.fields):
            form.add_error(name, errors[name])
        may_make = cast(User, request.user).has_perm(MAKES_FIELDS)
        return self._page(
            request,
            one,
            "columns",
            "columns",
            form=form,
            sheet=showing.sheet(one, choices, errors, may_make=may_make),
            problems=[*errors.get("", ()), *([one.problem] if one.problem else [])],
            has_errors=bool(errors) or bool(form.errors),
        )

    def _chosen(
        self, request: HttpRequest, one: Upload, options: Mapping[str, Any]
    ) -> dict[str, Any]:
        given = request.POST
        may_make = cast(User, request.user).has_perm(MAKES_FIELDS)
        columns, new = {}, {}
        for index, header in enumerate(one.headers):
            target = given.get(f"column_{index}", "")
            columns[header] = "" if target == "new" and not may_make else target
            if columns[header] == "new":
                new[header] = {
                    "label": given.get(f"label_{index}", ""),
                    "type": given.get(f"type_{index}", ""),
                }
        return {"columns": columns, "new": new, "options": dict(options)}

    def _choose(
        self, request: HttpRequest, one: Upload, choices: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Have it rehearsed; what is wrong, by column and option."""
        if one.stage == Stage.CHECKED and _same(one.choices, choices):
            return {}
        if choices["options"].get("add_tags") and not cast(User, request.user).has_perm(MAKES_TAGS):
            return {"add_tags": [_("You may not make tags.")]}
        try:
            services.choose(one=one, choices=choices)
        except ValidationError as error:
            return error.message_dict
        except Conflict as error:
            self.tell(request, Refused(error))
            return {}
        working.at_once(one)
        return {}

    # Step 3: preview.

    def preview_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Shows what would become of the rows, and begins the import."""
        one = self._upload(request, pk)
        if one.stage not in (Stage.CHECKING, Stage.CHECKED):
            return self._where_it_is(one)
        if request.method == "POST":
            return self._act(
                request,
                one,
                {
                    "start": services.start,
                    "again": services.check_again,
                    "cancel": services.back_to_columns,
                },
            )
        context: dict[str, Any] = {"progress": showing.progress(one)}
        if one.stage == Stage.CHECKED:
            context |= self._preview(request, one)
        return self._page(request, one, "preview", "preview", **context)

    def _preview(self, request: HttpRequest, one: Upload) -> dict[str, Any]:
        figures = showing.figures(one)
        places = [place for place, _name, _number in figures]
        given = request.GET.get("show", "")
        after = request.GET.get("after", "")
        # What people have to look at comes first.
        numbers = {place: number for place, _name, number in figures}
        order = ("failed", "created", "updated", "unchanged")
        first = next((place for place in order if numbers[place]), "created")
        show = given if given in places else first
        total = sum(number for _place, _name, number in figures)
        failed = one.counts.get("failed", 0)
        return {
            "figures": figures,
            "show": show,
            "after": after if after.isdecimal() else "",
            "listing": showing.listing(
                one, show, int(after) if after.isdecimal() and len(after) < 19 else 0
            ),
            "fields": showing.failing_fields(one) if show == "failed" else [],
            "total": total,
            "good": total - failed,
            "failed": failed,
            "earlier": services.imported_before(one),
            "is_news": bool(one.organisation.listens_to)
            and not one.choices["options"].get("backfill"),
        }

    def correct_view(self, request: HttpRequest, pk: int, line: int) -> HttpResponseBase:
        """Keeps what was typed into a row that failed, and looks at that row again."""
        one = self._upload(request, pk)
        if request.method == "POST":
            cells = {
                header: request.POST[f"cell_{index}"]
                for index, header in enumerate(one.headers)
                if f"cell_{index}" in request.POST
            }
            try:
                services.correct(one=one, line=line, cells=cells)
            except PreviewRow.DoesNotExist:
                raise Http404 from None
            except Conflict as error:
                self.tell(request, Refused(error))
            except Unusable as error:
                self.message_user(request, str(error), messages.ERROR)
        after = request.POST.get("after", "")
        query = f"&after={after}" if after.isdecimal() else ""
        return HttpResponseRedirect(f"{showing.url(one, 'preview')}?show=failed{query}#row-{line}")

    # Steps 4 and 5: the import and its report.

    def run_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Shows how far it is, and stops it or has it go on."""
        one = self._upload(request, pk)
        if one.stage == Stage.DONE or one.is_open:
            return self._where_it_is(one)
        if request.method == "POST":
            return self._act(request, one, {"stop": services.stop, "on": services.go_on})
        undone = one.run is not None and one.run.status != Import.Status.RUNNING
        return self._page(
            request,
            one,
            "run",
            "run",
            progress=showing.progress(one),
            undone=undone,
            may_undo=self._may_undo(request, one),
        )

    def report_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Shows what the import did."""
        one = self._upload(request, pk)
        if one.stage != Stage.DONE or one.run is None:
            return self._where_it_is(one)
        return self._page(
            request,
            one,
            "report",
            "report",
            run=one.run,
            has_contacts=showing.has_made_contacts(one.run),
            may_undo=self._may_undo(request, one),
            is_undone=one.run.status in (Import.Status.UNDONE, Import.Status.UNDOING),
        )

    def _may_undo(self, request: HttpRequest, one: Upload) -> bool:
        return one.run is not None and self.has_undo_permission(request, one.run)

    def has_undo_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this import may be undone by whoever asks."""
        raise NotImplementedError

    def state_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """How far it is, for the script that shows it."""
        answer = JsonResponse(showing.progress(self._upload(request, pk)))
        answer["Cache-Control"] = "no-store"
        return answer

    def errors_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The rows that were refused, as a file to be mended and imported."""
        one = self._upload(request, pk)
        name = f"{one.file_name}.errors.csv".replace('"', "")
        answer = StreamingHttpResponse(_errors(one), content_type="text/csv; charset=utf-8")
        ascii_name = name.encode("ascii", "replace").decode()
        answer["Content-Disposition"] = f'attachment; filename="{ascii_name}"'
        return answer

    def discard_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Asks, and forgets the file."""
        one = self._upload(request, pk)
        if not one.is_open:
            return self._where_it_is(one)
        if self.confirmed(request):
            if self._done(request, services.discard, one=one):
                messages.success(request, _("The file is forgotten."))
            return HttpResponseRedirect(self.url("changelist"))
        return self.ask(
            request,
            title=_("Forget %(file)s?") % {"file": one.file_name},
            notes=[_("Nothing of it was imported. What you said and corrected goes with it.")],
            confirm=_("Forget it"),
            danger=True,
            back=showing.url(one, showing.page_of(one)),
        )

    # The list.

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        unfinished: list[Any] = []
        if self.has_add_permission(request):
            rows = self._uploads(request).select_related("run")
            some = rows.exclude(stage=Stage.DONE).order_by("-created_at", "-pk")[:UNFINISHED]
            unfinished = [
                {"upload": one, "url": showing.url(one, showing.page_of(one))} for one in some
            ]
        return super().changelist_view(request, {"unfinished": unfinished, **(extra_context or {})})

    # What they share.

    def _act(self, request: HttpRequest, one: Upload, known: Mapping[str, Any]) -> HttpResponseBase:
        """Do what a button says, and show where it is then."""
        service = known.get(request.POST.get("do", ""))
        if service is not None and self._done(request, service, one=one):
            working.at_once(one)
        return self._where_it_is(one)

    def _done(self, request: HttpRequest, service: Any, **arguments: Any) -> bool:
        """Whether the service did it; what it refuses is told."""
        try:
            service(**arguments)
        except Conflict as error:
            self.tell(request, Refused(error))
            arguments["one"].refresh_from_db(fields=["stage"])
            return False
        return True

    def _where_it_is(self, one: Upload) -> HttpResponse:
        return HttpResponseRedirect(showing.url(one, showing.page_of(one)))

    def _page(
        self,
        request: HttpRequest,
        one: Upload | None,
        step: str,
        template: str,
        title: str = "",
        **context: Any,
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            f"admin/imports/{template}.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": title or (one.file_name if one is not None else ""),
                "media": self.media,
                "upload": one,
                "steps": showing.steps(one, step),
                "state_url": showing.url(one, "state") if one is not None else "",
                **context,
            },
        )


def _same(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return all(old.get(name) == new.get(name) for name in ("columns", "new", "options"))


def _errors(one: Upload) -> Iterator[str]:
    """The lines of the errors file, some thousand rows at a time, with the mark by which Excel
    knows UTF-8."""
    rows = FailedRow.objects.filter(upload=one).order_by("line")
    yield "\ufeff"
    line, first = -1, True
    while page := list(rows.filter(line__gt=line)[:2000]):
        failures = [Failure(row.line, row.field, row.reason, row.cells) for row in page]
        yield as_csv(one.headers, failures, with_headers=first)
        line, first = page[-1].line, False
