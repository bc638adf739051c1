"""Custom fields in the admin: their definitions, and their share of a contact's pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.forms import Field
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from contacts.admin import panels
from contacts.admin.panels import Compared, ContactPanel
from contacts.models import Contact
from crm.admin.base import OrganisationAdmin, OrganisationInline
from crm.admin.filters import ChoiceFilter, DateRangeFilter, FormFilter, RangeFilter, TextFilter
from crm.admin.forms import ServiceForm, ServiceFormSet
from crm.admin.unfold import display
from customfields import services
from customfields.models import CustomField, CustomFieldOption, CustomFieldValue
from customfields.parts import CustomFieldsPart
from customfields.querysets import held_by
from customfields.types import TYPES
from customfields.types.base import shown
from organisations.middleware import organisation_of

PREFIX = "custom_"
# More filters than this and nobody finds theirs.
MAX_FILTERS = 30


class CustomFieldForm(ServiceForm):
    """A definition. Its default is typed as the value would be."""

    minimum = forms.DecimalField(
        label=gettext_lazy("Minimum"),
        required=False,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=gettext_lazy("Smallest number, fewest characters or fewest choices."),
    )
    maximum = forms.DecimalField(
        label=gettext_lazy("Maximum"),
        required=False,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=gettext_lazy("Largest number, most characters or most choices."),
    )
    default_value = forms.CharField(
        label=gettext_lazy("Default"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy(
            "What a new contact has. A date as 2026-04-07, yes or no as true or false, several "
            "options with commas between them."
        ),
    )
    archived = forms.BooleanField(
        label=gettext_lazy("Archived"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy("Hidden from forms; the values stay."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        field = kwargs.get("instance")
        if field is not None and field.pk:
            value = TYPES[field.type].parse(field.default, field) if field.default else None
            kwargs["initial"] = {
                "default_value": "" if value is None else TYPES[field.type].text(value),
                "minimum": shown(field.minimum) if field.minimum is not None else None,
                "maximum": shown(field.maximum) if field.maximum is not None else None,
                "archived": field.archived_at is not None,
                **(kwargs.get("initial") or {}),
            }
        super().__init__(*args, **kwargs)

    def field_of(self, path: str) -> str | None:
        return "default_value" if path == "default" else super().field_of(path)


class OptionForm(forms.ModelForm):  # type: ignore[type-arg]  # no subscript when it runs
    """One option. The service checks it."""

    position = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = CustomFieldOption
        fields = ("value", "label", "position")

    def _post_clean(self) -> None:
        """Nothing is checked here."""


class OptionFormSet(ServiceFormSet):
    path = "options"
    place = "position"


class OptionInline(OrganisationInline):
    """The choices, in the order in which they are shown: drag them."""

    model = CustomFieldOption
    form = OptionForm
    formset = OptionFormSet
    fields = ("value", "label", "position")
    ordering = ("position", "id")
    ordering_field = "position"
    hide_ordering_field = True
    verbose_name = gettext_lazy("Option")
    verbose_name_plural = gettext_lazy("Options, for Select and Multi select")

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        value = formset.form.base_fields.get("value")
        if value is not None:
            value.help_text = _("What is stored and sent; fixed once used.")
        return formset


@admin.register(CustomField)
class CustomFieldAdmin(OrganisationAdmin):
    """What the organisation wants to know of its contacts beyond the standard fields."""

    form = CustomFieldForm
    inlines = (OptionInline,)
    list_display = ("label", "name", "kind_label", "group", "rules", "state")
    ordering = ("group", "position", "id")
    search_fields = ("label", "name")
    conditional_fields = {
        name: f"typeof type === 'undefined' || {condition}"  # it is, where one may only look
        for name, condition in {
            "pattern": "['Text', 'Textarea', 'Email', 'Phone', 'URL'].includes(type)",
            "minimum": "!['Date', 'Boolean', 'Select'].includes(type)",
            "maximum": "!['Date', 'Boolean', 'Select'].includes(type)",
            "unique": "!['Boolean', 'Textarea', 'Multi select'].includes(type)",
        }.items()
    }

    @display(description=gettext_lazy("type"))
    def kind_label(self, obj: CustomField) -> str:
        return str(obj.kind.label)

    @display(description=gettext_lazy("rules"))
    def rules(self, obj: CustomField) -> str:
        return ", ".join(
            str(word)
            for word, holds in ((_("required"), obj.required), (_("unique"), obj.unique))
            if holds
        )

    @display(description=gettext_lazy("state"), label={"in use": "success", "archived": "warning"})
    def state(self, obj: CustomField) -> tuple[str, str]:
        return ("archived", _("archived")) if obj.archived_at else ("in use", _("in use"))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        rules = ["required", "unique", ("minimum", "maximum"), "pattern", "default_value"]
        place = ["group", "position", "archived"] if obj else ["group"]
        return [
            (None, {"fields": ["label", "type", "help_text", "name"]}),
            (gettext_lazy("Where it stands on the form"), {"fields": place}),
            (gettext_lazy("Rules"), {"fields": rules}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("name",) if obj else ()

    def write(
        self,
        request: HttpRequest,
        obj: CustomField | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> CustomField:
        values = form.changed_values() if obj else dict(form.cleaned_data)
        if "default_value" in values:
            values["default"] = values.pop("default_value") or None
        if values.pop("archived", None) is not None and "archived" in form.changed_data:
            archived = form.cleaned_data["archived"]
            values["archived_at"] = timezone.now() if archived else None
        options = [
            {"value": row["value"] or "", "label": row["label"] or None}
            for formset in formsets
            for row in formset.rows()
        ]
        if obj is None:
            organisation = organisation_of(request)
            assert organisation is not None
            return services.define(organisation=organisation, options=options, **values)
        if any(formset.is_changed for formset in formsets):
            values["options"] = options
        return services.change(field=obj, values=values)

    def erase(self, request: HttpRequest, obj: CustomField) -> None:
        # The page that asked has said how many contacts have a value.
        services.remove(field=obj, force=True)

    def consequences(self, obj: CustomField) -> list[str]:
        values = CustomFieldValue.objects.filter(organisation=obj.organisation_id, field=obj)
        number = values.count_contacts()
        if not number:
            return [_("No contact has a value in it.")]
        return [
            ngettext(
                "The value of %(number)s contact is deleted too.",
                "The values of %(number)s contacts are deleted too.",
                number,
            )
            % {"number": f"{number:,}"},
            _("To keep them, archive the field instead."),
        ]


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
            known = list(fields.prefetch_related(Prefetch("options", options)))
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

    def filters(self, request: HttpRequest) -> list[type[admin.ListFilter]]:
        found = [
            made
            for definition in self.definitions(request)
            if (made := filter_of(definition)) is not None
        ]
        return found[:MAX_FILTERS]

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
