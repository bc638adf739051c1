"""Lists to choose from, instead of codes to know."""

from __future__ import annotations

from functools import cache

from babel import Locale
from babel.numbers import get_currency_name, list_currencies
from phonenumbers import SUPPORTED_REGIONS

from organisations.models import available_timezones


@cache
def currencies() -> list[tuple[str, str]]:
    """ISO 4217 codes with their names."""
    return [
        (code, f"{code} · {get_currency_name(code, locale='en_GB')}")
        for code in sorted(list_currencies())
    ]


@cache
def countries() -> list[tuple[str, str]]:
    """ISO 3166-1 codes by the countries' names."""
    names = Locale("en", "GB").territories
    named = [(code, f"{names.get(code, code)} ({code})") for code in SUPPORTED_REGIONS]
    return sorted(named, key=lambda pair: pair[1])


@cache
def timezones() -> list[tuple[str, str]]:
    """IANA names."""
    return [(name, name.replace("_", " ")) for name in sorted(available_timezones())]
