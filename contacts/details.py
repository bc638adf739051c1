"""What stands beside a contact's own row in its JSON: tags, addresses, invites, foreign spend,
permissions.

A page of contacts is told with one statement for all five, written by hand: as many prefetches by
the ORM cost several times what the rest of the request does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from django.db import connection

from contacts.models import (
    Address,
    Contact,
    ContactPermission,
    ContactTag,
    ReferralInvite,
    SpendInCurrency,
    Tag,
)
from contacts.parts import PARTS
from contacts.services.values import ADDRESS_COLUMNS

_TAG, _ADDRESS, _INVITE, _SPEND, _PERMISSION = range(5)
_SECONDS = {
    "postgresql": "FLOOR(EXTRACT(EPOCH FROM since))::bigint",
    "sqlite": "CAST(strftime('%%s', since) AS INTEGER)",
}


def _statement() -> str:
    """One SELECT of five: which of them, the contact, an id, amount or time, up to seven texts."""
    quote = connection.ops.quote_name
    nothing = ["''"] * len(ADDRESS_COLUMNS)

    def select(which: int, of: str, number: str, texts: Sequence[str], rows: str) -> str:
        columns = ", ".join([str(which), of, number, *texts, *nothing[len(texts) :]])
        return f"SELECT {columns} FROM {rows} WHERE {of} {{these}}"  # noqa: S608  # names of ours

    tables = {model: quote(model._meta.db_table) for model in (Tag, ContactTag, Address)}
    return " UNION ALL ".join(
        [
            select(
                _TAG,
                "link.contact_id",
                "tag.id",
                ["tag.name", "tag.kind"],
                f"{tables[ContactTag]} link JOIN {tables[Tag]} tag ON tag.id = link.tag_id",
            ),
            select(_ADDRESS, "contact_id", "id", ADDRESS_COLUMNS, tables[Address]),
            select(_INVITE, "contact_id", "id", [], quote(ReferralInvite._meta.db_table)),
            select(
                _SPEND,
                "contact_id",
                "amount",
                ["currency_code"],
                quote(SpendInCurrency._meta.db_table),
            ),
            select(
                _PERMISSION,
                "contact_id",
                _SECONDS[connection.vendor],
                ["channel", "status", "source"],
                quote(ContactPermission._meta.db_table),
            ),
        ]
    )


def _nothing_known() -> dict[str, dict[str, Any]]:
    return {
        channel: {"status": ContactPermission.Status.UNKNOWN.value, "since": None, "source": None}
        for channel in ContactPermission.Channel.values
    }


@dataclass(slots=True)
class Details:
    """Of one contact, as its JSON tells them."""

    tags: list[dict[str, Any]] = field(default_factory=list)
    addresses: list[dict[str, str]] = field(default_factory=list)
    invites: list[int] = field(default_factory=list)
    foreign_spend: dict[str, int] = field(default_factory=dict)
    permissions: dict[str, dict[str, Any]] = field(default_factory=_nothing_known)


def of(contacts: Iterable[Contact]) -> dict[int, Details]:
    """The details of these contacts, by id. One query."""
    found = {contact.pk: Details() for contact in contacts}
    if not found:
        return found
    for which, contact, number, *texts in _rows(list(found)):
        details = found[contact]
        if which == _TAG:
            details.tags.append({"id": number, "name": texts[0], "kind": texts[1]})
        elif which == _ADDRESS:
            details.addresses.append(dict(zip(ADDRESS_COLUMNS, texts, strict=True)))
        elif which == _INVITE:
            details.invites.append(number)
        elif which == _PERMISSION:
            channel, status, source, *_nothing = texts
            details.permissions[channel] = {
                "status": status,
                "since": datetime.fromtimestamp(number, UTC),
                "source": source or None,
            }
        elif number:
            details.foreign_spend[texts[0]] = number
    for details in found.values():
        details.tags.sort(key=itemgetter("name"))
    return found


def _rows(ids: list[int]) -> list[Any]:
    # Sorted by kind and number, so that addresses and invites come in the order they were made in.
    statement = _statement() + " ORDER BY 1, 3"
    parameters: list[Any]
    if connection.vendor == "postgresql":
        these, parameters = "= ANY(%s)", [ids] * 5
    else:
        these, parameters = f"IN ({', '.join(['%s'] * len(ids))})", ids * 5
    with connection.cursor() as cursor:
        cursor.execute(statement.format(these=these), parameters)
        rows: list[Any] = cursor.fetchall()
    return rows


def told(contacts: Sequence[Contact], currency_code: str) -> list[dict[str, Any]]:
    """Contacts as the API tells them: every key, null where it is unset; `currency_code` is the
    organisation's.

    One query, one for each part, and one for each contact whose totals were not read with it.
    """
    details = of(contacts)
    for part in PARTS:
        part.attach(contacts)
    return [_told(contact, details[contact.pk], currency_code) for contact in contacts]


def _told(contact: Contact, details: Details, currency_code: str) -> dict[str, Any]:
    rollup = contact.rollup
    spend = {currency_code: rollup.total_spend} if rollup.total_spend else {}
    json: dict[str, Any] = {
        "id": contact.pk,
        "organisation": contact.organisation_id,
        "kind": contact.kind,
        "emailAddress": contact.email_address,
        "phoneNumber": contact.phone_number,
        "phoneNumberCountryCode": contact.phone_number_country_code,
        "phoneNumberE164": contact.phone_number_e164,
        "firstName": contact.first_name,
        "lastName": contact.last_name,
        "name": contact.name,
        "dob": contact.dob,
        "timezone": contact.timezone,
        "addresses": details.addresses,
        "tags": details.tags,
        "totalSpend": rollup.total_spend,
        "spendByCurrency": spend | details.foreign_spend,
        "totalOrders": rollup.total_orders,
        "lastInteractedAt": rollup.last_interacted_at,
        "recency": rollup.recency,
        "frequency": rollup.frequency,
        "monetary": rollup.monetary,
        "referralInvites": details.invites,
        "createdAt": contact.created_at,
        "updatedAt": rollup.changed_at,
        "redactedAt": contact.redacted_at,
        "permissions": details.permissions,
    }
    for part in PARTS:
        json |= part.represent(contact)
    return json
