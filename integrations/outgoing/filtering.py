"""Filters by what a message says: `{"data.type": ["Purchase"], "data.contact.tags.name": ["VIP"]}`.

Every path must lead to one of its values. Within a list, any element will do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MAX_PATHS = 20
MAX_VALUES = 200
MAX_TEXT = 255
_PATH = re.compile(r"data(\.[A-Za-z0-9_-]{1,100}){1,10}")

Filters = Mapping[str, Sequence[Any]]


def fits(filters: Filters, said: Mapping[str, Any]) -> bool:
    """Whether a message says what these filters ask for. One that lacks a path does not."""
    return all(
        any(_same(found, value) for found in _at(said, path.split(".")) for value in values)
        for path, values in filters.items()
    )


def check(filters: Any) -> None:
    """Raises ValidationError, by path, unless these are filters."""
    if not isinstance(filters, dict) or len(filters) > MAX_PATHS:
        raise ValidationError(
            _("Give an object of at most %(most)d paths, such as data.type."),
            code="invalid",
            params={"most": MAX_PATHS},
        )
    for path, values in filters.items():
        if not _PATH.fullmatch(path):
            raise ValidationError(
                _("%(path)s is no path into a message, such as data.type."),
                code="invalid_path",
                params={"path": path[:100]},
            )
        if (
            not isinstance(values, list)
            or not 1 <= len(values) <= MAX_VALUES
            or not all(_is_plain(value) for value in values)
        ):
            raise ValidationError(
                _("%(path)s: give an array of 1 to %(most)d texts, numbers, true, false or null."),
                code="invalid_values",
                params={"path": path, "most": MAX_VALUES},
            )


def _at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _at(one, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _same(found: Any, value: Any) -> bool:
    # To Python, True is 1.
    return bool(found == value) and isinstance(found, bool) == isinstance(value, bool)


def _is_plain(value: Any) -> bool:
    return value is None or (isinstance(value, str | int | float) and len(str(value)) <= MAX_TEXT)
