"""The JSON of custom field definitions and of contacts' values (../docs/api-guide.md, 3)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contacts.models import Contact
from crm.api.serializers import CharField, DateTimeField, IntegerField, ModelSerializer, Serializer
from customfields.models import CustomField
from customfields.querysets import HeldValue, held_by
from customfields.types import TYPES

_TYPED = [{"title": name, **kind.schema} for name, kind in TYPES.items()]
ANYTHING: dict[str, Any] = {
    "description": "As the field's type has it, or as a text; null clears.",
    "anyOf": [*_TYPED, {"type": "string"}, {"type": "null"}],
}
_OPTION = {
    "type": "object",
    "properties": {
        "value": {"type": "string", "maxLength": 120, "minLength": 1},
        "label": {"type": "string", "maxLength": 120},
    },
    "required": ["value"],
    "additionalProperties": False,
}
TYPED: dict[str, Any] = {
    "description": "The value in JSON's own type, which the field's type says.",
    "anyOf": _TYPED,
}


class JsonField(serializers.Field[Any, Any, Any, Any]):
    """JSON as it comes: the service says what is wrong with it."""

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field({"type": "array", "items": {"oneOf": [{"type": "string"}, _OPTION]}})
class OptionsField(JsonField):
    """Options: objects, or plain texts on the way in."""

    def get_attribute(self, instance: CustomField) -> Any:
        return instance

    def to_representation(self, value: CustomField) -> Any:
        if not value.kind.has_options:
            return []
        return [
            {"value": option.value, "label": option.label or option.value}
            for option in value.choices.values()
        ]


@extend_schema_field({"type": ["number", "null"]})
class BoundField(JsonField):
    """`minimum` and `maximum`, told as the number type tells its values."""

    def to_representation(self, value: Decimal | None) -> Any:
        return None if value is None else TYPES["Number"].typed(value)


@extend_schema_field(ANYTHING)
class ValueField(JsonField):
    """A value of any of the types."""


class CustomFieldSerializer(ModelSerializer[CustomField]):
    """The definition of a custom field. Its rules are the service's to check."""

    name = CharField(required=False, allow_blank=True, allow_null=True, max_length=60)
    type = serializers.ChoiceField([(name, name) for name in TYPES])
    options = OptionsField(required=False, allow_null=True)
    minimum = BoundField(required=False, allow_null=True)
    maximum = BoundField(required=False, allow_null=True)
    default = ValueField(required=False, allow_null=True)
    help_text = CharField(  # type: ignore[assignment]  # the key is the API's, not DRF's attribute
        required=False, allow_blank=True, allow_null=True, max_length=300
    )
    pattern = CharField(
        required=False,
        allow_blank=True,
        allow_null=True,
        max_length=300,
        trim_whitespace=False,
        help_text="RE2 syntax; the whole value must match.",
    )
    group = CharField(required=False, allow_blank=True, allow_null=True, max_length=80)
    required = serializers.BooleanField(required=False)  # type: ignore[assignment]  # as above
    unique = serializers.BooleanField(required=False)
    position = IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    archived_at = DateTimeField(required=False, allow_null=True)

    class Meta:
        model = CustomField
        fields = [
            "id",
            "name",
            "label",
            "type",
            "helpText",
            "options",
            "required",
            "unique",
            "minimum",
            "maximum",
            "pattern",
            "default",
            "group",
            "position",
            "archivedAt",
            "createdAt",
            "updatedAt",
        ]
        read_only_fields = ["id", "createdAt", "updatedAt"]


class CustomFieldValueSerializer(Serializer):
    """What a contact has in one field. Described here for the docs; told by `told`."""

    id = IntegerField(read_only=True)
    contact_id = IntegerField(read_only=True)
    field_name = CharField(read_only=True)  # type: ignore[assignment]  # as above
    field_id = IntegerField(read_only=True)
    field_label = CharField(read_only=True)
    field_type = serializers.ChoiceField([(name, name) for name in TYPES], read_only=True)
    value = CharField(read_only=True)
    display_value = CharField(read_only=True)
    typed_value = extend_schema_field(TYPED)(JsonField)(read_only=True)
    created_at = DateTimeField(read_only=True)
    updated_at = DateTimeField(read_only=True)


class WriteValueSerializer(Serializer):
    """The body that sets one value."""

    value = ValueField(allow_null=True)


def told(held: HeldValue) -> dict[str, Any]:
    """A value as the API tells it. A multi select is one entry, although it is a row per option:
    its id is the smallest of theirs, its times the first and the last."""
    rows = held.rows
    return {
        "id": min(row.pk for row in rows),
        "contactId": rows[0].contact_id,
        "fieldName": rows[0].field_name,
        "fieldId": rows[0].field_id,
        "fieldLabel": rows[0].field_label,
        "fieldType": rows[0].field_type,
        "value": held.text,
        "displayValue": held.display,
        "typedValue": held.typed,
        "createdAt": min(row.created_at for row in rows),
        "updatedAt": max(row.updated_at for row in rows),
    }


def told_of(contact: Contact) -> list[dict[str, Any]]:
    """All values of a contact, in the fields' order."""
    return [told(held) for held in held_by(contact)]


@extend_schema_field({"type": "object", "additionalProperties": ANYTHING})
class CustomFieldsField(JsonField):
    """`customFields` of a contact: typed values by the field's name."""

    def get_attribute(self, instance: Contact) -> Mapping[str, Any]:
        return {held.name: held.typed for held in held_by(instance)}


class CustomFieldValuesField(serializers.ListField):
    """`customFieldValues` of a contact."""

    child = CustomFieldValueSerializer()

    def get_attribute(self, instance: Contact) -> Any:
        return told_of(instance)

    def to_representation(self, data: Any) -> Any:
        return data
