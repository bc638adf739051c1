"""Permissions on the contact's form."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from contacts import consent, services
from contacts.models import Contact
from organisations.models import Organisation
from tests.admin import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def contact(organisation: Organisation) -> Contact:
    return rows.contact(
        organisation, permissions={"email": {"status": "subscribed", "source": "web form"}}
    )


def address(contact: Contact) -> str:
    return reverse("admin:contacts_contact_change", args=[contact.pk])


def posted(client: Client, contact: Contact, **values: Any) -> Any:
    """The form as it is shown, with some values changed."""
    form = client.get(address(contact)).context["adminform"].form
    body = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    body |= {"addresses-TOTAL_FORMS": 0, "addresses-INITIAL_FORMS": 0}
    return client.post(address(contact), {**body, **values})


def test_permissions_are_shown_with_where_they_are_from(owner: Client, contact: Contact) -> None:
    page = owner.get(address(contact)).content.decode()

    assert "from: web form" in page
    assert "rg-consent-subscribed" in page


def test_permissions_are_changed_and_the_change_is_kept(owner: Client, contact: Contact) -> None:
    assert posted(owner, contact, permission_email="unsubscribed").status_code == 302

    assert not consent.may_send(contact, "email")
    (latest, _first) = contact.permission_changes.all()
    assert (latest.before, latest.after, latest.source) == ("subscribed", "unsubscribed", "admin")
    # What was not touched is as it was.
    assert consent.permission_of(contact, "sms") == consent.UNKNOWN
    assert contact.permissions.count() == 1


def test_saving_the_form_changes_no_permission(owner: Client, contact: Contact) -> None:
    assert posted(owner, contact, first_name="Jane").status_code == 302

    assert contact.permission_changes.count() == 1
    assert contact.permissions.get().source == "web form"


def test_the_merge_preview_says_what_wins(owner: Client, contact: Contact) -> None:
    other = rows.contact(contact.organisation)
    services.update(contact=other, values={"permissions": {"email": "unsubscribed"}})

    merge = reverse("admin:contacts_contact_merge_with", args=[contact.pk])
    page = owner.get(f"{merge}?with={other.pk}")

    (line,) = [line for line in page.context["lines"] if "May be sent" in line.label]
    assert line[1:] == ("Subscribed", "Unsubscribed", "Unsubscribed")
