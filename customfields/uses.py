"""Where a custom field is spoken of: what would miss it if it went.

`register` a finder from an app's `admin` module; each reads a table that an organisation has few
rows of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from customfields.models import CustomField


class Use(NamedTuple):
    """One thing that speaks of a field."""

    kind: str
    """What it is, such as "Segment", translated."""
    name: str
    url: str
    permission: str
    """Who may follow the link."""


Finder = Callable[["CustomField"], Iterable[Use]]

FINDERS: list[Finder] = []


def register(finder: Finder) -> Finder:
    """Ask `finder` too. A decorator."""
    FINDERS.append(finder)
    return finder


def of(field: CustomField) -> list[Use]:
    """All that speaks of `field`. The queries of each finder."""
    return [use for finder in FINDERS for use in finder(field)]


def speaks_of(data: Any, field: CustomField) -> bool:
    """Whether some JSON names the field: `customFields.NAME` in a text, such as a rule's field or
    a message, or an object `customFields` with its name."""
    if isinstance(data, Mapping):
        named = data.get("customFields")
        if isinstance(named, Mapping) and field.name in named:
            return True
        return any(speaks_of(one, field) for one in data.values())
    if isinstance(data, list | tuple):
        return any(speaks_of(one, field) for one in data)
    return (
        isinstance(data, str)
        and re.search(rf"\bcustomFields\.{re.escape(field.name)}\b", data) is not None
    )
