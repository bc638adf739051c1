"""Types with options to choose from. The option's `value` is what is parsed, sent and compared;
the row points at the option, so a new label costs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from crm.admin.widgets import ChooseMany
from customfields.formfields import CustomChoiceField, CustomMultipleChoiceField
from customfields.operators import EQ, NE, pick
from customfields.types.base import FieldType, ValueRow, printable

if TYPE_CHECKING:
    from django.forms import Widget

    from customfields.models import CustomField


def _choose(given: Any, field: CustomField) -> str:
    """The value of the option that `given` names, by its value, or else by its label."""
    text = printable(given)
    choices = field.choices
    if text in choices:
        return text
    for value, option in choices.items():
        if option.label == text:
            return value
    raise ValidationError(
        _("%(value)s is not an option of %(label)s; its options are %(options)s."),
        code="invalid_option",
        params={
            "value": text[:60],
            "label": field.label,
            "options": ", ".join(list(choices)[:20]) + ("…" if len(choices) > 20 else ""),
        },
    )


class Select(FieldType[str]):
    """One of the options."""

    name = "Select"
    label = gettext_lazy("Select")
    column = "value_option"
    # By the option's id, which the index has: the order in which the options were made.
    sort_column = "value_option"
    operators = pick("eq", "ne", "in", "not_in", "exists")
    schema = {"type": "string"}
    has_options = True
    form_class = CustomChoiceField

    def read(self, given: Any, field: CustomField) -> str:
        return _choose(given, field)

    def cells(self, value: str, field: CustomField) -> Sequence[int]:
        return [field.choices[value].pk]

    def from_rows(self, rows: Sequence[ValueRow]) -> str:
        return str(rows[0].option_value)

    def display(self, value: str, labels: Mapping[str, str]) -> str:
        return labels.get(value) or value

    def form_options(self, field: CustomField) -> dict[str, Any]:
        return {"choices": [("", "—"), *_form_choices(field)]}

    def widget(self, field: CustomField) -> Widget:
        return UnfoldAdminSelectWidget()


class MultiSelect(FieldType[tuple[str, ...]]):
    """Any number of the options, in the options' order; a row for each. A filter by several
    options asks for all of them."""

    name = "Multi select"
    label = gettext_lazy("Multi select")
    column = "value_option"
    sort_column = None
    operators = pick("eq", "ne", "in", "not_in", "exists") | {"contains": EQ, "not_contains": NE}
    schema = {"type": "array", "items": {"type": "string"}}
    bounds = "count"
    can_be_unique = False
    has_options = True
    multiple = True
    form_class = CustomMultipleChoiceField

    def is_blank(self, given: Any) -> bool:
        return super().is_blank(given) or (
            isinstance(given, str) and not given.replace(",", "").strip()
        )

    def read(self, given: Any, field: CustomField) -> tuple[str, ...]:
        if isinstance(given, str):
            given = [part for part in given.split(",") if part.strip()]
        if not isinstance(given, list | tuple):
            raise ValidationError(
                _("Give a list of options, or a text with commas between them."),
                code="invalid_type",
            )
        chosen = {_choose(part, field) for part in given}
        return tuple(value for value in field.choices if value in chosen)

    def measure(self, value: tuple[str, ...]) -> int:
        return len(value)

    def cells(self, value: tuple[str, ...], field: CustomField) -> Sequence[int]:
        return [field.choices[part].pk for part in value]

    def from_rows(self, rows: Sequence[ValueRow]) -> tuple[str, ...]:
        return tuple(str(row.option_value) for row in rows)

    def text(self, value: tuple[str, ...]) -> str:
        return ",".join(value)

    def typed(self, value: tuple[str, ...]) -> list[str]:
        return list(value)

    def display(self, value: tuple[str, ...], labels: Mapping[str, str]) -> str:
        return ", ".join(labels.get(part) or part for part in value)

    def form_options(self, field: CustomField) -> dict[str, Any]:
        return {"choices": _form_choices(field)}

    def widget(self, field: CustomField) -> Widget:
        return ChooseMany()

    def for_input(self, value: tuple[str, ...]) -> list[str]:
        return list(value)


def _form_choices(field: CustomField) -> list[tuple[str, str]]:
    return [(value, option.label or value) for value, option in field.choices.items()]
