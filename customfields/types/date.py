"""Dates."""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSingleDateWidget

from customfields.formfields import CustomDateField
from customfields.operators import pick
from customfields.types.base import FieldType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.forms import Widget

    from customfields.models import CustomField

_WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Date(FieldType[datetime.date]):
    """A day, without a time: `2026-04-07`."""

    name = "Date"
    label = gettext_lazy("Date")
    column = "value_date"
    sort_column = "value_date"
    operators = pick(
        "eq",
        "ne",
        "gt",
        "gte",
        "lt",
        "lte",
        "between",
        "before",
        "after",
        "strictly_before",
        "strictly_after",
        "in",
        "not_in",
        "exists",
    )
    schema = {"type": "string", "format": "date"}
    rank = 25
    form_class = CustomDateField

    def read(self, given: Any, field: CustomField) -> datetime.date:
        if isinstance(given, datetime.date) and not isinstance(given, datetime.datetime):
            return given
        day = _day(given) if isinstance(given, str) else None
        if day is None:
            raise ValidationError(_("Give a date, such as 2026-04-07."), code="invalid_date")
        return day

    def text(self, value: datetime.date) -> str:
        return value.isoformat()

    def display(self, value: datetime.date, labels: Mapping[str, str]) -> str:
        return formats.date_format(value)

    def recognises(self, text: str, country: str) -> bool:
        return _day(text) is not None

    def widget(self, field: CustomField) -> Widget:
        return UnfoldAdminSingleDateWidget()

    def for_input(self, value: datetime.date) -> datetime.date:
        return value


def _day(text: str) -> datetime.date | None:
    text = text.strip()
    if not _WRITTEN.fullmatch(text):
        return None
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return None
