"""The list of contacts as staff use it: columns, a saved view, many changed and put back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from contacts.services import upsert
from customfields import services
from organisations.models import Organisation
from tests.browser.conftest import sign_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("complaints"),
]


def test_columns_are_chosen_a_view_is_saved_and_many_are_changed_and_put_back(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    services.define(organisation=seaview, label="Visits", type="Number")
    for number in range(4):
        values = {"email_address": f"guest{number}@example.com", "name": f"Guest {number}"}
        upsert(organisation=seaview, values={**values, "customFields": {"visits": number}})
    sign_in(tab, live_server)
    tab.goto(f"{live_server.url}/admin/contacts/contact/?q=guest")

    tab.locator("summary", has_text="Columns").click()
    tab.get_by_label("Visits", exact=True).check()
    tab.get_by_label("E-mail", exact=True).uncheck()
    up = tab.get_by_role("button", name="Move Visits up")
    for _step in range(25):
        up.press("Enter")
    tab.get_by_role("button", name="Show these").click()
    headings = tab.locator("#result_list thead th .text")
    expect(headings.nth(2)).to_have_text("Visits")
    expect(tab.locator("#result_list")).not_to_contain_text("guest1@example.com")

    tab.locator("summary", has_text="Save as a view").click()
    tab.locator("#view-name").fill("Visitors")
    tab.get_by_label("Share with everybody").check()
    tab.get_by_role("button", name="Save", exact=True).click()
    view = tab.get_by_role("navigation", name="Views").get_by_role("link", name="Visitors")
    expect(view).to_have_attribute("aria-current", "page")
    tab.get_by_role("navigation", name="Views").get_by_role("link", name="All").click()
    expect(tab.locator("#result_list")).to_contain_text("guest1@example.com")
    view.click()
    expect(headings.nth(2)).to_have_text("Visits")

    for number in (1, 2):
        row = tab.locator("#result_list tr", has=tab.get_by_role("link", name=f"Guest {number}"))
        row.locator("input[type=checkbox]").check()
    tab.locator("select[name=action]").select_option(label="Set a custom field")
    tab.get_by_role("button", name="Run").click()
    tab.get_by_label("Custom field").select_option(label="Visits")
    tab.get_by_label("Value").fill("40")
    tab.get_by_role("button", name="Set", exact=True).click()
    expect(tab.get_by_text("Visits set to 40: 2 contacts changed.")).to_be_visible()
    expect(tab.locator("td.field-cf_visits", has_text="40")).to_have_count(2)
    tab.get_by_role("link", name="Show, undo").click()
    tab.get_by_role("button", name="Undo").click()
    expect(tab.get_by_text("2 put back as they were")).to_be_visible()
    tab.goto(f"{live_server.url}/admin/contacts/contact/?cols=cf_visits")
    expect(tab.locator("td.field-cf_visits", has_text="40")).to_have_count(0)


def test_what_is_seen_is_kept_as_a_file(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    for number in range(3):
        values = {"email_address": f"guest{number}@example.com", "name": f"Guest {number}"}
        upsert(organisation=seaview, values=values)
    sign_in(tab, live_server)
    tab.goto(f"{live_server.url}/admin/contacts/contact/?q=guest1")
    tab.get_by_role("row", name="Guest 1").get_by_role("checkbox").check()
    tab.locator("select[name=action]").select_option("export_chosen")
    tab.get_by_role("button", name="Run").click()
    with tab.expect_download() as downloading:
        tab.get_by_role("button", name="Export").click()
    lines = downloading.value.path().read_text().splitlines()
    assert len(lines) == 2
    assert "guest1@example.com" in lines[1]
