"""The inbox in the admin: found, read, and applied again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from organisations import roles
from tests.integrations import shopify
from tests.integrations.conftest import Shop, work

pytestmark = pytest.mark.django_db

INBOX = "/admin/integrations/delivery/"


def shown(client: Client, query: str) -> set[str]:
    """The topics of the deliveries that the list shows."""
    answer = client.get(f"{INBOX}?{query}")
    assert answer.status_code == 200
    return {row.topic for row in answer.context["cl"].result_list}


def test_it_is_narrowed(owner: Client, shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order())
    shop.tell("orders/updated", b"{")
    shop.tell("refunds/create", shopify.refund(order_id=7))
    shop.post("customers/create", b"{}", secret="wrong")
    shop.deliveries().filter(topic="orders/updated").update(
        received_at=timezone.now() - timedelta(days=9)
    )

    assert shown(owner, f"of={shop.connection.pk}&how=applied") == {"orders/paid"}
    assert shown(owner, "how=failed") == {"orders/updated"}
    assert shown(owner, "how=waiting") == {"refunds/create"}
    assert shown(owner, "how=refused") == {"customers/create"}
    assert shown(owner, "about=orders/paid") == {"orders/paid"}
    until = (timezone.now() - timedelta(days=5)).date().isoformat()
    assert shown(owner, f"received_to={until}") == {"orders/updated"}


def test_a_delivery_says_what_came_and_what_it_made(owner: Client, shop: Shop) -> None:
    delivery = shop.tell("orders/paid", shopify.order(note="<script>alert(1)</script>"))

    text = owner.get(f"{INBOX}{delivery.pk}/change/").content.decode()

    contact, activity = shop.contacts().get(), shop.activities().get()
    assert reverse("admin:contacts_contact_change", args=[contact.pk]) in text
    assert reverse("admin:activities_activity_change", args=[activity.pk]) in text
    assert "x-shopify-topic" in text
    assert "&quot;total_price&quot;: &quot;404.95&quot;" in text
    assert "<script>alert" not in text


def test_why_it_failed_is_said(owner: Client, shop: Shop) -> None:
    delivery = shop.tell("orders/paid", {"id": None})

    assert "There is no id in it." in owner.get(f"{INBOX}{delivery.pk}/change/").content.decode()
    assert "There is no id in it." in owner.get(INBOX).content.decode()


def test_one_is_applied_again_once_that_is_confirmed(owner: Client, shop: Shop) -> None:
    delivery = shop.tell("orders/paid", shopify.order())
    address = reverse("admin:integrations_delivery_replay", args=[delivery.pk])
    assert "does not double" in owner.get(address).content.decode()

    owner.post(address, {"confirmed": "yes"})
    delivery.refresh_from_db()
    assert delivery.status == "received"
    work()

    delivery.refresh_from_db()
    assert delivery.status == "applied"
    assert shop.activities().count() == 1


def test_some_are_applied_again(owner: Client, shop: Shop) -> None:
    one = shop.tell("orders/paid", shopify.order())
    two = shop.tell("orders/paid", shopify.order(id=2))
    refused = shop.post("orders/paid", b"{}", secret="wrong") and shop.deliveries().latest("pk")
    chosen = {
        "action": "replay_chosen",
        "_selected_action": [one.pk, two.pk, refused.pk],
        "confirmed": "yes",
    }

    answer = owner.post(INBOX, chosen, follow=True)

    assert "2 deliveries are applied again." in answer.content.decode()
    statuses = shop.deliveries().order_by("pk").values_list("status", flat=True)
    assert list(statuses) == ["received", "received", "refused"]


@pytest.mark.parametrize("role", [roles.READ_ONLY, roles.STAFF])
def test_who_may_only_look_applies_nothing(
    staff_of: Callable[..., Client], shop: Shop, role: str
) -> None:
    delivery = shop.tell("orders/paid", shopify.order())
    client = staff_of(shop.organisation, role)

    assert client.get(f"{INBOX}{delivery.pk}/change/").status_code == 200
    address = reverse("admin:integrations_delivery_replay", args=[delivery.pk])
    assert client.post(address, {"confirmed": "yes"}).status_code in (403, 404)
    client.post(INBOX, {"action": "replay_chosen", "_selected_action": [delivery.pk]})
    delivery.refresh_from_db()
    assert delivery.status == "applied"


def test_a_contact_says_by_which_ids_it_is_known(owner: Client, shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order())
    contact = shop.contacts().get()

    text = owner.get(reverse("admin:contacts_contact_change", args=[contact.pk])).content.decode()

    assert str(shopify.CUSTOMER) in text
    assert shop.connection.namespace in text


def test_redacting_says_what_becomes_of_the_inbox(owner: Client, shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order())
    contact = shop.contacts().get()

    answer: Any = owner.get(reverse("admin:contacts_contact_redact", args=[contact.pk]))

    assert "what other systems delivered" in answer.content.decode()
