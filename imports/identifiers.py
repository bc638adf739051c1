"""Reading many e-mail addresses and phone numbers quickly.

`contacts.identity` says what an identifier is; at 20 to 80 µs a value it would be most of an
import's time. These readers know the plain cases by heart, and only when they are certain: for
anything else they answer None, and the caller asks `identity`. Whatever they do answer is what
`identity` would (tests/imports/test_identifiers.py holds them to it).
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase, translate

import phonenumbers
from django.conf import settings
from django.core.exceptions import ValidationError
from phonenumbers import PhoneMetadata

from contacts import identity

_MOST_REMEMBERED = 50_000
_MAX_EMAIL = 254
_MAX_PHONE = 40

# Django's EmailValidator.user_regex, its dot-atom part.
_LOCAL_PART = re.compile(
    r"[-!#$%&'*+/=?^_`{}|~0-9A-Za-z]+(?:\.[-!#$%&'*+/=?^_`{}|~0-9A-Za-z]+)*", re.ASCII
)


def _any_pattern(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns) or r"(?!)")


class EmailReader:
    """Reads addresses whose local part is plain; what it knows of a domain it remembers."""

    def __init__(self) -> None:
        whole_domains = [p for p in settings.PLACEHOLDER_IDENTIFIERS if p.startswith("*@")]
        self._relays = [pattern[2:] for pattern in whole_domains]
        self._placeholder = _any_pattern(
            [p for p in settings.PLACEHOLDER_IDENTIFIERS if p not in whole_domains]
        ).match
        self._domains: dict[str, bool | None] = {}

    def read(self, shown: str) -> tuple[str, str | None] | None:
        """The address and its key, as `identity.read_email` reads it; None when not certain.

        `shown` is stripped and not empty.
        """
        local, _at, domain = shown.rpartition("@")
        identifies = self._domains.get(domain, ...)
        if identifies is ...:
            identifies = self._look_at(domain)
        if identifies is None or not _LOCAL_PART.fullmatch(local) or len(shown) > _MAX_EMAIL:
            return None
        lowered = shown.lower()
        return shown, lowered if identifies and not self._placeholder(lowered) else None

    def _look_at(self, domain: str) -> bool | None:
        """Whether addresses of this domain identify; None when it is no domain."""
        if len(self._domains) >= _MOST_REMEMBERED:
            self._domains.clear()
        try:
            good = identity.read_email(f"a@{domain}")[0] is not None
        except ValidationError:
            good = False
        lowered = domain.lower()
        found = not any(fnmatchcase(lowered, relay) for relay in self._relays) if good else None
        self._domains[domain] = found
        return found


class _Plan:
    """The numbering plan of a country, as `phonenumbers` has it."""

    __slots__ = (
        "code",
        "international",
        "lengths",
        "main_lengths",
        "national",
        "prefix",
        "transforms",
    )

    def __init__(self, metadata: PhoneMetadata) -> None:
        code, general = metadata.country_code, metadata.general_desc
        assert code is not None  # every plan has both
        assert general is not None
        self.code = str(code)
        self.lengths = _lengths(metadata)
        self.main_lengths = _lengths(_main(code) or metadata)
        prefix = metadata.national_prefix_for_parsing
        self.prefix = re.compile(prefix) if prefix else None
        self.transforms = bool(metadata.national_prefix_transform_rule)
        self.international = re.compile(metadata.international_prefix or r"(?!)")
        self.national = re.compile(general.national_number_pattern or r"(?!)")


def _lengths(metadata: PhoneMetadata) -> frozenset[int]:
    general = metadata.general_desc
    assert general is not None
    return frozenset(general.possible_length) - frozenset(general.possible_length_local_only)


def _main(code: int) -> PhoneMetadata | None:
    region = phonenumbers.region_code_for_country_code(code)
    return PhoneMetadata.metadata_for_region_or_calling_code(code, region)


class PhoneReader:
    """Reads numbers written in digits, spaces and hyphens, with `+` or as one dials in `region`."""

    def __init__(self, region: str) -> None:
        self._placeholder = _any_pattern(
            [pattern for pattern in settings.PLACEHOLDER_IDENTIFIERS if "@" not in pattern]
        ).match
        metadata = PhoneMetadata.metadata_for_region(region, None)
        self._home = _Plan(metadata) if metadata else None
        self._abroad: dict[int, _Plan | None] = {}

    def read(self, shown: str) -> tuple[str, str, str] | None:
        """The number as given, its calling code and its E.164 form, as `identity.read_phone` reads
        it; None when not certain.

        `shown` is stripped and not empty.
        """
        digits = shown.replace(" ", "").replace("-", "")
        plus = digits[0:1] == "+"
        if plus:
            digits = digits[1:]
        if (
            len(shown) > _MAX_PHONE
            or not digits.isdecimal()
            or not digits.isascii()
            or not ("0" <= shown[-1] <= "9")
            or not (plus or "0" <= shown[0] <= "9")
            or self._placeholder(shown)
        ):
            return None
        if plus:
            if shown[0] != "+" or not ("0" <= shown[1] <= "9"):
                return None
            return self._international(shown, digits)
        return self._national(shown, digits)

    def _international(self, shown: str, digits: str) -> tuple[str, str, str] | None:
        for length in (1, 2, 3):
            code = int(digits[:length] or 0)
            plan = self._abroad.get(code, ...)
            if plan is ...:
                known = code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE
                metadata = _main(code) if known else None
                plan = self._abroad[code] = _Plan(metadata) if metadata else None
            if plan is not None:
                rest = digits[length:]
                if (
                    len(rest) not in plan.lengths
                    or rest[0] == "0"
                    or digits[0] == "0"
                    or (plan.prefix is not None and plan.prefix.match(rest))
                ):
                    return None
                return shown, plan.code, "+" + digits
        return None

    def _national(self, shown: str, digits: str) -> tuple[str, str, str] | None:
        plan = self._home
        if plan is None or plan.international.match(digits) or digits.startswith(plan.code):
            return None
        rest = digits
        prefix = plan.prefix.match(digits) if plan.prefix is not None else None
        if prefix is not None:
            if plan.transforms:
                return None
            rest = digits[prefix.end() :]
            if plan.national.fullmatch(digits) and not plan.national.fullmatch(rest):
                return None
        if len(rest) not in plan.lengths or len(rest) not in plan.main_lengths or rest[0] == "0":
            return None
        return shown, plan.code, f"+{plan.code}{rest}"


def region_of(calling_code: str, country: str) -> str | None:
    """The country whose numbers are read when this calling code is given beside them; None when
    it is not plainly one (`identity` then says what is wrong with it)."""
    if not (calling_code.isascii() and calling_code.isdecimal() and len(calling_code) <= 3):
        return None
    regions = phonenumbers.region_codes_for_country_code(int(calling_code))
    if not regions:
        return None
    return country if country in regions else regions[0]
