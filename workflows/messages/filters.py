"""The filters of message templates: Liquid's own within bounds, and ours for money and dates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache, wraps
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency
from liquid import RenderContext
from liquid.filter import with_context
from liquid.undefined import is_undefined

from crm.money import to_major

MAX_ITEMS = 1_000
"""Turns of a loop, those of loops within it counted too."""
MAX_TEXT = 200_000
"""Characters of a text in between."""
_MAX_NUMBER = 10**18

# Left out: what marks data as safe HTML (`safe`), what decodes to markup, and numbers of no use.
# fmt: off
_OURS = frozenset({
    "abs", "append", "at_least", "at_most", "capitalize", "ceil", "compact", "concat", "default",
    "divided_by", "downcase", "escape", "find", "first", "floor", "has", "join", "last", "lstrip",
    "map", "minus", "modulo", "newline_to_br", "plus", "prepend", "reject", "remove",
    "remove_first", "remove_last", "replace", "replace_first", "replace_last", "reverse", "round",
    "rstrip", "size", "slice", "sort", "sort_natural", "split", "squish", "strip", "strip_html",
    "strip_newlines", "sum", "times", "truncate", "truncatewords", "uniq", "upcase", "url_encode",
    "where",
})
# fmt: on

Filter = Callable[..., Any]


class TooMuch(Exception):
    """A template that would take too much time or space. Says of which."""


def table(builtin: Mapping[str, Filter]) -> dict[str, Filter]:
    """Every filter by its name."""
    own = {"money": money, "date": date_}
    chosen = {name: known for name, known in builtin.items() if name in _OURS} | own
    return {name: _bounded(name, known) for name, known in sorted(chosen.items())}


def _bounded(name: str, known: Filter) -> Filter:
    @wraps(known)
    def filter_(value: Any, *args: Any, **kwargs: Any) -> Any:
        for given in (value, *args):
            require_few(given)
        _foresee(name, value, args)
        answer = known(value, *args, **kwargs)
        if isinstance(answer, str) and len(answer) > MAX_TEXT:
            raise TooMuch("text")
        if isinstance(answer, int | float) and abs(answer) > _MAX_NUMBER:
            raise ValueError("this number is too large")
        return answer

    return filter_


def require_few(value: Any) -> None:
    """Raise TooMuch for a range (`(1..1000000000)`) of too many numbers."""
    if isinstance(value, range) and value.stop - value.start > MAX_ITEMS:
        raise TooMuch("loop iterations")


def _foresee(name: str, value: Any, args: tuple[Any, ...]) -> None:
    """Raise TooMuch ahead of filters whose answer can be much longer than what they are given."""
    if name.startswith("replace") and args and not is_undefined(value):
        text, sought = str(value), str(args[0])
        by = str(args[1]) if len(args) > 1 else ""
        times = text.count(sought) if name == "replace" else 1
        if len(text) + times * len(by) > MAX_TEXT:
            raise TooMuch("text")
    if name == "join" and isinstance(value, list | tuple):
        glue = len(str(args[0])) if args else 1
        if sum(_length(one) + glue for one in value) > MAX_TEXT:
            raise TooMuch("text")


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    return sum(map(_length, value)) if isinstance(value, list | tuple) else 20


@with_context
def money(value: Any, currency_code: Any = None, *, context: RenderContext) -> str:
    """`4500` → `£45.00`: whole numbers of the smallest unit, in the organisation's currency or the
    one given, as the organisation's country writes it. Nothing for what is no number."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return ""
    organisation = _part(context, "organisation")
    code = currency_code if isinstance(currency_code, str) else organisation.get("currencyCode")
    code = str(code or "GBP")
    return format_currency(to_major(round(value), code), code, locale=_locale(context))


@with_context
def date_(value: Any, form: Any = "medium", *, context: RenderContext) -> str:
    """`2026-04-07T14:30:00+00:00` → `7 Apr 2026`, on the contact's clock, as the organisation's
    country writes it. `form` is short, medium, long, full, or made of `%d %B %Y %H:%M`. Nothing for
    what is no date."""
    moment = _read(value)
    if moment is None:
        return ""
    locale, pattern = _locale(context), str(form)
    if isinstance(moment, datetime):
        moment = moment.astimezone(_zone(context))
    if pattern in ("short", "medium", "long", "full"):
        return format_date(moment, pattern, locale=locale)
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=_zone(context))
    return _formatted(moment, pattern, locale)


def _read(value: Any) -> datetime | date | None:
    if isinstance(value, date):  # a datetime is one
        return value if not isinstance(value, datetime) or value.tzinfo else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


# Liquid's letters in the pattern language of CLDR, which knows the month's name in any language.
_LETTERS = {
    "a": "EEE",
    "A": "EEEE",
    "b": "MMM",
    "B": "MMMM",
    "d": "dd",
    "e": "d",
    "H": "HH",
    "I": "hh",
    "j": "DDD",
    "l": "h",
    "m": "MM",
    "M": "mm",
    "p": "a",
    "S": "ss",
    "y": "yy",
    "Y": "yyyy",
    "Z": "zzz",
    "z": "Z",
}
_WHOLE = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M", "D": "%m/%d/%y"}


def _formatted(moment: datetime, pattern: str, locale: Locale) -> str:
    def written(match: re.Match[str]) -> str:
        bare, letter = match.groups()
        if letter == "%":
            return "%"
        letters = _LETTERS.get(letter)
        if letters is None:
            return match[0]
        if bare and letters in ("dd", "MM", "HH", "hh", "mm", "ss"):
            letters = letters[0]
        return format_datetime(moment, letters, tzinfo=moment.tzinfo, locale=locale)

    for letter, whole in _WHOLE.items():
        pattern = pattern.replace(f"%{letter}", whole)
    return re.sub(r"%(-?)([a-zA-Z%])", written, pattern)


def _part(context: RenderContext, name: str) -> Mapping[str, Any]:
    found = context.globals.get(name)
    return found if isinstance(found, Mapping) else {}


def _locale(context: RenderContext) -> Locale:
    return locale_of(str(_part(context, "organisation").get("locale") or "en_GB"))


@lru_cache(maxsize=64)
def locale_of(name: str) -> Locale:
    """A CLDR locale by its name, such as `en_GB`; British English for one that is not there."""
    return Locale.parse(name) if is_locale(name) else Locale("en", "GB")


def is_locale(name: str) -> bool:
    """Whether CLDR knows this locale."""
    try:
        Locale.parse(name)
    except (ValueError, UnknownLocaleError):
        return False
    return True


def _zone(context: RenderContext) -> ZoneInfo:
    names: Iterable[Any] = (
        _part(context, part).get("timezone") for part in ("contact", "organisation")
    )
    for name in names:
        try:
            return ZoneInfo(str(name)) if name else ZoneInfo("Europe/London")
        except (ValueError, LookupError, OSError):
            continue
    return ZoneInfo("UTC")
