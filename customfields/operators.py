"""What a filter may ask of a custom field, one entry each in `OPERATORS`.

A type names the operators that it has; `customField[NAME][OPERATOR]` in the API and the admin's
filters find them here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from customfields.models import CustomField

Reader = Callable[[str, "CustomField"], Sequence[Any]]
"""Reads what stands behind `=`. A row of the contact's must fit for each of what it answers."""


def _one(raw: str, field: CustomField) -> Sequence[Any]:
    return field.kind.cells(_read(raw, field), field)


def _several(raw: str, field: CustomField) -> Sequence[Any]:
    cells = [cell for part in raw.split(",") for cell in _one(part, field)]
    return [cells]


def _range(raw: str, field: CustomField) -> Sequence[Any]:
    low, dots, high = raw.partition("..")
    if not dots:
        raise ValidationError(
            _("Write it as smallest..largest, such as 1..10."), code="invalid_range"
        )
    return [(*_one(low, field), *_one(high, field))]


def _words(raw: str, field: CustomField) -> Sequence[Any]:
    if not raw or "\0" in raw:
        raise ValidationError(_("Give the text to look for."), code="invalid")
    return [raw]


def _read(raw: str, field: CustomField) -> Any:
    value = None if field.kind.is_blank(raw) else field.kind.read(raw, field)
    if value is None:
        raise ValidationError(
            _("Give a value; [exists]=false finds those without one."), code="required"
        )
    return value


@dataclass(frozen=True)
class Operator:
    """`lookup` is Django's, on the type's value column. `negated` is for contacts that have no
    such value, those that have none at all included."""

    lookup: str
    read: Reader
    negated: bool = False

    def ask(self, raw: str, field: CustomField) -> tuple[Sequence[Any], bool]:
        """What a row must be in the sense of `lookup`, for each a row of its own, and whether it
        is the contacts without such rows that are wanted. Raises ValidationError."""
        return self.read(raw, field), self.negated


class _Exists(Operator):
    """`true` or `false`: whether there is any value."""

    def ask(self, raw: str, field: CustomField) -> tuple[Sequence[Any], bool]:
        if raw not in ("true", "false"):
            raise ValidationError(_("Write true or false."), code="invalid_boolean")
        return [False], raw == "false"


EQ = Operator("exact", _one)
NE = replace(EQ, negated=True)

OPERATORS: dict[str, Operator] = {
    "eq": EQ,
    "ne": NE,
    "gt": Operator("gt", _one),
    "gte": Operator("gte", _one),
    "lt": Operator("lt", _one),
    "lte": Operator("lte", _one),
    "between": Operator("range", _range),
    "in": Operator("in", _several),
    "not_in": Operator("in", _several, negated=True),
    "contains": Operator("icontains", _words),
    "not_contains": Operator("icontains", _words, negated=True),
    "starts_with": Operator("istartswith", _words),
    # Dates, in the words that the rest of the API uses; the first two are inclusive (Glu).
    "before": Operator("lte", _one),
    "after": Operator("gte", _one),
    "strictly_before": Operator("lt", _one),
    "strictly_after": Operator("gt", _one),
    "exists": _Exists("isnull", _one),
}


def pick(*names: str) -> dict[str, Operator]:
    """These operators, by name."""
    return {name: OPERATORS[name] for name in names}
