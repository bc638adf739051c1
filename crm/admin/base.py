"""The screens of rows that belong to an organisation.

`OrganisationAdmin` shows and takes only rows of the organisation that the member of staff works in:
in the list, in forms and foreign-key choices, in autocomplete, actions, history and delete pages.
Without an organisation it shows nothing. It writes through services only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin import ShowFacets, helpers
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from crm.admin import columns
from crm.admin.columns import Column
from crm.admin.filters import FormFilter
from crm.admin.forms import Refused, ServiceForm, ServiceFormSet, opened
from crm.admin.paging import MAX_ROWS, CappedChangeList, CappedPaginator
from crm.admin.unfold import ModelAdmin, TabularInline
from crm.admin.widgets import Autocomplete
from crm.api.ordering import Ordering
from crm.errors import Conflict
from organisations.middleware import organisation_of
from organisations.models import Organisation, TenantModel

if TYPE_CHECKING:
    pass


class Scoped:
    """What screens and inlines of organisation-owned rows share."""

    model: type[models.Model]
    opts: Any
    admin_site: Any

    def rows_of(self, request: HttpRequest, model: type[models.Model]) -> QuerySet[Any]:
        """`model`'s rows that this request may see: none without an organisation."""
        organisation = organisation_of(request)
        rows: Any = model._default_manager.all()
        if organisation is None:
            return rows.none()  # type: ignore[no-any-return]
        if issubclass(model, TenantModel):
            return rows.for_organisation(organisation)  # type: ignore[no-any-return]
        if model is Organisation:
            return rows.filter(pk=organisation.pk)  # type: ignore[no-any-return]
        return rows  # type: ignore[no-any-return]

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> forms.ModelChoiceField[Any] | None:
        """Choices of this organisation only; searched for, never a select of a whole table."""
        kwargs["queryset"] = self.rows_of(request, db_field.remote_field.model)
        if db_field.name in self.get_autocomplete_fields(request):  # type: ignore[attr-defined]
            kwargs["widget"] = Autocomplete(db_field, self.admin_site)
        return super().formfield_for_foreignkey(  # type: ignore[misc, no-any-return]
            db_field, request, **kwargs
        )

    def _owns(self, request: HttpRequest, obj: Any) -> bool:
        # Unfold asks with an id in places; the row is then looked up, scoped, before it is used.
        if not isinstance(obj, models.Model):
            return True
        organisation = organisation_of(request)
        return organisation is not None and organisation.pk == getattr(
            obj, "organisation_id", organisation.pk
        )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._owns(request, obj) and super().has_view_permission(request, obj)  # type: ignore[misc]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._owns(request, obj) and super().has_change_permission(request, obj)  # type: ignore[misc]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._owns(request, obj) and super().has_delete_permission(request, obj)  # type: ignore[misc]


class OrganisationAdmin(Scoped, ModelAdmin):
    """The screen of one kind of row. See the module.

    A subclass says what its form has, which service `write`s it and which one `erase`s it, and
    sorts and filters only along indexes.
    """

    form = ServiceForm
    paginator = CappedPaginator
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_filter_submit = True
    list_fullwidth = True
    sortable_by: ClassVar[tuple[str, ...]] = ()
    exclude: ClassVar[tuple[str, ...]] = ("organisation",)
    save_as_continue = False
    change_form_before_template = "admin/version.html"
    warn_unsaved_form = True
    # How columns are sorted by that one query cannot sort: descending → ordering.
    orderings: ClassVar[Mapping[str, Callable[[bool], Ordering]]] = {}
    # Model fields that may stand in the address of the list, such as `contact`.
    url_lookups: Sequence[str] = ()
    # What Unfold and the change list read of a row, fetched with the page.
    prefetch: Sequence[Any] = ()

    # Reading

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = self.rows_of(request, self.model)
        ordering = self.get_ordering(request)
        return rows.order_by(*ordering) if ordering else rows

    def for_list(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The list's rows with what the columns show."""
        return rows.prefetch_related(*self.prefetch) if self.prefetch else rows

    def more_columns(self, request: HttpRequest) -> Sequence[Column]:
        """Columns that may be put into the list beside those of `list_display`."""
        return ()

    def get_list_display(self, request: HttpRequest) -> Any:
        return columns.displayed(self, request)

    def get_sortable_by(self, request: HttpRequest) -> Any:
        chosen = [one for one in columns.displayed(self, request) if not isinstance(one, str)]
        return [*self.sortable_by, *(one for one in chosen if one.column.ordering is not None)]

    def for_sorting(self, request: HttpRequest, rows: QuerySet[Any], column: str) -> QuerySet[Any]:
        """The list's rows with what sorting by one of the `orderings` needs."""
        return rows

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[CappedChangeList]:
        return CappedChangeList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Django's, with the scripts and styles that the filters' widgets need."""
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        if "cl" in context:
            for one in context["cl"].filter_specs:
                if isinstance(one, FormFilter):
                    context["media"] += one.form.media
        return response

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Through the queryset's own indexed `search` where there is one."""
        search = getattr(queryset, "search", None)
        if search is None or not search_term.strip():
            return super().get_search_results(request, queryset, search_term)
        return search(search_term), False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Model fields in the address of a list filter it only where an index serves that."""
        try:
            self.opts.get_field(lookup.split("__", maxsplit=1)[0])
        except FieldDoesNotExist:
            return True  # a filter's own parameter
        return lookup in self.url_lookups

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> HttpResponse:
        raise Http404(_("There is nothing here, or it belongs to another organisation."))

    # Permissions

    def has_add_permission(self, request: HttpRequest) -> bool:
        return organisation_of(request) is not None and super().has_add_permission(request)

    # Writing

    def write(
        self,
        request: HttpRequest,
        obj: Any,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> Any:
        """Hand what was typed to a service. `obj` is the row as it is stored, None for a new one.

        Answers the written row; the service's ValidationError and Conflict are shown in the form.
        """
        raise NotImplementedError

    def refusal(self, error: ValidationError | Conflict) -> Refused:
        """What a service's error tells in this screen's form."""
        return Refused(error)

    def erase(self, request: HttpRequest, obj: Any) -> None:
        """Hand the row to the service that deletes it."""
        raise NotImplementedError

    def consequences(self, obj: Any) -> list[str]:
        """What else goes when this row is deleted, for the page that asks."""
        return []

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm[Any]]:
        base = kwargs.pop("form", None) or self.form
        refused = getattr(request, "refused", None)
        attributes = opened(organisation_of(request), refused)
        attributes["inline_paths"] = tuple(
            getattr(inline.formset, "path", "") for inline in self.inlines
        )
        # As Django does with its own form class: what is only read is no field.
        fixed: Any = self.get_readonly_fields(request, obj)
        attributes |= {name: None for name in fixed if name in base.declared_fields}
        if obj is not None and not self.has_change_permission(request, obj):
            attributes["only_read"] = True
            declared = base.declared_fields.items()
            kwargs["labels"] = {name: field.label for name, field in declared if field.label}
            kwargs["help_texts"] = {name: field.help_text for name, field in declared}
        kwargs["form"] = type(base.__name__, (base,), attributes)
        return super().get_form(request, obj, change=change, **kwargs)

    def _create_formsets(
        self, request: HttpRequest, obj: Any, change: bool
    ) -> tuple[list[Any], list[Any]]:
        formsets, inlines = super()._create_formsets(  # type: ignore[misc]  # not in the stubs
            request, obj, change
        )
        for formset in formsets:
            formset.refused = getattr(request, "refused", None)
        return formsets, inlines

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Django's, and again with the errors when a service refused what was typed."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Refused as refused:  # after the transaction was rolled back
            request.refused = refused  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Nothing yet: `save_related` has the inlines' rows too."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        stored = self.get_queryset(request).get(pk=form.instance.pk) if change else None
        shown = request.POST.get("_version")
        if stored is not None and shown and shown != stored.updated_at.isoformat():
            raise Refused(
                Conflict(
                    _(
                        "Somebody else changed this after you opened it. Your entries are below; "
                        "saving again overwrites theirs."
                    )
                )
            )
        try:
            written = self.write(request, stored, form, list(formsets))
        except (ValidationError, Conflict) as error:
            raise self.refusal(error) from error
        # Django goes on with the form's instance: the log, the message, where to go next.
        form.instance.__dict__.update(written.__dict__)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, Any]]:
        return super().construct_change_message(request, form, [], add)

    # Deleting

    def get_deleted_objects(
        self, objs: Iterable[Any], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """The rows and what `consequences` says of them. Django's own would read every dependent
        row, of which a contact may have a million."""
        lines = []
        for obj in objs:
            if not self.has_delete_permission(request, obj):
                return [], {}, {str(self.opts.verbose_name)}, []
            lines += [str(obj), *self.consequences(obj)]
        return lines, {}, set(), []

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except Refused as refused:
            self.tell(request, refused)
            return HttpResponseRedirect(self.url("change", object_id))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        try:
            self.erase(request, obj)
        except (ValidationError, Conflict) as error:
            raise Refused(error) from error

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            self.delete_model(request, obj)

    # Actions

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)  # ours asks and goes through a service
        return actions

    def response_action(  # type: ignore[override]  # the stubs know an argument of old
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> Any:
        chosen = request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)
        if not all(pk.isdecimal() and len(pk) < 19 for pk in chosen):
            raise Http404
        # Services stream ids from it, which rows fetched along would only hinder.
        bare = queryset.select_related(None).prefetch_related(None)
        return super().response_action(request, bare)

    def chosen(self, request: HttpRequest, queryset: QuerySet[Any]) -> int | None:
        """How many rows an action is for; None, with a message, when that is too many."""
        count = queryset.order_by()[: MAX_ROWS + 1].count()
        if count <= MAX_ROWS:
            return count
        self.message_user(
            request,
            _("That is more than %(rows)s rows. Search or filter first.")
            % {"rows": f"{MAX_ROWS:,}"},
            messages.ERROR,
        )
        return None

    def ask(
        self,
        request: HttpRequest,
        *,
        title: str,
        notes: Sequence[Any] = (),
        form: forms.Form | None = None,
        confirm: str,
        danger: bool = False,
        back: str | None = None,
        obj: Any = None,
        context: dict[str, Any] | None = None,
        template: str = "admin/question.html",
    ) -> TemplateResponse:
        """A page that says what is about to happen and asks whether it should.

        Confirming posts to the same address with `confirmed`; the rows that an action was called
        for are carried along.
        """
        request.current_app = self.admin_site.name
        carried = [
            (name, value)
            for name in ("action", "select_across", "index", helpers.ACTION_CHECKBOX_NAME)
            for value in request.POST.getlist(name)
        ]
        return TemplateResponse(
            request,
            template,
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": title,
                "notes": notes,
                "form": form,
                "carried": carried,
                "confirm": confirm,
                "danger": danger,
                "back": back or self.url("changelist"),
                "original": obj,
                "media": self.media + (form.media if form else forms.Media()),
                **(context or {}),
            },
        )

    @staticmethod
    def confirmed(request: HttpRequest) -> bool:
        """Whether `ask` was answered with yes."""
        return request.method == "POST" and "confirmed" in request.POST

    def tell(self, request: HttpRequest, refused: Refused) -> None:
        """What a service refused, as messages."""
        for lines in refused.by_path.values():
            for line in lines:
                self.message_user(request, line, messages.ERROR)

    # Addresses

    def url(self, page: str, *args: Any) -> str:
        """The address of one of this screen's pages."""
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_{page}"
        return reverse(name, args=args)

    def existing(self, request: HttpRequest, object_id: str) -> Any:
        """The row, or 404 when it is not there or is not this organisation's."""
        obj = self.get_object(request, object_id)
        if obj is None:
            raise Http404
        return obj

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What the address gives, without references that are no ids."""
        initial = super().get_changeform_initial_data(request)
        return {
            name: value
            for name, value in initial.items()
            if name not in self.get_autocomplete_fields(request) or str(value).isdecimal()
        }


class WithViews(OrganisationAdmin):
    """A list that staff look at all day: they choose its columns and save it as a view."""

    list_before_template = "admin/desk/lists/slot.html"

    class Media:
        js = ("regulars/lists.js",)
        css: ClassVar[dict[str, Sequence[str]]] = {"all": ("regulars/lists.css",)}


class OrganisationInline(Scoped, TabularInline):
    """Rows shown inside another row's form. They are written by that row's service, and whoever
    may change that row may change them."""

    formset = ServiceFormSet
    exclude = ("organisation",)
    extra = 0
    show_change_link = False
    hide_title = True  # it would say again what is in the row

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = self.rows_of(request, self.model)
        ordering = self.get_ordering(request)
        return rows.order_by(*ordering) if ordering else rows

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset: Any = super().get_formset(request, obj, **kwargs)
        # Whether a row may go is the service's to say. Django would read everything that hangs on
        # it, of which there may be a million.
        formset.form.hand_clean_DELETE = lambda form: None
        return formset

    def _parent_allows(self, request: HttpRequest, action: str) -> bool:
        opts = self.parent_model._meta
        return bool(request.user.has_perm(f"{opts.app_label}.{action}_{opts.model_name}"))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._owns(request, obj) and (
            self._parent_allows(request, "view") or self._parent_allows(request, "change")
        )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._owns(request, obj) and self._parent_allows(request, "change" if obj else "add")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request, obj)


def counted(count: int, model: type[models.Model]) -> str:
    """`1 contact`, `12 contacts`."""
    name = model._meta.verbose_name if count == 1 else model._meta.verbose_name_plural
    return f"{count:,} {name}"


def link(obj: models.Model, text: str | None = None) -> str:
    """A link to the row's page in the admin."""
    opts = obj._meta
    return format_html(
        '<a href="{}" class="text-primary-600 dark:text-primary-500">{}</a>',
        reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[obj.pk]),
        text or str(obj),
    )
