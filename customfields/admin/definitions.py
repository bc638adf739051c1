"""The definitions of custom fields in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from crm.admin.base import OrganisationAdmin, OrganisationInline
from crm.admin.forms import ServiceForm, ServiceFormSet
from crm.admin.unfold import display
from customfields import services, uses
from customfields.admin import board, impacts
from customfields.models import CustomField, CustomFieldOption, CustomFieldValue
from customfields.types import TYPES
from customfields.types.base import shown
from organisations.middleware import organisation_of


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
        fields = ("value", "label", "color", "position")

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
    fields = ("value", "label", "color", "position")
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

    change_form_after_template = "admin/customfields/impact_slot.html"
    change_form_outer_after_template = "admin/customfields/uses.html"

    class Media:
        js = ("regulars/fields.js",)
        css = {"all": ("regulars/fields.css",)}

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        own = [
            path("arrange/", view(self.arrange), name="customfields_customfield_arrange"),
            path("<int:pk>/impact/", view(self.impact), name="customfields_customfield_impact"),
        ]
        return [*own, *super().get_urls()]

    def arrange(self, request: HttpRequest) -> HttpResponse:
        return board.arrange(self, request)

    def impact(self, request: HttpRequest, pk: int) -> HttpResponse:
        return impacts.show(self, request, str(pk))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The board; a list where the address asks for one, by a search or an order."""
        context = {} if request.GET or request.POST else board.board_context(self, request)
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        field = kwargs.get("obj")
        if field is not None:
            context["uses"] = [
                {**use._asdict(), "may": request.user.has_perm(use.permission)}
                for use in uses.of(field)
            ]
            refused = getattr(request, "refused", None)
            context |= impacts.of_refused(self, refused, field)
        return super().render_change_form(request, context, *args, **kwargs)

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
            {
                "value": row["value"] or "",
                "label": row["label"] or None,
                "color": row["color"] or "",
            }
            for formset in formsets
            for row in formset.rows()
        ]
        if obj is None:
            organisation = organisation_of(request)
            assert organisation is not None
            return services.define(organisation=organisation, options=options, **values)
        if any(formset.is_changed for formset in formsets):
            values["options"] = options
        impacts.refuse_unaccepted(obj, values, accepted=impacts.ACCEPT in request.POST)
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
