"""Runs looked at, retried and cancelled, and a workflow tried, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from contacts import services as contacts
from contacts.models import Contact
from organisations.models import Organisation
from tests.browser.conftest import sign_in
from tests.workflows.running import work
from workflows import services
from workflows.models import Run, Workflow

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("complaints"),
]

TAKEN = "+447700900123"


@pytest.fixture
def jane(seaview: Organisation) -> Contact:
    values = {"first_name": "Jane", "last_name": "Hull", "email_address": "jane@example.com"}
    return contacts.upsert(organisation=seaview, values=values)[0]


def workflow_of(organisation: Organisation, *steps: dict[str, Any]) -> Workflow:
    return services.create(
        organisation=organisation,
        name="Hello",
        status=Workflow.Status.ACTIVE,
        trigger={"type": "manual"},
        steps=list(steps),
    )


def opened(tab: Page, live_server: LiveServer, run: Run) -> None:
    """The run's page, by way of the list."""
    sign_in(tab, live_server)
    tab.goto(f"{live_server.url}/admin/workflows/run/")
    tab.locator("#result_list tbody th a").first.click()
    expect(tab).to_have_url(f"{live_server.url}/admin/workflows/run/{run.pk}/change/")


def test_a_failed_run_is_retried_by_click(
    tab: Page, live_server: LiveServer, seaview: Organisation, jane: Contact, settings: Any
) -> None:
    settings.WORKFLOW_RETRY_PAUSES = ()
    owner_of_number = contacts.upsert(organisation=seaview, values={"phone_number": TAKEN})[0]
    workflow = workflow_of(
        seaview,
        {"id": "tag", "type": "add_tag", "tag": "Seen"},
        {"id": "phone", "type": "update_contact", "values": {"phoneNumber": TAKEN}},
    )
    run = services.start(workflow=workflow, contact=jane)
    work()

    opened(tab, live_server, run)
    expect(tab.get_by_role("heading", name="Jane Hull in Hello")).to_be_visible()
    expect(tab.get_by_role("alert")).to_contain_text("phone number already")
    expect(tab.locator(".wf-card.wf-failed")).to_contain_text("Change the contact")
    row = tab.locator(".rg-table tr", has_text="Add a tag")
    expect(row).to_contain_text("Put on.")
    expect(row.locator("pre")).to_be_hidden()
    row.locator("summary").click()
    expect(row.locator("pre")).to_contain_text('"added": true')

    contacts.delete(contact=owner_of_number)  # the number is free now
    tab.get_by_role("link", name="Retry from the failed step").click()
    tab.get_by_role("button", name="Retry").click()
    expect(tab.get_by_text("The run goes on.")).to_be_visible()
    work()
    tab.reload()
    expect(tab.locator(".run-head")).to_contain_text("Completed")
    expect(tab.get_by_role("link", name="Retry from the failed step")).to_have_count(0)


def test_a_waiting_run_is_cancelled_by_click(
    tab: Page, live_server: LiveServer, seaview: Organisation, jane: Contact
) -> None:
    workflow = workflow_of(seaview, {"id": "pause", "type": "wait", "duration": "P1D"})
    run = services.start(workflow=workflow, contact=jane)
    work()

    opened(tab, live_server, run)
    expect(tab.locator(".run-facts")).to_contain_text("waits until")
    tab.get_by_role("link", name="Cancel the run").click()
    tab.get_by_role("button", name="Cancel the run").click()
    expect(tab.get_by_text("The run is cancelled.")).to_be_visible()
    run.refresh_from_db()
    assert run.status == Run.Status.CANCELLED


def test_a_template_is_taken_and_tried(
    tab: Page, live_server: LiveServer, seaview: Organisation, jane: Contact
) -> None:
    sign_in(tab, live_server)
    tab.goto(f"{live_server.url}/admin/workflows/workflow/")
    tab.get_by_role("link", name="Start from a template").click()
    welcome = tab.locator(".run-card", has=tab.get_by_role("heading", name="Welcome"))
    welcome.get_by_role("button", name="Use this one").click()
    expect(tab.get_by_text("Welcome is a draft now.")).to_be_visible()

    tab.get_by_role("link", name="Try on a contact").click()
    tab.locator(".select2-selection").first.click()
    tab.locator(".select2-search__field").last.fill("jane")
    tab.locator(".select2-results__option", has_text="Jane Hull").click()
    tab.get_by_role("button", name="Try it").click()

    expect(tab.get_by_role("heading", name="It would start for Jane Hull")).to_be_visible()
    steps = tab.locator(".run-steps > li")
    expect(steps.nth(0)).to_contain_text("Waits until")
    expect(steps.nth(1)).to_contain_text("Welcome to Seaview")
    letter = steps.nth(1).frame_locator("iframe")
    expect(letter.get_by_text("Dear Jane,")).to_be_visible()
    assert not Run.objects.across_organisations().exists()
