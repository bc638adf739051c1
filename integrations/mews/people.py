"""Mews's customers, in our words: who is a person, who became another, who is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError

from contacts.consent import Channel
from integrations import reading
from integrations.changes import (
    Change,
    OptInIs,
    Person,
    PersonGone,
    PersonIs,
    PersonsMerged,
    moment_version,
)
from integrations.mews.api import Row
from organisations.models import validate_country

TAG_PREFIX = "mews:"
PAYMASTER = "PaymasterAccount"
"""A classification of what is no person: an account that pays for rooms."""
MARKETING = "SendMarketingEmails"

Profiles = Mapping[str, Row]
"""Customers by their id."""


def target(customer: Row) -> str:
    """The id of whom this customer was merged into; empty for most."""
    return reading.text(customer.get("MergeTargetId"))


def survivor(profiles: Profiles, customer_id: str) -> str:
    """Who a customer is by now: followed through all merges."""
    passed = set()
    while customer_id not in passed:
        passed.add(customer_id)
        customer_id = target(profiles.get(customer_id, {})) or customer_id
    return customer_id


def is_account(profiles: Profiles, customer_id: str) -> bool:
    """Whether this is no person, but what rooms are paid from."""
    return PAYMASTER in _names(profiles.get(customer_id, {}), "Classifications")


def is_there(profiles: Profiles, customer_id: str) -> bool:
    """Whether Mews has this customer still."""
    return customer_id in profiles and not _is_gone(profiles[customer_id])


def changes(profiles: Profiles) -> list[Change]:
    """What customers are now. Of who was merged both ids mean one contact."""
    merged: dict[str, list[str]] = {}
    for customer_id in profiles:
        final = survivor(profiles, customer_id)
        merged.setdefault(final, [])
        if final != customer_id:
            merged[final].append(customer_id)
    return [
        change
        for final, others in sorted(merged.items())
        if not is_account(profiles, final)
        for change in _changes(final, profiles.get(final), sorted(others))
    ]


def _changes(customer_id: str, customer: Row | None, others: list[str]) -> Iterable[Change]:
    for other in others:
        yield PersonsMerged(customer_id, other)
    if customer is None:
        return
    if _is_gone(customer):
        yield PersonGone(customer_id)
        return
    yield PersonIs(person(customer_id, customer, others))
    yield from _consent(customer_id, customer)


def _is_gone(customer: Row) -> bool:
    return customer.get("IsActive") is False or customer.get("ActivityState") == "Deleted"


def person(customer_id: str, customer: Row, others: Iterable[str] = ()) -> Person:
    """A customer. A booking site's address reaches them, and identifies nobody."""
    values = {
        column: value[:150] if value else value
        for column, value in reading.told(
            customer, {"first_name": "FirstName", "last_name": "LastName"}
        ).items()
    }
    values |= reading.told(customer, {"phone_number": "Phone"})
    relay = ""
    if reading.truth(customer.get("HasOtaEmail")):
        relay = reading.text(customer.get("Email"))[:254]
    else:
        values |= reading.told(customer, {"email_address": "Email"})
    if "BirthDate" in customer:
        values["dob"] = reading.day(customer["BirthDate"])
    if "Address" in customer:
        address = reading.mapping(customer["Address"])
        values["addresses"] = [_address(address)] if address else []
    return Person(
        external_id=customer_id,
        values=values,
        version=moment_version(reading.moment(customer.get("UpdatedUtc"))),
        relay=relay,
        tags=_names(customer, "Classifications") if "Classifications" in customer else None,
        tag_prefix=TAG_PREFIX,
        others=tuple(others),
    )


_ADDRESS = {
    "line1": ("Line1", 200),
    "line2": ("Line2", 200),
    "city": ("City", 120),
    "county": ("CountrySubdivisionCode", 120),
    "postcode": ("PostalCode", 20),
}


def _address(given: Row) -> dict[str, Any]:
    address = {
        ours: reading.text(given.get(theirs))[:length]
        for ours, (theirs, length) in _ADDRESS.items()
    }
    return {**address, "country": _country(given.get("CountryCode"))}


def _country(given: object) -> str:
    code = reading.text(given).upper()
    try:
        validate_country(code)
    except ValidationError:
        return ""
    return code


def _consent(customer_id: str, customer: Row) -> list[Change]:
    """Nobody asked whom only a booking site's address reaches."""
    updated = reading.moment(customer.get("UpdatedUtc"))
    if updated is None or "Options" not in customer or reading.truth(customer.get("HasOtaEmail")):
        return []
    return [
        OptInIs(
            external_id=customer_id,
            channel=Channel.EMAIL,
            stands=MARKETING in _names(customer, "Options"),
            at=updated,
            given=reading.moment(customer.get("CreatedUtc")) or datetime.min.replace(tzinfo=UTC),
        )
    ]


def _names(customer: Row, key: str) -> list[str]:
    given = customer.get(key)
    return [name for name in map(reading.text, given) if name] if isinstance(given, list) else []
