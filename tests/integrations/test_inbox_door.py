"""The door: what is genuine is stored once and answered at once, whatever is in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client

from integrations import applying, services
from integrations.shopify import Shopify
from integrations.sources.base import Hook
from tests.contacts.test_at_once import at_once
from tests.integrations import shopify
from tests.integrations.conftest import SECRET, SHOP, Shop, signed

pytestmark = pytest.mark.django_db

VECTOR = (
    b'{"id":820982911946154508,"email":"jon@example.com","total_price":"404.95",'
    b'"currency":"USD","updated_at":"2021-12-31T19:00:00-05:00"}'
)
VECTOR_SIGNATURE = "BtydNUw8bT+v9adJC6hjLlPOH7sGOs/RN9EUGgd6if4="


# Signatures


def test_the_documented_vector_is_genuine(shop: Shop) -> None:
    assert len(VECTOR) == 132
    given = {"x-shopify-hmac-sha256": VECTOR_SIGNATURE}

    assert shop.post("orders/create", VECTOR, headers=given).status_code == 200
    assert shop.deliveries().get().verdict == "signed"


@pytest.mark.parametrize(
    ("raw", "signature", "why"),
    [
        (VECTOR, signed(VECTOR, "another-secret"), "The signature is wrong."),
        (VECTOR, None, "The signature is missing."),
        (VECTOR, "", "The signature is missing."),
        (VECTOR, "not base 64!", "The signature is not base 64."),
        (VECTOR, base64.b64decode(VECTOR_SIGNATURE).hex(), "The signature is wrong."),
        (VECTOR.replace(b"404.95", b"404.96"), VECTOR_SIGNATURE, "The signature is wrong."),
        (VECTOR + b"\n", VECTOR_SIGNATURE, "The signature is wrong."),
        (b"", VECTOR_SIGNATURE, "The signature is wrong."),
    ],
)
def test_what_is_not_genuine_is_refused(
    shop: Shop, raw: bytes, signature: str | None, why: str
) -> None:
    answer = shop.post("orders/create", raw, headers={"x-shopify-hmac-sha256": signature})

    assert (answer.status_code, answer.json()["detail"]) == (401, why)
    refused = shop.deliveries().get()
    assert (refused.status, refused.verdict, refused.body) == ("refused", why, "")
    assert not applying.work()


def test_a_key_that_is_empty_signs_nothing(shop: Shop) -> None:
    services.change(connection=shop.connection, credentials={"previous_secret": ""})

    assert shop.post("orders/create", VECTOR, secret="").status_code == 401


def test_the_previous_secret_is_good_until_it_is_taken_away(shop: Shop) -> None:
    services.change(connection=shop.connection, credentials={"secret": "a-new-secret"})

    assert shop.post("orders/create", VECTOR).status_code == 200
    assert shop.post("orders/create", VECTOR, secret="a-new-secret").status_code == 200
    verdicts = list(shop.deliveries().order_by("pk").values_list("verdict", flat=True))
    assert verdicts == ["signed with the previous secret", "signed"]

    services.change(
        connection=shop.connection,
        credentials={"previous_secret": None},
    )
    assert shop.post("orders/create", VECTOR).status_code == 401


def test_the_secret_that_is_changed_back_is_good(shop: Shop) -> None:
    services.change(connection=shop.connection, credentials={"secret": "a-new-secret"})
    services.change(connection=shop.connection, credentials={"secret": SECRET})

    assert shop.post("orders/create", VECTOR).status_code == 200
    assert shop.post("orders/create", VECTOR, secret="a-new-secret").status_code == 200


@pytest.mark.parametrize(
    "spelling", ["X-Shopify-Hmac-Sha256", "x-shopify-hmac-sha256", "SHOPIFY-HMAC-SHA256"]
)
def test_headers_may_be_spelt_in_any_case_and_without_x(shop: Shop, spelling: str) -> None:
    given = {"x-shopify-hmac-sha256": None, spelling: VECTOR_SIGNATURE}

    assert shop.post("orders/create", VECTOR, headers=given).status_code == 200


def test_the_signature_is_over_the_bytes_as_they_came(shop: Shop) -> None:
    order = shopify.order(note="Crème brûlée, 東京, 🍮", name="#1")
    plain = json.dumps(order, ensure_ascii=False, indent=1).encode()
    escaped = json.dumps(order).encode()

    assert shop.post("orders/create", plain).status_code == 200
    assert shop.post("orders/create", escaped).status_code == 200
    assert (
        shop.post(
            "orders/create", plain, headers={"x-shopify-hmac-sha256": signed(escaped)}
        ).status_code
        == 401
    )
    bodies = shop.deliveries().exclude(status="refused").values_list("body", flat=True)
    assert [json.loads(body)["note"] for body in bodies] == ["Crème brûlée, 東京, 🍮"] * 2


def test_a_signed_empty_body_is_stored_as_what_nobody_understands(shop: Shop) -> None:
    delivery = shop.tell("orders/create", b"")

    assert delivery.status == "failed"
    assert delivery.error.startswith("The body is not JSON")


def test_another_shop_signed_by_the_same_app_is_refused(shop: Shop) -> None:
    answer = shop.post(
        "orders/create", VECTOR, headers={"x-shopify-shop-domain": "other.myshopify.com"}
    )

    assert answer.status_code == 401


def test_strangers_cannot_fill_the_inbox(shop: Shop) -> None:
    for hour in (10, 11):
        with time_machine.travel(datetime(2026, 11, 25, hour, 30, tzinfo=UTC)):
            for _ in range(25):
                assert shop.post("orders/create", b"{}", secret="wrong").status_code == 401

    assert shop.deliveries().filter(status="refused").count() == 40


# The address


def test_unknown_addresses_are_not_found(shop: Shop) -> None:
    raw = b"{}"
    token = shop.connection.path.rpartition("/")[2]
    for path in (
        f"/integrations/shopify/{token}x",
        f"/integrations/nothing/{token}",
        "/integrations/shopify/x",
    ):
        answer = Client().post(path, raw, content_type="application/json")
        assert answer.status_code == 404
        assert token not in answer.content.decode()
    assert not shop.deliveries().exists()


def test_it_can_only_be_posted_to(shop: Shop) -> None:
    assert Client().get(shop.connection.path).status_code == 405


def test_a_changed_address_is_the_only_one(shop: Shop) -> None:
    former = shop.connection.path
    shop.connection = services.change_address(connection=shop.connection)

    assert shop.post("orders/create", VECTOR).status_code == 200
    assert Client().post(former, VECTOR, content_type="application/json").status_code == 404


# A connection that this process has taken deliveries for, and that another process changes


def test_a_secret_changed_elsewhere_counts_at_once(shop: Shop) -> None:
    assert shop.post("orders/create", VECTOR).status_code == 200

    services.change(connection=shop.connection, credentials={"secret": "a-new-secret"})
    services.change(connection=shop.connection, credentials={"previous_secret": None})

    assert shop.post("orders/create", VECTOR).status_code == 401
    assert shop.post("orders/create", VECTOR, secret="a-new-secret").status_code == 200
    assert shop.deliveries().exclude(status="refused").count() == 2


def test_an_address_changed_elsewhere_is_unknown_at_once(shop: Shop) -> None:
    assert shop.post("orders/create", VECTOR).status_code == 200

    services.change_address(connection=shop.connection)

    assert shop.post("orders/create", VECTOR).status_code == 404
    assert shop.deliveries().count() == 1


def test_a_shop_disconnected_elsewhere_is_unknown_at_once(shop: Shop) -> None:
    assert shop.post("orders/create", VECTOR).status_code == 200

    services.disconnect(connection=shop.connection)

    assert shop.post("orders/create", VECTOR).status_code == 404
    assert not shop.deliveries().exists()


def test_what_comes_twice_to_a_changed_connection_is_one(shop: Shop) -> None:
    assert shop.post("orders/create", VECTOR, webhook_id="one").status_code == 200
    services.change(connection=shop.connection, credentials={"access_token": "x"})

    for webhook in ("one", "two", "two"):
        assert shop.post("orders/create", VECTOR, webhook_id=webhook).status_code == 200
    assert shop.deliveries().count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs a server that goes away")
def test_a_lost_connection_to_the_database_loses_no_delivery(shop: Shop) -> None:
    assert shop.post("orders/create", VECTOR).status_code == 200
    connection.connection.close()

    assert shop.post("orders/create", VECTOR).status_code == 200
    assert shop.deliveries().count() == 2


def test_deliveries_are_stored_in_the_language_of_the_installation(shop: Shop) -> None:
    answer = shop.post("orders/create", VECTOR, headers={"accept-language": "fr"})

    assert (answer.status_code, answer["Content-Length"]) == (200, "0")
    assert shop.deliveries().get().verdict == "signed"
    refused = shop.post("orders/create", VECTOR, secret="x", headers={"accept-language": "fr"})
    assert refused.json()["detail"] == "The signature is wrong."


def test_a_host_that_is_not_ours_is_refused(shop: Shop) -> None:
    assert shop.post("orders/create", VECTOR, headers={"host": "elsewhere"}).status_code == 400
    assert not shop.deliveries().exists()


# Once


def test_the_same_delivery_twice_is_one(shop: Shop) -> None:
    for _ in range(2):
        assert shop.post("orders/paid", shopify.order(), webhook_id="one").status_code == 200

    assert shop.deliveries().count() == 1


def test_one_event_may_have_deliveries_of_several_topics(shop: Shop) -> None:
    event = {"x-shopify-event-id": "event", "x-shopify-webhook-id": None}
    for topic in ("orders/create", "orders/paid", "orders/paid"):
        assert shop.post(topic, shopify.order(), headers=event).status_code == 200

    topics = sorted(shop.deliveries().values_list("topic", flat=True))
    assert topics == ["orders/create", "orders/paid"]


def test_without_any_id_the_body_tells_a_delivery_again(shop: Shop) -> None:
    for body in (shopify.order(), shopify.order(), shopify.order(note="another")):
        shop.post("orders/paid", body, headers={"x-shopify-webhook-id": None})

    assert shop.deliveries().count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs several connections")
def test_identical_posts_at_the_same_moment_are_one(shop: Shop) -> None:
    post = partial(shop.post, "orders/paid", shopify.order(), webhook_id="one")

    answers = at_once(*[post] * 8)

    assert [answer.status_code for answer in answers] == [200] * 8
    assert shop.deliveries().count() == 1


# What is in it


def test_a_large_body_is_refused_before_it_is_read(shop: Shop) -> None:
    answer = shop.post("orders/create", b" " * (3 * 1024 * 1024))

    assert answer.status_code == 413
    assert not shop.deliveries().exists()


def test_two_mebibytes_are_taken(shop: Shop) -> None:
    raw = json.dumps(shopify.order(note="x")).encode()
    raw += b" " * (2 * 1024 * 1024 - len(raw))

    assert shop.post("orders/create", raw).status_code == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"[" * 101 + b"]" * 101,
        b"\xff\xfe",
        b"{",
        b'{"total_price": NaN}',
        b"1" * 10_000,
        b'{"total_price": 1e99999999999999999999}',
    ],
)
def test_what_is_not_understood_is_kept_and_applied_by_nobody(shop: Shop, raw: bytes) -> None:
    delivery = shop.tell("orders/create", raw)

    assert (delivery.status, delivery.body, delivery.due_at) == ("failed", "", None)
    assert delivery.error


def test_odd_characters_and_numbers_are_stored(shop: Shop) -> None:
    raw = rb'{"note": "a\u0000b\ud800c", "lit": "\\u0000", "sum": 89.990, "n": 1E+400}'
    shop.post("orders/edited", raw)

    body = shop.deliveries().get().body
    assert body == r'{"note": "abc", "lit": "\\u0000", "sum": 89.990, "n": 1E+400}'


@pytest.mark.parametrize(
    "raw",
    [
        b'{"note": "a\xed\xa0\x80b"}',
        rb'{"note": "\uD800ab"}',
        r'{"note": "\u0000ab\u0000"}'.encode("utf-16"),
        r'{"note": "a\udc00b"}'.encode("utf-32"),
    ],
    ids=["bytes", "capitals", "utf-16", "utf-32"],
)
def test_odd_characters_are_found_however_they_are_spelt(shop: Shop, raw: bytes) -> None:
    assert shop.post("orders/edited", raw).status_code == 200

    assert shop.deliveries().get().body == '{"note": "ab"}'


@pytest.mark.parametrize("topic", ["carts/update", "", "x" * 300])
def test_unknown_topics_are_stored_and_change_nothing(shop: Shop, topic: str) -> None:
    delivery = shop.tell(topic, {"id": 1})

    assert delivery.status == "ignored"
    assert delivery.topic == topic[:100]
    assert delivery.notes


@pytest.mark.parametrize("raw", [b"[]", b"null", b'"x"', b"7", b"{}", b'{"id": {}}', b'{"id": []}'])
def test_bodies_of_another_shape_fail_with_a_reason(shop: Shop, raw: bytes) -> None:
    for topic in ("orders/paid", "refunds/create", "customers/update", "customers/merge"):
        delivery = shop.tell(topic, raw)
        assert (delivery.status, bool(delivery.error)) == ("failed", True), topic


def test_payment_details_and_secrets_are_never_stored(shop: Shop) -> None:
    transaction = shopify.transaction(
        payment_details={"credit_card_number": "•••• 4242"}, receipt={"token": "tok"}
    )
    order = shopify.order(
        browser_ip="192.0.2.1",
        client_details={"user_agent": "x"},
        order_status_url="https://x/authenticate?key=abc",
        refunds=[shopify.refund(transactions=[transaction])],
    )
    shop.post("orders/paid", order)
    shop.post("order_transactions/create", transaction)

    for delivery in shop.deliveries():
        for secret in ("4242", "tok", "192.0.2.1", "user_agent", "key=abc"):
            assert secret not in delivery.body
        assert "hmac" not in json.dumps(delivery.headers)
        assert delivery.headers["x-shopify-shop-domain"] == SHOP


def test_an_answer_costs_few_statements(
    shop: Shop, django_assert_num_queries: Callable[..., Any]
) -> None:
    # The connection; the insert.
    with django_assert_num_queries(2):
        shop.post("orders/paid", shopify.order(), webhook_id="first")
    # The insert, which sees to it that the connection is still the same.
    with django_assert_num_queries(1):
        shop.post("orders/paid", shopify.order(), webhook_id="second")
    # Nothing is inserted; then as at first.
    with django_assert_num_queries(3):
        shop.post("orders/paid", shopify.order(), webhook_id="second")


@time_machine.travel(datetime(2026, 11, 25, 10, 30, tzinfo=UTC))
def test_a_forged_one_costs_few_statements_however_many_came(
    shop: Shop, django_assert_num_queries: Callable[..., Any]
) -> None:
    # The connection; the places of this hour; the insert.
    with django_assert_num_queries(3):
        shop.post("orders/create", b"{}", secret="wrong")
    for _number in range(19):
        shop.post("orders/create", b"{}", secret="wrong")
    with django_assert_num_queries(2):
        shop.post("orders/create", b"{}", secret="wrong")


def test_credentials_that_cannot_be_read_are_no_reason_to_lose_anything(
    shop: Shop, settings: Any
) -> None:
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another"
    assert shop.post("orders/create", VECTOR).status_code == 503

    settings.SECRET_KEY_FALLBACKS = [former]
    assert shop.post("orders/create", VECTOR).status_code == 200


def test_topics_are_read_without_case() -> None:
    hook = Hook(b"", {"x-shopify-topic": " Orders/Paid "})
    assert Shopify().topic(hook) == "orders/paid"
