"""The types of custom field, one class each, in one registry.

docs/add-a-custom-field-type.md says how to add one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from customfields.types.base import FieldType
from customfields.types.boolean import Boolean
from customfields.types.choice import MultiSelect, Select
from customfields.types.date import Date
from customfields.types.number import Number
from customfields.types.text import URL, Email, Phone, Text, Textarea

__all__ = ["TYPES", "FieldType", "choices", "infer"]

TYPES: dict[str, FieldType[Any]] = {
    kind.name: kind()
    for kind in (Text, Number, Date, Boolean, Email, Phone, URL, Textarea, Select, MultiSelect)
}


def choices() -> list[tuple[str, Any]]:
    """The types for a form: what is stored, and what people read."""
    return [(name, kind.label) for name, kind in TYPES.items()]


def infer(values: Iterable[str], country: str = "GB") -> str:
    """The narrowest type that all of these texts fit, blank ones aside; Text when there are none.

    One pass, so an import may hand over a column as it reads it. Options are never guessed: a
    value that comes later would not be one of them.
    """
    fitting = sorted(
        (kind for kind in TYPES.values() if kind.rank is not None), key=lambda kind: kind.rank or 0
    )
    seen = False
    for value in values:
        text = value.strip()
        if text:
            seen = True
            fitting = [kind for kind in fitting if kind.recognises(text, country)]
    return fitting[0].name if seen and fitting else "Text"
