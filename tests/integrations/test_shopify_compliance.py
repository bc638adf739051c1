"""What the law asks a shop's app to do, and what becomes of a shop that leaves."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from activities.services import record
from contacts import services
from contacts.models import Contact
from integrations import changes
from integrations import services as connections
from integrations.models import ExternalId
from tests.integrations import shopify
from tests.integrations.conftest import SHOP, Shop, work
from workflows.models import Alert

pytestmark = pytest.mark.django_db

TOPICS = ["customers/data_request", "customers/redact", "shop/redact"]


def asked(**customer: Any) -> dict[str, Any]:
    return {
        "shop_id": 954889,
        "shop_domain": SHOP,
        "customer": {
            "id": shopify.CUSTOMER,
            "email": "john@example.com",
            "phone": None,
            **customer,
        },
        "orders_to_redact": [shopify.ORDER],
        "data_request": {"id": 9999},
    }


@pytest.mark.parametrize("topic", TOPICS)
def test_a_forged_request_is_refused(shop: Shop, topic: str) -> None:
    shop.tell("orders/paid", shopify.order())

    assert shop.post(topic, asked(), secret="wrong").status_code == 401
    assert shop.contacts().get().email_address == "john@example.com"


def test_a_request_for_data_is_told_to_staff(shop: Shop) -> None:
    shop.tell("customers/create", shopify.customer())

    delivery = shop.tell("customers/data_request", asked())

    contact = shop.contacts().get()
    assert delivery.status == "applied"
    assert delivery.traces.get().contact == contact
    assert f"contact {contact.pk}" in Alert.objects.get(organisation=shop.organisation).text


def test_a_request_of_somebody_unknown_is_told_too(shop: Shop) -> None:
    shop.tell("customers/data_request", asked())

    assert "nobody here" in Alert.objects.get(organisation=shop.organisation).text


def test_whoever_is_known_by_the_shop_alone_is_redacted(shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order())

    delivery = shop.tell("customers/redact", asked())

    contact = shop.contacts().get()
    assert contact.redacted_at is not None
    assert (contact.email_address, contact.first_name) == (None, "")
    assert (delivery.status, delivery.notes) == ("applied", [f"Contact {contact.pk} is redacted."])
    assert set(shop.deliveries().values_list("body", flat=True)) == {""}, "its own one too"


def test_late_news_does_not_bring_a_redacted_customer_back(shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order())
    shop.tell("customers/redact", asked())

    shop.tell("customers/update", shopify.customer(updated_at="2023-01-01T00:00:00Z"))
    shop.tell("orders/paid", shopify.order(id=2, updated_at="2023-01-01T00:00:00Z"))

    contact = shop.contacts().get()
    assert (contact.email_address, contact.first_name) == (None, "")


def test_of_whom_others_know_too_what_the_shop_told_is_erased(shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order())
    contact = shop.contacts().get()
    record(
        organisation=shop.organisation,
        contact=contact,
        type="Booking",
        source="hotel",
        happened_at=contact.created_at,
    )

    delivery = shop.tell("customers/redact", asked())

    contact.refresh_from_db()
    assert contact.redacted_at is None
    assert "decide whether the rest" in " ".join(delivery.notes)
    assert shop.activities().get(type="Shopify order").data == {}
    assert not ExternalId.objects.for_organisation(shop.organisation).exists()
    assert not shop.deliveries().filter(body__contains="john@example.com").exists()


def test_whoever_was_here_before_the_shop_told_of_them_is_kept(shop: Shop) -> None:
    """Entered by staff, and matched by the address: staff are told to decide."""
    entered = services.introduce(
        organisation=shop.organisation, values={"email_address": "john@example.com", "name": "J."}
    )
    Contact.objects.for_organisation(shop.organisation).update(
        created_at=timezone.now() - timedelta(days=1)
    )
    shop.tell("orders/paid", shopify.order())

    shop.tell("customers/redact", asked())

    entered.refresh_from_db()
    assert entered.redacted_at is None
    assert shop.activities().get().data == {}
    assert "decide whether the rest" in Alert.objects.get(organisation=shop.organisation).text


def test_whom_the_shop_never_told_of_is_kept(shop: Shop) -> None:
    entered = services.introduce(
        organisation=shop.organisation, values={"email_address": "john@example.com"}
    )

    shop.tell("customers/redact", asked())

    entered.refresh_from_db()
    assert entered.redacted_at is None
    assert Alert.objects.filter(organisation=shop.organisation).exists()


def test_somebody_else_with_the_same_phone_is_not_erased(shop: Shop) -> None:
    jane = services.introduce(
        organisation=shop.organisation,
        values={"email_address": "jane@example.com", "phone_number": "+447700900123"},
    )

    delivery = shop.tell("customers/redact", asked(id=5, phone="+447700900123"))

    jane.refresh_from_db()
    assert (jane.redacted_at, delivery.error) == (None, "")
    assert "decide whether it is the same" in Alert.objects.get(organisation=shop.organisation).text


def test_a_shop_that_asks_for_it_is_forgotten(shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order())
    shop.tell("orders/paid", shopify.order(id=2, customer=None, email="guest@example.com"))
    shop.tell("app/uninstalled", {"id": 954889, "domain": SHOP})

    shop.tell("shop/redact", {"shop_id": 954889, "shop_domain": SHOP})

    assert not shop.contacts().filter(redacted_at=None).exists()
    assert not shop.deliveries().exclude(body="").exists()
    connection = shop.connection
    connection.refresh_from_db()
    assert connection.secrets == {}
    assert connection.status == "disabled"
    assert shop.post("orders/paid", shopify.order()).status_code == 401


class Killed(BaseException):
    """As far as a process sees of `kill -9`."""


def test_forgetting_a_shop_goes_on_where_a_worker_died(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "ERASED_TOGETHER", 2)
    for number in range(5):
        guest = shopify.order(id=number, customer=None, email=f"guest.{number}@example.com")
        shop.tell("orders/paid", guest)
    ours, _new = services.upsert(
        organisation=shop.organisation, values={"email_address": "ours@example.com"}
    )
    erased: list[str] = []
    redact = services.redact

    def redact_until_killed(*, contact: Contact) -> None:
        if len(erased) == 3:
            raise Killed
        erased.append(str(contact.email_address))
        redact(contact=contact)

    shop.post("shop/redact", {"shop_id": 954889, "shop_domain": SHOP})
    with monkeypatch.context() as here:
        here.setattr(changes.services, "redact", redact_until_killed)
        with pytest.raises(Killed):
            work()
    there = shop.contacts().filter(redacted_at=None)
    assert there.count() == 4, "the two of the first transaction are done, nothing of the second"
    assert shop.post("orders/paid", shopify.order(id=9)).status_code == 200
    assert shop.deliveries().get(topic="shop/redact").due_at is not None

    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        work()

    assert [contact.pk for contact in there] == [ours.pk]
    shop.connection.refresh_from_db()
    assert (shop.connection.status, shop.connection.secrets) == ("disabled", {})
    done = shop.deliveries().get(topic="shop/redact")
    assert (done.status, done.due_at, done.body) == ("applied", None, "")
    assert done.notes[-1].startswith("Redacted: 5 contacts. Known from elsewhere too: 0")
    assert not shop.deliveries().exclude(body="").exists()


def test_an_uninstalled_app_stops_the_connection_until_it_is_resumed(shop: Shop) -> None:
    shop.tell("app/uninstalled", {"id": 954889, "domain": SHOP})

    shop.connection.refresh_from_db()
    assert (shop.connection.status, shop.connection.poll_due_at) == ("disabled", None)
    assert "uninstalled" in shop.connection.status_reason
    assert "uninstalled" in Alert.objects.get(organisation=shop.organisation).text

    late = shop.tell("orders/paid", shopify.order())
    assert (late.status, late.notes) == ("ignored", ["The connection is switched off."])

    connections.resume(connection=shop.connection)
    connections.replay(deliveries=shop.deliveries().filter(pk=late.pk))
    assert shop.tell("orders/paid", shopify.order(id=2)).status == "applied"
    assert shop.activities().count() == 2


def test_what_the_law_asks_is_done_after_uninstalling_too(shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order())
    shop.tell("app/uninstalled", {"id": 954889, "domain": SHOP})

    assert shop.tell("customers/redact", asked()).status == "applied"
    assert shop.contacts().get().redacted_at is not None


def test_nothing_of_a_contact_that_is_redacted_here_stays_in_the_inbox(shop: Shop) -> None:
    from contacts.services import redact

    shop.tell("customers/create", shopify.customer())
    shop.tell("orders/paid", shopify.order(note="for John"))

    redact(contact=shop.contacts().get())

    assert "John" not in json.dumps(list(shop.deliveries().values("body", "notes", "error")))
