"""Deliveries that are applied together come to what they come to one by one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from contacts import rollups
from integrations import applying, services
from integrations.models import OPEN, Delivery, ObjectState
from integrations.shopify import topics
from tests.contacts.test_at_once import at_once
from tests.integrations import shopify, years
from tests.integrations.conftest import SECRET, Shop, work

pytestmark = pytest.mark.django_db

FUTURE = "2099-01-01T00:00:00Z"


def order(number: int, **values: Any) -> dict[str, Any]:
    """An order of the tenth customer that its number says."""
    customer = shopify.customer(id=number % 10 + 1, email=f"guest.{number % 10}@example.com")
    return shopify.order(id=number, customer=customer, email=customer["email"], **values)


def statements(work: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def statuses(shop: Shop) -> list[str]:
    return list(shop.deliveries().order_by("pk").values_list("status", flat=True))


def test_fifty_orders_cost_as_many_statements_as_ten(shop: Shop) -> None:
    for number in range(10):
        shop.tell("orders/paid", order(number + 1))
    costs = []
    for start, count in ((100, 10), (200, 50)):
        for number in range(start, start + count):
            shop.post("orders/paid", order(number))
        costs.append(statements(applying.work))

    assert costs[0] == costs[1] <= 35
    assert set(statuses(shop)) == {"applied"}
    assert shop.activities().count() == 70


def test_fifty_orders_of_new_customers_do_too(shop: Shop) -> None:
    costs = []
    for start, count in ((100, 10), (200, 50)):
        for number in range(start, start + count):
            customer = shopify.customer(id=number, email=f"guest.{number}@example.com")
            shop.post("orders/paid", shopify.order(id=number, customer=customer))
        costs.append(statements(applying.work))

    # SQLite takes so many values in a statement, and no more.
    assert costs[0] <= 45
    assert costs[1] <= costs[0] + 4
    assert shop.contacts().count() == shop.activities().count() == 60


def test_fifty_orders_that_changed_do_too(shop: Shop) -> None:
    for number in range(1, 51):
        shop.post("orders/paid", order(number))
    work()
    costs = []
    for count, price in ((10, "1.00"), (50, "2.00")):
        for number in range(1, count + 1):
            told = {"total_price": price, "total_price_set": shopify.money(price, "GBP")}
            shop.post("orders/updated", order(number, **told))
        costs.append(statements(applying.work))

    assert costs[0] == costs[1] <= 35
    assert sorted(shop.contacts().values_list("rollup__total_spend", flat=True)) == [1000] * 10


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (shopify.order(id=99, processed_at=FUTURE), "This lies in the future"),
        (shopify.order(id=99, processed_at=None, created_at=None), "The order has no date."),
        (shopify.order(id=99, total_price_set=shopify.money("9" * 14)), "less than or equal"),
        ({"id": 99, "customer": {"id": 1}}, "The order has no date."),
    ],
    ids=["future", "no date", "too much", "no order"],
)
def test_one_that_fails_takes_no_other_with_it(shop: Shop, wrong: Any, why: str) -> None:
    bodies = [order(1), order(2), wrong, order(3), wrong, order(4)]
    for body in bodies:
        shop.post("orders/paid", body)
    work()

    failed = ["applied", "applied", "failed", "applied", "failed", "applied"]
    assert statuses(shop) == failed
    assert why in shop.deliveries().filter(status="failed").latest("pk").error
    assert shop.activities().count() == shop.contacts().count() == 4
    assert shop.deliveries().filter(attempts=1, lease=None, due_at=None).count() == len(bodies)


def test_a_refund_waits_in_the_midst_of_others(shop: Shop) -> None:
    shop.post("orders/paid", order(1))
    shop.post("refunds/create", shopify.refund(order_id=5))
    shop.post("orders/paid", order(2))
    work()

    assert statuses(shop) == ["applied", "waiting", "applied"]
    shop.tell("orders/paid", order(5))
    assert statuses(shop) == ["applied"] * 4


def test_a_refund_does_not_wait_for_an_order_that_comes_with_it(shop: Shop) -> None:
    refund = shopify.refund(order_id=1)
    for topic, body in (
        ("refunds/create", refund),
        ("orders/updated", order(1, refunds=[refund])),
        ("refunds/create", shopify.refund(id=7, order_id=2)),
        ("orders/paid", order(2)),
    ):
        shop.post(topic, body)
    applying.work()

    assert statuses(shop) == ["applied"] * 4
    assert shop.activities().filter(type="Refund", spend=-7500).count() == 2


def test_an_order_that_is_placed_paid_and_cancelled_at_once_ends_as_it_should(shop: Shop) -> None:
    shop.post("orders/create", order(1, financial_status="pending"))
    shop.post("refunds/create", shopify.refund(order_id=1))
    shop.post("orders/paid", order(1))
    shop.post("orders/cancelled", order(1, cancelled_at="2022-01-03T00:00:00Z"))
    shop.post("orders/create", order(1, financial_status="pending"))
    applying.work()

    assert statuses(shop) == [*["applied"] * 4, "ignored"]
    assert list(shop.activities().values_list("spend", flat=True)) == [0, 0]
    assert shop.total() == 0


def test_guests_without_an_id_are_one_contact(shop: Shop) -> None:
    for number in range(1, 9):
        email = f"Guest.{number % 2}@Example.com"
        shop.post("orders/paid", shopify.order(id=number, customer=None, email=email))
    applying.work()

    assert sorted(shop.contacts().values_list("rollup__total_orders", flat=True)) == [4, 4]


def test_addresses_that_identify_nobody_make_a_contact_each(shop: Shop) -> None:
    for number in range(1, 5):
        told = {"customer": None, "email": f"{number}@guest.booking.com", "phone": None}
        shop.post("orders/paid", shopify.order(id=number, **told))
    for number in range(5, 9):
        customer = shopify.customer(id=number, email="noreply@example.com")
        shop.post("orders/paid", shopify.order(id=number, customer=customer))
    applying.work()

    assert shop.contacts().count() == 4
    assert shop.activities().count() == 4


def test_whom_an_older_order_names_is_not_created(shop: Shop) -> None:
    shop.tell("orders/updated", order(1, updated_at="2023-01-01T00:00:00Z"))
    for number in (11, 12):
        customer = shopify.customer(id=number, email=f"new.{number}@example.com")
        shop.post("orders/create", shopify.order(id=1, customer=customer))
    applying.work()

    assert statuses(shop) == ["applied", "ignored", "ignored"]
    assert shop.contacts().count() == 1


def test_nothing_of_who_is_erased_stays_in_deliveries_that_came_with_the_request(
    shop: Shop,
) -> None:
    shop.post("orders/paid", shopify.order())
    shop.post("customers/redact", {"customer": {"id": shopify.CUSTOMER}})
    shop.post("orders/updated", shopify.order(tags="late"))
    applying.work()

    assert shop.contacts().get().redacted_at is not None
    bodies = shop.deliveries().order_by("pk").values_list("body", flat=True)
    assert [bool(body) for body in bodies] == [False, False, True]


def test_what_others_write_at_the_same_moment_is_tried_again_at_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    really = applying.write_traces

    def once_late(desks: Any) -> None:
        tried.append(len(desks))
        if len(tried) == 1:
            raise applying.IntegrityError("somebody was quicker")
        really(desks)

    monkeypatch.setattr(applying, "write_traces", once_late)
    for number in range(1, 4):
        shop.post("orders/paid", order(number))
    applying.work()

    assert tried == [3, 3]
    assert statuses(shop) == ["applied"] * 3


def test_of_deliveries_that_were_taken_over_only_those_are_left_alone(shop: Shop) -> None:
    for number in range(1, 4):
        shop.post("orders/paid", order(number))
    taken = applying.claim(10)
    shop.deliveries().filter(pk=taken[1].pk).update(lease=None, leased_until=None)

    applying.apply_all(taken)

    assert statuses(shop) == ["applied", "received", "applied"]
    work()
    assert statuses(shop) == ["applied"] * 3
    assert shop.activities().count() == 3


def test_deliveries_of_a_paused_connection_do_not_stand_in_the_way(
    shop: Shop, connect: Callable[..., Any]
) -> None:
    other = Shop(connect("shopify", secret=SECRET, shop_domain="other.myshopify.com"))
    services.pause(connection=shop.connection)
    for number in range(1, 4):
        shop.post("orders/paid", order(number))
    other.post("orders/paid", order(4), headers={"x-shopify-shop-domain": "other.myshopify.com"})
    work()

    assert statuses(shop) == ["received"] * 3 + ["applied"]
    assert not applying.claim(10), "they are put off, not looked at again and again"
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        assert not applying.claim(10)
        services.resume(connection=shop.connection)
        work()
    assert statuses(shop) == ["applied"] * 4


def test_a_fetched_page_says_which_rows_could_not_be_written(shop: Shop) -> None:
    bodies = [order(1), order(2, processed_at=FUTURE), order(3)]
    changes = [
        one for body in bodies for one in topics.READERS["orders/paid"](body, shop.connection)
    ]
    changes += topics.READERS["refunds/create"](shopify.refund(order_id=77), shop.connection)

    problems = applying.write_page(shop.connection, changes, history=True)

    assert [problem.partition(":")[0] for problem in problems] == ["happened_at", "waits for order"]
    assert shop.activities().filter(backfill=True).count() == shop.activities().count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs several connections")
def test_two_workers_on_the_same_orders_lose_and_double_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "BATCH", 7)
    for number in range(60):
        refund = shopify.refund(id=number % 9, order_id=number % 6, updated_at=None)
        told = {"updated_at": f"2022-01-01T00:00:{number:02}Z", "refunds": [refund]}
        shop.post("orders/updated", order(number % 6, **told))

    at_once(work, work)
    Delivery.objects.for_organisation(shop.organisation).filter(status="waiting").update(
        due_at=timezone.now()
    )
    work()

    assert set(statuses(shop)) <= {"applied", "ignored"}
    outcome = years.outcome(shop.organisation)
    assert len(outcome["contacts"]) == 6
    assert [one["spend"] for one in outcome["activities"] if one["type"] == "Shopify order"] == [
        40495
    ] * 6
    assert ObjectState.objects.for_organisation(shop.organisation).filter(kind="order").count() == 6
    assert not list(rollups.drift(shop.organisation))


@pytest.mark.parametrize("status", OPEN)
def test_what_is_open_is_found_by_its_index(shop: Shop, status: str) -> None:
    if connection.vendor == "postgresql":  # which reads a table of no rows from end to end
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")

    assert "delivery_open" in shop.deliveries().of_status(status).explain()
