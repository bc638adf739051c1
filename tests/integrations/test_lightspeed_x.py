"""Lightspeed X-Series: form-encoded hooks, four spellings of a signature, sales and returns."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from pytest_httpserver import HTTPServer

from activities.models import Activity
from contacts.models import Contact
from integrations import polling, services
from integrations.models import Connection, Delivery
from tests.integrations.conftest import work

pytestmark = pytest.mark.django_db

SECRET = "ls-client-secret"
VECTOR = (
    b"payload=%7B%22id%22%3A%220af7b240-ab24-11e7-eddc-9c3f5b6f1a11%22%2C%22status%22%3A%22CLOSED"
    b"%22%2C%22total_price%22%3A39.08%7D&domain_prefix=demoshop&environment=prod"
)
RAW_HEX = "2dcd5382b7db08c6aaf5138fd5b94c1a42e43062b7ced28e12ca1b569debb94c"
CUSTOMER = {
    "id": "e52b2846-e925-11e4-f98b-f47bd1b36da8",
    "name": "Sample Person",
    "customer_code": "Sample-T589",
    "first_name": "Sample",
    "last_name": "Person",
    "phone": "",
    "mobile": "+447700900123",
    "email": "sample@example.com",
    "physical_address1": "",
    "physical_city": "",
    "physical_country_id": "NZ",
    "date_of_birth": "",
    "updated_at": "2015-05-07 05:46:43",
    "deleted_at": "",
}
SALE = {
    "id": "a2961c07-c48b-93c0-11e4-f4386fa3a759",
    "customer_id": CUSTOMER["id"],
    "customer": CUSTOMER,
    "sale_date": "2015-05-07 05:42:19",
    "created_at": "2015-05-07 05:42:22",
    "updated_at": "2015-05-07 05:46:43",
    "total_price": 39.08,
    "total_tax": 2.74,
    "status": "LAYBY_CLOSED",
    "invoice_number": "90",
    "return_for": "",
    "register_sale_products": [
        {
            "id": "1",
            "name": "Dark Mulch + grit / 10%",
            "sku": "20057",
            "quantity": 1,
            "price": 39.08,
        }
    ],
    "totals": {"total_tax": 2.74, "total_price": 39.08, "total_payment": 41.82},
    "register_sale_payments": [{"id": "2", "name": "Cash", "amount": 41.82}],
}


@pytest.fixture
def till(connect: Callable[..., Connection]) -> Connection:
    """A retailer whose webhooks are not signed."""
    return connect("lightspeed-x", domain_prefix="demoshop")


def post(connection: Connection, body: Any, **kwargs: Any) -> Any:
    raw = body
    if not isinstance(body, bytes):
        raw = urlencode({"payload": json.dumps(body), "domain_prefix": "demoshop"}).encode()
    return Client().post(
        connection.path,
        raw,
        content_type="application/x-www-form-urlencoded; charset=utf-8",
        **kwargs,
    )


def tell(connection: Connection, body: Any) -> Delivery:
    assert post(connection, body).status_code == 200
    work()
    rows = Delivery.objects.for_organisation(connection.organisation)
    found: Delivery = rows.latest("pk")
    return found


def activities(connection: Connection) -> Any:
    return Activity.objects.for_organisation(connection.organisation).order_by("pk")


def spellings(secret: str = SECRET) -> list[tuple[str, str]]:
    payload = b'{"id":"0af7b240-ab24-11e7-eddc-9c3f5b6f1a11","status":"CLOSED","total_price":39.08}'
    told = []
    for way, message in (("raw", VECTOR), ("payload", payload)):
        digest = hmac.digest(secret.encode(), message, hashlib.sha256)
        told += [(f"{way}/hex", digest.hex()), (f"{way}/base64", base64.b64encode(digest).decode())]
    return told


def test_the_vectors() -> None:
    told = dict(spellings())
    assert len(VECTOR) == 165
    assert told["raw/hex"] == RAW_HEX
    assert told["payload/hex"] == "c8201dc92878a9b079e7112bb865ff84d27d6e29ddfff59fce625aba9ee4ceb2"
    assert told["payload/base64"] == "yCAdySh4qbB55xEruGX/hNJ9bind//WfzmJaup7kzrI="


@pytest.mark.parametrize(("way", "signature"), spellings())
def test_each_spelling_of_the_signature_is_taken(
    connect: Callable[..., Connection], way: str, signature: str
) -> None:
    till = connect("lightspeed-x", domain_prefix="demoshop", client_secret=SECRET)
    headers = {"x-signature": f"signature={signature},algorithm=HMAC-SHA256"}

    assert post(till, VECTOR, headers=headers).status_code == 200

    (kept,) = Delivery.objects.for_organisation(till.organisation)
    assert kept.verdict == f"signed ({way})"


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (VECTOR, {}),
        (VECTOR, {"x-signature": ""}),
        (VECTOR, {"x-signature": "algorithm=HMAC-SHA256"}),
        (VECTOR, {"x-signature": "signature=,algorithm=HMAC-SHA256"}),
        (VECTOR, {"x-signature": "signature=897hRT893qkA783M093ha903f,algorithm=HMAC-SHA256"}),
        (VECTOR, {"x-signature": f"signature={dict(spellings('another'))['raw/hex']}"}),
        (VECTOR.replace(b"39.08", b"39.09"), {"x-signature": f"signature={RAW_HEX}"}),
        (VECTOR + b"&type=sale.update", {"x-signature": f"signature={RAW_HEX}"}),
        (b"", {"x-signature": f"signature={RAW_HEX}"}),
    ],
)
def test_what_is_not_genuine_is_refused(
    connect: Callable[..., Connection], raw: bytes, headers: dict[str, str]
) -> None:
    till = connect("lightspeed-x", domain_prefix="demoshop", client_secret=SECRET)

    assert post(till, raw, headers=headers).status_code == 401


def test_a_pinned_spelling_refuses_the_others(connect: Callable[..., Connection]) -> None:
    till = connect(
        "lightspeed-x", {"signature": "raw/hex"}, domain_prefix="demoshop", client_secret=SECRET
    )
    answers = [
        post(till, VECTOR, headers={"x-signature": f"signature={spelt}"}).status_code
        for _way, spelt in spellings()
    ]

    assert answers == [200, 401, 401, 401]


def test_a_new_client_secret_keeps_the_former_for_a_while(
    connect: Callable[..., Connection],
) -> None:
    till = connect("lightspeed-x", domain_prefix="demoshop", client_secret=SECRET)
    (_way, spelt), *_others = spellings()
    services.change(connection=till, credentials={"client_secret": "another-secret"})

    def answer() -> int:
        return int(post(till, VECTOR, headers={"x-signature": f"signature={spelt}"}).status_code)

    assert answer() == 200
    services.change(connection=till, credentials={"previous_secret": None})
    assert answer() == 401


def test_a_client_secret_that_is_taken_away_is_asked_for_no_more(
    connect: Callable[..., Connection],
) -> None:
    till = connect("lightspeed-x", domain_prefix="demoshop", client_secret=SECRET)
    services.change(connection=till, credentials={"client_secret": None})

    assert post(till, SALE).status_code == 200


def test_a_sale_counts_with_its_tax(till: Connection) -> None:
    delivery = tell(till, SALE)

    assert delivery.status == "applied"
    (activity,) = activities(till)
    assert (activity.type, activity.spend) == ("Purchase", 4182)
    assert activity.source == "lightspeed-x:demoshop"
    assert activity.external_reference == f"sale:{SALE['id']}"
    assert activity.happened_at.isoformat() == "2015-05-07T05:42:19+00:00"
    assert activity.data["items"][0]["name"] == "Dark Mulch + grit / 10%"
    contact = activity.contact
    assert (contact.email_address, contact.phone_number_e164) == (
        "sample@example.com",
        "+447700900123",
    )
    assert "Cash" not in delivery.body


def test_numbers_may_be_texts(till: Connection) -> None:
    tell(till, {**SALE, "totals": {"total_tax": "2.74000", "total_price": "39.08174"}})

    assert activities(till).get().spend == 4182


@pytest.mark.parametrize(
    ("currency", "price", "spend"),
    [("JPY", 1200, 1200), ("KWD", "1.234", 1234), ("EUR", 89.99, 8999), ("EUR", 0.1, 10)],
)
def test_money_is_counted_in_the_connections_currency(
    connect: Callable[..., Connection], currency: str, price: Any, spend: int
) -> None:
    till = connect("lightspeed-x", {"currency": currency}, domain_prefix="demoshop")

    tell(till, {**SALE, "totals": {"total_tax": 0, "total_price": price}})

    activity = activities(till).get()
    assert (activity.spend, activity.currency_code) == (spend, currency)


@pytest.mark.parametrize("status", ["SAVED", "LAYBY", "ONACCOUNT", "AWAITING_PICKUP", "NEW"])
def test_an_open_sale_does_not_count(till: Connection, status: str) -> None:
    tell(till, {**SALE, "status": status})

    assert not activities(till).exists()


def test_a_voided_sale_counts_nothing(till: Connection) -> None:
    tell(till, SALE)
    tell(till, {**SALE, "status": "VOIDED", "updated_at": "2015-05-08 05:46:43"})

    assert activities(till).get().spend == 0


def test_an_older_state_changes_nothing(till: Connection) -> None:
    tell(till, {**SALE, "status": "VOIDED", "updated_at": "2015-05-08 05:46:43"})
    late = tell(till, SALE)

    assert late.status == "ignored"
    assert activities(till).get().spend == 0


def test_a_return_is_a_refund(till: Connection) -> None:
    tell(till, SALE)
    back = {"total_tax": -2.74, "total_price": -39.08}
    tell(till, {**SALE, "id": "return-1", "return_for": SALE["id"], "totals": back})

    refund = activities(till).get(type="Refund")
    assert (refund.spend, refund.data["returnFor"]) == (-4182, f"sale:{SALE['id']}")


def test_a_walk_in_is_nobody(till: Connection) -> None:
    delivery = tell(till, {**SALE, "customer": {**CUSTOMER, "customer_code": "WALKIN"}})

    assert not activities(till).exists()
    assert "Nobody to record it for" in " ".join(delivery.notes)


def test_a_deleted_customer_keeps_the_contact(till: Connection) -> None:
    tell(till, CUSTOMER)
    contact = Contact.objects.for_organisation(till.organisation).get()
    tell(till, {**CUSTOMER, "deleted_at": "2016-01-01 00:00:00"})

    assert Contact.objects.for_organisation(till.organisation).get() == contact
    assert not contact.external_ids.exists()


@pytest.mark.parametrize(
    "raw",
    [
        b"environment=prod",
        b"payload=",
        b"payload=nonsense",
        b"payload=%5B%5D",
        b"payload=" + b"[" * 5000,
        b"\xff\xfe",
        b"",
    ],
)
def test_what_is_no_payload_is_kept_as_failed(till: Connection, raw: bytes) -> None:
    assert tell(till, raw).status == "failed"


def test_polling_goes_on_after_the_last_version(
    connect: Callable[..., Connection], httpserver: HTTPServer
) -> None:
    till = connect(
        "lightspeed-x",
        domain_prefix="demoshop",
        access_token="token",
        api_url=httpserver.url_for("/api/2.0"),
    )
    now = "2999-01-01T00:00:00Z"
    given = {**CUSTOMER, "updated_at": now, "do_not_email": True, "version": 7}

    def page(resource: str, after: int, data: list[Any], latest: int | None) -> None:
        httpserver.expect_request(
            f"/api/2.0/{resource}", query_string={"after": str(after), "page_size": "200"}
        ).respond_with_json({"data": data, "version": {"min": after, "max": latest}})

    page("customers", 0, [given], 7)
    page("customers", 7, [], None)
    page("sales", 0, [], None)

    assert polling.poll(till) == 1

    contact = Contact.objects.for_organisation(till.organisation).get()
    assert contact.permissions.get().status == "unsubscribed"
