"""Rules in the JSON of the API: a serializer field, described as what they are."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.plumbing import ResolvedComponent
from rest_framework import serializers

from crm.api import json

LARGEST = 128 * 1024

_RULE = {"$ref": "#/components/schemas/Rule"}


def _group(kind: str, description: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "required": [kind],
        "properties": {kind: {"type": "array", "items": _RULE}},
        "additionalProperties": False,
    }


OPERATORS = (
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "between",
    "in",
    "not_in",
    "contains",
    "not_contains",
    "starts_with",
    "is_set",
    "is_not_set",
    "before",
    "after",
    "within_last",
    "not_within_last",
    "anniversary_within",
    "count_gte",
    "count_lte",
    "sum_gte",
    "sum_lte",
)

SCHEMAS: dict[str, dict[str, Any]] = {
    "Rule": {
        "description": "A condition, or a group of conditions and groups.",
        "oneOf": [
            {"$ref": "#/components/schemas/RuleCondition"},
            _group("all", "All of these hold."),
            _group("any", "At least one of these holds."),
            _group("none", "None of these holds."),
        ],
    },
    "RuleCondition": {
        "type": "object",
        "description": "What is asked of one field; `GET /api/rule-fields` says which there are.",
        "required": ["field", "operator"],
        "properties": {
            "field": {"type": "string", "examples": ["contact.totalOrders"]},
            "operator": {"type": "string", "enum": list(OPERATORS)},
            "value": {
                "description": "What it is compared with, as the field's type and the operator say."
            },
            "where": {
                "type": ["object", "null"],
                "description": "Which activities are counted; of the field `activities` only.",
                "properties": {
                    "type": {"description": "A type of activity, or a list of them."},
                    "source": {"description": "A source, or a list of them."},
                    "within": {"type": ["string", "null"], "examples": ["P90D"]},
                    "currencyCode": {"type": ["string", "null"], "examples": ["GBP"]},
                    "spend": {"description": 'An amount, or comparisons: `{"gte": 5000}`.'},
                },
                "additionalProperties": False,
            },
        },
        "additionalProperties": False,
    },
}


class RulesField(serializers.Field[Any, Any, Any, Any]):
    """A rule, as JSON. What it may say is for the service to check, which knows the fields."""

    default_error_messages = {
        "not_an_object": _("Give an object: a group (all, any, none) or a condition."),
        "too_large": _("A rule of more than 128 KB is a mistake."),
    }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            self.fail("not_an_object")
        if len(json.dumps(data)) > LARGEST:
            self.fail("too_large")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class RulesFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A reference to the components, which are described once however many fields there are."""

    target_class = RulesField

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """The field's JSON schema."""
        for name, schema in SCHEMAS.items():
            component = ResolvedComponent(  # type: ignore[no-untyped-call]
                name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=name
            )
            auto_schema.registry.register_on_missing(component)
        return dict(_RULE)
