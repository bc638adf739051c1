"""A shop is connected by clicks; what it tells shows as a contact, an activity and a total."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from integrations.models import Delivery
from tests.browser.conftest import sign_in
from tests.integrations import shopify
from tests.integrations.conftest import SECRET, SHOP, signed, work

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def connect(tab: Page) -> str:
    """Connect a shop by clicks; the address to enter there."""
    tab.get_by_role("link", name="Connections").first.click()
    tab.get_by_role("link", name="Add connection").first.click()
    expect(tab.get_by_role("heading", name="What do you want to connect?")).to_be_visible()
    tab.get_by_role("link", name="Shopify").click()
    tab.get_by_label("Name").fill("The shop")
    tab.get_by_label("Shop domain").fill(SHOP)
    tab.get_by_label("Secret", exact=False).first.fill(SECRET)
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_text("The shop is connected.")).to_be_visible()
    expect(tab.get_by_text("Notifications, Webhooks")).to_be_visible()
    return tab.locator("#address").inner_text()


def post(address: str, body: Path, *, signature: str) -> str:
    """POST a file as Shopify does, with curl; the status of the answer."""
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": "orders/paid",
        "X-Shopify-Shop-Domain": SHOP,
        "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        "X-Shopify-Hmac-Sha256": signature,
    }
    told = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *told]
    command += ["--data-binary", f"@{body}", address]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def see_the_contact(tab: Page) -> None:
    """Once, with one activity, and what it is worth."""
    tab.get_by_role("link", name="Contacts").first.click()
    row = tab.locator("#result_list tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("John Smith")
    expect(row).to_contain_text("£404.95")
    row.get_by_role("link", name="John Smith").click()
    expect(tab.locator(".rg-figures").first).to_contain_text("£404.95")
    expect(tab.locator("#timeline").get_by_text("Shopify order")).to_have_count(1)
    expect(tab.get_by_text(f"shopify:{SHOP}").first).to_be_visible()


@pytest.mark.usefixtures("complaints", "seaview")
def test_a_shop_is_connected_and_its_order_counts_once(
    tab: Page, live_server: LiveServer, tmp_path: Path, settings: Any
) -> None:
    settings.SITE_URL = live_server.url
    order = shopify.order(currency="GBP", total_price_set=shopify.money("404.95", "GBP"))
    body = tmp_path / "order.json"
    body.write_text(json.dumps(order))
    signature = signed(body.read_bytes())

    sign_in(tab, live_server)
    address = connect(tab)
    page = tab.url
    assert post(address, body, signature="bm90IGl0") == "401"
    assert post(address, body, signature=signature) == "200"
    work()

    see_the_contact(tab)
    tab.goto(page)
    health = tab.locator(".rg-connection .rg-figures")
    expect(health.locator("div", has_text="Last delivery").locator("time")).to_be_visible()
    expect(health.locator("div", has_text="To be applied")).to_contain_text("0")

    # What it delivered, and what that made; the same again changes nothing.
    tab.get_by_role("link", name="What it delivered").click()
    rows = tab.locator("#result_list tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="Refused")).to_contain_text("The signature is wrong.")
    rows.filter(has_text="Applied").get_by_role("link").first.click()
    made = tab.locator(".rg-lines li", has=tab.get_by_role("link", name="Shopify order"))
    expect(made.get_by_role("link", name="John Smith")).to_be_visible()
    expect(tab.locator("pre")).to_contain_text('"name": "#9999"')
    tab.get_by_role("link", name="Apply again").first.click()
    expect(tab.get_by_text("What is known already does not double")).to_be_visible()
    tab.get_by_role("button", name="Apply again").click()
    expect(tab.get_by_text("1 delivery is applied again.")).to_be_visible()
    assert post(address, body, signature=signature) == "200"
    work()
    tab.reload()
    expect(made).to_have_count(1)
    statuses = Delivery.objects.across_organisations().order_by("pk").values_list("status")
    assert [*statuses] == [("refused",), ("applied",)]
    see_the_contact(tab)
