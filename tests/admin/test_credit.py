"""Credit in the admin: what staff see of it, give and redeem."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from contacts.models import Contact
from organisations import roles
from organisations.models import Organisation
from rewards import services
from rewards.models import CreditEntry
from tests.admin import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def contact(organisation: Organisation) -> Contact:
    return rows.contact(organisation, name="Jane Doe")


def page(contact: Contact, name: str) -> str:
    return reverse(f"admin:rewards_creditentry_{name}", args=[contact.pk])


def seen(client: Client, contact: Contact) -> str:
    answer = client.get(reverse("admin:contacts_contact_change", args=[contact.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def filled(client: Client, address: str, **values: Any) -> dict[str, Any]:
    """What the browser posts from the page, which a person filled in."""
    carried = dict(client.get(address).context["carried"])
    return {"confirmed": "yes", "currency_code": "GBP", **carried, **values}


def test_credit_is_given_and_seen_on_the_contacts_page(owner: Client, contact: Contact) -> None:
    assert "Late breakfast" not in seen(owner, contact)
    address = page(contact, "give")

    body = filled(owner, address, amount="5.00", last_day="2099-05-31", reason="Late breakfast")
    answer = owner.post(address, body)

    assert answer.status_code == 302
    assert answer.url == reverse("admin:contacts_contact_change", args=[contact.pk])
    (entry,) = contact.credit_entries.all()
    assert (entry.amount, entry.currency_code, entry.kind) == (500, "GBP", "grant")
    # To the end of the day, where the organisation is.
    assert entry.expires_at == datetime.fromisoformat("2099-06-01T00:00:00+01:00")
    assert entry.staff == answer.wsgi_request.user
    told = seen(owner, contact)
    assert "£5.00" in told
    assert "Late breakfast" in told
    assert str(entry.staff) in told
    # The button was hit twice.
    owner.post(address, body)
    assert contact.credit_entries.count() == 1


def test_credit_is_redeemed_as_far_as_it_reaches(owner: Client, contact: Contact) -> None:
    services.grant(contact=contact, amount=500)
    address = page(contact, "redeem")

    refused = owner.post(address, filled(owner, address, amount="5.01"))
    assert refused.status_code == 200
    assert "The balance does not reach: it is 500 GBP (£5.00)." in refused.content.decode()
    assert owner.post(address, filled(owner, address, amount="4.50")).status_code == 302

    assert services.statement(contact).balances == {"GBP": 50}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"amount": ""}, "This field is required."),
        ({"amount": "5.005"}, "GBP has 2 decimals."),
        ({"amount": "0"}, "Give a whole number of the currency&#x27;s smallest unit"),
        ({"amount": "-1"}, "Give a whole number of the currency&#x27;s smallest unit"),
        ({"amount": "1", "last_day": "2020-01-01"}, "This time has passed already."),
        ({"amount": "1", "currency_code": "XXQ"}, "Select a valid choice."),
    ],
)
def test_what_cannot_be_taken_is_said_beside_the_field(
    owner: Client, contact: Contact, values: dict[str, str], message: str
) -> None:
    address = page(contact, "give")

    answer = owner.post(address, filled(owner, address, **values))

    assert answer.status_code == 200
    assert message in answer.content.decode()
    assert contact.credit_entries.count() == 0


def test_a_redemption_is_taken_back(owner: Client, contact: Contact) -> None:
    grant, _created = services.grant(contact=contact, amount=500)
    spent, _created = services.redeem(contact=contact, amount=200)
    address = reverse("admin:rewards_creditentry_take_back", args=[spent.pk])

    assert "£2.00" in owner.get(address).content.decode()
    assert services.statement(contact).balances == {"GBP": 300}
    owner.post(address, {"confirmed": "yes"})
    owner.post(address, {"confirmed": "yes"})
    assert services.statement(contact).balances == {"GBP": 500}
    owner.post(
        reverse("admin:rewards_creditentry_take_back", args=[grant.pk]), {"confirmed": "yes"}
    )
    assert services.statement(contact).balances == {"GBP": 500}


def test_the_ledger_is_only_read(owner: Client, contact: Contact) -> None:
    entry, _created = services.grant(contact=contact, amount=500, external_reference="SO-1")
    address = reverse("admin:rewards_creditentry_change", args=[entry.pk])

    assert owner.get(reverse("admin:rewards_creditentry_add")).status_code == 403
    assert owner.get(address).status_code == 200
    assert owner.post(address, {"amount": 1}).status_code == 403
    assert owner.post(f"{address}../delete/", {"post": "yes"}).status_code in (403, 404)
    ledger = reverse("admin:rewards_creditentry_changelist")
    for query in ("?q=SO-1", "?q=Jane", f"?contact={contact.pk}", "?of_kind=grant"):
        assert "£5.00" in owner.get(ledger + query).content.decode(), query
    assert "£5.00" not in owner.get(f"{ledger}?of_kind=redeem").content.decode()
    assert CreditEntry.objects.for_organisation(contact.organisation).get().amount == 500


def test_who_may_do_what(
    contact: Contact, organisation: Organisation, staff_of: Callable[..., Client]
) -> None:
    services.grant(contact=contact, amount=500)
    may = {
        roles.READ_ONLY: set(),
        roles.STAFF: {"redeem"},
        roles.MANAGER: {"redeem", "give"},
        roles.OWNER: {"redeem", "give"},
    }
    for role, allowed in may.items():
        client = staff_of(organisation, role)
        told = seen(client, contact)
        assert "£5.00" in told
        for name in ("give", "redeem"):
            address = page(contact, name)
            assert (address in told) == (name in allowed), (role, name)
            assert client.get(address).status_code == (200 if name in allowed else 404)
            if name not in allowed:
                body = {"confirmed": "yes", "amount": "1", "currency_code": "GBP"}
                assert client.post(address, body).status_code == 404
    assert contact.credit_entries.count() == 1


def test_a_foreign_contact_is_not_there(owner: Client, other_organisation: Organisation) -> None:
    foreign = rows.contact(other_organisation)
    services.grant(contact=foreign, amount=500)

    for name in ("give", "redeem"):
        address = page(foreign, name)
        assert owner.get(address).status_code == 404
        body = {"confirmed": "yes", "amount": "1", "currency_code": "GBP"}
        assert owner.post(address, body).status_code == 404
    assert services.statement(foreign).balances == {"GBP": 500}
