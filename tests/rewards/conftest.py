"""What the tests of credit share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contacts import services
from contacts.models import Contact
from organisations.models import Organisation
from tests.rewards.books import check


@pytest.fixture
def contact(organisation: Organisation) -> Contact:
    """A contact of `organisation`."""
    return services.upsert(organisation=organisation, values={"email_address": "jane@example.com"})[
        0
    ]


@pytest.fixture
def credit(contact: Contact) -> str:
    """The address of the contact's credit."""
    return f"/contacts/{contact.pk}/credit"


@pytest.fixture(autouse=True)
def _books_balance(organisation: Organisation) -> Iterator[None]:
    """After every test here the books balance."""
    yield
    check()
