"""What becomes of activities when their contact is merged, unmerged, redacted or deleted."""

from __future__ import annotations

from typing import Any

import pytest

from activities.models import Activity
from contacts.models import Contact
from tests.activities.conftest import purchase


@pytest.fixture
def absorbed(api: Any, contact: Contact) -> int:
    """Another contact, with a purchase, money in euros, a booking and a table."""
    pk: int = api.post("/contacts", {"emailAddress": "absorbed@example.com"}).json()["id"]
    api.post("/activities", purchase(pk, spend=300, booking={"externalReference": "B1"}))
    table = {"originReference": "T1", "notes": "Allergic to nuts", "partySize": 2}
    api.post("/activities", purchase(pk, spend=80, currencyCode="EUR", tableReservation=table))
    api.post("/activities", purchase(contact.pk, spend=1000))
    return pk


def test_a_merge_moves_everything_and_says_so(api: Any, contact: Contact, absorbed: int) -> None:
    response = api.post(f"/contacts/{contact.pk}/merge", {"contact": absorbed})
    assert response.status_code == 200, response.content
    told = response.json()
    assert told["totalSpend"] == 1300
    assert told["spendByCurrency"] == {"GBP": 1300, "EUR": 80}
    assert told["totalOrders"] == 3
    assert told["lastInteractedAt"] == "2026-04-07T14:30:00+00:00", "a merge is no interaction"
    timeline = api.get(f"/contacts/{contact.pk}/activities").json()
    assert timeline[0]["type"] == "Contact merged in"
    assert timeline[0]["data"]["contact"] == absorbed
    assert len(timeline) == 4
    assert api.get(f"/contacts/{absorbed}/activities").json() == timeline
    assert api.get(f"/bookings?contact={absorbed}").json()[0]["contact"] == contact.pk


def test_unmerging_puts_back_what_was_its_own(api: Any, contact: Contact, absorbed: int) -> None:
    def everything() -> Any:
        paths = [
            f"contacts/{pk}/{what}"
            for pk in (contact.pk, absorbed)
            for what in ("activities", "rollups")
        ]
        return [api.get(f"/{path}").json() for path in [*paths, "bookings", "table-reservations"]]

    before = everything()
    api.post(f"/contacts/{contact.pk}/merge", {"contact": absorbed})
    api.post(f"/contacts/{contact.pk}/unmerge", {"contact": absorbed})
    assert everything() == before
    api.post(f"/contacts/{contact.pk}/merge", {"contact": absorbed})
    later = api.post("/activities", purchase(absorbed, spend=7)).json()
    assert later["contact"] == contact.pk
    api.post(f"/contacts/{contact.pk}/unmerge", {"contact": absorbed})
    assert everything()[2:] == before[2:]
    assert api.get(f"/contacts/{contact.pk}").json()["totalSpend"] == 1007


def test_a_merge_costs_the_same_whatever_the_history(
    api: Any, contact: Contact, absorbed: int, django_assert_max_num_queries: Any
) -> None:
    rows = [purchase(absorbed, spend=1) for _n in range(300)]
    api.post("/activities/batch", {"activities": rows})
    with django_assert_max_num_queries(80):
        api.post(f"/contacts/{contact.pk}/merge", {"contact": absorbed})
    assert api.get(f"/contacts/{contact.pk}").json()["totalSpend"] == 1600


def test_redaction_erases_what_was_written_freely(
    api: Any, contact: Contact, absorbed: int
) -> None:
    stay = {"externalReference": "B2", "customerReference": "Hull", "purpose": "Wedding"}
    made = api.post(
        "/activities", purchase(absorbed, data={"note": "Mr Hull"}, booking=stay)
    ).json()
    before = api.get(f"/contacts/{absorbed}/rollups").json()
    assert api.post(f"/contacts/{absorbed}/redact").status_code == 200
    assert api.get(f"/contacts/{absorbed}/rollups").json() == before
    told = api.get(f"/activities/{made['id']}").json()
    assert told["data"] == {}
    assert told["spend"] == 4500
    assert told["booking"]["customerReference"] is None
    assert told["booking"]["purpose"] is None
    assert told["booking"]["externalReference"] == "B2"
    (table,) = api.get("/table-reservations").json()
    assert table["notes"] is None
    assert table["partySize"] == 2
    assert api.post("/activities", purchase(absorbed)).status_code == 201


def test_deletion_takes_the_activities(
    api: Any, contact: Contact, absorbed: int, django_assert_max_num_queries: Any
) -> None:
    rows = [purchase(absorbed, spend=1) for _n in range(300)]
    api.post("/activities/batch", {"activities": rows})
    # Some for each table that speaks of contacts; none for each activity.
    with django_assert_max_num_queries(80):
        assert api.delete(f"/contacts/{absorbed}").status_code == 204
    assert Activity.objects.across_organisations().count() == 1
    assert api.get("/bookings").json() == []
