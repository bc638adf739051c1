"""Rules and contacts for the tests of `contacts.rules`: any that the language can say, any that the
database can hold, and often just at the boundary of each other."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from hypothesis import strategies as st

from activities.models import Activity, ActivityType
from contacts import identity
from contacts.models import (
    Address,
    Contact,
    ContactPermission,
    ContactRollup,
    ContactTag,
    SpendInCurrency,
    Tag,
)
from customfields import values as custom_values
from customfields.definitions import Definitions
from customfields.models import CustomField
from customfields.services import define
from organisations.models import Organisation
from rewards.models import CreditEntry, CreditMovement

UTC = datetime.UTC
NOWS = [
    datetime.datetime(2024, 2, 29, 23, 30, tzinfo=UTC),
    datetime.datetime(2025, 2, 28, 11, 0, tzinfo=UTC),
    datetime.datetime(2025, 3, 30, 1, 0, tzinfo=UTC),  # summer time begins
    datetime.datetime(2025, 10, 26, 1, 30, tzinfo=UTC),  # and ends
    datetime.datetime(2026, 5, 31, 12, 0, 0, 1, tzinfo=UTC),
    datetime.datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
]
ZONES = ["Europe/London", "Pacific/Kiritimati", "America/Adak", "Asia/Kolkata", ""]
# One of each kind of letter that databases fold differently.
TEXTS = [
    "",
    "Zürich",
    "ZÜRICH",
    "zurich",
    "Zu\u0308rich",
    "Straße",
    "STRASSE",
    "İstanbul",
    "istanbul",
    "ΣΊΣΥΦΟΣ",
    "σίσυφος",
    "ЯНА яна",
    "100%_\\'\"",
    "ﬁsh",
    "日本",
    "a b",
    "A  B",
    "ñ",
    "😀",
    "ǅ",
]
TAGS = ["VIP", "Café", "straße"]
TYPES = ["Purchase", "Checked in", "Refund", "Contact merged in", "Spa"]
SOURCES = ["Website", "website", "Kasse Ü"]
AMOUNTS = [-500, 0, 1, 4999, 5000, 5001, 2**40]
CURRENCIES = ["GBP", "EUR", "JPY"]
DURATIONS = ["P0D", "P1D", "P7D", "P1M", "P3M", "P90D", "P1Y", "P2W"]
CLOCK = ["PT1H", "P1DT12H", "PT30S", *DURATIONS]
DATES = [
    datetime.date(1990, 2, 28),
    datetime.date(1992, 2, 29),
    datetime.date(1990, 3, 1),
    datetime.date(1985, 12, 31),
    datetime.date(1985, 1, 1),
    datetime.date(2001, 5, 31),
]
NUMBERS = ["-1", "0", "4.5", "4.50001", "123456789012345.0123456789", "5"]
OPTIONS = ["Gold", "Silver", "Bronze"]
STATUSES = ["subscribed", "unsubscribed", "unknown"]

MOMENT = datetime.datetime(2024, 1, 1, tzinfo=UTC)

texts = st.sampled_from(TEXTS) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=8
)
amounts = st.sampled_from(AMOUNTS)


@dataclass
class World:
    """An organisation with a field of each type, and some tags."""

    organisation: Organisation
    fields: dict[str, CustomField]
    tags: list[Tag]


def make_world(organisation: Organisation) -> World:
    kinds = {
        "text": "Text",
        "number": "Number",
        "date": "Date",
        "boolean": "Boolean",
        "email": "Email",
        "phone": "Phone",
        "url": "URL",
        "textarea": "Textarea",
        "select": "Select",
        "multi": "Multi select",
    }
    for name, kind in kinds.items():
        options = {"options": OPTIONS} if "elect" in kind else {}
        define(organisation=organisation, name=name, label=name.title(), type=kind, **options)
    fields = {field.name: field for field in Definitions.of(organisation).fields}
    tags = [Tag.objects.create(organisation=organisation, name=name) for name in TAGS]
    ActivityType.objects.create(organisation=organisation, name="Spa")
    return World(organisation, fields, tags)


# Contacts


@cache
def moments(now: datetime.datetime) -> st.SearchStrategy[datetime.datetime]:
    """Often at the edge of a window."""
    edges = [
        datetime.timedelta(0),
        datetime.timedelta(minutes=5),
        -datetime.timedelta(hours=1),
        -datetime.timedelta(days=1),
        -datetime.timedelta(days=7),
        -datetime.timedelta(days=14),
        -datetime.timedelta(days=30),
        -datetime.timedelta(days=31),
        -datetime.timedelta(days=90),
        -datetime.timedelta(days=365),
        -datetime.timedelta(days=3),
    ]
    shifts = [0, 1, -1, 3_600_000_000, -3_600_000_000]
    return st.builds(
        lambda edge, shift: now + edge + datetime.timedelta(microseconds=shift),
        st.sampled_from(edges),
        st.sampled_from(shifts),
    )


@cache
def days(now: datetime.datetime) -> st.SearchStrategy[datetime.date]:
    near = st.builds(
        lambda years, shift: _years_before(now.date(), years) + datetime.timedelta(days=shift),
        st.sampled_from([0, 1, 30]),
        st.sampled_from([-91, -90, -31, -8, -7, -2, -1, 0, 1, 2, 7, 8, 31]),
    )
    return st.sampled_from(DATES) | near


def _years_before(day: datetime.date, years: int) -> datetime.date:
    return datetime.date(day.year - years, day.month, min(day.day, 28))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


@cache
@st.composite
def people(draw: Any, now: datetime.datetime) -> dict[str, Any]:
    """What is to be written of one contact."""
    values = {
        "text": texts.map(str.strip).filter(bool),
        "textarea": texts.map(str.strip).filter(bool),
        "number": st.sampled_from(NUMBERS).map(Decimal),
        "date": days(now),
        "boolean": st.booleans(),
        "email": st.sampled_from(["jane@example.com", "joe@example.com"]),
        "phone": st.sampled_from(["+447700900000", "+41446681800"]),
        "url": st.sampled_from(["https://example.com/A", "https://example.com/b"]),
        "select": st.sampled_from(OPTIONS),
        "multi": st.lists(st.sampled_from(OPTIONS), min_size=1, unique=True).map(tuple),
    }
    return {
        "columns": {
            "kind": draw(st.sampled_from(["person", "business"])),
            "email_address": draw(maybe(texts.filter(bool))),
            "phone_number_e164": draw(st.sampled_from([None, "+447700900", "+4144"])),
            "phone_number_country_code": draw(st.sampled_from([None, "44", "41"])),
            "first_name": draw(texts),
            "last_name": draw(texts),
            "name": draw(texts),
            "dob": draw(maybe(days(now))),
            "timezone": draw(st.sampled_from(ZONES)),
            "redacted_at": draw(maybe(moments(now))),
        },
        "created_at": draw(moments(now)),
        "rollup": {
            "total_spend": draw(amounts),
            "total_orders": draw(st.sampled_from([0, 1, 2, 3])),
            "last_interacted_at": draw(maybe(moments(now))),
            "last_order_at": draw(maybe(moments(now))),
            "recency": draw(maybe(st.integers(1, 5))),
            "frequency": draw(maybe(st.integers(1, 5))),
            "monetary": draw(maybe(st.integers(1, 5))),
        },
        "changed_at": draw(moments(now)),
        "foreign": draw(st.dictionaries(st.sampled_from(["EUR", "JPY"]), amounts, max_size=2)),
        "permissions": draw(
            st.dictionaries(st.sampled_from(["email", "sms"]), st.sampled_from(STATUSES))
        ),
        "credit": draw(
            st.lists(
                st.tuples(
                    st.sampled_from(CURRENCIES), st.sampled_from([1, 5000]), maybe(moments(now))
                ),
                max_size=3,
            )
        ),
        "addresses": draw(
            st.lists(
                st.fixed_dictionaries(
                    {
                        "city": texts,
                        "county": texts,
                        "postcode": texts.map(lambda text: text[:20]),
                        "country": st.sampled_from(["", "GB", "CH"]),
                    }
                ),
                max_size=2,
            )
        ),
        "tags": draw(st.sets(st.integers(0, len(TAGS) - 1))),
        "values": {
            name: draw(strategy) for name, strategy in values.items() if draw(st.booleans())
        },
        "activities": draw(
            st.lists(
                st.fixed_dictionaries(
                    {
                        "type": st.sampled_from(TYPES),
                        "source": st.sampled_from(SOURCES),
                        "happened_at": moments(now),
                        "spend": amounts,
                        "currency_code": st.sampled_from(CURRENCIES),
                    }
                ),
                max_size=4,
            )
        ),
    }


_numbers = count(1)


def write(world: World, given: list[dict[str, Any]]) -> list[Contact]:
    """Write them as rows, past the services: also what those would refuse, or work out anew."""
    owner = world.organisation
    contacts = []
    for one in given:
        columns = dict(one["columns"])
        if columns["phone_number_e164"]:
            columns["phone_number_e164"] += f"{next(_numbers):05}"
        contacts.append(Contact(organisation=owner, **columns))
    Contact.objects.bulk_create(contacts)
    pairs = list(zip(contacts, given, strict=True))
    for contact, one in pairs:
        contact.created_at = one["created_at"]
    Contact.objects.for_organisation(owner).bulk_update(contacts, ["created_at"])
    rollups = [
        ContactRollup(organisation=owner, contact=contact, **one["rollup"])
        for contact, one in pairs
    ]
    ContactRollup.objects.bulk_create(rollups)
    for rollup, (_contact, one) in zip(rollups, pairs, strict=True):
        rollup.changed_at = one["changed_at"]
    ContactRollup.objects.for_organisation(owner).bulk_update(rollups, ["changed_at"])
    SpendInCurrency.objects.bulk_create(
        SpendInCurrency(organisation=owner, contact=contact, currency_code=code, amount=amount)
        for contact, one in pairs
        for code, amount in one["foreign"].items()
    )
    ContactPermission.objects.bulk_create(
        ContactPermission(
            organisation=owner, contact=contact, channel=channel, status=status, since=MOMENT
        )
        for contact, one in pairs
        for channel, status in one["permissions"].items()
    )
    _write_credit(owner, pairs)
    Address.objects.bulk_create(
        Address(organisation=owner, contact=contact, **address)
        for contact, one in pairs
        for address in one["addresses"]
    )
    ContactTag.objects.bulk_create(
        ContactTag(organisation=owner, contact=contact, tag=world.tags[index])
        for contact, one in pairs
        for index in sorted(one["tags"])
    )
    custom_values.write(
        owner,
        [
            (contact.pk, {world.fields[name]: value for name, value in one["values"].items()})
            for contact, one in pairs
        ],
    )
    activities = [
        Activity(organisation=owner, contact=contact, **activity)
        for contact, one in pairs
        for activity in one["activities"]
    ]
    # Past the totals too, which are what they are here.
    QuerySet(Activity).bulk_create(activities)
    return contacts


def _write_credit(owner: Organisation, pairs: list[tuple[Contact, dict[str, Any]]]) -> None:
    """Grants, of which those of 5,000 are half spent."""
    for contact, one in pairs:
        for code, amount, expires in one["credit"]:
            entry = CreditEntry.objects.create(
                organisation=owner,
                contact=contact,
                kind="grant",
                amount=amount,
                currency_code=code,
                created_at=MOMENT,
            )
            CreditMovement.objects.bulk_create(
                CreditMovement(
                    organisation=owner,
                    entry=entry,
                    lot=entry,
                    contact=contact,
                    currency_code=code,
                    amount=part,
                    expires_at=expires,
                )
                for part in ([amount] if amount == 1 else [amount, -2500])
            )


# Rules


def _one(names: list[str], value: Any) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"operator": st.sampled_from(names), "value": value})


def _many(value: Any) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {
            "operator": st.sampled_from(["in", "not_in"]),
            "value": st.lists(value, min_size=1, max_size=3),
        }
    )


def _range(value: Any) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {
            "operator": st.just("between"),
            "value": st.lists(value, min_size=2, max_size=2).map(sorted),
        }
    )


BLANK = st.sampled_from([{"operator": "is_set"}, {"operator": "is_not_set"}])
COMPARE = ["gt", "gte", "lt", "lte"]
written = texts.map(str.strip).filter(lambda text: identity.fold(text) != "" and text != "\u0308")
TEXT = (
    _one(["eq", "ne", "contains", "not_contains", "starts_with"], written) | _many(written) | BLANK
)
NUMBER = (
    _one(["eq", "ne", *COMPARE], amounts | st.integers(-1, 5))
    | _many(amounts | st.integers(0, 5))
    | _range(amounts)
    | BLANK
)
CREDIT = NUMBER | _one(["eq", *COMPARE], st.sampled_from([0, 1, 2500, 2501, 5000]))
DECIMAL = (
    _one(["eq", "ne", *COMPARE], st.sampled_from(NUMBERS))
    | _many(st.sampled_from(NUMBERS))
    | _range(st.sampled_from(NUMBERS[:3]).map(float)).map(
        lambda one: {**one, "value": [str(value) for value in one["value"]]}
    )
    | BLANK
)
BOOLEAN = _one(["eq", "ne"], st.booleans()) | BLANK


def choice(words: list[str]) -> st.SearchStrategy[Any]:
    return _one(["eq", "ne"], st.sampled_from(words)) | _many(st.sampled_from(words)) | BLANK


def several(words: list[str]) -> st.SearchStrategy[Any]:
    return (
        _one(["contains", "not_contains"], st.sampled_from(words))
        | _many(st.sampled_from(words))
        | BLANK
    )


def date(now: datetime.datetime) -> st.SearchStrategy[Any]:
    day = days(now).map(datetime.date.isoformat)
    return (
        _one(["eq", "ne", "before", "after", *COMPARE], day)
        | _many(day)
        | _range(day)
        | _one(["within_last", "not_within_last", "anniversary_within"], st.sampled_from(DURATIONS))
        | BLANK
    )


def moment(now: datetime.datetime) -> st.SearchStrategy[Any]:
    exact = moments(now).map(
        lambda one: one.astimezone(ZoneInfo("Asia/Kolkata")).isoformat(timespec="seconds")
    )
    finest = moments(now).map(datetime.datetime.isoformat)
    value = exact | finest | days(now).map(datetime.date.isoformat)
    return (
        _one(["eq", "ne", "before", "after", *COMPARE], value)
        | _range(days(now).map(datetime.date.isoformat))
        | _one(["within_last", "not_within_last"], st.sampled_from(CLOCK))
        | BLANK
    )


def tally() -> st.SearchStrategy[Any]:
    where = st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1),
            "source": st.sampled_from(SOURCES),
            "within": st.sampled_from(CLOCK),
            "currencyCode": st.sampled_from(CURRENCIES),
            "spend": st.dictionaries(
                st.sampled_from(["eq", *COMPARE]), amounts, min_size=1, max_size=2
            ),
        },
    )
    counts = st.fixed_dictionaries(
        {
            "operator": st.sampled_from(["count_gte", "count_lte"]),
            "value": st.integers(0, 4),
            "where": where,
        }
    )
    sums = st.fixed_dictionaries(
        {
            "operator": st.sampled_from(["sum_gte", "sum_lte"]),
            "value": amounts | st.sampled_from([-1, 9999, 10_000, 10_001]),
            "where": where,
        }
    )
    return counts | sums


def field_clauses(now: datetime.datetime) -> dict[str, st.SearchStrategy[Any]]:
    """For each field of a contact, what may be asked of it."""
    own = {
        "kind": choice(["person", "business"]),
        "emailAddress": TEXT,
        "phoneNumber": _one(["contains", "not_contains", "starts_with"], st.sampled_from(["+44"]))
        | _one(["eq", "ne"], st.just("+44 7700 900000"))
        | BLANK,
        "phoneNumberCountryCode": _one(["eq", "ne"], st.sampled_from(["44", "+41"])) | BLANK,
        "firstName": TEXT,
        "lastName": TEXT,
        "name": TEXT,
        "dob": date(now),
        "timezone": _one(["eq", "contains"], st.sampled_from(["europe/london", "Asia"])),
        "createdAt": moment(now),
        "updatedAt": moment(now),
        "redactedAt": moment(now),
        "addresses.city": TEXT,
        "addresses.county": TEXT,
        "addresses.postcode": TEXT,
        "addresses.country": choice(["GB", "ch"]),
        "tags": several([*TAGS, "vip", "CAFE", "nobody's"]),
        "totalSpend": NUMBER,
        "spendByCurrency.GBP": NUMBER,
        "spendByCurrency.EUR": NUMBER,
        "totalOrders": NUMBER,
        "lastInteractedAt": moment(now),
        "lastOrderAt": moment(now),
        "recency": NUMBER,
        "frequency": NUMBER,
        "monetary": NUMBER,
        "permissions.email": choice(STATUSES),
        "permissions.sms": choice(STATUSES),
        "credit": CREDIT,
        "creditByCurrency.GBP": CREDIT,
        "creditByCurrency.EUR": CREDIT,
    }
    custom = {
        "text": TEXT,
        "textarea": TEXT,
        "number": DECIMAL,
        "date": date(now),
        "boolean": BOOLEAN,
        "email": _one(["eq", "ne"], st.sampled_from(["JANE@example.com", "x@example.com"])) | TEXT,
        "phone": _one(["eq", "ne"], st.just("07700 900000")) | BLANK,
        "url": TEXT,
        "select": choice(OPTIONS),
        "multi": several(OPTIONS),
    }
    clauses = {f"contact.{name}": strategy for name, strategy in own.items()}
    clauses |= {f"contact.customFields.{name}": strategy for name, strategy in custom.items()}
    clauses["contact.customFields.email"] = (
        _one(["eq", "ne"], st.sampled_from(["JANE@example.com", "x@example.com"]))
        | _one(["contains", "starts_with"], st.sampled_from(["Jane", "@"]))
        | BLANK
    )
    clauses["activities"] = tally()
    clauses["activity.type"] = _one(["eq", "ne"], st.sampled_from(TYPES))
    clauses["activity.spend"] = NUMBER
    return clauses


# Those that have the most ways.
OFTEN = {"activities": 5, "contact.dob": 3, "contact.customFields.date": 3}


@cache
def rules(now: datetime.datetime) -> st.SearchStrategy[Any]:
    """A condition, or groups of them within each other."""
    clauses = st.one_of(
        *(
            strategy.map(lambda one, name=name: {"field": name, **one})
            for name, strategy in field_clauses(now).items()
            for _time in range(OFTEN.get(name, 1))
        )
    )
    return st.recursive(
        clauses,
        lambda inner: st.dictionaries(
            st.sampled_from(["all", "any", "none"]),
            st.lists(inner, max_size=4),
            min_size=1,
            max_size=1,
        ),
        max_leaves=8,
    )
