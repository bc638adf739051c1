"""A workflow made on the canvas, by clicks and by keys, in a real browser."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from organisations.models import Organisation
from tests.browser.conftest import sign_in
from workflows import services
from workflows.models import Workflow

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def workflow(seaview: Organisation) -> Workflow:
    """Two tags and an end, one after the other."""
    return services.create(
        organisation=seaview,
        name="Tags",
        trigger={"type": "contact_created"},
        steps=[
            {"id": "one", "type": "add_tag", "tag": "One"},
            {"id": "two", "type": "add_tag", "tag": "Two"},
            {"id": "end", "type": "exit"},
        ],
    )


def kept(workflow: Workflow | None = None) -> Any:
    """The steps of the newest version of the workflow, or of the only one there is."""
    workflows = Workflow.objects.across_organisations()
    found = workflows.get() if workflow is None else workflows.get(pk=workflow.pk)
    return found.versions.get(number=found.version).steps


def ids(steps: list[Any]) -> list[str]:
    return [step["id"] for step in steps]


def save(tab: Page) -> None:
    with tab.expect_navigation():
        tab.get_by_role("button", name="Save", exact=True).click()


def card(tab: Page, path: str) -> Any:
    return tab.locator(f'[data-path="{path}"]')


def add(tab: Page, path: str, index: int, name: str) -> None:
    """Add a step by clicks; its panel is open then."""
    tab.locator(f'[data-add="{path}"][data-index="{index}"]').click()
    tab.locator("#wf-steps .wf-choice", has_text=name).click()
    expect(tab.locator("#wf-panel")).to_be_visible()


def apply(tab: Page) -> None:
    tab.get_by_role("button", name="Apply").click()
    expect(tab.locator("#wf-panel")).to_be_hidden()


@pytest.fixture
def opened(tab: Page, live_server: LiveServer, workflow: Workflow, complaints: list[str]) -> Page:
    """The canvas of the workflow with the tags."""
    sign_in(tab, live_server)
    tab.goto(f"{live_server.url}/admin/workflows/workflow/{workflow.pk}/change/")
    expect(card(tab, "trigger")).to_be_visible()
    return tab


@pytest.mark.usefixtures("complaints", "seaview")
def test_a_workflow_is_made_by_clicks(tab: Page, live_server: LiveServer) -> None:
    sign_in(tab, live_server)
    tab.get_by_role("link", name="Workflows").click()
    tab.goto(f"{live_server.url}/admin/workflows/workflow/add/")
    tab.locator("#wf-triggers .wf-choice", has_text="An activity is recorded").click()
    panel = tab.locator("#wf-panel")
    panel.get_by_label("Purchase", exact=True).check()
    apply(tab)
    expect(card(tab, "trigger")).to_contain_text("Purchase")

    add(tab, "steps", 0, "Condition")
    panel.get_by_role("button", name="Add a condition").click()
    row = panel.get_by_role("group", name="Condition")
    row.get_by_role("combobox", name="Field").fill("Orders")
    row.locator("[role=option]").first.click()
    row.get_by_label("Operator").select_option(label="is")
    row.locator("input").last.fill("3")
    apply(tab)
    expect(card(tab, "steps.0")).to_contain_text("Orders is 3")

    add(tab, "steps.0.then", 0, "Give credit")
    panel.get_by_label("Amount").first.fill("5.00")
    panel.get_by_label("How many").fill("90")
    apply(tab)
    expect(card(tab, "steps.0.then.0")).to_contain_text("£5.00, expires after 90 days")

    add(tab, "steps.0.then", 1, "Send an e-mail")
    tab.get_by_role("button", name="Apply").click()
    expect(panel).to_contain_text("This field is required")
    panel.get_by_label("Subject").fill("Hello ")
    panel.get_by_label("Insert a variable").first.select_option("contact.firstName")
    expect(panel.get_by_label("Subject")).to_have_value("Hello {{ contact.firstName }}")
    panel.get_by_label("Text").last.fill("Thank you")
    apply(tab)

    tab.get_by_label("Name").first.fill("Thank the third order")
    expect(tab.get_by_text("Not saved yet")).to_be_visible()
    save(tab)
    (fork,) = kept()
    assert fork["conditions"] == {
        "all": [{"field": "contact.totalOrders", "operator": "eq", "value": 3}]
    }
    assert fork["then"] == [
        {"id": "give_credit", "type": "give_credit", "amount": 500, "expiresAfter": "P90D"},
        {
            "id": "send_email",
            "type": "send_email",
            "subject": "Hello {{ contact.firstName }}",
            "body": "Thank you",
        },
    ]
    tab.get_by_role("link", name="Activate").click()
    tab.get_by_role("button", name="Activate").click()
    expect(tab.locator(".wf-status")).to_have_text("Active")


def test_a_workflow_is_changed_by_keys(opened: Page, workflow: Workflow) -> None:
    tab = opened
    card(tab, "trigger").focus()
    tab.keyboard.press("ArrowDown")
    expect(card(tab, "steps.0")).to_be_focused()
    tab.keyboard.press("Alt+ArrowDown")
    expect(card(tab, "steps.1")).to_contain_text("One")
    expect(card(tab, "steps.1")).to_be_focused()

    tab.keyboard.press("a")
    tab.keyboard.type("wait")
    tab.keyboard.press("Enter")
    panel = tab.locator("#wf-panel")
    expect(panel).to_be_visible()
    panel.get_by_label("How many").first.fill("3")
    tab.keyboard.press("Enter")
    expect(panel).to_be_hidden()
    expect(card(tab, "steps.2")).to_contain_text("3 days")
    expect(card(tab, "steps.2")).to_be_focused()

    tab.keyboard.press("Enter")
    expect(panel).to_be_visible()
    tab.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(card(tab, "steps.2")).to_be_focused()

    tab.keyboard.press("Control+d")
    expect(card(tab, "steps.3")).to_be_focused()
    tab.keyboard.press("Delete")
    expect(card(tab, "steps.2")).to_be_focused()
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("Delete")
    expect(card(tab, "steps.0")).to_be_focused()
    expect(tab.locator(".wf-face")).to_have_count(4)
    tab.keyboard.press("Control+z")
    expect(card(tab, "steps.1")).to_contain_text("One")
    save(tab)
    assert ids(kept(workflow)) == ["two", "one", "wait", "end"]


def test_a_step_is_cut_and_put_into_a_path(opened: Page, workflow: Workflow) -> None:
    tab = opened
    add(tab, "steps", 2, "Condition")
    apply(tab)
    card(tab, "steps.0").focus()
    tab.keyboard.press("Control+x")
    expect(tab.locator(".wf-face")).to_have_count(4)
    tab.locator('[data-paste="steps.1.else"]').click()
    expect(card(tab, "steps.1.else.0")).to_contain_text("One")
    save(tab)
    two, fork, end = kept(workflow)
    assert (ids(fork["else"]), fork["then"]) == (["one"], [])
    assert ids([two, end]) == ["two", "end"]


def test_what_is_wrong_is_at_its_card_and_what_is_typed_is_not_lost(
    opened: Page, workflow: Workflow
) -> None:
    tab = opened
    add(tab, "steps", 0, "Add a tag")
    tab.locator("#wf-panel").get_by_label("Close").click()
    expect(card(tab, "steps.0")).to_contain_text("Tag: This is required.")
    save(tab)  # is refused
    expect(card(tab, "steps.0")).to_contain_text("Tag: This is required.")
    card(tab, "steps.0").click()
    tab.locator("#wf-panel").get_by_label("Tag").fill("Zero")
    save(tab)  # takes what is in the panel
    assert ids(kept(workflow)) == ["add_tag", "one", "two", "end"]
    assert kept(workflow)[0]["tag"] == "Zero"


def test_leaving_with_changes_warns(opened: Page, workflow: Workflow) -> None:
    tab = opened
    card(tab, "steps.0").focus()
    tab.keyboard.press("Delete")
    expect(tab.locator(".wf-face")).to_have_count(3)
    asked: list[str] = []
    tab.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    tab.get_by_role("link", name=re.compile("^Runs")).first.click()
    tab.wait_for_url("**/workflows/run/**")
    assert asked == ["beforeunload"]
    assert len(kept(workflow)) == 3


def test_without_our_script_the_canvas_is_seen_and_the_json_can_be_edited(
    tab: Page, live_server: LiveServer, workflow: Workflow
) -> None:
    sign_in(tab, live_server)
    tab.route("**/workflows*.js", lambda route: route.abort())
    tab.goto(f"{live_server.url}/admin/workflows/workflow/{workflow.pk}/change/")
    expect(card(tab, "steps.0")).to_be_visible()
    tab.locator("#id_steps").fill('[{"id": "only", "type": "exit"}]')
    save(tab)
    assert ids(kept(workflow)) == ["only"]
