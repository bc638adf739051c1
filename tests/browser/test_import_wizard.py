"""A file is brought in through the import wizard, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from contacts import services as contacts
from contacts.models import Contact
from organisations.models import Organisation
from tests.browser.conftest import sign_in
from tests.imports.wizard import table, work

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("complaints"),
]

GUESTS = table(
    ["E-Mail", "Vorname", "Name", "Geburtsdatum", "Shoe size"],
    ["jane@example.com", "Janet", "Doe", "28/02/1980", "38"],
    ["bob@example.com", "Bob", "Martin", "13/05/1971", "43"],
    ["not an address", "Dan", "Long", "14/06/1990", "41"],
)


def test_from_the_file_to_the_undo(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    contacts.upsert(
        organisation=seaview, values={"email_address": "jane@example.com", "first_name": "Jane"}
    )
    sign_in(tab, live_server)
    tab.goto(f"{live_server.url}/admin/imports/import/")
    tab.get_by_role("link", name="Import a file").click()
    tab.get_by_label("Choose a file").set_input_files(
        {"name": "guests.csv", "mimeType": "text/csv", "buffer": GUESTS}
    )
    expect(tab.get_by_text("guests.csv")).to_be_visible()
    tab.get_by_role("button", name="Upload and go on").click()

    expect(tab.get_by_text("CSV, UTF-8, comma")).to_be_visible()
    tab.get_by_role("link", name="Go on to the columns").click()

    # The columns are guessed; a field is made of the one that nobody knows.
    expect(tab.get_by_label("Vorname", exact=True)).to_have_value("first_name")
    expect(tab.get_by_role("combobox", name="Name", exact=True)).to_have_value("last_name")
    new = tab.get_by_role("group", name="New custom field of the column Shoe size")
    expect(new).to_be_hidden()
    tab.get_by_label("Shoe size", exact=True).select_option("new")
    expect(new.get_by_label("Type")).to_have_value("Number")
    new.get_by_label("Name").fill("Shoe size (EU)")
    tab.get_by_label("Tags to put on all of them").fill("Spring")
    tab.get_by_role("button", name="Show what would change").click()

    # What fails is corrected in its place.
    figures = tab.get_by_role("navigation", name="What would become of the rows")
    expect(figures).to_contain_text("1 Fail")
    row = tab.locator("#row-4")
    expect(row).to_contain_text("not an address is not an e-mail address")
    row.get_by_label("E-Mail").fill("dan@example.com")
    row.get_by_role("button", name="Check this row again").click()
    expect(row).to_contain_text("Corrected: Created")
    expect(figures).to_contain_text("0 Fail")
    figures.get_by_role("link", name="Updated").click()
    changed = tab.locator("#row-2")
    expect(changed).to_contain_text("Jane arrow_forward Janet")
    expect(changed).to_contain_text("Shoe size (EU)")

    # A worker imports it, and the page goes on to the report by itself.
    tab.get_by_role("button", name="Import 3 rows").click()
    expect(tab.get_by_text("You may close this page")).to_be_visible()
    work()
    expect(tab.get_by_role("heading", name="guests.csv is imported")).to_be_visible()
    people = Contact.objects.for_organisation(seaview)
    assert set(people.values_list("first_name", flat=True)) == {"Janet", "Bob", "Dan"}

    tab.get_by_role("link", name="See the contacts it created").click()
    expect(tab.get_by_role("link", name="Bob Martin")).to_be_visible()
    expect(tab.get_by_role("link", name="Janet Doe")).to_have_count(0)
    tab.go_back()
    tab.get_by_role("link", name="Undo this import").click()
    tab.get_by_role("button", name="Undo this import").click()
    expect(tab.get_by_text("The import is undone.")).to_be_visible()
    assert list(people.values_list("first_name", flat=True)) == ["Jane"]
