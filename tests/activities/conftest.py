"""What the tests of activities share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from contacts import rollups, services
from contacts.models import Contact
from organisations.models import Organisation

MOMENT = "2026-04-07T14:30:00+00:00"


def purchase(contact: Any, **values: Any) -> dict[str, Any]:
    """The body of a purchase of £45."""
    return {
        "contact": contact,
        "type": "Purchase",
        "source": "website",
        "happenedAt": MOMENT,
        "spend": 4500,
        **values,
    }


@pytest.fixture
def contact(organisation: Organisation) -> Contact:
    """A contact of `organisation`."""
    return services.upsert(organisation=organisation, values={"email_address": "jane@example.com"})[
        0
    ]


@pytest.fixture(autouse=True)
def _totals_are_right(organisation: Organisation) -> Iterator[None]:
    """After every test here the totals are what the activities add up to."""
    yield
    assert list(rollups.drift()) == []
