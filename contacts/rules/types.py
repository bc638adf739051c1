"""The types that a rule's fields have: how a value is written, which operators there are.

A type is made for a field (its currency, its choices), and shared where it has nothing of one.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from contacts import identity
from contacts.rules import checks, durations, operators
from contacts.rules.checks import Check
from contacts.rules.folding import letters
from contacts.rules.moments import At
from contacts.rules.operators import Operator, pick
from crm.api.filters import day, span

MOST_VALUES = 200
"""How many values a list may have."""
LONGEST_TEXT = 500
BIGGEST, SMALLEST = 2**63 - 1, -(2**63)
LONGEST_ANNIVERSARY = datetime.timedelta(days=366)


class ValueType:
    """A type of value.

    `read` turns what a rule says into what is compared with; `same`, `compare`, `between` and
    `filled` make the checks of the operators that the type has.
    """

    name: ClassVar[str]
    """As the catalogue names it: text, number, money, date, datetime, boolean, choice, choices."""
    operators: ClassVar[Mapping[str, Operator]]
    choices: Mapping[str, str] = {}
    """What may be chosen, with its label; empty when that is free."""

    def read(self, given: Any, at: At) -> Any:
        """A whole value. Raises ValidationError."""
        raise NotImplementedError

    def read_part(self, given: Any) -> str:
        """Part of a value, to look for. Raises ValidationError."""
        return letters(_text(given))

    def same(self, values: Sequence[Any]) -> Check:
        """It is one of `values`."""
        if len(values) == 1:
            return checks.Compare("exact", values[0])
        return checks.OneOf(frozenset(values))

    def compare(self, lookup: str, value: Any) -> Check:
        """It is more, or less, than `value`."""
        return checks.Compare(lookup, value)

    def between(self, low: Any, high: Any) -> Check:
        """It is from `low` to `high`."""
        return checks.Between(low, high)

    def filled(self) -> Check:
        """It is set."""
        return checks.Filled()

    def operand(self, operator: Operator, given: Any, at: At) -> Any:
        """What `operator` compares with. Raises ValidationError; of a list's value by place."""
        match operator.shape:
            case "none":
                if given is not None:
                    raise ValidationError(_("This operator takes no value."), code="unexpected")
                return None
            case "many":
                return self._read_many(given, at)
            case "range":
                return self._read_range(given, at)
            case "duration":
                return durations.parse(given)
            case "days" | "next_days":
                return _whole_days(durations.parse(given), at, next_=operator.shape == "next_days")
        if given is None:
            raise ValidationError(_("This operator needs a value."), code="required")
        return self.read_part(given) if operator.shape == "part" else self.read(given, at)

    def _read_many(self, given: Any, at: At) -> Sequence[Any]:
        if not isinstance(given, list) or not given:
            raise ValidationError(_("Give a list of values."), code="not_a_list")
        if len(given) > MOST_VALUES:
            raise ValidationError(
                _("At most %(most)d values."), code="too_many", params={"most": MOST_VALUES}
            )
        return [self.read(one, at) for one in given]

    def _read_range(self, given: Any, at: At) -> tuple[Any, Any]:
        if not isinstance(given, list) or len(given) != 2:
            raise ValidationError(
                _("Give a list of two: the smallest and the largest."), code="invalid_range"
            )
        low, high = (self.read(one, at) for one in given)
        if low > high:
            raise ValidationError(
                _("The smallest is larger than the largest."), code="invalid_range"
            )
        return low, high


def _whole_days(duration: durations.Duration, at: At, *, next_: bool) -> durations.Duration:
    if not duration.whole_days:
        raise ValidationError(
            _("This is a date without a time: give a duration in days, such as P7D."),
            code="invalid_duration",
        )
    if next_ and duration.day_after(datetime.date(2000, 1, 1)) > (
        datetime.date(2000, 1, 1) + LONGEST_ANNIVERSARY
    ):
        raise ValidationError(
            _("An anniversary comes every year: give at most P1Y."), code="too_long"
        )
    return duration


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise ValidationError(_("Give a text."), code="invalid_text")
    text = given.strip()
    if "\0" in text:
        raise ValidationError(_("The character NUL is not allowed."), code="null_character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValidationError(_("This text cannot be read."), code="invalid_text") from None
    if not letters(text):
        raise ValidationError(
            _("Give a text; is_not_set finds those without one."), code="required"
        )
    if len(text) > LONGEST_TEXT:
        raise ValidationError(
            _("Give at most %(most)d characters."),
            code="max_length",
            params={"most": LONGEST_TEXT},
        )
    return text


class Text(ValueType):
    """Text, compared whatever its case and accents (`contacts.rules.folding`).

    `canonical` turns a value into the one spelling in which it is stored; whole values are then
    compared exactly, which an index can answer.
    """

    name = "text"
    operators = pick(
        operators.EQ,
        operators.NE,
        operators.IN,
        operators.NOT_IN,
        operators.CONTAINS,
        operators.NOT_CONTAINS,
        operators.STARTS_WITH,
        operators.IS_SET,
        operators.IS_NOT_SET,
    )

    def __init__(
        self,
        canonical: Callable[[str], str] | None = None,
        part: Callable[[str], str] | None = None,
    ) -> None:
        self.canonical = canonical
        self.part = part

    def read(self, given: Any, at: At) -> str:
        text = _text(given)
        return letters(text) if self.canonical is None else self.canonical(text)

    def read_part(self, given: Any) -> str:
        text = _text(given)
        return letters(_text(self.part(text)) if self.part is not None else text)

    def same(self, values: Sequence[Any]) -> Check:
        if self.canonical is not None:
            return super().same(values)
        return checks.SameText(frozenset(values))

    def filled(self) -> Check:
        return checks.Filled(text=True)


class Number(ValueType):
    """A whole number that fits 64 bits, or what `reader` reads."""

    name = "number"
    operators = pick(
        operators.EQ,
        operators.NE,
        operators.GT,
        operators.GTE,
        operators.LT,
        operators.LTE,
        operators.BETWEEN,
        operators.IN,
        operators.NOT_IN,
        operators.IS_SET,
        operators.IS_NOT_SET,
    )

    def __init__(self, reader: Callable[[Any], int | Decimal] | None = None) -> None:
        self.reader = reader

    def read(self, given: Any, at: At) -> int | Decimal:
        return self.reader(given) if self.reader is not None else whole_number(given)


class Money(Number):
    """Money in the smallest unit of its currency."""

    name = "money"


def whole_number(given: Any) -> int:
    """Raises ValidationError."""
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int):
        raise ValidationError(_("Give a whole number."), code="invalid_number")
    if not SMALLEST <= given <= BIGGEST:
        raise ValidationError(_("This number is too large."), code="out_of_range")
    return given


class Date(ValueType):
    """A day. What "today" is, is the contact's own time zone's to say."""

    name = "date"
    operators = pick(
        operators.EQ,
        operators.NE,
        operators.BEFORE,
        operators.AFTER,
        operators.EARLIER,
        operators.LATER,
        operators.EARLIEST,
        operators.LATEST,
        operators.BETWEEN,
        operators.IN,
        operators.NOT_IN,
        operators.WITHIN_LAST_DAYS,
        operators.NOT_WITHIN_LAST_DAYS,
        operators.ANNIVERSARY_WITHIN,
        operators.IS_SET,
        operators.IS_NOT_SET,
    )

    def read(self, given: Any, at: At) -> datetime.date:
        if not isinstance(given, str):
            raise ValidationError(_("Use a date, such as 2026-04-07."), code="invalid_date")
        return day(given)


class Moment(ValueType):
    """A moment. A time stands for its second, as the API tells it; a date for the whole of that
    day in the organisation's time zone."""

    name = "datetime"
    operators = pick(
        operators.EQ,
        operators.NE,
        operators.BEFORE,
        operators.AFTER,
        operators.EARLIER,
        operators.LATER,
        operators.EARLIEST,
        operators.LATEST,
        operators.BETWEEN,
        operators.WITHIN_LAST,
        operators.NOT_WITHIN_LAST,
        operators.IS_SET,
        operators.IS_NOT_SET,
    )

    def read(self, given: Any, at: At) -> tuple[datetime.datetime, datetime.datetime]:
        if not isinstance(given, str):
            raise ValidationError(
                _("Use a date or a time with offset, such as 2026-04-07T14:30:00+00:00."),
                code="invalid_date",
            )
        text = given.strip()
        if len(text) != len("2026-04-07"):
            return span(text)
        try:
            first, second = day(text), day(text) + datetime.timedelta(days=1)
            midnights = [
                datetime.datetime.combine(one, datetime.time(), at.zone) for one in (first, second)
            ]
            start, end = (midnight.astimezone(datetime.UTC) for midnight in midnights)
        except OverflowError:
            raise ValidationError(_("This date is out of range."), code="out_of_range") from None
        return start, end

    def same(self, values: Sequence[Any]) -> Check:
        return checks.Spans([checks.Span(start, end) for start, end in values])

    def compare(self, lookup: str, value: Any) -> Check:
        start, end = value
        return {
            "lt": checks.Span(end=start),
            "lte": checks.Span(end=end),
            "gt": checks.Span(start=end),
            "gte": checks.Span(start=start),
        }[lookup]

    def between(self, low: Any, high: Any) -> Check:
        return checks.Span(low[0], high[1])


class Boolean(ValueType):
    """Yes or no; unset is neither."""

    name = "boolean"
    operators = pick(operators.EQ, operators.NE, operators.IS_SET, operators.IS_NOT_SET)

    def read(self, given: Any, at: At) -> bool:
        if not isinstance(given, bool):
            raise ValidationError(_("Give true or false."), code="invalid_boolean")
        return given


class Choice(ValueType):
    """One of some words, exactly. `stored` is what the column has for each word."""

    name = "choice"
    operators = pick(
        operators.EQ,
        operators.NE,
        operators.IN,
        operators.NOT_IN,
        operators.IS_SET,
        operators.IS_NOT_SET,
    )

    def __init__(
        self,
        choices: Mapping[str, str],
        *,
        stored: Callable[[str], Any] | None = None,
        spelt: Callable[[str], str] | None = None,
    ) -> None:
        self.choices = choices
        self.stored = stored
        self.spelt = spelt

    def read(self, given: Any, at: At) -> Any:
        word = _text(given)
        if self.spelt is not None:
            word = self.spelt(word)
        if word not in self.choices:
            raise ValidationError(
                _("%(value)s is none of the choices: %(choices)s."),
                code="invalid_choice",
                params={"value": word[:60], "choices": _told(self.choices)},
            )
        return word if self.stored is None else self.stored(word)


class Choices(Choice):
    """Any number of some words."""

    name = "choices"
    operators = pick(
        operators.HAS,
        operators.HAS_NOT,
        operators.HAS_ANY,
        operators.HAS_NONE,
        operators.IS_SET,
        operators.IS_NOT_SET,
    )


class Tags(ValueType):
    """Any number of tags by name, whatever the case and accents. One that nobody has is taken:
    it may come to be."""

    name = "choices"
    operators = Choices.operators

    def read(self, given: Any, at: At) -> str:
        key = identity.fold(_text(given))
        if not key:
            raise ValidationError(_("A tag needs a name."), code="required")
        return key


class Code(Text):
    """A short code in capitals, such as a country or a currency."""

    operators = Choice.operators

    def __init__(self, check: Callable[[str], None]) -> None:
        super().__init__(str.upper)
        self.check = check

    def read(self, given: Any, at: At) -> str:
        code = super().read(given, at)
        self.check(code)
        return code


def _told(words: Collection[str]) -> str:
    shown = list(words)[:20]
    return ", ".join(shown) + ("…" if len(words) > len(shown) else "")
