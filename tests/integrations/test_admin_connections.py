"""Connections in the admin: made, looked after, and ended, by whom it may concern."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_httpserver import HTTPServer

from integrations import services
from integrations.models import Connection, Delivery
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.integrations import shopify
from tests.integrations.conftest import SECRET, SHOP, Shop

pytestmark = pytest.mark.django_db

TYPED = {
    "name": "",
    "credential_shop_domain": SHOP,
    "credential_secret": SECRET,
    "credential_access_token": "",
    "option_spend": "ordered",
    "option_empty": "keep",
}


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:integrations_connection_{name}", args=args)


def change(client: Client, connection: Connection, **typed: str) -> Any:
    return client.post(page("change", connection.pk), {**TYPED, "credential_secret": "", **typed})


def test_a_source_is_chosen_and_its_form_filled_in(
    owner: Client, organisation: Organisation, settings: Any
) -> None:
    settings.SITE_URL = "https://crm.example.com"
    assert "?source=shopify" in owner.get(page("add")).content.decode()
    form = owner.get(f"{page('add')}?source=shopify").content.decode()
    assert 'type="password" name="credential_secret"' in form

    answer = owner.post(f"{page('add')}?source=shopify", TYPED, follow=True)

    made = Connection.objects.for_organisation(organisation).get()
    assert (made.name, made.namespace) == (f"Shopify {SHOP}", f"shopify:{SHOP}")
    assert made.options == {"spend": "ordered", "empty": "keep"}
    shown = answer.content.decode()
    assert f"https://crm.example.com{made.path}" in shown
    assert "Notifications, Webhooks" in shown


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"credential_secret": ""}, "This field is required."),
        ({"credential_shop_domain": "nonsense"}, "Give the shop&#x27;s domain"),
        ({"option_spend": "sideways"}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_is_said_beside_it(
    owner: Client, organisation: Organisation, typed: dict[str, str], said: str
) -> None:
    answer = owner.post(f"{page('add')}?source=shopify", {**TYPED, **typed})

    assert said in answer.content.decode()
    assert not Connection.objects.for_organisation(organisation).exists()


def test_an_account_is_connected_once(owner: Client, shop: Shop) -> None:
    answer = owner.post(f"{page('add')}?source=shopify", TYPED)

    assert "is connected already" in answer.content.decode()


def test_secrets_are_never_shown_again(owner: Client, shop: Shop) -> None:
    shown = owner.get(page("change", shop.connection.pk)).content.decode()

    assert SECRET not in shown
    assert f"Stored: …{SECRET[-4:]}" in shown
    assert shop.connection.path in shown


def test_a_new_secret_keeps_the_previous_one_until_it_is_forgotten(
    owner: Client, shop: Shop
) -> None:
    change(owner, shop.connection, credential_secret="a-new-secret", name="The shop")
    shop.connection.refresh_from_db()
    assert shop.connection.name == "The shop"
    assert shop.connection.secrets["secret"] == "a-new-secret"
    assert shop.connection.secrets["previous_secret"] == SECRET

    change(owner, shop.connection, forget_previous_secret="on")
    shop.connection.refresh_from_db()
    assert shop.connection.secrets == {"shop_domain": SHOP, "secret": "a-new-secret"}


def test_another_account_is_another_connection(owner: Client, shop: Shop) -> None:
    answer = change(owner, shop.connection, credential_shop_domain="other.myshopify.com")

    assert "This is another account" in answer.content.decode()


def test_credentials_under_a_lost_key_can_be_entered_again(
    staff_of: Callable[..., Client], shop: Shop, settings: Any
) -> None:
    settings.SECRET_KEY = "another"
    owner = staff_of(shop.organisation)

    shown = owner.get(page("change", shop.connection.pk)).content.decode()
    assert "SECRET_KEY_FALLBACKS" in shown
    change(owner, shop.connection, credential_secret=SECRET)

    shop.connection.refresh_from_db()
    assert shop.connection.secrets["secret"] == SECRET


# How it does


def test_the_page_says_how_it_does(owner: Client, shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order())
    shop.tell("orders/paid", b"{")
    shop.tell("refunds/create", shopify.refund(order_id=7))

    health = dict(owner.get(page("change", shop.connection.pk)).context["health"])

    assert health["Last delivery"] == shop.deliveries().first().received_at
    assert (health["Failed since yesterday"], health["To be applied"]) == ("1", "1")


def test_what_it_costs_does_not_grow(owner: Client, shop: Shop) -> None:
    def cost() -> int:
        with CaptureQueriesContext(database) as captured:
            owner.get(page("change", shop.connection.pk))
        return len(captured)

    cost()
    before = cost()
    Delivery.objects.bulk_create(
        Delivery(
            organisation=shop.organisation,
            connection=shop.connection,
            key=str(number),
            status=("failed", "waiting", "applied")[number % 3],
        )
        for number in range(30)
    )
    assert cost() == before


def test_a_test_shows_what_the_vendor_says(
    owner: Client, shop: Shop, httpserver: HTTPServer
) -> None:
    httpserver.expect_ordered_request("/admin/api/2026-04/shop.json").respond_with_json(
        {"shop": {"name": "Example"}}
    )
    httpserver.expect_ordered_request("/admin/api/2026-04/shop.json").respond_with_data("No", 403)
    services.change(
        connection=shop.connection,
        credentials={"access_token": "shpat", "api_url": httpserver.url_for("").rstrip("/")},
    )

    for said in ("Connected to Example.", "answered 403: No"):
        answer = owner.post(page("test", shop.connection.pk), follow=True)
        assert said in answer.content.decode()


def test_it_is_paused_and_resumed(owner: Client, shop: Shop) -> None:
    owner.post(page("pause", shop.connection.pk))
    shop.connection.refresh_from_db()
    assert shop.connection.status == "paused"

    owner.post(page("resume", shop.connection.pk))
    shop.connection.refresh_from_db()
    assert shop.connection.status == "active"


def test_the_address_is_changed_once_that_is_confirmed(owner: Client, shop: Shop) -> None:
    before = shop.connection.path
    assert (
        "refused from now on" in owner.get(page("new_address", shop.connection.pk)).content.decode()
    )
    shop.connection.refresh_from_db()
    assert shop.connection.path == before

    owner.post(page("new_address", shop.connection.pk), {"confirmed": "yes"})
    shop.connection.refresh_from_db()
    assert shop.connection.path != before


def test_disconnecting_says_what_stays_and_asks(owner: Client, shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order())
    assert (
        "activities, totals" in owner.get(page("disconnect", shop.connection.pk)).content.decode()
    )
    assert Connection.objects.for_organisation(shop.organisation).exists()

    owner.post(page("disconnect", shop.connection.pk), {"confirmed": "yes"})

    assert not Connection.objects.for_organisation(shop.organisation).exists()
    assert shop.activities().count() == 1


def test_nothing_is_done_by_a_mere_look(owner: Client, shop: Shop) -> None:
    for name in ("test", "pause", "resume"):
        assert owner.get(page(name, shop.connection.pk)).status_code == 404


# Who may


@pytest.mark.parametrize("role", [roles.READ_ONLY, roles.STAFF])
def test_who_may_only_look_sees_no_secret(
    staff_of: Callable[..., Client], shop: Shop, role: str
) -> None:
    client = staff_of(shop.organisation, role)
    shown = client.get(page("change", shop.connection.pk))

    assert shown.status_code == 200
    assert shop.connection.path.rpartition("/")[2] not in shown.content.decode()
    assert f"…{SECRET[-4:]}" not in shown.content.decode()
    assert client.get(page("add")).status_code in (403, 404)
    for name in ("test", "pause", "resume", "new_address", "disconnect"):
        address = page(name, shop.connection.pk)
        assert client.post(address, {"confirmed": "yes"}).status_code in (403, 404), name
    assert change(client, shop.connection, name="Mine").status_code == 403


@pytest.mark.parametrize("role", [roles.MANAGER, roles.OWNER])
def test_who_manages_may_connect(staff_of: Callable[..., Client], shop: Shop, role: str) -> None:
    client = staff_of(shop.organisation, role)

    assert client.get(f"{page('add')}?source=shopify").status_code == 200
    assert client.post(page("pause", shop.connection.pk)).status_code == 302


def test_the_buttons_of_another_organisation_are_not_there(
    owner: Client, other_organisation: Organisation
) -> None:
    foreign = rows.connection(other_organisation)

    for name in ("test", "pause", "resume", "new_address", "disconnect"):
        assert owner.post(page(name, foreign.pk), {"confirmed": "yes"}).status_code == 404, name


def test_the_menu_has_them(owner: Client) -> None:
    shown = owner.get(reverse("admin:index")).content.decode()

    assert page("changelist") in shown
    assert reverse("admin:integrations_delivery_changelist") in shown
    assert admin.site.is_registered(Connection)


def test_a_poll_that_failed_is_shown(owner: Client, shop: Shop) -> None:
    Connection.objects.for_organisation(shop.organisation).update(
        poll_error="example answered 401", polled_at=timezone.now() - timedelta(hours=1)
    )

    shown = owner.get(page("change", shop.connection.pk)).content.decode()
    assert "example answered 401" in shown
