"""What each of Shopify's topics says, in our words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from contacts.consent import Channel, Status, Wanted
from integrations import reading
from integrations.changes import (
    AccountErased,
    Change,
    Closed,
    DataRequested,
    Fact,
    Nothing,
    ObjectGone,
    ObjectIs,
    PermissionIs,
    Person,
    PersonGone,
    PersonIs,
    PersonsMerged,
    Redacted,
    TagsAre,
    moment_version,
)
from integrations.sources.base import NotUnderstood

if TYPE_CHECKING:
    from integrations.models import Connection

Body = Mapping[str, Any]
Reader = Callable[[Body, "Connection"], Iterable[Change]]

ORDER = "order"
REFUND = "refund"
STAGES = (
    "pending",
    "authorized",
    "partially_paid",
    "paid",
    "partially_refunded",
    "refunded",
    "voided",
    "expired",
)
"""What an order's payment goes through, in this order."""
PAID = frozenset({"paid", "partially_refunded", "refunded"})
"""What an order that was paid for in full is called; refunds are rows of their own."""
WORTHLESS = frozenset({"voided", "expired"})

READERS: dict[str, Reader] = {}

_DIGITS = re.compile(r"(\d+)$")


def on(*topics: str) -> Callable[[Reader], Reader]:
    """Register what reads these topics."""

    def register(reader: Reader) -> Reader:
        READERS.update(dict.fromkeys(topics, reader))
        return reader

    return register


def id_of(value: Any) -> str:
    """An id in any of its three notations: a number, digits, `gid://shopify/Order/1`."""
    match = _DIGITS.search(reading.text(value))
    return match[1] if match else ""


def _required(body: Body, name: str = "id") -> str:
    found = id_of(body.get(name))
    if not found:
        raise NotUnderstood(_("There is no %(name)s in it.") % {"name": name})
    return found


# People

_COLUMNS = {
    "email_address": "email",
    "phone_number": "phone",
    "first_name": "first_name",
    "last_name": "last_name",
}


def person(customer: Body) -> Person:
    """A customer. Without approval for protected data only the id is there."""
    values = reading.told(customer, _COLUMNS)
    address = reading.mapping(customer.get("default_address"))
    if address:
        values["addresses"] = [_address(address)]
    return Person(
        external_id=id_of(customer.get("id")) or None,
        values=values,
        version=moment_version(reading.moment(customer.get("updated_at"))),
    )


def _address(given: Body) -> dict[str, str]:
    names = {
        "line1": "address1",
        "line2": "address2",
        "city": "city",
        "county": "province",
        "postcode": "zip",
        "country": "country_code",
    }
    return {ours: reading.text(given.get(theirs)) for ours, theirs in names.items()}


def _buyer(order: Body) -> Person | None:
    """Whose the order is: the customer, or for a guest the order's own address and phone."""
    customer = reading.mapping(order.get("customer"))
    contact = {
        "email_address": order.get("email") or order.get("contact_email"),
        "phone_number": order.get("phone"),
    }
    mine = {name: reading.text(value) for name, value in contact.items() if reading.text(value)}
    if id_of(customer.get("id")):
        known = person(customer)
        missing = {name: value for name, value in mine.items() if not known.values.get(name)}
        if known.values.get("email_address") or known.values.get("phone_number"):
            missing = {}
        return Person(known.external_id, {**known.values, **missing}, known.version)
    if not mine:
        return None
    billing = reading.mapping(order.get("billing_address"))
    names = reading.told(billing, {"first_name": "first_name", "last_name": "last_name"})
    return Person(values={**mine, **{name: value for name, value in names.items() if value}})


@on("customers/create", "customers/update", "customers/enable", "customers/disable")
def _customer(body: Body, connection: Connection) -> list[Change]:
    _required(body)
    return [PersonIs(person(body))]


@on("customers/delete")
def _customer_deleted(body: Body, connection: Connection) -> list[Change]:
    return [PersonGone(_required(body))]


@on("customers/merge")
def _customers_merged(body: Body, connection: Connection) -> list[Change]:
    """Only `failed` was ever seen of `status`: anything else is taken for done."""
    if reading.text(body.get("status")).lower() == "failed":
        return [Nothing(_("The merge failed there."))]
    kept = _required(body, "admin_graphql_api_customer_kept_id")
    return [PersonsMerged(kept, _required(body, "admin_graphql_api_customer_deleted_id"))]


def _tag_names(body: Body) -> list[str]:
    tags = body.get("tags")
    given = tags if isinstance(tags, list) else reading.text(tags).split(",")
    return [name for name in map(reading.text, given) if name]


@on("customer.tags_added")
def _tags_added(body: Body, connection: Connection) -> list[Change]:
    return [TagsAre(_required(body, "customerId"), add=_tag_names(body))]


@on("customer.tags_removed")
def _tags_removed(body: Body, connection: Connection) -> list[Change]:
    return [TagsAre(_required(body, "customerId"), remove=_tag_names(body))]


_CONSENT = {
    "subscribed": Status.SUBSCRIBED,
    "unsubscribed": Status.UNSUBSCRIBED,
    "not_subscribed": Status.UNKNOWN,
    "redacted": Status.UNSUBSCRIBED,
}


@on("customers_email_marketing_consent/update")
def _email_consent(body: Body, connection: Connection) -> list[Change]:
    return _consent(body, Channel.EMAIL, "customer_id", "email_marketing_consent")


@on("customers_marketing_consent/update")
def _sms_consent(body: Body, connection: Connection) -> list[Change]:
    return _consent(body, Channel.SMS, "id", "sms_marketing_consent")


def _consent(body: Body, channel: str, key: str, name: str) -> list[Change]:
    told = reading.mapping(body.get(name))
    state = reading.text(told.get("state")).lower()
    if state not in _CONSENT:
        return [
            Nothing(_("The state %(state)s says nothing of consent.") % {"state": state or "–"})
        ]
    since = reading.moment(told.get("consent_updated_at"))
    someone = Person(
        _required(body, key),
        reading.told(body, {"email_address": "email_address", "phone_number": "phone"}),
    )
    return [PermissionIs(someone, channel, Wanted(_CONSENT[state], "shopify", since))]


# Orders


@on(
    "orders/create",
    "orders/updated",
    "orders/paid",
    "orders/cancelled",
    "orders/fulfilled",
    "orders/partially_fulfilled",
)
def _order(body: Body, connection: Connection) -> list[Change]:
    """The order, and every refund that it tells of: one that was missed is made up for."""
    order = _required(body)
    if reading.truth(body.get("test")):
        return [Nothing(_("A test order does not count."))]
    happened = reading.moment(body.get("processed_at")) or reading.moment(body.get("created_at"))
    if happened is None:
        raise NotUnderstood(_("The order has no date."))
    total = reading.mapping(reading.mapping(body.get("total_price_set")).get("shop_money"))
    code = reading.currency(total.get("currency_code"), body.get("currency"))
    code = code or connection.organisation.currency_code
    changes: list[Change] = [
        ObjectIs(
            ORDER,
            order,
            _version(body),
            person=_buyer(body),
            facts=[
                Fact(
                    type="Shopify order",
                    reference=f"order:{order}",
                    happened_at=happened,
                    spend=_spend(body, total, code, connection),
                    currency_code=code,
                    purchase=reading.text(body.get("name")) or None,
                    data=_data(body),
                )
            ],
            counts=not body.get("cancelled_at"),
        )
    ]
    refunds = reading.rows(body.get("refunds"))
    return changes + [
        change
        for refund in refunds
        for change in _refund({"order_id": order, "currency": code, **refund}, connection)
    ]


def _version(order: Body) -> int | None:
    """When it was so. Shopify tells time by the second, and an order is often placed and paid in
    the same one: then the later stage is the newer state."""
    moment = moment_version(reading.moment(order.get("updated_at") or order.get("created_at")))
    status = reading.text(order.get("financial_status")).lower()
    stage = STAGES.index(status) + 1 if status in STAGES else 0
    cancelled = len(STAGES) + 1 if order.get("cancelled_at") else 0
    return None if moment is None else moment + stage + cancelled


def _spend(order: Body, total: Body, code: str, connection: Connection) -> int:
    amount = reading.money(total.get("amount", order.get("total_price")), code)
    status = reading.text(order.get("financial_status")).lower()
    if status in WORTHLESS:
        return 0
    if connection.options.get("spend") == "ordered" or status in PAID:
        return amount
    if status == "partially_paid":
        return max(0, amount - reading.money(order.get("total_outstanding"), code))
    return 0


_TOLD = (
    "name",
    "order_number",
    "financial_status",
    "fulfillment_status",
    "cancelled_at",
    "cancel_reason",
    "source_name",
    "tags",
    "presentment_currency",
    "test",
)


def _data(order: Body) -> dict[str, Any]:
    data = {name: order[name] for name in _TOLD if order.get(name) not in (None, "")}
    presented = reading.mapping(
        reading.mapping(order.get("total_price_set")).get("presentment_money")
    )
    if presented.get("currency_code"):
        data["presentment"] = {name: reading.text(presented.get(name)) for name in presented}
    data["items"] = [
        {
            "title": reading.text(line.get("title"))[:200],
            "sku": reading.text(line.get("sku"))[:100],
            "quantity": reading.text(line.get("quantity")),
            "price": reading.text(line.get("price")),
        }
        for line in reading.rows(order.get("line_items"))[:100]
    ]
    codes = [reading.text(one.get("code")) for one in reading.rows(order.get("discount_codes"))]
    if any(codes):
        data["discountCodes"] = codes[:20]
    return data


@on("orders/edited")
def _order_edited(body: Body, connection: Connection) -> list[Change]:
    return [Nothing(_("What was edited comes with orders/updated."))]


@on("orders/delete")
def _order_deleted(body: Body, connection: Connection) -> list[Change]:
    return [ObjectGone(ORDER, _required(body))]


@on("refunds/create")
def _refund(body: Body, connection: Connection) -> list[Change]:
    """What was given back: the successful refund transactions, whatever the lines say."""
    refund, order = _required(body), _required(body, "order_id")
    happened = reading.moment(body.get("processed_at")) or reading.moment(body.get("created_at"))
    if happened is None:
        raise NotUnderstood(_("The refund has no date."))
    returned = [
        one
        for one in reading.rows(body.get("transactions"))
        if one.get("kind") == "refund" and one.get("status") == "success" and not one.get("test")
    ]
    code = reading.currency(*(one.get("currency") for one in returned), body.get("currency"))
    code = code or connection.organisation.currency_code
    spend = -sum(reading.money(one.get("amount"), code) for one in returned)
    fact = Fact(
        type="Refund",
        reference=f"refund:{refund}",
        happened_at=happened,
        spend=spend,
        currency_code=code,
        data={"order": f"order:{order}", "note": reading.text(body.get("note"))[:500]},
    )
    return [ObjectIs(REFUND, refund, moment_version(happened), facts=[fact], parent=(ORDER, order))]


# The shop, and what the law asks for


@on("customers/data_request")
def _data_request(body: Body, connection: Connection) -> list[Change]:
    return [DataRequested(person(reading.mapping(body.get("customer"))))]


@on("customers/redact")
def _redact(body: Body, connection: Connection) -> list[Change]:
    return [Redacted(person(reading.mapping(body.get("customer"))))]


@on("shop/redact")
def _shop_redact(body: Body, connection: Connection) -> list[Change]:
    return [AccountErased()]


@on("app/uninstalled")
def _uninstalled(body: Body, connection: Connection) -> list[Change]:
    return [Closed(_("The app was uninstalled from the shop."))]
