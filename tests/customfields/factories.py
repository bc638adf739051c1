"""Custom fields and contacts with values, made by the services."""

from __future__ import annotations

from itertools import count
from typing import Any

from contacts import services as contacts
from contacts.models import Contact
from customfields import services
from customfields.models import CustomField
from organisations.models import Organisation

_numbers = count(1)


def define(organisation: Organisation, label: str, type: str, **values: Any) -> CustomField:
    """A custom field, named by its label."""
    return services.define(organisation=organisation, label=label, type=type, **values)


def contact(organisation: Organisation, **values: Any) -> Contact:
    """A new contact with these values of custom fields."""
    made, created = contacts.upsert(
        organisation=organisation,
        values={
            "email_address": f"person{next(_numbers)}@example.com",
            "customFields": values,
        },
    )
    assert created
    return made
