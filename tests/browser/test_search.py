"""Search from everywhere, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from organisations.models import Organisation
from tests.admin import rows
from tests.browser.conftest import sign_in

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("complaints"),
]


def test_finding_somebody_by_keyboard_and_coming_back(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    rows.contact(seaview, name="Jane Hull", email_address="jane@example.com")
    rows.contact(seaview, name="Zoë Penhaligon", email_address="zoe@example.com")
    sign_in(tab, live_server)
    palette = tab.get_by_role("dialog", name="Search")
    box = palette.get_by_role("combobox")
    options = palette.get_by_role("option")

    # With a typing error, and without waiting for the answer.
    tab.locator("body").press("/")
    expect(box).to_be_focused()
    tab.keyboard.type("penhaligan")
    expect(options).to_have_count(1)
    expect(box).to_have_attribute("aria-activedescendant", re.compile("option-0"))
    tab.keyboard.press("Enter")
    expect(tab.locator("[name=first_name], #timeline").first).to_be_attached()
    expect(tab).to_have_title(re.compile("Zoë Penhaligon"))

    # In a field, / is a letter; Ctrl-K is not. What was opened lately stands there.
    tab.goto(f"{live_server.url}/admin/contacts/contact/")
    tab.locator("#searchbar").fill("")
    tab.locator("#searchbar").press("/")
    expect(palette).to_be_hidden()
    tab.keyboard.press("Control+k")
    expect(options).to_have_text([re.compile("Zoë Penhaligon")])

    # Arrows go round, Escape leaves, and a screen is as near as a person.
    tab.keyboard.type("example")
    expect(options).to_have_count(2)
    first = box.get_attribute("aria-activedescendant")
    tab.keyboard.press("ArrowDown")
    expect(box).not_to_have_attribute("aria-activedescendant", str(first))
    tab.keyboard.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", str(first))
    tab.keyboard.press("Escape")
    expect(palette).to_be_hidden()
    tab.get_by_role("button", name="Search", exact=False).first.click()
    box.fill("nobody at all")
    expect(palette).to_contain_text("Nothing is found for this")
    box.fill("tab res")
    expect(options).to_have_count(1)
    box.press("Enter")
    expect(tab).to_have_url(re.compile("/activities/tablereservation/"))


@pytest.mark.slow
def test_part_of_a_number_finds_whose_it_is(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    rows.contact(seaview, name="Zoë Penhaligon", phone_number="07700 900123")
    rows.booking(seaview)  # SECRET-B
    sign_in(tab, live_server)
    tab.keyboard.press("Control+k")
    box = tab.get_by_role("dialog", name="Search").get_by_role("combobox")
    options = tab.get_by_role("dialog", name="Search").get_by_role("option")
    for phone in ("900123", "+44 7700 9001", "(07700) 900"):
        box.fill(phone)
        expect(options.first).to_contain_text("Zoë Penhaligon")
    box.fill("SECRET-B")
    expect(options.first).to_contain_text("SECRET-B")
    box.press("Enter")
    expect(tab).to_have_url(re.compile("/(booking|contact)/[0-9]+/change/"))
