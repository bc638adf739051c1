"""The story of workflows, in a real browser: built by clicks, rehearsed, switched on, and watched.

The third purchase within 90 days earns 5.00 of credit; a day later comes a thank-you e-mail, unless
a complaint came in.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from activities.services import define_type
from contacts.services import upsert
from organisations.models import Organisation
from tests.browser.conftest import sign_in
from workflows import engine
from workflows.models import Run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("complaints"),
]


class Canvas:
    """What a manager does on the canvas."""

    def __init__(self, tab: Page) -> None:
        self.tab = tab
        self.panel = tab.locator("#wf-panel")

    def choose(self, words: str) -> None:
        """In the palette that is open."""
        palette = self.tab.locator("dialog[open]")
        palette.get_by_label("Search").fill(words)
        palette.get_by_role("button", name=words).click()
        expect(self.panel).to_be_visible()

    def add(self, path: str, index: int, words: str) -> None:
        """A step, between two others."""
        self.tab.locator(f'[data-add="{path}"][data-index="{index}"]').click()
        self.choose(words)

    def condition(self, field: str, operator: str) -> Locator:
        """A condition in the panel's rule."""
        self.panel.get_by_role("button", name="Add a condition").click()
        row = self.panel.get_by_role("group", name="Condition")
        row.get_by_role("combobox", name="Field").fill(field)
        row.locator("[role=option]").first.click()
        row.get_by_label("Operator").select_option(label=operator)
        return row

    def apply(self) -> None:
        self.panel.get_by_role("button", name="Apply").click()
        expect(self.panel).to_be_hidden()


def work() -> None:
    """Let the worker do all that is due."""
    while engine.work():
        pass


def type_of_activity(row: Locator, name: str) -> None:
    box = row.get_by_role("combobox", name="Add to: Of type")
    box.fill(name)
    row.locator("[role=option]:visible", has_text=name).first.click()


def build(tab: Page) -> None:
    """Build it by clicks."""
    tab.get_by_role("link", name="Workflows").first.click()
    tab.get_by_role("link", name="Add workflow").first.click()
    canvas = Canvas(tab)
    canvas.choose("An order is placed")
    row = canvas.condition("activities", "at least so many")
    row.get_by_label("Activities", exact=True).fill("3")
    type_of_activity(row, "Purchase")
    row.get_by_label("Within the last", exact=True).fill("90")
    row.get_by_label("Within the last: unit").select_option(label="days")
    canvas.apply()
    canvas.add("steps", 0, "Give credit")
    canvas.panel.get_by_label("Amount").fill("5.00")
    canvas.apply()
    canvas.add("steps", 1, "Wait for an activity")
    canvas.panel.get_by_label("Complaint").check()
    canvas.panel.get_by_label("How many").first.fill("1")
    canvas.panel.get_by_label("Unit").first.select_option(label="days")
    canvas.apply()
    canvas.add("steps.1.else", 0, "Send an e-mail")
    canvas.panel.get_by_label("Subject").fill("Thank you, {{ contact.firstName }}")
    canvas.panel.get_by_label("Text*").fill("<p>{{ run.context.give_credit.amount | money }}</p>")
    canvas.apply()
    tab.get_by_label("Name").fill("Thank the third purchase")
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_text("was added successfully")).to_be_visible()


def rehearse(tab: Page) -> None:
    """Try it on a contact: it is shown."""
    tab.get_by_role("link", name="Thank the third purchase").first.click()
    tab.get_by_role("link", name="Try").first.click()
    tab.locator(".field-contact .select2-selection, .select2-selection").first.click()
    tab.locator(".select2-search__field").fill("jane")
    tab.locator(".select2-results__option", has_text="Jane Doe").click()
    tab.get_by_role("button", name="Try it").click()
    result = tab.locator("#result")
    expect(result).to_contain_text("It would not start for Jane Doe by itself")
    expect(tab.locator(".run-steps")).to_contain_text("Thank you, Jane")
    expect(tab.frame_locator("iframe").get_by_text("£5.00")).to_be_visible()


def test_the_third_purchase_is_thanked_for(
    seaview: Organisation,
    tab: Page,
    live_server: LiveServer,
    api_for: Callable[..., Any],
    settings: Any,
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    define_type(organisation=seaview, name="Complaint")
    jane, _new = upsert(
        organisation=seaview,
        values={"email_address": "jane@example.com", "first_name": "Jane", "last_name": "Doe"},
    )
    sign_in(tab, live_server)

    build(tab)
    rehearse(tab)
    assert mail.outbox == []
    assert not Run.objects.for_organisation(seaview).exists()

    # Switched on.
    tab.get_by_role("link", name="Back to the workflow").click()
    tab.get_by_role("link", name="Activate").click()
    tab.get_by_role("button", name="Activate").click()
    expect(tab.get_by_text("Active", exact=True).first).to_be_visible()

    # Three purchases, by another system.
    api = api_for(seaview)
    for number in range(3):
        purchase = {
            "contact": jane.pk,
            "type": "Purchase",
            "source": "till",
            "happenedAt": (timezone.now() - datetime.timedelta(days=20 - number)).isoformat(),
            "spend": 2000,
            "currencyCode": "GBP",
            "externalReference": f"SO-{number}",
        }
        assert api.post("/activities", purchase).status_code == 201
        work()
    assert api.get(f"/contacts/{jane.pk}/credit").json()["balances"] == {"GBP": 500}
    assert mail.outbox == []

    # A day later.
    with time_machine.travel(timezone.now() + datetime.timedelta(days=1, minutes=1), tick=True):
        work()
    (sent,) = mail.outbox
    assert (sent.to, sent.subject) == (["jane@example.com"], "Thank you, Jane")

    # The run shows the way.
    tab.get_by_role("link", name="Runs").first.click()
    tab.get_by_role("row", name="Jane Doe").get_by_role("link").first.click()
    expect(tab.locator(".wf-card.wf-lit", has_text="Send an e-mail")).to_be_visible()
    expect(tab.locator(".wf-card.wf-lit", has_text="Give credit")).to_be_visible()
    expect(tab.get_by_text("Completed").first).to_be_visible()
