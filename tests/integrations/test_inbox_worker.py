"""The worker applies each delivery once, waits where it must, and says what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import IntegrityError
from django.utils import timezone

from activities.models import Activity
from contacts.models import Contact
from integrations import applying, services
from integrations.housekeeping import prune_deliveries
from integrations.models import Connection, Delivery, DeliveryTrace, ObjectState
from integrations.shopify import Shopify
from integrations.sources.base import Asleep
from tests.integrations import shopify
from tests.integrations.conftest import SECRET, Shop, work
from workflows.models import Alert

pytestmark = pytest.mark.django_db


def snapshot(shop: Shop) -> tuple[Any, ...]:
    """All that deliveries may change, with its ids."""
    return (
        list(shop.contacts().values("pk", "email_address", "first_name", "rollup__total_spend")),
        list(shop.activities().values("pk", "type", "contact", "spend", "external_reference")),
    )


def test_what_a_delivery_made_is_traced(shop: Shop) -> None:
    delivery = shop.tell("orders/paid", shopify.order(refunds=[shopify.refund()]))

    traced = delivery.traces.values_list("contact", "activity__type")
    contact = shop.contacts().get().pk
    assert set(traced) == {(contact, "Shopify order"), (contact, "Refund")}


def test_a_replay_changes_nothing(shop: Shop) -> None:
    for topic, body in (
        ("customers/create", shopify.customer()),
        ("orders/paid", shopify.order()),
        ("refunds/create", shopify.refund()),
        ("orders/updated", shopify.order(updated_at="2022-02-01T00:00:00Z", note="x")),
    ):
        shop.post(topic, body)
    work()
    before = snapshot(shop)

    assert services.replay(deliveries=shop.deliveries().order_by("-pk")) == 4
    work()

    assert snapshot(shop) == before
    assert set(shop.deliveries().values_list("status", flat=True)) <= {"applied", "ignored"}
    assert DeliveryTrace.objects.count() > 0


def test_refused_and_erased_deliveries_are_not_replayed(shop: Shop) -> None:
    shop.post("orders/paid", shopify.order(), secret="wrong")
    shop.tell("orders/paid", shopify.order())
    shop.deliveries().filter(status="applied").update(body="")

    assert services.replay(deliveries=shop.deliveries()) == 0


def test_a_stale_retry_after_a_newer_update_changes_nothing(shop: Shop) -> None:
    shop.tell("orders/updated", shopify.order(updated_at="2022-02-01T00:00:00Z"))
    stale = shop.tell("orders/create", shopify.order(financial_status="pending"))

    assert (stale.status, stale.notes) == (
        "ignored",
        [f"order {shopify.ORDER}: what is known is newer."],
    )
    assert shop.activities().get().spend == 40495


@pytest.mark.parametrize("late", [False, True])
def test_paid_in_the_same_second_is_newer_than_placed(shop: Shop, late: bool) -> None:
    states = [
        ("orders/create", shopify.order(financial_status="pending")),
        ("orders/paid", shopify.order()),
    ]
    for topic, body in reversed(states) if late else states:
        shop.tell(topic, body)

    assert shop.activities().get().spend == 40495


def test_what_fails_in_the_middle_leaves_nothing_and_is_tried_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_kwargs: Any) -> None:
        raise IntegrityError("somebody was quicker")

    with monkeypatch.context() as patch:
        patch.setattr("integrations.applying.write_traces", broken)
        delivery = shop.tell("orders/paid", shopify.order())
        assert (delivery.status, delivery.attempts, delivery.error) == (
            "waiting",
            1,
            "IntegrityError",
        )
        assert not shop.contacts().exists()
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        work()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.error) == ("applied", 2, "")


def test_a_surprise_is_tried_again_and_then_fails(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any) -> Iterable[Any]:
        raise KeyError("surprise")

    monkeypatch.setattr(Shopify, "read", broken)
    shop.post("orders/paid", shopify.order())
    for day in range(10):
        with time_machine.travel(timezone.now() + timedelta(days=day)):
            work()

    delivery = shop.deliveries().get()
    assert (delivery.status, delivery.due_at) == ("failed", None)
    assert delivery.attempts == len(applying.PAUSES) + 1
    assert "surprise" in delivery.error


def test_a_vendor_that_sleeps_says_for_how_long(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asleep(*_args: Any) -> Iterable[Any]:
        raise Asleep("It answered 429.", timedelta(minutes=10))

    monkeypatch.setattr(Shopify, "read", asleep)
    delivery = shop.tell("orders/paid", shopify.order())

    assert delivery.status == "waiting"
    assert delivery.due_at > timezone.now() + timedelta(minutes=9)


def test_what_never_comes_is_waited_for_for_days(shop: Shop) -> None:
    delivery = shop.tell("refunds/create", shopify.refund())
    for day in range(5):
        with time_machine.travel(timezone.now() + timedelta(days=day)):
            work()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.error) == ("failed", f"order:{shopify.ORDER} never came.")


def test_a_worker_that_died_is_replaced_after_its_lease(shop: Shop) -> None:
    shop.post("orders/paid", shopify.order())
    (taken,) = applying.claim(10)
    assert not applying.work()

    with time_machine.travel(timezone.now() + applying.LEASE * 2):
        work()
    before = snapshot(shop)
    applying.apply_all([taken])

    assert snapshot(shop) == before, "whoever lost the lease changes nothing"
    assert shop.deliveries().get().status == "applied"


def test_a_worker_that_is_stopped_gives_back_what_it_took(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "TOGETHER", 1)
    for number in range(3):
        shop.post("orders/paid", shopify.order(id=number + 1))
    answers = iter([False, True])
    applying.work(stopping=lambda: next(answers))

    assert shop.activities().count() == 1
    work()
    assert shop.activities().count() == 3


def test_what_comes_while_paused_lies_until_it_is_resumed(shop: Shop) -> None:
    services.pause(connection=shop.connection)
    assert shop.tell("orders/paid", shopify.order()).status == "received"

    services.resume(connection=shop.connection)
    work()

    assert shop.activities().get().spend == 40495


def test_failures_in_a_row_are_told_once(shop: Shop) -> None:
    for _number in range(8):
        shop.tell("orders/paid", {})

    alert = Alert.objects.get(organisation=shop.organisation)
    assert "5 deliveries in a row failed" in alert.text
    assert alert.link == f"/admin/integrations/connection/{shop.connection.pk}/change/"


def test_old_deliveries_are_forgotten_and_those_to_be_applied_are_not(
    shop: Shop, settings: Any
) -> None:
    settings.INBOX_KEEP_DAYS = 7
    shop.tell("orders/paid", shopify.order())
    shop.tell("refunds/create", shopify.refund(order_id=5))
    shop.deliveries().update(received_at=timezone.now() - timedelta(days=8))
    shop.tell("orders/paid", shopify.order(id=2))

    prune_deliveries()

    assert set(shop.deliveries().values_list("status", flat=True)) == {"waiting", "applied"}
    assert shop.deliveries().count() == 2
    assert shop.activities().count() == 2


def test_a_disconnected_account_leaves_what_it_told(shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order(refunds=[shopify.refund()]))

    services.disconnect(connection=shop.connection)

    assert not Connection.objects.for_organisation(shop.organisation).exists()
    assert not Delivery.objects.for_organisation(shop.organisation).exists()
    assert not ObjectState.objects.for_organisation(shop.organisation).exists()
    assert Activity.objects.for_organisation(shop.organisation).count() == 2
    contact = Contact.objects.for_organisation(shop.organisation).get()
    assert contact.external_ids.count() == 1

    again = services.connect(
        organisation=shop.organisation,
        source="shopify",
        credentials={"secret": SECRET, "shop_domain": "example-shop.myshopify.com"},
    )
    Shop(again).tell("orders/paid", shopify.order(refunds=[shopify.refund()]))
    assert Activity.objects.for_organisation(shop.organisation).count() == 2


def test_a_delivery_costs_a_known_number_of_statements(
    shop: Shop, django_assert_max_num_queries: Any
) -> None:
    shop.tell("orders/paid", shopify.order())
    shop.post("orders/paid", shopify.order(id=2))

    with django_assert_max_num_queries(26):
        applying.work()


def test_connect_prints_the_path_as_its_last_line(
    organisation: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command(
        "connect",
        "shopify",
        organisation=str(organisation.pk),
        credentials=["secret=abc", "shop_domain=x.myshopify.com"],
    )

    path = capsys.readouterr().out.splitlines()[-1]
    assert path == Connection.objects.for_organisation(organisation).get().path
