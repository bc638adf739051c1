"""Reading other systems' values: what is missing, empty, or of another type than it should be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from babel.numbers import list_currencies

from crm.money import exponent

CURRENCIES = list_currencies()
MISSING: Any = object()
LARGEST = 30
"""The digits before the point of the largest number that is taken for one: `1e999999999` would
fill the memory."""


def mapping(value: Any) -> Mapping[str, Any]:
    """An object; an empty one for anything else, which some systems put in an object's place."""
    return value if isinstance(value, Mapping) else {}


def rows(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list, or the one object that stands for a list of one."""
    if isinstance(value, Mapping):
        return [value] if value else []
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def text(value: Any) -> str:
    """A text or number as tidy text; empty for everything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return ""
    return str(value).strip()


def truth(value: Any) -> bool:
    """A boolean, also one that is spelt: `"false"` is false."""
    return value is True or (isinstance(value, str) and value.strip().lower() in ("true", "1"))


def decimal(value: Any) -> Decimal | None:
    """A number, also one in a text; None for what is none."""
    if isinstance(value, bool):
        return None
    try:
        number = Decimal(text(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and number.adjusted() < LARGEST else None


def money(value: Any, currency: str) -> int:
    """An amount in major units as a whole number of the smallest: `"404.95"` of USD is 40495.

    Rounded half up where it has more decimals than the currency. 0 for what is no number.
    """
    number = decimal(value)
    if number is None:
        return 0
    return int(number.scaleb(exponent(currency)).to_integral_value(ROUND_HALF_UP))


def currency(*candidates: Any) -> str | None:
    """The first that is a currency's code."""
    found = (text(value).upper() for value in candidates)
    return next((code for code in found if code in CURRENCIES), None)


def moment(value: Any, *, naive: Any = UTC) -> datetime | None:
    """A time, with nanoseconds, `Z`, or an offset without a colon; one without offset is in the
    zone `naive`. None for what is none."""
    try:
        found = datetime.fromisoformat(text(value))
    except ValueError:
        return None
    try:
        return (found.replace(tzinfo=naive) if found.tzinfo is None else found).astimezone(UTC)
    except OverflowError:
        return None


def epoch(value: Any) -> datetime | None:
    """A time that is told in seconds, or in milliseconds, since 1970; None for what is none."""
    number = decimal(value)
    if number is None:
        return None
    seconds = float(number) / 1000 if number > 10**11 else float(number)
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < 4 * 10**9 else None


def day(value: Any) -> date | None:
    """A date; None for what is none."""
    try:
        return date.fromisoformat(text(value)[:10])
    except ValueError:
        return None


def told(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """What of a system's object was told, by our columns: a key that is not there was not told,
    and an empty text is None. `names` says their key for our column."""
    return {
        column: text(values[theirs]) or None for column, theirs in names.items() if theirs in values
    }


def first(values: Iterable[Any]) -> Any:
    """The first that is not empty; None when all are."""
    return next((value for value in values if value not in (None, "", [], {})), None)
