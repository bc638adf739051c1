"""An organisation's custom fields, read once, to read any number of contacts' values with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db.models import prefetch_related_objects
from django.utils.translation import gettext as _

from customfields.models import CustomField
from organisations.models import Organisation

Parsed = dict[CustomField, Any]
"""Values by field, parsed; None clears."""


class Definitions:
    """The fields of `organisation`, by name and by id."""

    def __init__(self, organisation: Organisation, fields: Iterable[CustomField]) -> None:
        self.organisation = organisation
        self.fields = list(fields)
        for field in self.fields:
            field.organisation = organisation
        prefetch_related_objects([f for f in self.fields if f.kind.has_options], "options")
        self._by_name = {field.name: field for field in self.fields}

    @classmethod
    def of(cls, organisation: Organisation, names: Iterable[str] | None = None) -> Self:
        """All of them, or those of these names. One query, one more when there are options."""
        fields = CustomField.objects.for_organisation(organisation)
        return cls(organisation, fields if names is None else fields.filter(name__in=list(names)))

    @classmethod
    def held(cls, organisation: Organisation) -> Self:
        """All of them, for writing values: they stay as they are until the transaction ends."""
        return cls(organisation, CustomField.objects.for_organisation(organisation).held())

    def named(self, name: str) -> CustomField | None:
        """The field of this name."""
        return self._by_name.get(name)

    def parse(self, given: Any, *, creating: bool = False) -> Parsed:
        """What a client wrote, as `{field: value}`; null and blank become None.

        For a new contact (`creating`) defaults are added and required fields asked for. Raises
        ValidationError with a path `custom_fields.NAME` for each value that is wrong, so any JSON
        may be handed in.
        """
        if not isinstance(given, Mapping):
            raise ValidationError(
                {
                    "custom_fields": ValidationError(
                        _("Give an object with a value for each field's name."),
                        code="not_an_object",
                    )
                }
            )
        parsed: Parsed = {}
        errors: dict[str, ValidationError] = {}
        for name, value in given.items():
            try:
                field = self._writable(name)
                parsed[field] = field.kind.parse(value, field)
                if parsed[field] is None and field.required and not creating:
                    raise required(field)
            except ValidationError as error:
                errors[path(name)] = error
        if creating:
            self._fill_in(parsed, errors)
        if errors:
            raise ValidationError(errors)
        return parsed

    def _writable(self, name: object) -> CustomField:
        field = self._by_name.get(name) if isinstance(name, str) else None
        if field is None:
            raise ValidationError(_("There is no custom field of this name."), code="unknown_field")
        return field

    def _fill_in(self, parsed: Parsed, errors: dict[str, ValidationError]) -> None:
        for field in self.fields:
            if field.archived_at is not None or path(field.name) in errors:
                continue
            if field not in parsed and field.default is not None:
                try:
                    parsed[field] = field.kind.parse(field.default, field)
                except ValidationError as error:
                    errors[path(field.name)] = error
                    continue
            if field.required and parsed.get(field) is None:
                errors[path(field.name)] = required(field)


def path(name: object) -> str:
    """Where errors of a field's value are told."""
    return f"custom_fields.{name}"


def required(field: CustomField) -> ValidationError:
    """The error for a required field without a value."""
    return ValidationError(
        _("%(label)s is required."), code="required", params={"label": field.label}
    )
