"""GET /activities and a contact's timeline: order, filters, pages."""

from __future__ import annotations

from typing import Any

import pytest

from contacts.models import Contact
from tests.activities.conftest import purchase


@pytest.fixture
def rows(api: Any, contact: Contact) -> list[dict[str, Any]]:
    """Five activities, oldest first, of two contacts."""
    other = api.post("/contacts", {"emailAddress": "other@example.com"}).json()["id"]
    given = [
        purchase(contact.pk, happenedAt="2026-01-01T10:00:00Z", spend=100, externalReference="A"),
        purchase(contact.pk, happenedAt="2026-01-02T10:00:00Z", type="Login", spend=0),
        purchase(other, happenedAt="2026-01-03T10:00:00Z", currencyCode="EUR", spend=300),
        purchase(contact.pk, happenedAt="2026-01-04T10:00:00Z", source="till", spend=-50),
        purchase(other, happenedAt="2026-01-04T10:00:00Z", type="Checked in", spend=0),
    ]
    return [api.post("/activities", one).json() for one in given]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [4, 3, 2, 1, 0]),
        ("order[happenedAt]=asc", [0, 1, 2, 3, 4]),
        ("type=Login", [1]),
        ("type=Login&type=Checked in", [4, 1]),
        ("type[]=Login&type[]=Checked in", [4, 1]),
        ("source=till", [3]),
        ("externalReference=A", [0]),
        ("currencyCode=EUR", [2]),
        ("spend=0", [4, 1]),
        ("spend[gt]=0", [2, 0]),
        ("spend[lte]=0", [4, 3, 1]),
        ("spend[between]=-50..100", [4, 3, 1, 0]),
        ("happenedAt[after]=2026-01-03T10:00:00Z", [4, 3, 2]),
        ("happenedAt[strictly_after]=2026-01-03T10:00:00Z", [4, 3]),
        ("happenedAt[before]=2026-01-02", [1, 0]),
        ("createdAt[before]=2020-01-01", []),
        ("updatedAt[after]=2020-01-01&type=Login", [1]),
        ("contact=987654", []),
    ],
)
def test_filters(api: Any, rows: list[dict[str, Any]], query: str, expected: list[int]) -> None:
    response = api.get(f"/activities?{query}")
    assert response.status_code == 200, response.content
    assert response.json() == [rows[index] for index in expected]


def test_a_contacts_timeline(api: Any, contact: Contact, rows: list[dict[str, Any]]) -> None:
    expected = [rows[3], rows[1], rows[0]]
    assert api.get(f"/contacts/{contact.pk}/activities").json() == expected
    assert api.get(f"/contacts/{contact.pk}/activities/").json() == expected
    assert api.get(f"/activities?contact={contact.pk}").json() == expected
    assert api.get(f"/activities?contact=/api/contacts/{contact.pk}").json() == expected
    purchases = api.get(f"/contacts/{contact.pk}/activities?type=Purchase&spend[gt]=0")
    assert purchases.json() == [rows[0]]
    assert api.get(f"/contacts/{contact.pk}/activities?contact=1").status_code == 400
    assert api.get("/contacts/987654/activities").status_code == 404
    assert api.post(f"/contacts/{contact.pk}/activities", {}).status_code == 405


@pytest.mark.parametrize(
    "query",
    ["types=Login", "spend=4.5", "spend[between]=5", "happenedAt=2026-01-01", "order[spend]=asc"],
)
def test_what_is_no_filter_is_refused(api: Any, query: str) -> None:
    response = api.get(f"/activities?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in response.content.decode()


def test_the_cursor_walks_through_equal_moments(api: Any, rows: list[dict[str, Any]]) -> None:
    seen, address = [], "/activities?itemsPerPage=1"
    while address:
        page = api.get(address)
        seen += page.json()
        links = {
            link.split('rel="')[1].rstrip('"'): link.split(">")[0].lstrip(" <")
            for link in page["Link"].split(",")
        }
        address = links.get("next", "")
    assert seen == rows[::-1]


def test_how_totals_come_about(api: Any, contact: Contact, rows: list[dict[str, Any]]) -> None:
    api.post("/activities", purchase(contact.pk, currencyCode="EUR", spend=70))
    told = api.get(f"/contacts/{contact.pk}/rollups").json()
    assert told["contact"] == contact.pk
    assert told["currencyCode"] == "GBP"
    assert told["orderTypes"] == ["Purchase", "Shopify order"]
    assert told["totalSpend"] == {"stored": 50, "recomputed": 50, "activities": 2}
    assert told["spendByCurrency"] == {
        "EUR": {"stored": 70, "recomputed": 70, "activities": 1},
        "GBP": {"stored": 50, "recomputed": 50, "activities": 2},
    }
    assert told["totalOrders"] == {"stored": 3, "recomputed": 3, "activities": 3}
    last = {"stored": "2026-04-07T14:30:00+00:00", "recomputed": "2026-04-07T14:30:00+00:00"}
    assert told["lastInteractedAt"] == last | {"activities": 4}
    assert told["lastOrderAt"] == last | {"activities": 3}
    empty = api.post("/contacts", {"emailAddress": "empty@example.com"}).json()["id"]
    nothing = api.get(f"/contacts/{empty}/rollups").json()
    assert nothing["totalSpend"] == {"stored": 0, "recomputed": 0, "activities": 0}
    assert nothing["lastInteractedAt"] == {"stored": None, "recomputed": None, "activities": 0}
