"""Widgets that Unfold or Django have not, or not safely."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple


class _OnlyIds:
    """Django looks a bound value up as it was sent; one that is no id would raise ValueError."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        ids = [one for one in value if str(one).isdecimal() and len(str(one)) < 19]
        return super().optgroups(name, ids, attrs)  # type: ignore[misc]


class Autocomplete(_OnlyIds, AutocompleteSelect):
    """A foreign key that is searched for as one types, whatever the size of its table."""


class AutocompleteMany(_OnlyIds, AutocompleteSelectMultiple):
    """Several of them."""
