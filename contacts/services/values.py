"""What a door gives for a contact: tidied, checked, and put on the row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts import identity
from contacts.models import Address, Contact
from contacts.parts import PARTS, ContactPart
from organisations.models import Organisation

COLUMNS = (
    "kind",
    "email_address",
    "phone_number",
    "phone_number_country_code",
    "first_name",
    "last_name",
    "name",
    "dob",
    "timezone",
)
"""What may be given of the contact's own row."""

DERIVED = ("email_key", "phone_number_e164")

ADDRESS_COLUMNS = ("type", "line1", "line2", "city", "county", "postcode", "country")

MAX_ADDRESSES = 50
MAX_TAGS = 200
EARLIEST_BIRTH = date(1850, 1, 1)

_NEVER_NULL = {"kind": Contact.Kind.PERSON, "first_name": "", "last_name": "", "name": ""}
_UNCHECKED = frozenset(column.name for column in Contact._meta.fields) - frozenset(COLUMNS)


class Errors:
    """The errors of several checks, told together."""

    def __init__(self) -> None:
        self._found: dict[str, list[ValidationError]] = {}

    def add(self, error: ValidationError, path: str = "") -> None:
        """Note `error`; the paths of a dict of errors stand below `path`."""
        if hasattr(error, "error_dict"):
            for key, errors in error.error_dict.items():
                below = f"{path}.{key}" if path and key != NON_FIELD_ERRORS else path or key
                self._found.setdefault(below, []).extend(errors)
        else:
            self._found.setdefault(path or NON_FIELD_ERRORS, []).extend(error.error_list)

    def paths(self) -> frozenset[str]:
        """Where errors were found."""
        return frozenset(self._found)

    def raise_any(self) -> None:
        """Raise them all as one ValidationError, if there are any."""
        if self._found:
            raise ValidationError(dict(self._found))


@dataclass
class Given:
    """What was given, by where it is kept. `None` means that it was not given."""

    columns: dict[str, Any] = field(default_factory=dict)
    addresses: list[dict[str, str]] | None = None
    tags: list[str] | None = None
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of(self, part: ContactPart) -> dict[str, Any]:
        """The keys that were given for this part."""
        return self.parts.get(part.name, {})


def read(values: Mapping[str, Any]) -> Given:
    """Tidy what a door gave: spaces around texts go, null becomes what unset is for that column.

    Raises ValidationError for what cannot be kept at all, and TypeError for a key that no contact
    has (the doors know the keys).
    """
    given = Given()
    errors = Errors()
    for key, value in values.items():
        try:
            if key in COLUMNS:
                given.columns[key] = _text(value) if value is not None else _NEVER_NULL.get(key)
            elif key == "addresses":
                given.addresses = _read_addresses(value or [])
            elif key == "tags":
                given.tags = read_tag_names(value or [])
            else:
                given.parts.setdefault(_part_of(key).name, {})[key] = value
        except ValidationError as error:
            errors.add(error, "" if hasattr(error, "error_dict") else key)
    errors.raise_any()
    return given


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if "\0" in value:
        raise ValidationError(_("The character NUL is not allowed."), code="null_character")
    return value.strip()


@cache
def _part_of(key: str) -> ContactPart:
    for part in PARTS:
        if key in part.written_keys():
            return part
    raise TypeError(f"A contact has no {key!r}.")


def _read_addresses(given: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    if len(given) > MAX_ADDRESSES:
        raise ValidationError(
            _("At most %(number)d addresses."),
            code="too_many",
            params={"number": MAX_ADDRESSES},
        )
    errors = Errors()
    addresses = []
    for index, values in enumerate(given):
        path = f"addresses[{index}]"
        tidy = {}
        for column in ADDRESS_COLUMNS:
            try:
                tidy[column] = _text(values.get(column) or "")
            except ValidationError as error:
                errors.add(error, f"{path}.{column}")
        tidy["country"] = tidy.get("country", "").upper()
        try:
            Address(**tidy).clean_fields(exclude=["id", "organisation", "contact"])
        except ValidationError as error:
            errors.add(error, path)
        addresses.append(tidy)
    errors.raise_any()
    return addresses


def read_tag_names(given: Sequence[str]) -> list[str]:
    """Tag names without repeats, as they were first spelt. Raises ValidationError by place."""
    if len(given) > MAX_TAGS:
        raise ValidationError(
            _("At most %(number)d tags."), code="too_many", params={"number": MAX_TAGS}
        )
    errors = Errors()
    names: dict[str, str] = {}
    for index, name in enumerate(given):
        try:
            tidy = read_tag_name(name)
            names.setdefault(identity.fold(tidy), tidy)
        except ValidationError as error:
            errors.add(error, f"tags[{index}]")
    errors.raise_any()
    return list(names.values())


def read_tag_name(given: str) -> str:
    """A tag's name, tidied. Raises ValidationError for an empty or overlong one."""
    name = " ".join(str(_text(given)).split())
    key = identity.fold(name)
    if not key:
        raise ValidationError(_("A tag needs a name."), code="blank")
    if len(name) > 100 or len(key) > 400:
        raise ValidationError(_("A tag's name has at most 100 characters."), code="max_length")
    return name


def assign(contact: Contact, given: Given) -> set[str]:
    """Put the given columns on `contact`, check them, and answer which columns changed.

    Nothing is written. The name follows first and last name unless one was given of its own. A
    phone given without a calling code is read with the organisation's country; a calling code
    given alone reads the phone that is there anew. Raises ValidationError by column.
    """
    before = {column: getattr(contact, column) for column in (*COLUMNS, *DERIVED)}
    columns = given.columns
    followed = contact.name in ("", identity.full_name(contact.first_name, contact.last_name))
    if "phone_number" in columns and columns["phone_number"] != contact.phone_number:
        contact.phone_number_country_code = None
    for column, value in columns.items():
        setattr(contact, column, value)
    if columns.get("timezone", "") is None:
        contact.timezone = ""
    if not columns.get("name") and ("name" in columns or followed):
        contact.name = identity.full_name(contact.first_name, contact.last_name)
    errors = Errors()
    try:
        identity.read(contact)
    except ValidationError as error:
        errors.add(error)
    same = {column for column in COLUMNS if getattr(contact, column) == before[column]}
    if contact.timezone == contact.organisation.timezone:
        same.add("timezone")
    try:
        contact.clean_fields(exclude=_UNCHECKED | same | errors.paths())
    except ValidationError as error:
        errors.add(error)
    else:
        if contact.dob is not None and "dob" not in same:
            _check_birth(contact, errors)
    errors.raise_any()
    return {column for column in before if getattr(contact, column) != before[column]}


def _check_birth(contact: Contact, errors: Errors) -> None:
    assert contact.dob is not None
    zone = contact.timezone or contact.organisation.timezone
    if contact.dob > timezone.localdate(timezone=ZoneInfo(zone)):
        errors.add(
            ValidationError(_("A date of birth is not in the future."), code="in_the_future"), "dob"
        )
    elif contact.dob < EARLIEST_BIRTH:
        errors.add(
            ValidationError(
                _("A date of birth before %(earliest)s is a mistake."),
                code="too_early",
                params={"earliest": EARLIEST_BIRTH.isoformat()},
            ),
            "dob",
        )


def require_identifier(contact: Contact) -> None:
    """Raise ValidationError when the contact has neither e-mail nor phone."""
    if contact.email_address is None and contact.phone_number is None:
        raise ValidationError(
            {
                "email_address": ValidationError(
                    _("A contact needs an e-mail address or a phone number."), code="required"
                )
            }
        )


def clean_parts(
    organisation: Organisation, contact: Contact | None, given: Given
) -> list[tuple[ContactPart, Any]]:
    """What each part is to write. A new contact (None) asks every part, which may have defaults
    and required values. Raises ValidationError by path."""
    errors = Errors()
    cleaned = []
    for part in PARTS:
        if contact is None or given.of(part):
            try:
                cleaned.append((part, part.clean(organisation, contact, given.of(part))))
            except ValidationError as error:
                errors.add(error)
    errors.raise_any()
    return cleaned
