"""Inputs of several parts, and inputs that suggest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

Labelled = Sequence[tuple[str, str | Promise]]

AS_WRITTEN = ""
UNITS: Labelled = (
    ("PT{}M", gettext_lazy("minutes")),
    ("PT{}H", gettext_lazy("hours")),
    ("P{}D", gettext_lazy("days")),
    ("P{}W", gettext_lazy("weeks")),
    ("P{}M", gettext_lazy("months")),
    ("P{}Y", gettext_lazy("years")),
    (AS_WRITTEN, gettext_lazy("as written")),
)
_SIMPLE = re.compile(r"(PT?)([0-9]{1,6})([A-Z])")


def labelled(label: str | Promise, **attrs: Any) -> dict[str, Any]:
    """The attributes of a part of a row, which has no label of its own to be seen."""
    return {"aria-label": label, **attrs}


class Row(forms.MultiWidget):
    """Several inputs beside one another."""

    template_name = "admin/workflows/widgets/row.html"

    def decompress(self, value: Any) -> list[Any]:
        return list(value) if value else [None] * len(self.widgets)


class Suggesting(UnfoldAdminTextInputWidget):
    """A text, with suggestions."""

    template_name = "admin/workflows/widgets/suggesting.html"

    def __init__(self, suggestions: Sequence[str], attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs={"autocomplete": "off", **(attrs or {})})
        self.suggestions = suggestions

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["suggestions"] = self.suggestions
        context["widget"]["attrs"]["list"] = f"{context['widget']['attrs'].get('id', name)}-list"
        return context


class Checks(forms.CheckboxSelectMultiple):
    """Several of many, in a list that scrolls."""

    template_name = "admin/workflows/widgets/checks.html"
    input_type = "checks"  # not one box, which Unfold would put beside its label


class TemplateText(UnfoldAdminTextareaWidget):
    """A text into which variables can be put."""

    def __init__(self, rows: int) -> None:
        super().__init__(attrs={"rows": rows, "data-template": True})


class LengthWidget(Row):
    """A number and a unit. A duration of several units is shown as it is written."""

    def __init__(self, attrs: Any = None) -> None:
        count = UnfoldAdminTextInputWidget(
            labelled(gettext_lazy("How many"), inputmode="numeric", size=8)
        )
        unit = UnfoldAdminSelectWidget(labelled(gettext_lazy("Unit")), choices=list(UNITS))
        super().__init__([count, unit], attrs)

    def decompress(self, value: Any) -> list[Any]:
        if not value:
            return [None, "P{}D"]
        simple = _SIMPLE.fullmatch(value) if isinstance(value, str) else None
        pattern = f"{simple[1]}{{}}{simple[3]}" if simple is not None else AS_WRITTEN
        if simple is None or pattern not in dict(UNITS):
            return [value, AS_WRITTEN]
        return [simple[2], pattern]


class OffsetWidget(Row):
    """The same, before or after."""

    def __init__(self, attrs: Any = None) -> None:
        sides = UnfoldAdminSelectWidget(
            labelled(gettext_lazy("Before or after")),
            choices=(("-", gettext_lazy("before")), ("", gettext_lazy("after"))),
        )
        super().__init__([LengthWidget(), sides], attrs)

    def decompress(self, value: Any) -> list[Any]:
        if not isinstance(value, str):
            return [value, "-"]
        return [value.lstrip("+-"), "-" if value.startswith("-") else ""]


class ValuesWidget(forms.Widget):
    """Rows of a field and what it becomes. What it shows is a list of pairs of texts."""

    template_name = "admin/workflows/widgets/values.html"

    def __init__(self, groups: Sequence[tuple[str, Labelled]]) -> None:
        super().__init__()
        self.groups = groups

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        known = {field for _group, fields in self.groups for field, _label in fields}
        rows = list(value or ())
        context["widget"] |= {
            "rows": rows or [("", "")],
            "groups": self.groups,
            "others": [field for field, _text in rows if field and field not in known],
            "classes": " ".join(INPUT_CLASSES),
        }
        return context

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[tuple[str, str]]:
        fields, texts = data.getlist(f"{name}_field"), data.getlist(f"{name}_value")
        return [(field, text) for field, text in zip(fields, texts, strict=False) if field]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return f"{name}_field" not in data


class Composite(forms.MultiValueField):
    """Several inputs that make one value; any of them may be empty."""

    def __init__(self, *fields: forms.Field, **kwargs: Any) -> None:
        for field in fields:
            field.required = False
        kwargs.setdefault("widget", Row([field.widget for field in fields]))
        super().__init__(fields, require_all_fields=False, **kwargs)


class LengthField(Composite):
    """An ISO 8601 duration, None for nothing."""

    def __init__(self, **kwargs: Any) -> None:
        fields = (forms.CharField(max_length=40), forms.ChoiceField(choices=UNITS))
        super().__init__(*fields, widget=LengthWidget, **kwargs)

    def has_changed(self, initial: Any, data: Any) -> bool:
        # A unit without a number is nothing, whichever it is.
        return bool(initial or (data and data[0])) and super().has_changed(initial, data)

    def compress(self, values: Sequence[Any]) -> str | None:
        count, pattern = values or ("", "")
        if not count:
            return None
        if pattern == AS_WRITTEN:
            return str(count)
        if not (count.isascii() and count.isdecimal()):
            raise ValidationError(_("Give a whole number."), code="invalid")
        return str(pattern).format(count)


class OffsetField(Composite):
    """A duration with a sign, None for nothing."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(LengthField(), forms.CharField(), widget=OffsetWidget, **kwargs)

    def compress(self, values: Sequence[Any]) -> str | None:
        length, sign = values or (None, "")
        return f"{sign}{length}" if length else None


class OpenChoice(forms.ChoiceField):
    """A choice that keeps what is none of the choices: whether it is right, the service says."""

    def valid_value(self, value: str) -> bool:
        return True


class OpenChoices(forms.MultipleChoiceField):
    """Several of them."""

    def valid_value(self, value: str) -> bool:
        return True


class ValuesField(forms.Field):
    """Pairs of a field and a text."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        return [tuple(pair) for pair in initial or ()] != [tuple(pair) for pair in data or ()]


def with_current(choices: Labelled, current: Mapping[str, str]) -> Labelled:
    """The choices, and what is set now but is none of them."""
    known = {value for value, _label in choices}
    return [*choices, *((value, label) for value, label in current.items() if value not in known)]
