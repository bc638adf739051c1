"""Somebody sees who changed a contact, and puts a value back."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from contacts import services
from crm import actors
from crm.actors import Actor, Kind
from organisations.models import Organisation
from tests.browser.conftest import sign_in

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_value_is_put_back(
    tab: Page, live_server: LiveServer, seaview: Organisation, complaints: list[str]
) -> None:
    jane, _created = services.upsert(
        organisation=seaview, values={"email_address": "jane@example.com", "first_name": "Jane"}
    )
    with actors.acting(Actor(Kind.KEY, name="Sign-up form")):
        services.update(contact=jane, values={"first_name": "Jnae", "tags": ["VIP"]})
    sign_in(tab, live_server)
    tab.goto(live_server.url + reverse("admin:contacts_contact_change", args=[jane.pk]))
    tab.get_by_role("link", name="History").click()

    changes = tab.locator(".rg-history > li")
    expect(changes.first).to_contain_text("Sign-up form")
    tab.get_by_label("Field").select_option(label="First name")
    tab.get_by_role("button", name="Show").click()
    tab.set_viewport_size({"width": 390, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390

    tab.get_by_role("link", name="Put back First name: Jane").click()
    expect(tab.get_by_text("Now: Jnae")).to_be_visible()
    tab.get_by_role("button", name="Put it back").click()

    expect(tab.get_by_text("Put back: First name.")).to_be_visible()
    expect(changes.first).to_contain_text("anna@example.com")
    jane.refresh_from_db()
    assert jane.first_name == "Jane"
