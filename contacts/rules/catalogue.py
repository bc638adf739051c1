"""What rules may speak of, as JSON: for `GET /api/rule-fields` and the admin's builder."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from contacts.rules.fields import Field, registry
from contacts.rules.operators import Operator
from contacts.rules.types import Text, ValueType
from organisations.models import Organisation


def catalogue(organisation: Organisation, about: Collection[str] = ("contact",)) -> dict[str, Any]:
    """`{"fields": […], "activities": {…}}`: what there is to ask, with which operators, what their
    values are like and what may be chosen. A few queries."""
    told: dict[str, Any] = {
        "fields": [_told(field) for field in registry.fields(organisation, about)]
    }
    for vocabulary in registry.vocabularies:
        told |= vocabulary.describe(organisation, about)
    return told


def _told(field: Field) -> Mapping[str, Any]:
    return {
        "field": field.name,
        "label": str(field.label),
        "group": str(field.group),
        "type": field.type.name,
        "operators": [told_operator(operator, field.type) for operator in field.operators.values()],
        "choices": [
            {"value": value, "label": str(label)} for value, label in field.type.choices.items()
        ],
    }


def told_operator(operator: Operator, type: ValueType) -> Mapping[str, Any]:
    """An operator, and what its value is like."""
    return {
        "operator": operator.name,
        "label": str(operator.label),
        "value": _value(operator, type),
    }


def _value(operator: Operator, type: ValueType) -> str:
    match operator.shape:
        case "none" | "range":
            return operator.shape
        case "duration" | "days" | "next_days":
            return "duration"
        case "many":
            return "choices" if type.choices else "texts"
        case "part":
            return "text"
    if isinstance(type, Text):
        return "text"
    if type.name == "choices":
        return "choice" if type.choices else "text"
    return type.name
