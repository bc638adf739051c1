"""What a value must be, once it is known at which moment: in memory and in a query.

A check is about one value that is there. Unset values, several values and negation are the
clause's business, so no check ever meets a null.
"""

from __future__ import annotations

import datetime
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import F, Func, IntegerField, Q, Value
from django.db.models.functions import Left, StrIndex
from django.db.models.lookups import Exact, GreaterThan, In, Range

from contacts.rules.folding import Letters, letters

COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "exact": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


class Check:
    """`holds(value)` in memory, `on(column)` in a query: alike for every value but null."""

    def holds(self, value: Any) -> bool:
        """Whether this value is such."""
        raise NotImplementedError

    def on(self, column: str) -> Q:
        """The condition on the column that keeps the value."""
        raise NotImplementedError


@dataclass(frozen=True)
class Compare(Check):
    """By one of `COMPARISONS`."""

    lookup: str
    value: Any

    def holds(self, value: Any) -> bool:
        return COMPARISONS[self.lookup](value, self.value)

    def on(self, column: str) -> Q:
        return Q(**{f"{column}__{self.lookup}": self.value})


@dataclass(frozen=True)
class OneOf(Check):
    """One of these, exactly."""

    values: Collection[Any]

    def holds(self, value: Any) -> bool:
        return value in self.values

    def on(self, column: str) -> Q:
        return Q(**{f"{column}__in": list(self.values)})


@dataclass(frozen=True)
class Span(Check):
    """From `start` (included) to `end` (not included); None is open."""

    start: Any = None
    end: Any = None

    def holds(self, value: Any) -> bool:
        return (self.start is None or value >= self.start) and (
            self.end is None or value < self.end
        )

    def on(self, column: str) -> Q:
        wanted = {}
        if self.start is not None:
            wanted[f"{column}__gte"] = self.start
        if self.end is not None:
            wanted[f"{column}__lt"] = self.end
        return Q(**wanted)


@dataclass(frozen=True)
class Spans(Check):
    """In any of these."""

    spans: Sequence[Span]

    def holds(self, value: Any) -> bool:
        return any(span.holds(value) for span in self.spans)

    def on(self, column: str) -> Q:
        return Q(*(span.on(column) for span in self.spans), _connector=Q.OR)


@dataclass(frozen=True)
class Between(Check):
    """From `low` to `high`, both included."""

    low: Any
    high: Any

    def holds(self, value: Any) -> bool:
        return bool(self.low <= value <= self.high)

    def on(self, column: str) -> Q:
        return Q(**{f"{column}__gte": self.low, f"{column}__lte": self.high})


@dataclass(frozen=True)
class Filled(Check):
    """Anything; of a text column, anything but the empty text that stands for unset there."""

    text: bool = False

    def holds(self, value: Any) -> bool:
        return True

    def on(self, column: str) -> Q:
        there = Q(**{f"{column}__isnull": False})
        return there & ~Q(**{column: ""}) if self.text else there


@dataclass(frozen=True)
class SameText(Check):
    """One of these texts, whatever the case and accents. They are folded already."""

    texts: Collection[str]

    def holds(self, value: str) -> bool:
        return letters(value) in self.texts

    def on(self, column: str) -> Q:
        texts = list(self.texts)
        if len(texts) == 1:
            return Q(Exact(Letters(column), Value(texts[0])))
        return Q(In(Letters(column), texts))


@dataclass(frozen=True)
class Part(Check):
    """The (folded) text stands anywhere in it."""

    text: str

    def holds(self, value: str) -> bool:
        return self.text in letters(value)

    def on(self, column: str) -> Q:
        return Q(GreaterThan(StrIndex(Letters(column), Value(self.text)), 0))


@dataclass(frozen=True)
class Beginning(Check):
    """It begins with the (folded) text."""

    text: str

    def holds(self, value: str) -> bool:
        return letters(value).startswith(self.text)

    def on(self, column: str) -> Q:
        return Q(Exact(Left(Letters(column), len(self.text)), Value(self.text)))


class MonthDay(Func):
    """Of a column of dates: month × 100 + day."""

    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "CAST(strftime('%%m%%d', %(expressions)s) AS INTEGER)"
        return self.as_sql(compiler, connection, template=template, **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = (
            "(EXTRACT(MONTH FROM %(expressions)s) * 100"
            " + EXTRACT(DAY FROM %(expressions)s))::integer"
        )
        (column,) = self.source_expressions
        sql, params = compiler.compile(column)
        return template % {"expressions": sql}, (*params, *params)


@dataclass(frozen=True)
class Anniversary(Check):
    """A date whose day of the year is in one of these ranges (see `moments.month_days`)."""

    ranges: Sequence[tuple[int, int]]

    def holds(self, value: datetime.date) -> bool:
        day = value.month * 100 + value.day
        return any(start <= day <= end for start, end in self.ranges)

    def on(self, column: str) -> Q:
        day = MonthDay(F(column))
        return Q(*(Q(Range(day, bounds)) for bounds in self.ranges), _connector=Q.OR)


@dataclass(frozen=True)
class JsonCheck(Check):
    """Of a value out of JSON, whose type nobody promised: only what is of the operand's own type
    is compared. Never in a query."""

    lookup: str
    operands: Sequence[Any]

    def holds(self, value: Any) -> bool:
        return any(self._fits(value, operand) for operand in self.operands)

    def _fits(self, value: Any, operand: Any) -> bool:
        if isinstance(operand, str) and isinstance(value, str):
            value, operand = letters(value), letters(operand)
            if self.lookup == "part":
                return operand in value
            if self.lookup == "beginning":
                return bool(value.startswith(operand))
            return self.lookup == "exact" and bool(value == operand)
        if isinstance(operand, bool) or isinstance(value, bool):
            return self.lookup == "exact" and value is operand
        if isinstance(operand, int | float | Decimal) and isinstance(value, int | float):
            compare = COMPARISONS.get(self.lookup)
            return compare is not None and compare(value, operand)
        return False

    def on(self, column: str) -> Q:
        raise NotImplementedError("What an activity says beside is looked at in memory only.")
