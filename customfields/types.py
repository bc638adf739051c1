"""The ten types of custom field, one class each (placeholder being replaced by the builder)."""

from __future__ import annotations


class FieldType:
    name = ""


TYPES: dict[str, FieldType] = {
    name: FieldType()
    for name in (
        "Text",
        "Number",
        "Date",
        "Boolean",
        "Email",
        "Phone",
        "URL",
        "Textarea",
        "Select",
        "Multi select",
    )
}


def choices() -> list[tuple[str, str]]:
    return [(name, name) for name in TYPES]
