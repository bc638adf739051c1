"""What a portal sends is given its meaning by clicking, in a real browser."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from activities.models import Activity
from contacts.models import Contact
from customfields import services as customfields
from integrations import services
from integrations.models import Connection, Delivery
from organisations.models import Organisation
from tests.browser.conftest import sign_in
from tests.integrations.conftest import work

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("complaints"),
]

CAME = {
    "event": {"kind": "authenticated", "when": "2026-01-05T10:00:00Z"},
    "visitor": {
        "mail": "bob@example.com",
        "First Name": "Bob",
        "cell": "00447700900123",
        "diet": "vegan",
        "newsletter": True,
        "ids": [{"value": "v-1"}],
    },
}


@pytest.fixture
def portal(seaview: Organisation) -> Connection:
    return services.connect(
        organisation=seaview, source="wifi", credentials={"account": "Cafe"}, name="Cafe"
    )


def post(portal: Connection, body: Any) -> None:
    answer = Client().post(portal.path, json.dumps(body), content_type="application/json")
    assert answer.status_code == 200
    work()


def say(tab: Page, path: str, meaning: str) -> None:
    """Click a value, and what it is."""
    tab.locator(f"label.rg-leaf:has(input[value='{path}'])").click()
    tab.locator("#map-choose").get_by_role("button", name=meaning, exact=True).click()
    expect(tab.locator("#map-choose")).to_be_hidden()


def test_values_are_given_their_meaning_and_what_failed_is_applied(
    tab: Page, live_server: LiveServer, seaview: Organisation, portal: Connection
) -> None:
    customfields.define(organisation=seaview, label="Diet", type="Text")
    post(portal, CAME)
    failed = Delivery.objects.for_organisation(seaview).get()
    assert failed.status == "failed"

    sign_in(tab, live_server)
    tab.goto(f"{live_server.url}/admin/integrations/connection/{portal.pk}/change/")
    tab.get_by_role("link", name="Say what its values mean").click()
    outcome = tab.locator("#map-outcome")
    expect(outcome).to_contain_text("No e-mail address, phone number or guest was found")

    say(tab, "visitor.mail", "E-mail address")
    expect(outcome).to_contain_text("A new contact: bob@example.com")
    say(tab, 'visitor["First Name"]', "First name")
    say(tab, "visitor.cell", "Phone number")
    say(tab, "visitor.ids[0].value", "Id of the person there")
    say(tab, "event.when", "When it happened")
    say(tab, "visitor.newsletter", "Consent to e-mail")
    say(tab, "visitor.diet", "Diet")
    expect(outcome).to_contain_text("A new contact: Bob")
    expect(outcome).to_contain_text("vegan")
    expect(outcome).to_contain_text("5 Jan 2026")
    assert not Contact.objects.for_organisation(seaview).exists()

    # A wrong choice is said beside the value, and taken back.
    say(tab, "event.kind", "Type of activity")
    wrong = tab.locator(".rg-has-problem")
    expect(wrong).to_contain_text("authenticated is not a type of activity")
    tab.get_by_role("button", name="Do not take Type of activity from event.kind").click()
    expect(wrong).to_have_count(0)

    tab.get_by_role("button", name="Save, and apply again").click()
    expect(tab.get_by_text("1 delivery is applied again.")).to_be_visible()
    work()
    bob = Contact.objects.for_organisation(seaview).get()
    assert (bob.first_name, bob.phone_number_e164) == ("Bob", "+447700900123")
    assert bob.custom_field_values.get().value_text == "vegan"
    assert bob.permissions.get().status == "subscribed"
    assert Activity.objects.for_organisation(seaview).get().type == "Connected to wifi"
    failed.refresh_from_db()
    assert failed.status == "applied"


def test_a_sample_is_mapped_by_keyboard_before_anything_came(
    tab: Page, live_server: LiveServer, seaview: Organisation, portal: Connection
) -> None:
    sign_in(tab, live_server)
    tab.goto(f"{live_server.url}/admin/integrations/connection/{portal.pk}/mapping/")
    expect(tab.get_by_text("Nothing has come yet.")).to_be_visible()
    keys = tab.keyboard
    tab.get_by_label("Sample, as JSON").focus()
    keys.insert_text('{"who": {"e": "ann@example.com", "vorname": "Ann"}, "email": "x"}')
    keys.press("Tab")
    keys.press("Enter")
    tree = tab.get_by_role("radiogroup", name="Values of the delivery")
    expect(tree).to_be_visible()

    tree.get_by_role("radio").first.focus()
    keys.press("Space")
    keys.press("Enter")  # on to what it may be
    expect(tab.get_by_role("button", name="E-mail address", exact=True)).to_be_focused()
    keys.press("Enter")
    expect(tab.locator("#map-outcome")).to_contain_text("A new contact: ann@example.com")
    expect(tab.locator("#mapping-said")).to_contain_text("who.e is used.")

    # The focus stays in the tree, and the arrows go on from there.
    expect(tree.get_by_role("radio").first).to_be_focused()
    keys.press("ArrowDown")
    expect(tab.locator("#map-chosen")).to_have_text("who.vorname")
    keys.press("Escape")
    expect(tab.locator("#map-choose")).to_be_hidden()

    # As text, which is the same thing.
    tab.locator("summary", has_text="As text").click()
    text = tab.get_by_label("The mapping as text")
    assert "email = who.e | user.email" in text.input_value()
    text.fill("email = who.e\nfirst_name = who.vorname\nnonsense")
    tab.get_by_role("button", name="Show what it means").click()
    expect(tab.get_by_role("alert")).to_contain_text("Line 3")
    text.fill("email = who.e\nfirst_name = who.vorname")
    tab.get_by_role("button", name="Show what it means").click()
    expect(tab.locator("#map-outcome")).to_contain_text("A new contact: Ann")
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_text("The mapping is saved.")).to_be_visible()
    portal.refresh_from_db()
    assert portal.options["mapping"] == "email = who.e\nfirst_name = who.vorname"
    assert not Contact.objects.for_organisation(seaview).exists()
