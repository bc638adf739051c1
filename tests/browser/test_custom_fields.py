"""Custom fields on their board: dragged, moved by the keyboard, tightened with open eyes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from contacts.services import upsert
from customfields import services
from customfields.models import CustomField
from organisations.models import Organisation
from tests.browser.conftest import sign_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("complaints"),
]


def placed(organisation: Organisation) -> list[tuple[str, str]]:
    fields = CustomField.objects.for_organisation(organisation).order_by("position")
    return list(fields.values_list("group", "label"))


def test_fields_are_arranged_and_a_rule_shows_whom_it_concerns(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    for label, type_, group in (
        ("Diet", "Text", "Food"),
        ("Allergies", "Text", "Food"),
        ("Visits", "Number", "Room"),
    ):
        services.define(organisation=seaview, label=label, type=type_, group=group)
    for number in range(3):
        given = {"email_address": f"guest{number}@example.com", "customFields": {"visits": number}}
        upsert(organisation=seaview, values=given)
    sign_in(tab, live_server)
    tab.goto(f"{live_server.url}/admin/customfields/customfield/")

    tab.locator("[data-field]", has_text="Allergies").drag_to(
        tab.locator("[data-group=Room] [data-field]"), target_position={"x": 60, "y": 4}
    )
    expect(tab.locator("[data-status]")).to_have_text("Moved.")
    expect(tab.locator("[data-group=Room] .rg-field-name a")).to_have_text(["Allergies", "Visits"])
    assert placed(seaview) == [("Food", "Diet"), ("Room", "Allergies"), ("Room", "Visits")]

    tab.get_by_label("Move Allergies").focus()
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")  # "Down"
    expect(tab.locator("[data-group=Room] .rg-field-name a")).to_have_text(["Visits", "Allergies"])
    expect(tab.get_by_label("Move Allergies")).to_be_focused()

    tab.get_by_role("button", name="New group").click()
    tab.keyboard.type("Spa")
    tab.locator("[data-field]", has_text="Diet").drag_to(tab.locator("[data-group=Spa] ul"))
    expect(tab.get_by_role("heading", name="Spa")).to_be_visible()
    assert placed(seaview) == [("Room", "Visits"), ("Room", "Allergies"), ("Spa", "Diet")]

    tab.get_by_role("link", name="Visits").click()
    tab.get_by_label("Minimum").fill("2")
    expect(tab.locator(".rg-impact")).to_contain_text("2 contacts would break it.")
    with tab.expect_popup() as opened:
        tab.get_by_role("link", name="Show them").click()
    expect(opened.value.get_by_role("link", name="guest0@example.com")).to_be_visible()
    tab.get_by_label("Save it all the same").check()
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.locator("#rg-board")).to_be_visible()
    assert CustomField.objects.for_organisation(seaview).get(name="visits").minimum == 2
