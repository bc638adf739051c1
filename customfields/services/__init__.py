"""Writing custom fields: every door calls these.

Each function is one transaction. What is wrong with a value is Django's `ValidationError` with a
dict of snake_case paths (`custom_fields.NAME` for a contact's value); what contradicts what is
there is `crm.errors.Conflict`.
"""

from __future__ import annotations

from customfields.services.arranging import place, place_group, rename_group
from customfields.services.contents import (
    clean,
    clean_many,
    json_name,
    set_values,
    set_values_bulk,
    write,
)
from customfields.services.fields import archive, change, define, remove, unarchive

__all__ = [
    "archive",
    "change",
    "clean",
    "clean_many",
    "define",
    "json_name",
    "place",
    "place_group",
    "remove",
    "rename_group",
    "set_values",
    "set_values_bulk",
    "unarchive",
    "write",
]
