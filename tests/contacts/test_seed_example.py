"""The example that the project's owner gave can be produced exactly (seed.md)."""

from __future__ import annotations

from typing import Any

from contacts.models import Contact, ContactRollup

EXAMPLE = {
    "id": 47355,
    "emailAddress": "richardhull@example.com",
    "phoneNumber": "07837489814",
    "organisation": 3,
    "createdAt": "2025-12-19T21:03:25+00:00",
    "updatedAt": "2025-12-21T21:03:27+00:00",
    "referralInvites": [],
    "firstName": "Richard",
    "lastName": "Hull",
    "name": "Richard Hull",
    "timezone": "Europe/London",
    "totalSpend": 51000,
    "lastInteractedAt": "2025-12-21T21:03:25+00:00",
    "totalOrders": 1,
}


def test_the_example_is_reproduced(api: Any, organisation: Any, api_for: Any) -> None:
    type(organisation).objects.filter(pk=organisation.pk).update(name="Not this one")
    owner = (
        type(organisation).objects.create(pk=3, name="Glu")
        if organisation.pk != 3
        else (organisation)
    )
    contact = Contact(
        pk=47355,
        organisation=owner,
        email_address="richardhull@example.com",
        phone_number="07837489814",
        first_name="Richard",
        last_name="Hull",
    )
    contact.clean()
    contact.save()
    Contact.objects.for_organisation(owner).update(created_at="2025-12-19T21:03:25Z")
    ContactRollup.objects.for_organisation(owner).update(
        total_spend=51000,
        total_orders=1,
        last_interacted_at="2025-12-21T21:03:25Z",
        changed_at="2025-12-21T21:03:27Z",
    )

    for address in ("/contact/47355", "/contacts/47355", "/contacts/47355/"):
        told = api_for(owner).get(address).json()
        assert {key: told[key] for key in EXAMPLE} == EXAMPLE
        assert told["spendByCurrency"] == {"GBP": 51000}
