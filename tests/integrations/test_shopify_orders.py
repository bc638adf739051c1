"""Shopify's orders and refunds become activities, whatever order they come in."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from django.utils import timezone

from integrations import services
from tests.integrations import shopify
from tests.integrations.conftest import Shop, work
from tests.workflows import running

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


# Money


def priced(amount: Any, currency: str | None, **values: Any) -> dict[str, Any]:
    """A paid order of this amount of the shop's money."""
    return shopify.order(
        total_price=amount,
        currency=currency,
        total_price_set=shopify.money(amount, currency or ""),
        **values,
    )


@pytest.mark.parametrize(
    ("amount", "currency", "spend"),
    [
        ("404.95", "USD", 40495),
        ("1200", "JPY", 1200),
        ("1.234", "KWD", 1234),
        (89.99, "USD", 8999),
        ("0.1", "USD", 10),
        ("-5.00", "USD", -500),
        ("19.999", "USD", 2000),
        ("", "USD", 0),
        (None, "USD", 0),
        ("a lot", "USD", 0),
        ("1e999999999", "USD", 0),
    ],
)
def test_money_is_counted_in_the_currencys_smallest_unit(
    shop: Shop, amount: Any, currency: str, spend: int
) -> None:
    shop.tell("orders/paid", priced(amount, currency))

    activity = shop.activities().get()
    assert (activity.spend, activity.currency_code) == (spend, currency)


@pytest.mark.parametrize("currency", [None, "", "XYZW"])
def test_without_a_currency_it_is_the_organisations(shop: Shop, currency: Any) -> None:
    shop.tell("orders/paid", priced("10.00", currency))

    activity = shop.activities().get()
    assert (activity.spend, activity.currency_code) == (1000, "GBP")


def test_an_order_without_sets_counts_by_its_plain_price(shop: Shop) -> None:
    order = shopify.order()
    del order["total_price_set"]

    shop.tell("orders/paid", order)

    assert shop.activities().get().spend == 40495


def test_more_than_can_be_counted_is_a_reason_to_fail(shop: Shop) -> None:
    delivery = shop.tell("orders/paid", priced("99999999999999999999.00", "USD"))

    assert delivery.status == "failed"
    assert "spend" in delivery.error


def test_the_shops_money_counts_and_what_was_shown_is_kept(shop: Shop) -> None:
    both = shopify.money("10.00", "GBP") | {
        "presentment_money": {"amount": "12.00", "currency_code": "EUR"}
    }
    shop.tell("orders/paid", shopify.order(total_price_set=both, presentment_currency="EUR"))

    activity = shop.activities().get()
    assert (activity.spend, activity.currency_code) == (1000, "GBP")
    assert activity.data["presentment"] == {"amount": "12.00", "currency_code": "EUR"}
    assert shop.total(email_address="john@example.com") == 1000


@pytest.mark.parametrize(
    ("status", "received", "ordered"),
    [
        ("pending", 0, 40495),
        ("partially_paid", 30495, 40495),
        ("paid", 40495, 40495),
        ("refunded", 40495, 40495),
        ("voided", 0, 0),
        ("expired", 0, 0),
    ],
)
def test_an_order_counts_when_paid_or_when_placed(
    shop: Shop, status: str, received: int, ordered: int
) -> None:
    outstanding = {"financial_status": status, "total_outstanding": "100.00"}
    shop.tell("orders/create", shopify.order(**outstanding))
    assert shop.activities().get().spend == received

    services.change(connection=shop.connection, options={"spend": "ordered"})
    shop.tell("orders/updated", shopify.order(**outstanding))
    assert shop.activities().get().spend == ordered


# Refunds


def test_a_refund_is_the_money_that_moved_whatever_its_lines_say(shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order())
    transactions = [
        shopify.transaction(amount="75.00"),
        shopify.transaction(id=2, amount=10.00),
        shopify.transaction(id=3, status="pending"),
        shopify.transaction(id=4, status="failure"),
        shopify.transaction(id=5, kind="void"),
        shopify.transaction(id=6, test=True),
    ]
    shop.tell("refunds/create", shopify.refund(transactions=transactions))

    refund = shop.activities().get(type="Refund")
    assert (refund.spend, refund.currency_code) == (-8500, "USD")
    assert refund.data["order"] == f"order:{shopify.ORDER}"
    assert refund.external_reference == f"refund:{shopify.REFUND}"


def test_goods_given_back_without_money_count_nothing(shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order())
    shop.tell("refunds/create", shopify.refund(transactions=[]))

    assert shop.activities().get(type="Refund").spend == 0


def test_a_refund_that_was_missed_comes_with_its_order(shop: Shop) -> None:
    shop.tell("orders/updated", shopify.order(refunds=[shopify.refund()]))
    shop.tell("refunds/create", shopify.refund())

    assert sorted(shop.activities().values_list("spend", flat=True)) == [-7500, 40495]


def test_an_order_that_is_cancelled_late_in_time_and_early_in_coming(shop: Shop) -> None:
    cancelled = {"cancelled_at": "2022-01-03T10:00:00Z", "updated_at": "2022-01-03T10:00:00Z"}
    shop.tell("orders/cancelled", shopify.order(**cancelled))
    shop.tell("orders/paid", shopify.order())
    shop.tell("refunds/create", shopify.refund())

    assert [activity.spend for activity in shop.activities()] == [0, 0]


def test_an_edit_and_a_transaction_say_nothing_of_their_own(shop: Shop) -> None:
    edit = {"order_edit": {"id": 1, "order_id": shopify.ORDER}}

    assert shop.tell("orders/edited", edit).status == "ignored"
    assert shop.tell("order_transactions/create", shopify.transaction()).status == "ignored"


def test_workflows_hear_of_an_order_once(shop: Shop, api: Any) -> None:
    trigger = {"type": "activity_created", "activityTypes": ["Shopify order"]}
    running.made(api, trigger, running.add_tag("Bought"))

    now = timezone.now().isoformat()
    for number in range(3):
        shop.tell("orders/paid", shopify.order(processed_at=now, note=str(number)))
    running.work()

    contact = shop.contacts().get()
    assert contact.tags.get().name == "Bought"
    assert contact.workflow_runs.count() == 1
