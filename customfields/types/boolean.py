"""Yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from customfields.formfields import CustomChoiceField
from customfields.operators import pick
from customfields.types.base import FieldType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.forms import Widget

    from customfields.models import CustomField

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Boolean(FieldType[bool]):
    """Yes, no, or not known: unset is a third answer."""

    name = "Boolean"
    label = gettext_lazy("Yes or no")
    column = "value_bool"
    sort_column = "value_bool"
    operators = pick("eq", "ne", "exists")
    schema = {"type": "boolean"}
    can_be_unique = False
    rank = 10
    form_class = CustomChoiceField

    def read(self, given: Any, field: CustomField) -> bool:
        if isinstance(given, bool):
            return given
        value = _WORDS.get(given.strip().lower()) if isinstance(given, str) else None
        if value is None:
            raise ValidationError(_("Give true or false."), code="invalid_boolean")
        return value

    def text(self, value: bool) -> str:
        return "true" if value else "false"

    def typed(self, value: bool) -> bool:
        return value

    def display(self, value: bool, labels: Mapping[str, str]) -> str:
        return _("Yes") if value else _("No")

    def recognises(self, text: str, country: str) -> bool:
        """In words: a column of 1 and 0 is a number."""
        return text.lower() in _WORDS and not text.isdecimal()

    def form_options(self, field: CustomField) -> dict[str, Any]:
        return {"choices": [("", "—"), ("true", _("Yes")), ("false", _("No"))]}

    def widget(self, field: CustomField) -> Widget:
        return UnfoldAdminSelectWidget()
