"""What a rule may ask of a field, one entry each: how its value is written, and what it checks.

A type of value picks the operators that it has (`contacts.rules.types`). Negated ones hold where
their opposite does not, so they also hold where nothing is set: `ne` of a contact without a value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from contacts.rules import checks
from contacts.rules.checks import Check
from contacts.rules.moments import AHEAD, At, month_days

if TYPE_CHECKING:
    from contacts.rules.types import ValueType

Shape = Literal["none", "one", "part", "many", "range", "duration", "days", "next_days"]
"""How the value of an operator is written: not at all; as a value of the field's type; as part of
one; as a list; as a list of two; as a duration, of days where the field has no time of day."""

Make = Callable[["ValueType", Any, At], Check]
"""The check for a value that was read, at a moment."""


@dataclass(frozen=True)
class Operator:
    """`timed`: its answer changes with time alone. `by_day`: and with the contact's own day."""

    name: str
    label: str | Promise
    shape: Shape
    make: Make
    negated: bool = False
    timed: bool = False
    by_day: bool = False


def _is(kind: ValueType, value: Any, at: At) -> Check:
    return kind.same([value])


def _is_any(kind: ValueType, values: Any, at: At) -> Check:
    return kind.same(values)


def _compare(lookup: str) -> Make:
    def make(kind: ValueType, value: Any, at: At) -> Check:
        return kind.compare(lookup, value)

    return make


def _between(kind: ValueType, bounds: Any, at: At) -> Check:
    return kind.between(*bounds)


def _part(kind: ValueType, text: Any, at: At) -> Check:
    return checks.Part(text)


def _beginning(kind: ValueType, text: Any, at: At) -> Check:
    return checks.Beginning(text)


def _filled(kind: ValueType, value: Any, at: At) -> Check:
    return kind.filled()


def _last(kind: ValueType, duration: Any, at: At) -> Check:
    return checks.Between(duration.before(at.now, at.zone), at.now + AHEAD)


def _last_days(kind: ValueType, duration: Any, at: At) -> Check:
    return checks.Between(duration.day_before(at.today), at.today)


def _anniversary(kind: ValueType, duration: Any, at: At) -> Check:
    return checks.Anniversary(month_days(at.today, duration.day_after(at.today)))


EQ = Operator("eq", _("is"), "one", _is)
NE = Operator("ne", _("is not"), "one", _is, negated=True)
IN = Operator("in", _("is one of"), "many", _is_any)
NOT_IN = Operator("not_in", _("is none of"), "many", _is_any, negated=True)
GT = Operator("gt", _("is more than"), "one", _compare("gt"))
GTE = Operator("gte", _("is at least"), "one", _compare("gte"))
LT = Operator("lt", _("is less than"), "one", _compare("lt"))
LTE = Operator("lte", _("is at most"), "one", _compare("lte"))
BETWEEN = Operator("between", _("is between"), "range", _between)
CONTAINS = Operator("contains", _("contains"), "part", _part)
NOT_CONTAINS = Operator("not_contains", _("does not contain"), "part", _part, negated=True)
STARTS_WITH = Operator("starts_with", _("starts with"), "part", _beginning)
IS_SET = Operator("is_set", _("is known"), "none", _filled)
IS_NOT_SET = Operator("is_not_set", _("is not known"), "none", _filled, negated=True)
# Dates and moments. The first two are inclusive, as in the API's filters (Glu).
BEFORE = Operator("before", _("is on or before"), "one", _compare("lte"))
AFTER = Operator("after", _("is on or after"), "one", _compare("gte"))
EARLIER = Operator("lt", _("is before"), "one", _compare("lt"))
LATER = Operator("gt", _("is after"), "one", _compare("gt"))
WITHIN_LAST = Operator("within_last", _("is within the last"), "duration", _last, timed=True)
NOT_WITHIN_LAST = Operator(
    "not_within_last", _("is not within the last"), "duration", _last, negated=True, timed=True
)
WITHIN_LAST_DAYS = Operator(
    "within_last", _("is within the last"), "days", _last_days, timed=True, by_day=True
)
NOT_WITHIN_LAST_DAYS = Operator(
    "not_within_last",
    _("is not within the last"),
    "days",
    _last_days,
    negated=True,
    timed=True,
    by_day=True,
)
ANNIVERSARY_WITHIN = Operator(
    "anniversary_within",
    _("has its anniversary within the next"),
    "next_days",
    _anniversary,
    timed=True,
    by_day=True,
)
# Of several values at once, such as tags.
HAS = Operator("contains", _("contains"), "one", _is)
HAS_NOT = Operator("not_contains", _("does not contain"), "one", _is, negated=True)
HAS_ANY = Operator("in", _("contains any of"), "many", _is_any)
HAS_NONE = Operator("not_in", _("contains none of"), "many", _is_any, negated=True)
EARLIEST = Operator("lte", _("is on or before"), "one", _compare("lte"))
LATEST = Operator("gte", _("is on or after"), "one", _compare("gte"))


def pick(*operators: Operator) -> dict[str, Operator]:
    """These operators by name."""
    return {operator.name: operator for operator in operators}
