"""Lists to choose from, instead of codes to know."""

from __future__ import annotations

from functools import cache

from babel.numbers import list_currencies
from django.utils.translation import get_language
from phonenumbers import SUPPORTED_REGIONS

from crm import money
from organisations.models import available_timezones


def currencies() -> list[tuple[str, str]]:
    """ISO 4217 codes with their names in the reader's language."""
    return _currencies(get_language() or "en-gb")


def countries() -> list[tuple[str, str]]:
    """ISO 3166-1 codes by the countries' names in the reader's language."""
    return _countries(get_language() or "en-gb")


@cache
def _currencies(language: str) -> list[tuple[str, str]]:
    names = money.locale(language).currencies
    return [(code, f"{code} · {names.get(code, code)}") for code in sorted(list_currencies())]


@cache
def _countries(language: str) -> list[tuple[str, str]]:
    names = money.locale(language).territories
    named = [(code, f"{names.get(code, code)} ({code})") for code in SUPPORTED_REGIONS]
    return sorted(named, key=lambda pair: pair[1])


@cache
def timezones() -> list[tuple[str, str]]:
    """IANA names."""
    return [(name, name.replace("_", " ")) for name in sorted(available_timezones())]
