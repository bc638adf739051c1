"""Who is who: reading e-mail addresses and phone numbers into the forms that identify."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING

import phonenumbers
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from contacts.models import Contact


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone number as given, and as read. `e164` is None for no number at all."""

    given: str | None
    country_code: str | None = None
    e164: str | None = None


def is_placeholder(value: str) -> bool:
    """Whether this stands for nobody in particular (`PLACEHOLDER_IDENTIFIERS`)."""
    patterns = _compiled(tuple(settings.PLACEHOLDER_IDENTIFIERS))
    return patterns.match(value.lower()) is not None


@lru_cache(maxsize=4)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One expression for all of these, which is asked for every address and number."""
    return re.compile("|".join(map(translate, patterns)) or r"(?!)")


def read_email(given: str | None) -> tuple[str | None, str | None]:
    """The address to show and the key that identifies, from what was given.

    A placeholder that is an address (a relay) is shown but identifies nobody; one that is none
    (`n/a`) is as good as not given. Raises ValidationError for anything else that is no address.
    """
    shown = (given or "").strip()
    if not shown:
        return None, None
    try:
        validate_email(shown)
    except ValidationError:
        if is_placeholder(shown):
            return None, None
        raise ValidationError(
            _("%(value)s is not an e-mail address, such as jane@example.com."),
            code="invalid_email",
            params={"value": shown[:100]},
        ) from None
    return shown, None if is_placeholder(shown) else shown.lower()


def read_phone(given: str | None, calling_code: str | None, country: str) -> Phone:
    """A phone number from what was given, read with `calling_code` or else with `country`.

    Taken when its length is possible for its country. Without a number only the calling code is
    kept. Raises ValidationError that says what was expected.
    """
    shown = (given or "").strip()
    code, region = _read_calling_code(calling_code, country)
    if not shown or is_placeholder(shown):
        return Phone(None, code)
    return _parse(shown, region)


def _read_calling_code(given: str | None, country: str) -> tuple[str | None, str]:
    """The digits of a calling code, and the country to read a national number with."""
    shown = (given or "").strip()
    if not shown:
        return None, country
    digits = shown.removeprefix("+").removeprefix("00")
    regions: Sequence[str] = ()
    if digits.isascii() and digits.isdecimal() and len(digits) <= 3:
        regions = phonenumbers.region_codes_for_country_code(int(digits))
    if not regions:
        raise ValidationError(
            {
                "phone_number_country_code": ValidationError(
                    _("%(value)s is not a calling code, such as 44."),
                    code="invalid_calling_code",
                    params={"value": shown[:20]},
                )
            }
        )
    return str(int(digits)), country if country in regions else regions[0]


@lru_cache(maxsize=4096)
def _parse(shown: str, region: str) -> Phone:
    try:
        number = phonenumbers.parse(shown, region)
    except phonenumbers.NumberParseException:
        number = None
    if (
        number is None
        or phonenumbers.is_possible_number_with_reason(number)
        != phonenumbers.ValidationResult.IS_POSSIBLE
    ):
        example = phonenumbers.example_number(region)
        raise ValidationError(
            _(
                "%(value)s cannot be read as a phone number of %(country)s; expected one such as "
                "%(example)s, or +, calling code and number."
            ),
            code="invalid_phone",
            params={
                "value": shown[:40],
                "country": region,
                "example": phonenumbers.format_number(
                    example, phonenumbers.PhoneNumberFormat.INTERNATIONAL
                )
                if example
                else "+44 7700 900000",
            },
        )
    return Phone(
        shown,
        str(number.country_code),
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
    )


def full_name(first_name: str, last_name: str) -> str:
    """First and last in one, without stray spaces."""
    return f"{first_name} {last_name}".strip()


def read(contact: Contact) -> None:
    """Fill in the identifying columns of `contact` from what was given.

    Raises ValidationError by column.
    """
    errors: dict[str, ValidationError] = {}
    try:
        contact.email_address, contact.email_key = read_email(contact.email_address)
    except ValidationError as error:
        errors["email_address"] = error
    try:
        phone = read_phone(
            contact.phone_number,
            contact.phone_number_country_code,
            contact.organisation.country,
        )
        contact.phone_number = phone.given
        contact.phone_number_country_code = phone.country_code
        contact.phone_number_e164 = phone.e164
    except ValidationError as error:
        if hasattr(error, "error_dict"):
            errors.update({path: found[0] for path, found in error.error_dict.items()})
        else:
            errors["phone_number"] = error
    if errors:
        raise ValidationError(errors)
    if not contact.name:
        contact.name = full_name(contact.first_name, contact.last_name)
    if not contact.timezone:
        contact.timezone = contact.organisation.timezone


def fold(text: str) -> str:
    """Text as search and tags compare it: no case, no accents, single spaces.

    Folding what is folded changes nothing.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    for _round in range(2):  # casefold can yield what NFKD takes apart, and the other way round
        text = unicodedata.normalize("NFKD", text).casefold()
    return " ".join("".join(c for c in text if not unicodedata.combining(c)).split())


def search_text(contact: Contact) -> str:
    """All that a contact is found by, folded: names, e-mail, and the phone's digits both ways.

    The national digits are there because people type a phone as they know it.
    """
    names = {contact.name, full_name(contact.first_name, contact.last_name)}
    digits = {
        "".join(filter(str.isdigit, number))
        for number in (contact.phone_number, contact.phone_number_e164)
        if number
    }
    return fold(" ".join([*sorted(names), contact.email_address or "", *sorted(digits)]))
