"""Numbers."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from customfields.formfields import CustomNumberField
from customfields.operators import pick
from customfields.types.base import FieldType, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.forms import Widget

    from customfields.models import CustomField

DIGITS = 15
PLACES = 10
_WRITTEN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


class Number(FieldType[Decimal]):
    """A number, exact: up to 15 digits before the point and 10 after it."""

    name = "Number"
    label = gettext_lazy("Number")
    column = "value_number"
    sort_column = "value_number"
    operators = pick("eq", "ne", "gt", "gte", "lt", "lte", "between", "in", "not_in", "exists")
    schema = {"type": "number"}
    bounds = "number"
    rank = 20
    form_class = CustomNumberField

    def read(self, given: Any, field: CustomField) -> Decimal:
        number = _number(given)
        if not number.is_finite():
            raise _not_a_number(given)
        if number == 0:
            return Decimal(0)
        if number.adjusted() >= DIGITS:
            raise ValidationError(
                _("Give at most %(digits)d digits before the point."),
                code="max_whole_digits",
                params={"digits": DIGITS},
            )
        if len(shown(number).partition(".")[2]) > PLACES:
            raise ValidationError(
                _("Give at most %(places)d digits after the point."),
                code="max_decimal_places",
                params={"places": PLACES},
            )
        return Decimal(shown(number))

    def measure(self, value: Decimal) -> Decimal:
        return value

    def text(self, value: Decimal) -> str:
        return shown(value)

    def typed(self, value: Decimal) -> int | float:
        return int(value) if value == value.to_integral_value() else float(value)

    def display(self, value: Decimal, labels: Mapping[str, str]) -> str:
        return formats.number_format(shown(value))

    def recognises(self, text: str, country: str) -> bool:
        """Not with leading zeros, nor with more digits than it keeps: that is somebody's code."""
        whole, _point, places = text.lstrip("-").partition(".")
        return (
            _WRITTEN.fullmatch(text) is not None
            and whole.isdecimal()
            and len(whole) <= DIGITS
            and len(places) <= PLACES
            and (whole == "0" or not whole.startswith("0"))
            and not text.startswith("+")
        )

    def form_options(self, field: CustomField) -> dict[str, Any]:
        return {"max_digits": DIGITS + PLACES, "decimal_places": PLACES}

    def widget(self, field: CustomField) -> Widget:
        return UnfoldAdminDecimalFieldWidget(attrs={"step": "any"})


def _number(given: Any) -> Decimal:
    if isinstance(given, bool):
        raise _not_a_number(given)
    if isinstance(given, Decimal):
        return given
    if isinstance(given, int):
        # Python refuses to spell out integers of thousands of digits.
        return Decimal(given) if abs(given) < 10**30 else Decimal(10**30)
    if isinstance(given, float):
        return Decimal(repr(given))
    if isinstance(given, str) and _WRITTEN.fullmatch(given.strip()):
        return Decimal(given.strip())
    raise _not_a_number(given)


def _not_a_number(given: Any) -> ValidationError:
    if isinstance(given, str):
        return ValidationError(
            _("%(value)s is not a number, such as 42 or 4.5."),
            code="invalid_number",
            params={"value": given[:40].encode(errors="replace").decode()},
        )
    return ValidationError(_("Give a number, such as 42 or 4.5."), code="invalid_number")
