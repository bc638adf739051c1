"""POST /activities: what is taken, what is refused, and what is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from activities.models import Activity, Booking
from contacts.models import Contact
from tests.activities.conftest import MOMENT, purchase

READ = {
    "id",
    "contact",
    "type",
    "source",
    "happenedAt",
    "spend",
    "currencyCode",
    "externalReference",
    "booking",
    "golfReservation",
    "tableReservation",
    "purchase",
    "giftCard",
    "referralInvite",
    "data",
    "createdAt",
    "updatedAt",
}


def test_the_contracts_example(api: Any, contact: Contact) -> None:
    response = api.post(
        "/activities",
        {
            "contact": contact.pk,
            "type": "Purchase",
            "source": "website",
            "happenedAt": "2026-04-07T14:30:00+00:00",
            "spend": 4500,
            "currencyCode": "GBP",
            "externalReference": "SO-1001",
        },
    )
    told = response.json()
    assert response.status_code == 201, told
    assert told.keys() == READ
    assert told["contact"] == contact.pk
    assert told["happenedAt"] == "2026-04-07T14:30:00+00:00"
    assert told["spend"] == 4500
    assert told["data"] == {}
    assert told["booking"] is None
    assert response["Location"] == f"/api/activities/{told['id']}"
    assert api.get(f"/activities/{told['id']}").json() == told
    shown = api.get(f"/contacts/{contact.pk}").json()
    assert shown["totalSpend"] == 4500
    assert shown["totalOrders"] == 1
    assert shown["lastInteractedAt"] == "2026-04-07T14:30:00+00:00"


def test_only_four_keys_are_required(api: Any, contact: Contact) -> None:
    told = api.post(
        "/activities",
        {"contact": contact.pk, "type": "Login", "source": "app", "happenedAt": MOMENT},
    ).json()
    assert told["spend"] == 0
    assert told["currencyCode"] == "GBP"
    refused = api.post("/activities", {})
    assert refused.status_code == 422
    assert {one["propertyPath"] for one in refused.json()["violations"]} == {
        "contact",
        "type",
        "source",
        "happenedAt",
    }


@pytest.mark.parametrize("address", ["/api/contacts/{}", "/contacts/{}", "{}"])
def test_a_contact_may_be_given_as_an_iri(api: Any, contact: Contact, address: str) -> None:
    response = api.post("/activities", purchase(address.format(contact.pk)))
    assert response.status_code == 201
    assert response.json()["contact"] == contact.pk


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"type": "Purchased"}, "type"),
        ({"type": "purchase"}, "type"),
        ({"type": None}, "type"),
        ({"type": 5}, "type"),
        ({"source": ""}, "source"),
        ({"spend": 45.5}, "spend"),
        ({"spend": 45.0}, "spend"),
        ({"spend": "45.00"}, "spend"),
        ({"spend": "4500"}, "spend"),
        ({"spend": True}, "spend"),
        ({"spend": 10**12 + 1}, "spend"),
        ({"spend": 10**30}, "spend"),
        ({"currencyCode": "XXL"}, "currencyCode"),
        ({"happenedAt": "2026-04-07T14:30:00"}, "happenedAt"),
        ({"happenedAt": "2026-04-07"}, "happenedAt"),
        ({"happenedAt": 1775572200}, "happenedAt"),
        ({"externalReference": "x" * 256}, "externalReference"),
        ({"data": []}, "data"),
        ({"data": {"text": "x" * 70_000}}, "data"),
        ({"contact": 987654321}, "contact"),
        ({"contact": -1}, "contact"),
        ({"contact": 10**25}, "contact"),
        ({"contact": "/api/tags/1"}, "contact"),
        ({"contact": None}, "contact"),
        ({"contact": {"firstName": "Jane"}}, "contact.emailAddress"),
        ({"contact": {"emailAddress": "jane@example.com", "nick": "J"}}, "contact.nick"),
        ({"contact": {"emailAddress": "jane"}}, "contact.emailAddress"),
        ({"referralInvite": 4242}, "referralInvite"),
        ({"purchase": True}, "purchase"),
        ({"purchase": [1]}, "purchase"),
        ({"booking": {"checkin": MOMENT}}, "booking.checkin"),
        ({"booking": {"checkIn": "yesterday"}}, "booking.checkIn"),
        ({"booking": {"total": 12.5}}, "booking.total"),
        ({"booking": {"currencyCode": "??"}}, "booking.currencyCode"),
        ({"booking": {"numberOfGuests": -1}}, "booking.numberOfGuests"),
        ({"booking": "B-1"}, "booking"),
        ({"golfReservation": {"holes": 10**6}}, "golfReservation.holes"),
        ({"tableReservation": {"seats": 4}}, "tableReservation.seats"),
        ({"colour": "red"}, "colour"),
        ({"id": 5}, "id"),
    ],
)
def test_what_cannot_be_taken_is_named_and_nothing_is_written(
    api: Any, contact: Contact, change: dict[str, Any], path: str
) -> None:
    response = api.post("/activities", purchase(contact.pk, booking={"checkIn": MOMENT}) | change)
    assert response.status_code == 422, response.content
    assert [one["propertyPath"] for one in response.json()["violations"]] == [path]
    assert not Activity.objects.across_organisations().exists()
    assert not Booking.objects.across_organisations().exists()
    assert Contact.objects.across_organisations().count() == 1


def test_an_unknown_type_is_told_what_is_near(api: Any, contact: Contact) -> None:
    response = api.post("/activities", purchase(contact.pk, type="Purchaes"))
    (violation,) = response.json()["violations"]
    assert violation["code"] == "unknown_type"
    assert "Purchase" in violation["message"]


def test_what_has_not_happened_is_refused_beyond_the_drift_of_clocks(
    api: Any, contact: Contact
) -> None:
    def at(minutes: int) -> Any:
        moment = timezone.now() + timedelta(minutes=minutes)
        return api.post("/activities", purchase(contact.pk, happenedAt=moment.isoformat()))

    assert at(4).status_code == 201
    refused = at(6)
    assert refused.status_code == 422
    assert refused.json()["violations"][0]["code"] == "in_the_future"
    assert (
        api.post("/activities", purchase(contact.pk, happenedAt="1926-01-01T00:00:00Z")).status_code
        == 201
    )


def test_a_wifi_login_of_someone_new_is_one_call(api: Any) -> None:
    login = {
        "contact": {"emailAddress": "New@Example.com", "firstName": "New", "customFields": {}},
        "type": "Connected to wifi",
        "source": "wifi",
        "happenedAt": MOMENT,
    }
    first = api.post("/activities", login)
    assert first.status_code == 201, first.content
    contact = api.get(f"/contacts/{first.json()['contact']}").json()
    assert contact["emailAddress"] == "New@Example.com"
    assert contact["lastInteractedAt"] == MOMENT
    login["contact"] = {"emailAddress": "new@example.com"}
    assert api.post("/activities", login).json()["contact"] == contact["id"]


def test_when_the_contact_cannot_be_told_it_is_a_conflict(api: Any) -> None:
    one = api.post("/contacts", {"emailAddress": "a@example.com"}).json()["id"]
    two = api.post("/contacts", {"phoneNumber": "+44 7700 900001"}).json()["id"]
    both = {"emailAddress": "a@example.com", "phoneNumber": "+44 7700 900001"}
    response = api.post("/activities", purchase(both))
    assert response.status_code == 409
    assert response.json()["ids"] == [one, two]


def test_another_organisations_rows_are_not_there(
    api: Any, api_for: Any, other_organisation: Any, contact: Contact
) -> None:
    theirs = api_for(other_organisation)
    assert theirs.post("/activities", purchase(contact.pk)).status_code == 422
    made = api.post("/activities", purchase(contact.pk, booking={"externalReference": "B1"}))
    pk, booking = made.json()["id"], made.json()["booking"]["id"]
    for address in (
        f"/activities/{pk}",
        f"/bookings/{booking}",
        f"/contacts/{contact.pk}/activities",
        f"/contacts/{contact.pk}/rollups",
    ):
        assert theirs.get(address).status_code == 404
        assert api.get(address).status_code == 200
    assert theirs.get(f"/activities?contact={contact.pk}").json() == []
    own = theirs.post("/contacts", {"emailAddress": "their@example.com"}).json()["id"]
    assert theirs.patch(f"/activities/{pk}", {"spend": 1}).status_code == 404
    assert theirs.delete(f"/activities/{pk}").status_code == 404
    # The same references are other facts there.
    assert (
        theirs.post("/activities", purchase(own, booking={"externalReference": "B1"})).json()[
            "booking"
        ]["id"]
        != booking
    )


def test_a_key_needs_the_scope(api_for: Any, organisation: Any, contact: Contact) -> None:
    reader = api_for(organisation, ["activities:read"])
    assert reader.get("/activities").status_code == 200
    assert reader.post("/activities", purchase(contact.pk)).status_code == 403
    assert api_for(organisation, ["contacts:write"]).get("/activities").status_code == 403


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (881, 881),
        ("881", 881),
        ("/api/purchases/881", 881),
        ("https://example.com/api/gift_cards/881", 881),
        ("till-7-881", "till-7-881"),
        ("0081", "0081"),
        (0, 0),
        ("", None),
        (None, None),
    ],
)
def test_foreign_references_come_back_as_given(
    api: Any, contact: Contact, given: Any, told: Any
) -> None:
    made = api.post("/activities", purchase(contact.pk, purchase=given, giftCard=given)).json()
    assert made["purchase"] == told
    assert made["giftCard"] == told


def test_history_is_stored_as_such(api: Any, contact: Contact) -> None:
    in_body = api.post("/activities", purchase(contact.pk, backfill=True)).json()
    in_query = api.post("/activities?backfill=true", purchase(contact.pk)).json()
    live = api.post("/activities", purchase(contact.pk)).json()
    stored = Activity.objects.across_organisations().in_bulk()
    assert [stored[one["id"]].backfill for one in (in_body, in_query, live)] == [True, True, False]
    assert api.get(f"/contacts/{contact.pk}").json()["totalOrders"] == 3


def test_every_built_in_type_is_taken(api: Any, contact: Contact) -> None:
    types = [one["name"] for one in api.get("/activity-types").json()]
    assert len(types) == 23
    for name in types:
        assert api.post("/activities", purchase(contact.pk, type=name)).status_code == 201


def test_a_merged_contacts_id_means_its_survivor(api: Any, contact: Contact) -> None:
    other = api.post("/contacts", {"emailAddress": "other@example.com"}).json()["id"]
    api.post(f"/contacts/{contact.pk}/merge", {"contact": other})
    made = api.post("/activities", purchase(other))
    assert made.status_code == 201
    assert made.json()["contact"] == contact.pk


def test_a_referral_invite_may_be_named(api: Any, contact: Contact) -> None:
    invite = api.post("/referral-invites", {"contact": contact.pk}).json()["id"]
    made = api.post("/activities", purchase(contact.pk, referralInvite=invite)).json()
    assert made["referralInvite"] == invite


def test_referral_invites_are_told_as_activities(api: Any, contact: Contact) -> None:
    friend = api.post("/contacts", {"emailAddress": "friend@example.com"}).json()["id"]
    invite = api.post("/referral-invites", {"contact": contact.pk}).json()["id"]
    api.patch(f"/referral-invites/{invite}", {"status": "Completed", "completedBy": friend})
    told = api.get(f"/contacts/{contact.pk}/activities").json()
    assert [(one["type"], one["referralInvite"]) for one in told] == [
        ("Referral invite completed", invite),
        ("Referral invite created", invite),
    ]
    assert told[0]["data"] == {"completedBy": friend}
