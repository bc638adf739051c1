"""Amounts of money: whole numbers of the smallest unit inside, people's notation outside."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from babel import Locale
from babel.numbers import format_currency, get_currency_precision
from django.utils.translation import get_language


@lru_cache(maxsize=512)
def exponent(currency_code: str) -> int:
    """How many decimals the currency has: GBP 2, JPY 0, KWD 3 (CLDR)."""
    return get_currency_precision(currency_code)


def to_major(amount: int, currency_code: str) -> Decimal:
    """4500 of GBP → Decimal("45.00")."""
    return Decimal(amount).scaleb(-exponent(currency_code))


def to_minor(amount: Decimal, currency_code: str) -> int:
    """Decimal("45.00") of GBP → 4500. Raises ValueError for more decimals than there are."""
    scaled = amount.scaleb(exponent(currency_code))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{currency_code} has {exponent(currency_code)} decimals.")
    return int(scaled)


@lru_cache(maxsize=64)
def locale(language: str) -> Locale:
    """`en-gb` → what CLDR knows of it."""
    return Locale.parse(language, sep="-")


def show(amount: int, currency_code: str) -> str:
    """4500 of GBP → £45.00, as the reader's language writes it."""
    return format_currency(
        to_major(amount, currency_code), currency_code, locale=locale(get_language() or "en-gb")
    )
