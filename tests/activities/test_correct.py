"""PATCH and DELETE /activities/{id}: corrections, which the totals follow."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import NotSupportedError

from activities.models import Activity
from contacts.models import Contact
from tests.activities.conftest import MOMENT, purchase


def totals(api: Any, contact: int) -> tuple[int, int, dict[str, int], str | None]:
    told = api.get(f"/contacts/{contact}").json()
    return (
        told["totalSpend"],
        told["totalOrders"],
        told["spendByCurrency"],
        told["lastInteractedAt"],
    )


def test_all_that_can_be_corrected(api: Any, contact: Contact) -> None:
    pk = api.post("/activities", purchase(contact.pk)).json()["id"]
    other = api.post("/contacts", {"emailAddress": "other@example.com"}).json()["id"]
    change = {
        "spend": 1200,
        "currencyCode": "EUR",
        "happenedAt": "2026-05-01T10:00:00+00:00",
        "type": "Shopify order",
        "source": "shop",
        "data": {"lines": [1, 2]},
        "contact": other,
    }
    response = api.patch(f"/activities/{pk}", change)
    assert response.status_code == 200, response.content
    assert response.json().items() >= change.items()
    assert api.get(f"/activities/{pk}").json() == response.json()
    assert totals(api, contact.pk) == (0, 0, {}, None)
    assert totals(api, other) == (0, 1, {"EUR": 1200}, "2026-05-01T10:00:00+00:00")
    api.patch(f"/activities/{pk}", {"type": "Login", "spend": None, "currencyCode": None})
    assert totals(api, other) == (0, 0, {}, "2026-05-01T10:00:00+00:00")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"externalReference": "SO-2"}, "externalReference"),
        ({"booking": {"status": "Cancelled"}}, "booking"),
        ({"purchase": 5}, "purchase"),
        ({"backfill": True}, "backfill"),
        ({"id": 10**6}, "id"),
        ({"createdAt": MOMENT}, "createdAt"),
        ({"spend": 1.5}, "spend"),
        ({"type": "Nonsense"}, "type"),
        ({"type": None}, "type"),
        ({"happenedAt": "2999-01-01T00:00:00Z"}, "happenedAt"),
        ({"contact": 4242}, "contact"),
        ({"contact": None}, "contact"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_the_rest_cannot(api: Any, contact: Contact, change: dict[str, Any], path: str) -> None:
    made = api.post("/activities", purchase(contact.pk, externalReference="SO-1")).json()
    response = api.patch(f"/activities/{made['id']}", change)
    assert response.status_code == 422
    assert [one["propertyPath"] for one in response.json()["violations"]] == [path]
    assert api.get(f"/activities/{made['id']}").json() == made


def test_what_was_read_can_be_sent_back(api: Any, contact: Contact) -> None:
    made = api.post(
        "/activities", purchase(contact.pk, purchase=5, booking={"externalReference": "B1"})
    ).json()
    response = api.patch(f"/activities/{made['id']}", made | {"spend": 1})
    assert response.status_code == 200, response.content
    assert response.json()["spend"] == 1
    assert totals(api, contact.pk)[0] == 1


def test_a_type_that_makes_it_the_same_as_another_is_a_conflict(api: Any, contact: Contact) -> None:
    one = api.post("/activities", purchase(contact.pk, externalReference="X")).json()["id"]
    two = api.post("/activities", purchase(contact.pk, type="Refund", externalReference="X")).json()
    response = api.patch(f"/activities/{two['id']}", {"type": "Purchase"})
    assert response.status_code == 409
    assert response.json()["ids"] == [one]


def test_a_lost_update_is_noticed(api: Any, contact: Contact) -> None:
    pk = api.post("/activities", purchase(contact.pk)).json()["id"]
    tag = api.get(f"/activities/{pk}")["ETag"]
    assert (
        api.patch(f"/activities/{pk}", {"spend": 1}, headers={"If-Match": tag}).status_code == 200
    )
    late = api.patch(f"/activities/{pk}", {"spend": 2}, headers={"If-Match": tag})
    assert late.status_code == 412
    assert api.delete(f"/activities/{pk}", headers={"If-Match": tag}).status_code == 412
    assert totals(api, contact.pk)[0] == 1


def test_correcting_and_voiding_cost_a_few_queries(
    api: Any, contact: Contact, django_assert_max_num_queries: Any
) -> None:
    pk = api.post("/activities", purchase(contact.pk)).json()["id"]
    with django_assert_max_num_queries(11):
        api.patch(f"/activities/{pk}", {"spend": 5})
    with django_assert_max_num_queries(11):
        api.delete(f"/activities/{pk}")


def test_bulk_inserts_that_could_hide_conflicts_are_refused(contact: Contact) -> None:
    row = Activity(organisation=contact.organisation, contact=contact, type="Login", source="x")
    with pytest.raises(NotSupportedError):
        Activity.objects.bulk_create([row], ignore_conflicts=True)
