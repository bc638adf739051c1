"""Widgets that Unfold or Django have not, or not safely."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from unfold.widgets import UnfoldAdminSelect2MultipleWidget


class _OnlyIds:
    """Django looks a bound value up as it was sent; one that is no id would raise ValueError."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        ids = [one for one in value if str(one).isdecimal() and len(str(one)) < 19]
        return super().optgroups(name, ids, attrs)  # type: ignore[misc]


class Autocomplete(_OnlyIds, AutocompleteSelect):
    """A foreign key that is searched for as one types, whatever the size of its table."""


class AutocompleteMany(_OnlyIds, AutocompleteSelectMultiple):
    """Several of them."""


class ChooseMany(UnfoldAdminSelect2MultipleWidget):
    """Several of a few options. Unfold's bears a class by which Django's script, where there is an
    autocomplete on the page too, would ask the server for the options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.attrs["class"] = "unfold-admin-autocomplete"
