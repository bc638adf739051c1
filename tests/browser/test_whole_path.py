"""What a member of staff does on the first day, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from organisations.models import Organisation
from tests.browser.conftest import sign_in

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def choose(tab: Page, field: str, typed: str, option: str) -> None:
    """Search in an autocomplete and take what it finds."""
    tab.locator(f".field-{field} .select2-selection").click()
    tab.locator(".select2-search__field").last.fill(typed)
    tab.locator(".select2-results__option", has_text=option).click()


@pytest.mark.usefixtures("complaints")
def test_from_signing_in_to_seeing_what_was_spent(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    sign_in(tab, live_server)
    expect(tab.get_by_text("Seaview is ready")).to_be_visible()

    # A custom field, with options that are dragged into another order.
    tab.get_by_role("link", name="Add a custom field").click()
    tab.get_by_label("Label").first.fill("Dietary preference")
    tab.locator("select[name=type]").select_option("Select")
    for index, option in enumerate(("Vegan", "Vegetarian")):
        tab.get_by_text("Add another Option").click()
        tab.locator(f"[name=options-{index}-value]").fill(option)
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_text("was added successfully")).to_be_visible()

    # A contact with a value in it.
    tab.get_by_role("link", name="Contacts").first.click()
    tab.locator("a.addlink").click()
    tab.get_by_label("First name").fill("Jane")
    tab.get_by_label("Last name").fill("Hull")
    tab.locator("[name=email_address]").fill("jane@example.com")
    tab.locator("[name=phone_number]").fill("07700 900123")
    tab.get_by_label("Dietary preference").select_option("Vegetarian")
    tab.get_by_label("New tags").fill("VIP, Newsletter")
    tab.get_by_text("Add another Address").click()
    tab.locator("[name=addresses-0-city]").fill("Leeds")
    tab.get_by_role("button", name="Save", exact=True).click()
    row = tab.locator("#result_list tr", has_text="Jane Hull")
    expect(row).to_contain_text("VIP")
    expect(row).to_contain_text("£0.00")

    # A purchase.
    row.get_by_role("link", name="Jane Hull").click()
    expect(tab.get_by_label("Dietary preference")).to_have_value("Vegetarian")
    tab.get_by_role("tab", name="Activity").click()
    tab.get_by_role("link", name="All fields").click()
    tab.locator("select[name=type]").select_option("Purchase")
    tab.get_by_label("Amount").fill("45.00")
    tab.get_by_role("button", name="Save", exact=True).click()

    # Its money in the totals, and it in the timeline.
    figures = tab.locator(".rg-figures")
    expect(figures).to_contain_text("£45.00")
    expect(tab.locator("#timeline")).to_contain_text("Purchase")
    expect(tab.locator("[name=addresses-0-city]")).to_have_value("Leeds")


@pytest.mark.usefixtures("complaints")
def test_finding_filtering_and_merging(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    from contacts.services import upsert

    for name, phone in (("Jane Hull", "07700900123"), ("J. Hull", "07700900124")):
        values = {"name": name, "phone_number": phone, "tags": ["VIP"]}
        upsert(organisation=seaview, values=values)
    upsert(organisation=seaview, values={"name": "Tom", "email_address": "tom@example.com"})
    sign_in(tab, live_server)

    tab.get_by_placeholder("Find a contact").fill("+44 7700 900 123")
    tab.keyboard.press("Enter")
    expect(tab.locator("#result_list tbody tr")).to_have_count(1)

    tab.goto(f"{live_server.url}/admin/contacts/contact/")
    tab.locator("a", has_text="Filters").click()
    tab.locator("#changelist-filter .select2-selection").first.click()
    tab.locator(".select2-search__field").last.fill("vi")
    tab.locator(".select2-results__option", has_text="VIP").click()
    tab.locator("#filter-form").get_by_role("button", name="Apply").click()
    expect(tab.locator("#result_list tbody tr")).to_have_count(2)

    tab.get_by_role("link", name="Jane Hull").click()
    tab.locator("a", has_text=re.compile(r"^\s*More\b")).click()
    tab.get_by_role("link", name="Merge with another").click()
    tab.locator(".select2-selection").click()
    tab.locator(".select2-search__field").last.fill("j. hull")
    tab.locator(".select2-results__option", has_text="J. Hull").click()
    tab.get_by_role("button", name="See the result").click()
    expect(tab.locator(".rg-table")).to_contain_text("Jane Hull")
    tab.get_by_role("button", name="Merge").click()
    expect(tab.get_by_text("is now part of this contact")).to_be_visible()
    expect(tab.locator("#rg-beside")).to_contain_text("was merged into this contact")
