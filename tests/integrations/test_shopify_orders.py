"""Shopify's orders and refunds become activities, whatever order they come in."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.integrations import shopify
from tests.integrations.conftest import Shop, work

pytestmark = pytest.mark.django_db


def test_a_paid_order_counts(shop: Shop) -> None:
    delivery = shop.tell("orders/paid", shopify.order())

    assert (delivery.status, delivery.error) == ("applied", "")
    (activity,) = shop.activities()
    assert activity.type == "Shopify order"
    assert activity.source == "shopify:example-shop.myshopify.com"
    assert activity.external_reference == f"order:{shopify.ORDER}"
    assert (activity.spend, activity.currency_code) == (40495, "USD")
    contact = shop.contacts().get()
    assert (contact.email_address, contact.first_name) == ("john@example.com", "John")
    assert contact.external_ids.get().external_id == str(shopify.CUSTOMER)
    assert contact.addresses.get().city == "Ottawa"


@pytest.mark.parametrize("status", ["pending", "authorized", "voided", None, "expired", "strange"])
def test_an_order_that_is_not_paid_counts_nothing(shop: Shop, status: Any) -> None:
    shop.tell("orders/create", shopify.order(financial_status=status))

    assert shop.activities().get().spend == 0


def test_states_of_an_order_in_any_order_end_the_same(shop: Shop) -> None:
    def at(hour: int) -> str:
        return f"2022-01-01T{hour:02}:00:00+00:00"

    states = [
        ("orders/create", shopify.order(financial_status="pending", updated_at=at(1))),
        ("orders/paid", shopify.order(updated_at=at(2))),
        ("refunds/create", shopify.refund(created_at=at(3), processed_at=at(3))),
        (
            "orders/updated",
            shopify.order(financial_status="partially_refunded", updated_at=at(4), note="late"),
        ),
    ]
    for number, shuffled in enumerate(itertools.permutations(states)):
        for topic, body in shuffled:
            moved = {**body, "id": body["id"] + number}
            if "order_id" in moved:
                moved["order_id"] += number
            shop.post(topic, moved)
    work()

    assert set(shop.deliveries().values_list("status", flat=True)) == {"applied", "ignored"}
    spends = list(shop.activities().values_list("type", "spend").distinct().order_by("type"))
    assert spends == [("Refund", -7500), ("Shopify order", 40495)]
    assert shop.activities().count() == 48


def test_a_cancelled_order_and_its_refund_count_nothing(shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order())
    shop.tell("refunds/create", shopify.refund())
    cancelled = shopify.order(
        cancelled_at="2022-01-03T10:00:00Z", updated_at="2022-01-03T10:00:00Z"
    )
    shop.tell("orders/cancelled", cancelled)

    assert [activity.spend for activity in shop.activities()] == [0, 0]


def test_a_deleted_order_goes_and_stays_away(shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order())
    shop.tell("refunds/create", shopify.refund())
    shop.tell("orders/delete", {"id": shopify.ORDER})
    shop.tell("orders/updated", shopify.order(updated_at="2023-01-01T00:00:00Z"))

    assert not shop.activities().exists()


def test_a_refund_waits_for_its_order(shop: Shop) -> None:
    early = shop.tell("refunds/create", shopify.refund())
    assert (early.status, early.waits_for) == ("waiting", f"order:{shopify.ORDER}")

    shop.tell("orders/paid", shopify.order())

    early.refresh_from_db()
    assert early.status == "applied"
    assert sorted(activity.spend for activity in shop.activities()) == [-7500, 40495]


def test_a_test_order_does_not_count(shop: Shop) -> None:
    delivery = shop.tell("orders/paid", shopify.order(test=True))

    assert (delivery.status, delivery.notes) == ("ignored", ["A test order does not count."])
    assert not shop.activities().exists()
