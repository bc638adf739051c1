"""Numbers, amounts and days as the reader's language writes them."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from babel import Locale
from babel.dates import format_skeleton, format_time
from babel.numbers import (
    format_compact_currency,
    format_compact_decimal,
    format_currency,
    format_decimal,
    format_percent,
)
from django.utils.translation import get_language

from crm import money

_SHORT, _LONG = 1_000, 10_000


@lru_cache(maxsize=64)
def _of(language: str) -> Locale:
    return Locale.parse(language, sep="-")


def _locale() -> Locale:
    return _of(get_language() or "en-gb")


def whole(number: int) -> str:
    """1234567 → 1,234,567."""
    return format_decimal(number, locale=_locale())


def short(number: float) -> str:
    """1234567 → 1.2M."""
    return format_compact_decimal(number, locale=_locale(), fraction_digits=1)


def percent(share: float) -> str:
    """0.123 → 12%; with a decimal below a tenth, where one counts."""
    locale = _locale()
    pattern = str(locale.percent_formats[None].pattern)
    if 0 < abs(share) < 0.0995:
        pattern = pattern.replace("#,##0", "#,##0.0")
    return format_percent(share, locale=locale, format=pattern)


def decimal(number: float) -> str:
    """4.25 → 4.3."""
    return format_decimal(round(number, 1), locale=_locale())


def signed(number: float) -> str:
    """2.5 → +2.5; -2.5 → −2.5."""
    return format_decimal(number, "+#,##0.#;−#,##0.#" if number else "0", locale=_locale())


def short_money(amount: int, currency: str) -> str:
    """123456789 of GBP → £1.2M; below a thousand without what comes after the point."""
    major = money.to_major(amount, currency)
    if abs(major) < _SHORT:
        return _without_cents(major, currency)
    return format_compact_currency(major, currency, locale=_locale(), fraction_digits=1)


def fair_money(amount: int, currency: str) -> str:
    """As `money.show`; without what comes after the point where nobody looks at that any more."""
    major = money.to_major(amount, currency)
    return money.show(amount, currency) if abs(major) < _LONG else _without_cents(major, currency)


def _without_cents(major: Decimal, currency: str) -> str:
    locale = _locale()
    pattern = re.sub(r"\.0+", "", str(locale.currency_formats["standard"].pattern))
    return format_currency(major, currency, pattern, locale=locale, currency_digits=False)


def mean(total: int, count: int) -> int:
    """The average, in the units of the total."""
    return round(Decimal(total) / count) if count else 0


def day(moment: date) -> str:
    """3 Nov."""
    return format_skeleton("MMMd", moment, locale=_locale())


def long_day(moment: date) -> str:
    """Tue, 3 Nov 2026."""
    return format_skeleton("yMMMEd", moment, locale=_locale())


def clock(moment: datetime) -> str:
    """14:02."""
    return format_time(moment.replace(tzinfo=None), "short", locale=_locale())
