"""Types of activity: the built-in ones, and an organisation's own."""

from __future__ import annotations

from typing import Any

import pytest

from contacts.models import Contact
from tests.activities.conftest import purchase


def test_the_list_begins_with_the_built_in_ones(api: Any) -> None:
    own = api.post("/activity-types", {"name": "Spa visit", "countsAsOrder": True})
    assert own.status_code == 201
    told = api.get("/activity-types").json()
    assert told[0] == {
        "id": None,
        "name": "Booking",
        "countsAsOrder": False,
        "builtIn": True,
        "createdAt": None,
        "updatedAt": None,
    }
    assert told[-1] == own.json()
    assert own.json()["builtIn"] is False
    assert [one["name"] for one in told if one["countsAsOrder"]] == [
        "Purchase",
        "Shopify order",
        "Spa visit",
    ]
    assert api.get(f"/activity-types/{own.json()['id']}").json() == own.json()


def test_the_list_is_paged(api: Any) -> None:
    every = [one["name"] for one in api.get("/activity-types").json()]
    first = api.get("/activity-types?itemsPerPage=20&count=true")
    assert first["X-Total-Count"] == "23"
    assert 'rel="next"' in first["Link"]
    second = api.get("/activity-types?itemsPerPage=20&page=2")
    assert 'rel="next"' not in second["Link"]
    assert 'rel="prev"' in second["Link"]
    assert [one["name"] for one in first.json() + second.json()] == every
    assert api.get("/activity-types?cursor=abc").status_code == 400


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "Purchase"}, "name"),
        ({"name": "purchase"}, "name"),
        ({"name": "Spa visit"}, "name"),
        ({"name": "New", "countsAsOrder": "perhaps"}, "countsAsOrder"),
        ({"name": "New", "builtIn": True}, "builtIn"),
        ({"name": "New", "colour": "red"}, "colour"),
    ],
)
def test_what_is_no_type_is_refused(api: Any, body: dict[str, Any], path: str) -> None:
    api.post("/activity-types", {"name": "Spa visit"})
    response = api.post("/activity-types", body)
    assert response.status_code == 422, response.content
    assert [one["propertyPath"] for one in response.json()["violations"]] == [path]


def test_an_own_type_is_of_its_organisation_only(
    api: Any, api_for: Any, other_organisation: Any, contact: Contact
) -> None:
    theirs = api_for(other_organisation)
    pk = theirs.post("/activity-types", {"name": "Spa visit"}).json()["id"]
    assert api.post("/activities", purchase(contact.pk, type="Spa visit")).status_code == 422
    for answer in (
        api.get(f"/activity-types/{pk}"),
        api.patch(f"/activity-types/{pk}", {"name": "X"}),
        api.delete(f"/activity-types/{pk}"),
    ):
        assert answer.status_code == 404


def test_making_a_type_an_order_counts_its_activities_anew(api: Any, contact: Contact) -> None:
    pk = api.post("/activity-types", {"name": "Spa visit"}).json()["id"]
    api.post("/activities", purchase(contact.pk, type="Spa visit"))
    assert api.get(f"/contacts/{contact.pk}").json()["totalOrders"] == 0
    assert api.patch(f"/activity-types/{pk}", {"countsAsOrder": True}).status_code == 200
    assert api.get(f"/contacts/{contact.pk}").json()["totalOrders"] == 1
    api.post("/activities", purchase(contact.pk, type="Spa visit"))
    assert api.get(f"/contacts/{contact.pk}").json()["totalOrders"] == 2
    api.patch(f"/activity-types/{pk}", {"countsAsOrder": False})
    assert api.get(f"/contacts/{contact.pk}").json()["totalOrders"] == 0


def test_a_type_in_use_keeps_its_name_and_stays(api: Any, contact: Contact) -> None:
    pk = api.post("/activity-types", {"name": "Spa visit"}).json()["id"]
    renamed = api.patch(f"/activity-types/{pk}", {"name": "Spa"})
    assert renamed.json()["name"] == "Spa"
    made = api.post("/activities", purchase(contact.pk, type="Spa")).json()["id"]
    assert api.patch(f"/activity-types/{pk}", {"name": "Spa visit"}).status_code == 409
    assert api.delete(f"/activity-types/{pk}").status_code == 409
    api.delete(f"/activities/{made}")
    assert api.delete(f"/activity-types/{pk}").status_code == 204
    assert api.post("/activities", purchase(contact.pk, type="Spa")).status_code == 422
