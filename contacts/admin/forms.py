"""The contact's form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from contacts.admin.panels import PANELS
from contacts.models import Address, Contact, Tag
from crm.admin.base import OrganisationInline
from crm.admin.choices import countries, timezones
from crm.admin.forms import ServiceForm, ServiceFormSet
from crm.admin.widgets import AutocompleteMany


class ContactForm(ServiceForm):
    """The standard fields and tags; each panel adds its own."""

    timezone = forms.ChoiceField(
        label=_("Time zone"),
        choices=lambda: [("", _("The organisation's")), *timezones()],
        required=False,
        widget=UnfoldAdminSelect2Widget,
    )
    tags = forms.ModelMultipleChoiceField(
        label=_("Tags"),
        queryset=Tag.objects.none(),
        required=False,
        widget=AutocompleteMany(Contact._meta.get_field("tags"), admin.site),
    )
    new_tags = forms.CharField(
        label=_("New tags"),
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Tags that are not there yet, with commas between them."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        contact = kwargs.get("instance")
        if contact is not None and contact.pk:
            kwargs["initial"] = {"tags": list(contact.tags.all()), **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)
        if self.organisation is not None and "tags" in self.fields:
            tags: Any = self.fields["tags"]
            tags.queryset = Tag.objects.for_organisation(self.organisation)

    def field_of(self, path: str) -> str | None:
        if path.startswith("tags"):
            return "new_tags" if "new_tags" in self.changed_data else "tags"
        for panel in PANELS:
            name = panel.field_of(path)
            if name in self.fields:
                return name
        return super().field_of(path)

    def tag_names(self) -> list[str]:
        """The chosen tags and the new ones."""
        new = self.cleaned_data.get("new_tags", "").split(",")
        chosen = [tag.name for tag in self.cleaned_data.get("tags", ())]
        return [*chosen, *(name.strip() for name in new if name.strip())]


class AddressForm(forms.ModelForm):  # type: ignore[type-arg]  # no subscript when it runs
    """One address. The service checks it."""

    country = forms.ChoiceField(
        label=_("Country"),
        choices=lambda: [("", "—"), *countries()],
        required=False,
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = Address
        fields = ("type", "line1", "line2", "city", "county", "postcode", "country")

    def _post_clean(self) -> None:
        """Nothing is checked here."""


class AddressFormSet(ServiceFormSet):
    path = "addresses"


class AddressInline(OrganisationInline):
    model = Address
    form = AddressForm
    formset = AddressFormSet
    verbose_name_plural = _("Addresses")
