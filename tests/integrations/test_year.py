"""A year of a shop comes to the same, however its news arrives."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations import services
from integrations.models import Delivery
from tests import factories
from tests.integrations import shopify, years
from tests.integrations.conftest import SECRET, SHOP, Shop, work

pytestmark = pytest.mark.django_db

Fact = tuple[str, dict[str, Any]]

NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)
CONSENT = "customers_email_marketing_consent/update"


class Year:
    """What happens in a shop, as the dice fall: `facts`, in the order in which it happened."""

    def __init__(self, dice: random.Random, customers: int, orders: int) -> None:
        self.dice = dice
        self.now = NEW_YEAR
        self.facts: list[Fact] = []
        self.customers = [self._customer(number) for number in range(1, customers + 1)]
        under_way = [self._order(number) for number in range(1, orders + 1)]
        while under_way:
            self._pass_time()
            if dice.random() < 0.3:
                self._change(dice.choice(self.customers))
            order = dice.choice(under_way)
            if not self._go_on(order):
                under_way.remove(order)

    def _pass_time(self) -> None:
        self.now += timedelta(seconds=self.dice.randint(1, 300_000))

    def _tell(self, topic: str, body: dict[str, Any]) -> None:
        self.facts.append((topic, dict(body)))

    def _stamp(self) -> str:
        return self.now.isoformat()

    # People

    def _customer(self, number: int) -> dict[str, Any]:
        self._pass_time()
        made = shopify.customer(
            id=number, email=f"{number}@example.com", updated_at=self._stamp(), phone=None
        )
        self._tell("customers/create", made)
        return made

    def _change(self, customer: dict[str, Any]) -> None:
        number, roll = customer["id"], self.dice.randint(0, 10_000)
        kind = self.dice.choice(["name", "email", "phone", "consent", "nothing told"])
        if kind == "consent":
            state = self.dice.choice(["subscribed", "unsubscribed"])
            told = {"state": state, "consent_updated_at": self._stamp()}
            self._tell(CONSENT, {"customer_id": number, "email_marketing_consent": told})
            return
        customer["updated_at"] = self._stamp()
        if kind == "name":
            customer["first_name"] = f"First {roll}"
        elif kind == "email":
            customer["email"] = f"{number}-{roll}@example.com"
        elif kind == "phone":
            customer["phone"] = f"+4477009{number:03}{roll % 100:02}"
        hidden = {"email", "last_name"} if kind == "nothing told" else set()
        self._tell("customers/update", {k: v for k, v in customer.items() if k not in hidden})

    # Orders

    def _order(self, number: int) -> dict[str, Any]:
        buyer = self.dice.choice([*self.customers, "guest", None])
        named = {"email": None, "contact_email": None, "customer": None}
        if buyer == "guest":
            named["email"] = f"guest-{number % 3}@example.com"
        amount = f"{self.dice.randint(1, 50_000) / 100:.2f}"
        return shopify.order(
            id=number,
            financial_status=None,
            total_price=amount,
            total_price_set=shopify.money(amount, "GBP"),
            currency="GBP",
            **named,
            buyer=buyer if isinstance(buyer, dict) else None,
        )

    def _say(self, topic: str, order: dict[str, Any], **changed: Any) -> None:
        order.update(changed, updated_at=self._stamp())
        body = {key: value for key, value in order.items() if key != "buyer"}
        if order["buyer"] is not None:
            body["customer"] = dict(order["buyer"])
        self._tell(topic, body)

    def _go_on(self, order: dict[str, Any]) -> bool:
        """The next thing that happens to an order; whether more may."""
        status = order["financial_status"]
        if status is None:
            order["processed_at"] = order["created_at"] = self._stamp()
            self._say("orders/create", order, financial_status="pending")
            if self.dice.random() < 0.5:  # in the very same second
                self._say("orders/paid", order, financial_status="paid")
            return True
        if order["cancelled_at"]:
            return False
        kind = self.dice.choice(["pay", "edit", "refund", "refund", "cancel", "end"])
        if kind == "pay" and status == "pending":
            self._say("orders/paid", order, financial_status="paid")
        elif kind == "edit":
            self._say("orders/updated", order, tags=f"edit {self.dice.randint(0, 99)}")
        elif kind == "refund" and status != "pending":
            self._refund(order)
        elif kind == "cancel":
            self._say(
                "orders/cancelled", order, cancelled_at=self._stamp(), cancel_reason="customer"
            )
        return kind != "end"

    def _refund(self, order: dict[str, Any]) -> None:
        number = order["id"] * 100 + len(order["refunds"])
        amount = f"{self.dice.randint(1, 500) / 100:.2f}"
        refund = shopify.refund(
            id=number,
            order_id=order["id"],
            created_at=self._stamp(),
            processed_at=self._stamp(),
            transactions=[shopify.transaction(id=number, amount=amount, currency="GBP")],
        )
        if self.dice.random() < 0.8:  # the others are only told of by the order
            self._tell("refunds/create", refund)
        refunds = [*order["refunds"], refund]
        self._say("orders/updated", order, refunds=refunds, financial_status="partially_refunded")


def a_shop() -> Shop:
    return Shop(
        services.connect(
            organisation=factories.OrganisationFactory(),
            source="shopify",
            credentials={"secret": SECRET, "shop_domain": SHOP},
        )
    )


def lived(facts: list[Fact]) -> dict[str, Any]:
    """What a year comes to whose news is applied once, in order."""
    shop = a_shop()
    for number, (topic, body) in enumerate(facts):
        shop.post(topic, body, webhook_id=str(number))
        work()
    return years.outcome(shop.organisation)


def told(facts: list[Fact], dice: random.Random) -> dict[str, Any]:
    """What it comes to when it arrives as it may; the worker comes along now and then."""
    shop = a_shop()
    for (number, (topic, body)), late in years.disturbed(list(enumerate(facts)), dice):
        shop.post(topic, body, webhook_id=f"late-{number}" if late else str(number))
        if dice.random() < 0.1:
            work()
    work()
    statuses = set(shop.deliveries().values_list("status", flat=True))
    assert statuses <= {Delivery.Status.APPLIED, Delivery.Status.IGNORED}, statuses
    return years.outcome(shop.organisation)


def compare(seed: int, *, customers: int, orders: int) -> None:
    dice = random.Random(seed)
    facts = Year(dice, customers, orders).facts
    with transaction.atomic():
        assert told(facts, dice) == lived(facts)
        transaction.set_rollback(True)


@given(seed=st.integers(0, 2**32 - 1))
@settings(years.SLOWLY, max_examples=6)
def test_a_little_of_a_year(seed: int) -> None:
    compare(seed, customers=2, orders=3)


@pytest.mark.slow
@given(seed=st.integers(0, 2**32 - 1))
@settings(years.SLOWLY, max_examples=5)
def test_a_year(seed: int) -> None:
    compare(seed, customers=12, orders=40)
