"""Possible duplicates, from the list to one contact and back to two."""

from __future__ import annotations

import re
from datetime import date

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from contacts.models import Contact
from organisations.models import Organisation
from tests.browser.conftest import sign_in
from tests.contacts.duplicates import look, person

pytestmark = pytest.mark.django_db(transaction=True)

BORN = date(1980, 5, 17)


def test_two_become_one_and_two_again(
    tab: Page, live_server: LiveServer, seaview: Organisation, complaints: list[str]
) -> None:
    jane = person(seaview, "jane@a.com", first_name="Jane", last_name="Doe", dob=BORN, tags=["VIP"])
    other = person(seaview, "doe@b.com", first_name="Doe", last_name="Jane", dob=BORN)
    person(seaview, "tom@a.com", name="Thomas Bell", dob=BORN)
    person(seaview, "tom@b.com", name="Thomsa Bell", dob=BORN)
    look()
    sign_in(tab, live_server)

    tab.get_by_role("link", name="Possible duplicates").click()
    expect(tab.get_by_text("first and last name swapped")).to_be_visible()
    tab.get_by_role("link", name="Jane Doe jane@a.com").click()

    # What is not chosen by hand follows the contact that stays.
    first, second = tab.get_by_label("This contact stays").all()
    expect(first).to_be_checked()
    tab.get_by_label("doe@b.com").check()
    second.check()
    expect(tab.get_by_role("row", name="First name").get_by_label("Doe")).to_be_checked()
    first.check()
    expect(tab.get_by_role("row", name="First name").get_by_label("Jane")).to_be_checked()
    expect(tab.get_by_label("doe@b.com")).to_be_checked()
    tab.get_by_role("button", name="Merge").click()

    expect(tab.get_by_text("Jane Doe is one contact now.")).to_be_visible()
    contacts = Contact.objects.for_organisation(seaview)
    kept = contacts.get(pk=jane.pk)
    assert (kept.email_address, kept.first_name) == ("doe@b.com", "Jane")
    assert contacts.get(pk=other.pk).merged_into_id == jane.pk

    # On to the next pair at once.
    expect(tab.get_by_role("columnheader", name=re.compile("Bell"))).to_have_count(2)
    tab.get_by_role("button", name="Not the same").click()
    expect(tab.get_by_text("No contact looks like another")).to_be_visible()

    tab.get_by_role("link", name="Merged", exact=True).click()
    tab.get_by_role("link", name="Undo the merge of Doe Jane").click()
    tab.get_by_role("button", name="Undo the merge").click()
    expect(tab.get_by_text("Doe Jane is a contact of its own again.")).to_be_visible()
    assert contacts.get(pk=jane.pk).email_address == "jane@a.com"
    assert contacts.get(pk=other.pk).email_address == "doe@b.com"
