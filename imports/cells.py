"""Reading cells as people and spreadsheets write them, into what the services take.

A cell that cannot be read raises ValidationError. What a value must be is the services' to say;
here is only how it may be written in a file.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from babel import Locale
from babel.numbers import get_currency_precision
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.translation import gettext as _

from contacts.identity import fold
from crm.api.names import camel_path

_TRAILING_ZERO = re.compile(r"\+?\d{5,}\.0+")
_EXPONENT = re.compile(r"\d(?:[.,](\d+))?[eE]\+?(\d{1,2})")
_TAG_SEPARATOR = re.compile(r"[,;]")
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# Longer ones are refused as too large anyway; Decimal is exact for 28 digits.
_AMOUNT = re.compile(r"[+-]?\d{1,20}(?:\.\d{1,8})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,20}", re.ASCII)


def phone(text: str) -> str:
    """A phone number as it was before a spreadsheet took it for a number.

    `7837489814.0` loses its decimals; `4.47837489814E+11` is written out when all its digits are
    there. Raises ValidationError when the spreadsheet rounded it (`4.47837E+11`).
    """
    if _TRAILING_ZERO.fullmatch(text):
        return text.partition(".")[0]
    short = _EXPONENT.fullmatch(text)
    if short is None:
        return text
    if len(short[1] or "") < int(short[2]):
        raise ValidationError(
            _(
                "A spreadsheet has shortened this number to %(value)s and its last digits are lost:"
                " format the column as text in the original file and export it again."
            ),
            code="shortened",
            params={"value": text},
        )
    return str(int(Decimal(text.replace(",", "."))))


def day(text: str, date_format: str | None) -> date:
    """A day in ISO 8601 or in `date_format` (of strptime); the time of a midnight is left out."""
    if _ISO_DAY.fullmatch(text[:10]) and text[10:] in {"", "T00:00:00", " 00:00:00", " 00:00"}:
        try:
            return date.fromisoformat(text[:10])
        except ValueError:
            pass
    if date_format:
        try:
            return datetime.strptime(text, date_format).date()  # noqa: DTZ007  # only the day
        except ValueError:
            pass
    raise ValidationError(
        _("%(value)s is not a date, such as 2026-04-07%(format)s."),
        code="invalid_date",
        params={"value": text[:40], "format": _other_format(date_format)},
    )


def moment(text: str, zone: ZoneInfo, date_format: str | None) -> datetime:
    """A moment in ISO 8601 or in `date_format`; read in `zone` when it has no offset of its own.
    A day alone is its midnight."""
    read: datetime | None = None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        if date_format:
            try:
                read = datetime.strptime(text, date_format)  # noqa: DTZ007  # made aware below
            except ValueError:
                read = None
    if read is None:
        raise ValidationError(
            _("%(value)s is not a time, such as 2026-04-07T14:30:00+00:00%(format)s."),
            code="invalid_datetime",
            params={"value": text[:40], "format": _other_format(date_format)},
        )
    try:
        return (read if read.tzinfo is not None else read.replace(tzinfo=zone)).astimezone(UTC)
    except (OverflowError, ValueError):
        raise ValidationError(
            _("%(value)s is too far away."), code="out_of_range", params={"value": text[:40]}
        ) from None


def _other_format(date_format: str | None) -> str:
    if date_format:
        return _(" or as in %(format)s") % {"format": date_format}
    return _(" (another way of writing is said by the date format)")


def tags(cell: Any) -> list[str]:
    """Names separated by commas or semicolons, or a JSON array of names."""
    listed = as_json(cell)
    if isinstance(listed, list):
        return [
            str(one["name"] if isinstance(one, dict) and "name" in one else one) for one in listed
        ]
    return [name for part in _TAG_SEPARATOR.split(str(cell)) if (name := part.strip())]


def as_json(cell: Any) -> Any:
    """What a cell that holds a JSON array or object says; the cell itself when it does not."""
    if isinstance(cell, str) and cell[:1] in {"[", "{"}:
        try:
            return orjson.loads(cell)
        except ValueError:
            return cell
    return cell


@lru_cache(maxsize=2048)
def country(text: str) -> str:
    """The two letters of a country, from these in any case or from its English or own name.
    Anything else is given back for the service to refuse."""
    if len(text) == 2 and text.upper() != "UK":
        return text.upper()
    return _countries().get(fold(text).replace(".", ""), text)


@lru_cache(maxsize=1)
def _countries() -> dict[str, str]:
    names: dict[str, str] = {}
    for language in ("en", "de", "es", "fr", "it", "nl", "pt"):
        for code, name in Locale(language).territories.items():
            if len(code) == 2 and code.isalpha():
                names.setdefault(fold(name).replace(".", ""), code)
    names.update(
        {
            "uk": "GB",
            "great britain": "GB",
            "england": "GB",
            "scotland": "GB",
            "wales": "GB",
            "northern ireland": "GB",
            "usa": "US",
            "us of a": "US",
            "united states of america": "US",
            "holland": "NL",
            "czech republic": "CZ",
            "gbr": "GB",
            "deutschland": "DE",
        }
    )
    return names


def minor_units(text: str) -> int:
    """A whole number of the smallest unit: `4500`. Not `45.00` or `45.0`, which hardly mean 45."""
    if not _WHOLE.fullmatch(text):
        raise ValidationError(
            _(
                "%(value)s is not a whole number of the smallest unit, such as 4500 for 45.00;"
                " for amounts such as 45.00, say that spend is in major units."
            ),
            code="invalid_amount",
            params={"value": text[:40]},
        )
    return int(text)


def major_units(text: str, currency: str) -> int:
    """An amount such as `45.00` or `1,234.50` in the smallest unit of `currency`: 4500, 123450."""
    plain = text.replace(",", "") if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", text) else text
    if not _AMOUNT.fullmatch(plain):
        raise ValidationError(
            _("%(value)s is not an amount, such as 45.00."),
            code="invalid_amount",
            params={"value": text[:40]},
        )
    exponent = get_currency_precision(currency)
    amount = Decimal(plain).scaleb(exponent)
    if amount != amount.to_integral_value():
        raise ValidationError(
            _("%(value)s has more decimals than %(currency)s, which has %(decimals)d."),
            code="too_many_decimals",
            params={"value": text[:40], "currency": currency, "decimals": exponent},
        )
    return int(amount)


def reasons(error: ValidationError) -> list[tuple[str, str]]:
    """The paths and messages of an error, in the API's terms (`phoneNumber`)."""
    if not hasattr(error, "error_dict"):
        return [("", " ".join(error.messages))]
    return [
        (
            "" if path == NON_FIELD_ERRORS else camel_path(path),
            " ".join(str(message) for one in errors for message in one.messages),
        )
        for path, errors in error.error_dict.items()
    ]
