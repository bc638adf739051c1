"""Custom fields' share of a contact's pages: the form, the list's filters, what a merge does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.forms import Field
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from contacts.admin import panels
from contacts.admin.panels import Compared, ContactPanel
from contacts.models import Contact
from contacts.views import by_part
from crm.admin.columns import Column
from crm.admin.filters import ChoiceFilter, DateRangeFilter, FormFilter, RangeFilter, TextFilter
from customfields.filters import ORDER_PREFIX, having, lacking
from customfields.models import CustomField, CustomFieldOption
from customfields.parts import CustomFieldsPart
from customfields.querysets import held_by
from organisations.middleware import organisation_of

PREFIX = "custom_"
# More filters than this and nobody finds theirs.
MAX_FILTERS = 30


class CustomFieldsPanel(ContactPanel):
    """The values on a contact's form, in their groups; filters by them; what a merge does."""

    name = "custom fields"
    position = 10

    @staticmethod
    def definitions(request: HttpRequest) -> list[CustomField]:
        """The fields in use. Two queries, once a request."""
        known = getattr(request, "custom_fields", None)
        if known is None:
            organisation = organisation_of(request)
            assert organisation is not None
            fields = CustomField.objects.for_organisation(organisation).active()
            options = CustomFieldOption.objects.across_organisations().order_by("position", "id")
            fields = fields.order_by("position", "pk").prefetch_related(
                Prefetch("options", options)
            )
            known = list(fields)
            request.custom_fields = known  # type: ignore[attr-defined]
        return cast("list[CustomField]", known)

    def form_fields(self, request: HttpRequest, contact: Contact | None) -> dict[str, Field]:
        held = {one.name: one.value for one in held_by(contact)} if contact is not None else {}
        fields: dict[str, Field] = {}
        for definition in self.definitions(request):
            field = definition.kind.form_field(definition)
            field.initial = held.get(definition.name)
            if contact is None and definition.default is not None:
                field.initial = definition.kind.parse(definition.default, definition)
            fields[PREFIX + definition.name] = field
        return fields

    def fieldsets(
        self, request: HttpRequest, contact: Contact | None
    ) -> Sequence[tuple[str | None, Mapping[str, Any]]]:
        groups: dict[str, list[str]] = {}
        for definition in self.definitions(request):
            groups.setdefault(definition.group, []).append(PREFIX + definition.name)
        return [(group or _("Custom fields"), {"fields": names}) for group, names in groups.items()]

    def values(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        given = {
            name.removeprefix(PREFIX): value
            for name, value in changed.items()
            if name.startswith(PREFIX)
        }
        return {"customFields": given} if given else {}

    def field_of(self, path: str) -> str | None:
        name = path.removeprefix("custom_fields.").removeprefix("customFields.")
        return PREFIX + name if name != path else None

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        organisation = organisation_of(request)
        assert organisation is not None
        part = CustomFieldsPart()
        return [
            Column(
                name=f"cf_{definition.name}",
                label=definition.label,
                show=partial(_cell, definition),
                attach=attach,
                ordering=by_part(part, organisation, f"{ORDER_PREFIX}{definition.name}")
                if definition.kind.sort_column
                else None,
            )
            for definition in self.definitions(request)
        ]

    def filters(self, request: HttpRequest) -> list[type[admin.ListFilter]]:
        found = [
            made
            for definition in self.definitions(request)
            if (made := filter_of(definition)) is not None
        ]
        return [KnownFilter, *found[:MAX_FILTERS]] if self.definitions(request) else []

    def compare(self, survivor: Contact, absorbed: Contact) -> Sequence[Compared]:
        mine = {one.name: one for one in held_by(survivor)}
        theirs = {one.name: one for one in held_by(absorbed)}
        lines = []
        for name, held in (theirs | mine).items():
            mine_shown = mine[name].display if name in mine else ""
            theirs_shown = theirs[name].display if name in theirs else ""
            label = str(held.rows[0].field_label)
            lines.append(Compared(label, mine_shown, theirs_shown, mine_shown or theirs_shown))
        return lines

    def erased(self, contact: Contact) -> Sequence[str]:
        return [_("Erased: the values of all custom fields.")]

    def deleted(self, contact: Contact) -> Sequence[str]:
        return [_("The values of all custom fields are deleted.")]


def attach(contacts: Sequence[Contact]) -> None:
    """Fetch what the contacts of a page have in all fields. One query."""
    CustomFieldsPart().attach(contacts)


def _cell(definition: CustomField, contact: Contact) -> str:
    """What a contact has in a field: options as chips in their colours. No query after `attach`."""
    held = next((one for one in held_by(contact) if one.name == definition.name), None)
    if held is None:
        return ""
    if not definition.kind.has_options:
        return held.display
    values = held.value if isinstance(held.value, tuple) else (held.value,)
    options = [definition.choices[value] for value in values if value in definition.choices]
    return format_html_join(
        "",
        '<span class="rg-chip" data-color="{}">{}</span>',
        ((option.color, option.label or option.value) for option in options),
    )


class KnownFilter(FormFilter):
    """Contacts of whom something is known in a field, or is not."""

    title = gettext_lazy("Known of them")
    parameter_name = "has"
    suffixes = ("", "_not")

    def fields(self) -> dict[str, Field]:
        defined = CustomFieldsPanel.definitions(self.request)
        choices = [("", _("Any")), *((one.name, one.label) for one in defined)]
        return {
            suffix: forms.ChoiceField(
                label=label, choices=choices, widget=UnfoldAdminSelectWidget()
            )
            for suffix, label in (("", _("Known")), ("_not", _("Not known")))
        }

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        fields = {one.name: one for one in CustomFieldsPanel.definitions(request)}
        if known := self.answer():
            rows = rows.filter(having(fields[known]))
        if unknown := self.answer("_not"):
            rows = rows.filter(lacking(fields[unknown]))
        return rows


class _ByValue(FormFilter):
    """Through the indexes of the values, as the API's `customField[NAME]` does."""

    definition: CustomField
    operators: Mapping[str, str] = {"": "eq"}

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        organisation = organisation_of(request)
        assert organisation is not None
        parameters = {
            f"customField[{self.definition.name}][{operator}]": [self.written(value)]
            for suffix, operator in self.operators.items()
            if (value := self.answer(suffix)) is not None
        }
        try:
            return CustomFieldsPart().narrow(cast(Any, rows), organisation, parameters)
        except forms.ValidationError as error:
            for lines in error.message_dict.values():
                self.form.add_error(None, lines)
            return rows.none()

    @staticmethod
    def written(value: Any) -> str:
        """The value as the API's filter takes it."""
        return value.isoformat() if hasattr(value, "isoformat") else str(value)


class _ByText(_ByValue, TextFilter):
    """The whole value: a part of it has no index."""

    def fields(self) -> dict[str, Field]:
        fields = super().fields()
        fields[""].widget.attrs["placeholder"] = _("The whole value")
        return fields


class _ByNumber(_ByValue, RangeFilter):
    operators = {"_from": "gte", "_to": "lte"}


class _ByDate(_ByValue, DateRangeFilter):
    operators = {"_from": "gte", "_to": "lte"}


class _ByChoice(_ByValue, ChoiceFilter):
    def options(self) -> list[tuple[str, Any]]:
        return [(value, option.label or value) for value, option in self.definition.choices.items()]


class _ByYesNo(_ByValue, ChoiceFilter):
    def options(self) -> list[tuple[str, Any]]:
        return [("true", _("Yes")), ("false", _("No"))]


_FILTERS: dict[str, type[_ByValue]] = {
    "value_text": _ByText,
    "value_number": _ByNumber,
    "value_date": _ByDate,
    "value_option": _ByChoice,
    "value_bool": _ByYesNo,
}


def filter_of(definition: CustomField) -> type[admin.ListFilter] | None:
    """The filter for a field, by the column that holds it; None where no index would serve."""
    base = _FILTERS.get(definition.kind.column)
    if base is None:
        return None
    attributes = {
        "definition": definition,
        "title": definition.label,
        "parameter_name": f"cf_{definition.name}",
    }
    return type(base.__name__, (base,), attributes)


panels.register(CustomFieldsPanel())
