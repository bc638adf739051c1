"""From a figure to what is behind it, in a real browser."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from contacts import rfm
from organisations.models import Organisation
from tests.admin import rows
from tests.browser.conftest import sign_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("complaints"),
]


def test_from_figures_bars_and_cells_to_lists(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    jane = rows.contact(seaview, name="Jane Hull")
    for days in (1, 3, 3):
        moment = timezone.now() - timedelta(days=days)
        rows.activity(seaview, contact=jane, happened_at=moment)
    rfm.recompute(seaview)
    tab.clock.install()
    sign_in(tab, live_server)

    # A bar by the keyboard: its tip, and the list behind it.
    spend = tab.get_by_role("region", name="Spend by day")
    spend.locator("[data-bar]").last.focus()
    for _day in range(3):
        tab.keyboard.press("ArrowLeft")
    expect(spend.locator(".rg-plot-tip")).to_contain_text("£90.00")
    tab.keyboard.press("Enter")
    expect(tab.locator("#result_list tbody tr")).to_have_count(2)

    # Other days, and a figure of them.
    tab.goto(f"{live_server.url}/admin/")
    tab.get_by_text("Other days").click()
    yesterday = (timezone.now() - timedelta(days=1)).date().isoformat()
    tab.get_by_label("From").fill(yesterday)
    tab.get_by_label("To", exact=True).fill(yesterday)
    tab.get_by_role("button", name="Show", exact=True).click()
    tab.get_by_role("link", name=re.compile("^Orders: 1$")).click()
    expect(tab.locator("#result_list tbody tr")).to_have_count(1)

    # A cell of the grid.
    tab.goto(f"{live_server.url}/admin/")
    tab.locator(".rg-heat-grid a").click()
    expect(tab.locator("#result_list tbody tr")).to_have_count(1)
    expect(tab.locator("#result_list")).to_contain_text("Jane Hull")

    # What happens meanwhile comes in.
    tab.goto(f"{live_server.url}/admin/")
    rows.activity(seaview, contact=rows.contact(seaview, name="Just Now"))
    expect(tab.locator("[data-dash-latest]")).not_to_contain_text("Just Now")
    tab.clock.fast_forward(16_000)
    expect(tab.locator("[data-dash-latest]")).to_contain_text("Just Now")
