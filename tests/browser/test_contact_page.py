"""Working on a contact's page, and off a list of things to do, without leaving either."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from activities.services import record
from contacts.models import Contact
from contacts.services import upsert
from organisations import roles
from organisations.models import Organisation
from organisations.services import add_member
from tests.browser.conftest import sign_in

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def jane(seaview: Organisation) -> Contact:
    values = {"name": "Jane Hull", "email_address": "jane@example.com", "tags": ["VIP"]}
    contact, _created = upsert(organisation=seaview, values=values)
    return contact


@pytest.fixture
def bob(seaview: Organisation) -> User:
    role = Group.objects.get(name=roles.STAFF)
    membership, _created = add_member(organisation=seaview, email="bob@example.com", role=role)
    user = membership.user
    user.first_name, user.last_name = "Bob", "Nowak"
    user.save()
    return user


def open_page(tab: Page, live_server: LiveServer, contact: Contact) -> None:
    tab.goto(f"{live_server.url}/admin/contacts/contact/{contact.pk}/change/")


def stay(tab: Page) -> None:
    """Leave a mark that is gone when the page comes anew."""
    tab.evaluate("document.body.dataset.still = 'here'")


def stayed(tab: Page) -> bool:
    return bool(tab.evaluate("document.body.dataset.still === 'here'"))


@pytest.mark.usefixtures("complaints", "bob")
def test_a_note_is_written_and_changed_without_leaving_the_page(
    tab: Page, live_server: LiveServer, seaview: Organisation, jane: Contact
) -> None:
    sign_in(tab, live_server)
    open_page(tab, live_server, jane)
    stay(tab)
    timeline = tab.locator("#timeline")

    # One that names a colleague, chosen from the list, by keyboard alone.
    tab.get_by_label("Note", exact=True).focus()
    tab.keyboard.type("Likes tea. @bo")
    expect(tab.get_by_role("option", name="Bob Nowak")).to_be_visible()
    tab.keyboard.press("Enter")
    tab.keyboard.type("knows.")
    tab.keyboard.press("Control+Enter")
    note = timeline.locator(".rg-entry-note")
    expect(note).to_contain_text("Likes tea. @Bob Nowak knows.")
    expect(note.locator(".rg-mention")).to_have_text("@Bob Nowak")
    expect(tab.get_by_label("Note", exact=True)).to_have_value("")

    # It is edited, pinned and let go where it stands.
    note.get_by_text("Edit", exact=True).click()
    note.get_by_label("Text of the note").fill("Likes coffee.")
    note.get_by_role("button", name="Save").click()
    expect(note).to_contain_text("Likes coffee.")
    note.get_by_role("button", name="Pin").click()
    expect(tab.locator("#rg-now .rg-pinned")).to_contain_text("Likes coffee.")
    tab.locator("#rg-now").get_by_role("button", name="Unpin").click()
    expect(tab.locator("#rg-now .rg-pinned")).to_have_count(0)

    # Gone for good, after asking.
    note.get_by_text("Delete", exact=True).click()
    note.get_by_role("button", name="Delete this note for good").click()
    expect(note).to_have_count(0)
    assert stayed(tab)


@pytest.mark.usefixtures("complaints", "bob")
def test_tasks_activities_and_tags_are_written_without_leaving_the_page(
    tab: Page, live_server: LiveServer, seaview: Organisation, jane: Contact
) -> None:
    sign_in(tab, live_server)
    open_page(tab, live_server, jane)
    stay(tab)
    timeline = tab.locator("#timeline")

    # A task: what is wrong is told beside its field, and nothing typed is lost.
    tab.get_by_role("tab", name="Note").focus()
    tab.keyboard.press("ArrowRight")
    tab.get_by_label("At", exact=True).fill("14:30")
    tab.get_by_role("button", name="Add the task").click()
    expect(tab.locator("[data-field=title] .rg-error")).to_have_text("Say what is to be done.")
    expect(tab.get_by_label("What is to be done")).to_be_focused()
    tab.get_by_label("What is to be done").fill("Call back")
    tab.get_by_label("Due on").fill(str(timezone.localdate() + timedelta(days=1)))
    tab.get_by_label("For", exact=True).select_option("Bob Nowak")
    tab.get_by_role("button", name="Add the task").click()
    todo = tab.locator("#rg-now .rg-task")
    expect(todo).to_contain_text("Due tomorrow, 14:30 · for Bob Nowak")
    todo.get_by_role("checkbox").click()
    expect(tab.locator("#rg-now .rg-task")).to_have_count(0)
    expect(timeline.locator(".rg-entry-task")).to_contain_text("Done by")

    # An activity moves the totals at once.
    tab.get_by_role("tab", name="Activity").click()
    tab.get_by_label("What", exact=True).select_option("Purchase")
    tab.get_by_label("Amount (GBP)").fill("45.00")
    tab.get_by_role("button", name="Add the activity").click()
    expect(timeline.locator(".rg-entry-activity")).to_contain_text("£45.00")
    expect(tab.locator(".rg-figures")).to_contain_text("£45.00")

    # Tags.
    tab.get_by_label("Add a tag").fill("Sea view")
    tab.keyboard.press("Enter")
    expect(tab.locator(".rg-tags")).to_contain_text("Sea view")
    tab.get_by_role("button", name="Take off VIP").click()
    expect(tab.locator(".rg-tags")).not_to_contain_text("VIP")
    assert stayed(tab)


@pytest.mark.usefixtures("complaints")
def test_a_total_is_explained_down_to_the_activities(
    tab: Page, live_server: LiveServer, seaview: Organisation, jane: Contact
) -> None:
    bought = {"type": "Purchase", "source": "till", "happened_at": timezone.now(), "spend": 4500}
    record(organisation=seaview, contact=jane.pk, **bought)
    sign_in(tab, live_server)
    open_page(tab, live_server, jane)
    tab.locator(".rg-figures").get_by_role("link", name="£45.00").click()
    row = tab.get_by_role("row", name=re.compile("^Purchase"))
    expect(row).to_contain_text("£45.00")
    row.get_by_role("link", name="Show them").click()
    expect(tab.locator("#result_list tbody tr")).to_have_count(1)


@pytest.mark.usefixtures("complaints")
def test_what_was_typed_survives_being_signed_out(
    tab: Page, live_server: LiveServer, seaview: Organisation, jane: Contact
) -> None:
    sign_in(tab, live_server)
    open_page(tab, live_server, jane)
    tab.get_by_label("Note", exact=True).fill("Likes tea.")
    tab.context.clear_cookies(name="sessionid")
    tab.get_by_role("button", name="Add the note").click()
    expect(tab.get_by_text("You are signed out.")).to_be_visible()
    sign_in(tab.context.new_page(), live_server)
    tab.get_by_role("button", name="Add the note").click()
    expect(tab.locator("#timeline .rg-entry-note")).to_contain_text("Likes tea.")


@pytest.mark.usefixtures("complaints")
def test_the_past_comes_as_one_scrolls_and_the_form_is_a_tab_away(
    tab: Page, live_server: LiveServer, seaview: Organisation, jane: Contact
) -> None:
    now = timezone.now()
    for number in range(70):
        record(
            organisation=seaview,
            contact=jane.pk,
            type="Login",
            source="wifi",
            happened_at=now - timedelta(hours=6 * number),
        )
    sign_in(tab, live_server)
    open_page(tab, live_server, jane)
    entries = tab.locator("#timeline .rg-entry")
    expect(entries).to_have_count(30)
    tab.get_by_role("link", name="Show more").scroll_into_view_if_needed()
    expect(entries).to_have_count(60)
    tab.get_by_role("link", name="Show more").press("Enter")
    expect(entries).to_have_count(71)  # and that it was created
    days = tab.locator("#timeline [data-day]").evaluate_all("all => all.map(d => d.dataset.day)")
    assert days == sorted(set(days), reverse=True)

    tab.get_by_role("link", name="Notes", exact=True).click()
    expect(tab.get_by_text("Nothing of this kind yet.")).to_be_visible()
    assert tab.url.endswith("?kind=note")

    expect(tab.get_by_role("button", name="Save", exact=True)).to_be_hidden()
    tab.get_by_role("tab", name="Details").click()
    tab.get_by_label("Last name").fill("Doe")
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_text("was changed successfully")).to_be_visible()
    expect(tab.locator("#timeline")).to_contain_text("Last name")


@pytest.mark.usefixtures("complaints")
def test_my_work_is_done_from_one_list(
    tab: Page, live_server: LiveServer, seaview: Organisation, jane: Contact, bob: User
) -> None:
    from desk import services

    anna = User.objects.get(email="anna@example.com")
    values = {"title": "Call Jane", "contact": jane, "assignee": anna, "due_on": "2026-01-05"}
    services.add_task(organisation=seaview, by=bob, values=values)
    services.add_note(contact=jane, text="@anna she asked for you", by=bob)
    sign_in(tab, live_server)
    menu = tab.get_by_role("link", name="My work")
    expect(menu).to_contain_text("1")
    menu.click()
    tab.get_by_role("checkbox", name="Done: Call Jane").click()
    expect(tab.get_by_text("Nothing to do.")).to_be_visible()
    tab.get_by_role("button", name="Mark as read").click()
    expect(tab.get_by_role("button", name="Mark as unread")).to_be_visible()
    tab.get_by_text("Add a task").click()
    tab.get_by_label("What is to be done").fill("Order keys")
    tab.get_by_role("button", name="Add the task").click()
    expect(tab.locator("#rg-my-tasks")).to_contain_text("Order keys")
