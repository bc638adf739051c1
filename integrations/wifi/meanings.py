"""What a value in a portal's JSON may mean, and how it is read.

One registry: the mapping's names, what the page offers to click, and what a delivery is read by. A
value that cannot be read is left out and said; it does not keep the rest from being used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import ActivityType
from activities.types import BUILT_IN, unknown_type
from contacts.consent import Channel
from contacts.identity import read_email, read_phone
from customfields.definitions import Definitions
from customfields.models import CustomField
from integrations import reading
from integrations.identity import international
from organisations.models import Organisation

CONTACT, CONSENT = gettext_lazy("Contact"), gettext_lazy("Consent")
CUSTOM_FIELDS, ACTIVITY = gettext_lazy("Custom fields"), gettext_lazy("Activity")

CUSTOM, CONSENTED, DATA = "custom.", "consent.", "data."
"""What the names of several begin with."""

Read = Callable[[Any, Organisation], Any]


@dataclass(frozen=True)
class Meaning:
    """Something that a value may be. `read` answers it as we keep it, or raises ValidationError.

    `words` are what other systems call it, to guess by. `whole`: true, false and lists mean
    something too.
    """

    name: str
    label: str | Promise
    group: str | Promise
    read: Read
    words: tuple[str, ...] = ()
    whole: bool = False
    help: str | Promise = ""

    def takes(self, value: Any) -> bool:
        """Whether there is anything in a value to read."""
        if value is None or value in ("", [], {}):
            return False
        if isinstance(value, bool | list):
            return self.whole
        return isinstance(value, str | int | float | Decimal) and bool(reading.text(value))


# Reading


def _text(value: Any, organisation: Organisation) -> str:
    return reading.text(value)


def _email(value: Any, organisation: Organisation) -> str:
    read_email(reading.text(value))
    return reading.text(value)


def _phone(value: Any, organisation: Organisation) -> str:
    read_phone(international(reading.text(value)), None, organisation.country)
    return reading.text(value)


def _day(value: Any, organisation: Organisation) -> date:
    day = reading.day(value)
    if day is None:
        raise _wrong(_("%(value)s is no date, such as 1990-04-07."), value)
    return day


EARLIEST = 10**8
"""A number above it counts seconds since 1970; `20260105` is a day."""


def _time(value: Any) -> datetime | None:
    number = reading.decimal(value)
    if number is not None and number > EARLIEST:
        return reading.epoch(value)
    return reading.moment(value)


def _moment(value: Any, organisation: Organisation) -> datetime:
    moment = _time(value)
    if moment is None:
        raise _wrong(_("%(value)s is no time, such as 2026-01-05T10:00:00Z or 1767607200."), value)
    return moment


def _type(value: Any, organisation: Organisation) -> str:
    name = reading.text(value)
    own = ActivityType.objects.for_organisation(organisation).filter(name=name)
    if name not in BUILT_IN and not own.exists():
        raise _unknown(organisation, name)
    return name


def _unknown(organisation: Organisation, name: str) -> ValidationError:
    """With what is spelt like it, as the API says it; else with where one is made."""
    error = unknown_type(organisation, name)
    if error.params and error.params["near"]:
        return error
    return _wrong(_("%(value)s is not a type of activity: make it one, or leave this out."), name)


def _amount(value: Any, organisation: Organisation) -> Decimal:
    amount = reading.decimal(value)
    if amount is None:
        raise _wrong(_("%(value)s is no amount, such as 12.50."), value)
    return amount


def _currency(value: Any, organisation: Organisation) -> str:
    code = reading.currency(value)
    if code is None:
        raise _wrong(_("%(value)s is no currency, such as EUR."), value)
    return code


_YES = frozenset({"true", "yes", "y", "1", "on", "granted", "opted_in", "subscribed"})
_NO = frozenset({"false", "no", "n", "0", "off", "denied", "opted_out", "unsubscribed"})


def _consent(value: Any, organisation: Organisation) -> bool:
    """Whether it stands: true or false in any spelling; a time is when it was given."""
    said = ("true" if value else "false") if isinstance(value, bool) else reading.text(value)
    if said.lower() in _YES | _NO:
        return said.lower() in _YES
    if _time(said) is not None:
        return True
    raise _wrong(_("%(value)s is neither yes nor no."), value)


def _wrong(message: str, value: Any) -> ValidationError:
    return ValidationError(message, params={"value": reading.text(value)[:60] or "–"})


def _custom(field: CustomField) -> Read:
    def read(value: Any, organisation: Organisation) -> Any:
        if isinstance(value, Decimal):
            value = str(value)
        try:
            return field.kind.typed(field.kind.parse(value, field))
        except ValidationError:
            # A number may stand where we keep a text.
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise
            return field.kind.typed(field.kind.parse(str(value), field))

    return read


def _no_such_field(value: Any, organisation: Organisation) -> Any:
    raise ValidationError(_("There is no custom field of this name."))


# What there is

_KNOWN = (
    Meaning("email", gettext_lazy("E-mail address"), CONTACT, _email, ("email", "mail")),
    Meaning(
        "phone", gettext_lazy("Phone number"), CONTACT, _phone, ("mobile", "phone", "msisdn", "tel")
    ),
    Meaning(
        "first_name",
        gettext_lazy("First name"),
        CONTACT,
        _text,
        ("firstname", "givenname", "forename", "first"),
    ),
    Meaning(
        "last_name",
        gettext_lazy("Last name"),
        CONTACT,
        _text,
        ("lastname", "surname", "familyname", "last"),
    ),
    Meaning(
        "name",
        gettext_lazy("Whole name"),
        CONTACT,
        _text,
        ("fullname", "displayname", "name", "username", "customername", "guestname"),
    ),
    Meaning("dob", gettext_lazy("Date of birth"), CONTACT, _day, ("dateofbirth", "dob", "birth")),
    Meaning(
        "guest",
        gettext_lazy("Id of the person there"),
        CONTACT,
        _text,
        ("userid", "guestid", "customerid", "memberid", "visitorid"),
        help=gettext_lazy("Finds the contact again, whatever becomes of e-mail and phone."),
    ),
    Meaning(
        "type",
        gettext_lazy("Type of activity"),
        ACTIVITY,
        _type,
        help=gettext_lazy("Without one, it is Connected to wifi."),
    ),
    Meaning(
        "at",
        gettext_lazy("When it happened"),
        ACTIVITY,
        _moment,
        ("timestamp", "authenticatedat", "happenedat", "createdat", "datetime", "when"),
        help=gettext_lazy("Without one, it is when the delivery came."),
    ),
    Meaning(
        "session",
        gettext_lazy("Id of the event"),
        ACTIVITY,
        _text,
        ("sessionid", "eventid", "transactionid", "orderid"),
        help=gettext_lazy("Without one, those of a person, place and day are one."),
    ),
    Meaning("amount", gettext_lazy("Amount spent"), ACTIVITY, _amount, ("amount", "total")),
    Meaning("currency", gettext_lazy("Currency"), ACTIVITY, _currency, ("currency",)),
    Meaning("venue", gettext_lazy("Place"), ACTIVITY, _text, ("venueid", "venue", "siteid")),
    Meaning("device", gettext_lazy("Device"), ACTIVITY, _text, ("mac", "device")),
)
_CONSENTS = tuple(
    Meaning(
        f"{CONSENTED}{channel.value}",
        label,
        CONSENT,
        _consent,
        (f"{channel.value}optin", f"{channel.value}marketing", f"{channel.value}consent"),
        whole=True,
    )
    for channel, label in (
        (Channel.EMAIL, gettext_lazy("Consent to e-mail")),
        (Channel.SMS, gettext_lazy("Consent to SMS")),
    )
)
FIELDS = tuple(one.name for one in _KNOWN)
"""The names that stand alone."""
_STATIC = {one.name: one for one in (*_KNOWN, *_CONSENTS)}
MOST_LETTERS = 60
SHORT = 4
"""So short a word is only guessed by when it stands alone: `name`, `last`."""


def is_name(name: str) -> bool:
    """Whether a mapping may have a line of this name."""
    if name in _STATIC:
        return True
    first, dot, rest = name.partition(".")
    named = rest.replace("-", "_").isidentifier() and len(rest) <= MOST_LETTERS
    return f"{first}{dot}" in (CUSTOM, DATA) and named


class Meanings:
    """All that a value may mean in an organisation, by name. At most two queries, and none where
    no custom field is asked for."""

    def __init__(self, organisation: Organisation, names: Collection[str] | None = None) -> None:
        """`names` are those that will be asked for; without, all are known."""
        self.organisation = organisation
        wanted = (
            None
            if names is None
            else [name.removeprefix(CUSTOM) for name in names if name.startswith(CUSTOM)]
        )
        fields: Iterable[CustomField] = ()
        if wanted is None or wanted:
            fields = Definitions.of(organisation, wanted).fields
        self._custom = {
            f"{CUSTOM}{field.name}": Meaning(
                f"{CUSTOM}{field.name}",
                field.label,
                CUSTOM_FIELDS,
                _custom(field),
                (_bare(field.name),),
                whole=True,
            )
            for field in fields
            if field.archived_at is None
        }

    def __getitem__(self, name: str) -> Meaning:
        """The meaning of a name for which `is_name` holds."""
        found = _STATIC.get(name) or self._custom.get(name)
        if found is not None:
            return found
        first, _dot, rest = name.partition(".")
        if f"{first}." == DATA:
            return Meaning(name, rest, ACTIVITY, _text)
        return Meaning(name, rest, CUSTOM_FIELDS, _no_such_field, whole=True)

    def offered(self) -> list[Meaning]:
        """Those to choose from, in the order to show."""
        return [
            *(one for one in _KNOWN if one.group == CONTACT),
            *_CONSENTS,
            *(one for one in _KNOWN if one.group == ACTIVITY),
            *self._custom.values(),
        ]

    def guess(self, name: str, value: Any) -> Meaning | None:
        """What a value is likely to be, by what the other system calls it and whether it can be
        read so. The same word decides, else the longest: `visitor_first_name` is no name."""
        told = _bare(name)
        fits = [
            (told == word, len(word), meaning)
            for meaning in self.offered()
            for word in meaning.words
            if told == word or (len(word) > SHORT and word in told)
        ]
        for _same, _length, meaning in sorted(fits, key=lambda one: one[:2], reverse=True):
            if meaning.takes(value) and self._can_read(meaning, value):
                return meaning
        return None

    def _can_read(self, meaning: Meaning, value: Any) -> bool:
        try:
            meaning.read(value, self.organisation)
        except ValidationError:
            return False
        return True


def _bare(name: str) -> str:
    """A name without what it is spelt with: `First-Name` is `firstname`."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


@dataclass(frozen=True)
class Found:
    """What a delivery has for a meaning: by which candidate, as it stands there, as it is read, and
    why it cannot be read."""

    meaning: Meaning
    candidate: str
    raw: Any
    value: Any = None
    problem: str = ""


def look(
    body: Any,
    mapping: Mapping[str, Iterable[str]],
    meanings: Meanings,
    find: Callable[[Any, str], Any],
) -> dict[str, Found]:
    """For each meaning of the mapping the first of its candidates that has something to read."""
    found = {}
    for name, candidates in mapping.items():
        meaning = meanings[name]
        for candidate in candidates:
            raw = find(body, candidate)
            if meaning.takes(raw):
                found[name] = _read(meaning, candidate, raw, meanings.organisation)
                break
    return found


def _read(meaning: Meaning, candidate: str, raw: Any, organisation: Organisation) -> Found:
    try:
        return Found(meaning, candidate, raw, meaning.read(raw, organisation))
    except ValidationError as error:
        return Found(meaning, candidate, raw, problem=" ".join(error.messages))
