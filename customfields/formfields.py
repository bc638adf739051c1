"""Form fields for a contact's custom values: Django's own, with the type's rules behind them.

`field.kind.form_field(field)` makes one. What `clean` answers is what `services.set_values` takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

if TYPE_CHECKING:
    from customfields.models import CustomField


class CustomFormField(forms.Field):
    """A form field of one custom field: Django reads the input, then the type does."""

    def __init__(self, *, custom_field: CustomField, **kwargs: Any) -> None:
        self.custom_field = custom_field
        kwargs.setdefault("required", custom_field.required)
        super().__init__(label=custom_field.label, help_text=custom_field.help_text, **kwargs)

    def clean(self, value: Any) -> Any:
        """The parsed value, None when left empty. Raises ValidationError."""
        return self.custom_field.kind.parse(super().clean(value), self.custom_field)

    def prepare_value(self, value: Any) -> Any:
        """What the input shows: a value as typed by a person stays as it was typed."""
        if value is None or isinstance(value, str):
            return value
        return self.custom_field.kind.for_input(value)


class CustomTextField(CustomFormField, forms.CharField):
    """Text, Textarea, Email, Phone, URL."""


class CustomNumberField(CustomFormField, forms.DecimalField):
    """Number."""


class CustomDateField(CustomFormField, forms.DateField):
    """Date: takes what the person's language writes, and ISO."""


class CustomChoiceField(CustomFormField, forms.ChoiceField):
    """Select, and Boolean as yes, no or unset."""


class CustomMultipleChoiceField(CustomFormField, forms.MultipleChoiceField):
    """Multi select."""
