"""Somebody chooses the language they read, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from organisations.models import Organisation
from tests.browser.conftest import sign_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("complaints"),
]


def test_ones_language_is_chosen_under_ones_name(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    sign_in(tab, live_server)
    tab.get_by_text("anna@example.com").first.click()
    tab.get_by_role("link", name="Your name and language").click()
    tab.get_by_label("First name").fill("Anna")
    tab.get_by_label("Language").select_option("Français")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_text("Enregistré.")).to_be_visible()
    expect(tab.locator("html")).to_have_attribute("lang", "fr")
    tab.goto(f"{live_server.url}/admin/contacts/contact/")
    expect(tab.get_by_role("link", name="Mon travail")).to_be_visible()
