"""Bookings, golf and table reservations: written with activities, listed, corrected."""

from __future__ import annotations

from typing import Any

import pytest

from activities.models import Booking
from activities.signals import booking_status_changed
from contacts.models import Contact
from tests.activities.conftest import MOMENT, purchase

STAY = {
    "checkIn": "2026-04-07T14:00:00+00:00",
    "checkOut": "2026-04-09T10:00:00+00:00",
    "numberOfGuests": 2,
    "roomType": "Double",
    "roomName": "12",
    "externalReference": "B1",
    "total": 24000,
    "currencyCode": "GBP",
    "customerReference": "guest-9",
    "purpose": "Leisure",
    "channelNumber": "77",
    "origin": "Mews",
    "status": "Confirmed",
}
TEE = {
    "holes": 18,
    "status": "Booked",
    "startTime": MOMENT,
    "origin": "Golfnow",
    "originReference": "G1",
    "customerBookingReference": "c1",
    "cancelledAt": None,
    "courseId": "old",
    "courseName": "Old Course",
}
TABLE = {
    "startTime": MOMENT,
    "partySize": 4,
    "status": "Booked",
    "notes": "By the window",
    "origin": "Resy",
    "originReference": "T1",
    "customerBookingReference": "c2",
    "cancelledAt": None,
}
KINDS = [
    ("Booking", "booking", "bookings", STAY),
    ("Golf reservation", "golfReservation", "golf-reservations", TEE),
    ("Table reservation", "tableReservation", "table-reservations", TABLE),
]


@pytest.mark.parametrize(("type_", "key", "path", "given"), KINDS)
def test_one_is_written_with_its_activity_and_told_whole(
    *, api: Any, contact: Contact, type_: str, key: str, path: str, given: dict[str, Any]
) -> None:
    made = api.post("/activities", purchase(contact.pk, type=type_, **{key: given})).json()
    told = made[key]
    assert told.keys() == given.keys() | {"id", "contact", "createdAt", "updatedAt"}
    assert told.items() >= given.items()
    assert told["contact"] == contact.pk
    assert api.get(f"/{path}/{told['id']}").json() == told
    assert api.get(f"/{path}").json() == [told]
    assert api.get(f"/{path}?contact={contact.pk}&status=Nothing").json() == []
    assert api.post(f"/{path}", given).status_code == 405
    assert api.delete(f"/{path}/{told['id']}").status_code == 405
    bare = api.post("/activities", purchase(contact.pk, type=type_, **{key: {}})).json()[key]
    assert {bare[name] for name in given} == {None}


@pytest.mark.parametrize(("type_", "key", "path", "given"), KINDS)
def test_a_known_reference_is_updated(
    *, api: Any, contact: Contact, type_: str, key: str, path: str, given: dict[str, Any]
) -> None:
    first = api.post("/activities", purchase(contact.pk, type=type_, **{key: given})).json()[key]
    reference = {
        name: given[name]
        for name in ("externalReference", "originReference", "origin")
        if name in given
    }
    change = {key: reference | {"status": "Cancelled"}}
    guest = api.post("/contacts", {"emailAddress": "guest@example.com"}).json()["id"]
    again = api.post("/activities", purchase(guest, **change)).json()
    assert again["contact"] == guest
    assert again[key]["id"] == first["id"]
    assert again[key]["status"] == "Cancelled"
    assert again[key]["contact"] == contact.pk, "a reservation stays its contact's"
    changed = api.get(f"/{path}/{first['id']}").json()
    assert changed.items() >= (given | {"status": "Cancelled"}).items()
    named = api.post("/activities", purchase(contact.pk, **{key: first["id"]})).json()
    assert named[key]["id"] == first["id"]
    assert len(api.get(f"/{path}").json()) == 1


def test_the_same_reference_of_another_origin_is_another_table(api: Any, contact: Contact) -> None:
    for origin in ("Resy", "OpenTable", None, "Resy", None):
        api.post(
            "/activities",
            purchase(contact.pk, tableReservation={"originReference": "T1", "origin": origin}),
        )
    assert len(api.get("/table-reservations").json()) == 3


def test_a_change_of_status_is_announced(api: Any, contact: Contact) -> None:
    heard: list[tuple[str, str]] = []

    def hear(sender: Any, booking: Booking, before: str, **kwargs: Any) -> None:
        heard.append((before, booking.status))

    booking_status_changed.connect(hear)
    try:
        made = api.post("/activities", purchase(contact.pk, booking=STAY)).json()["booking"]
        assert heard == []
        api.post("/activities", purchase(contact.pk, booking=STAY | {"status": "Checked in"}))
        api.patch(f"/bookings/{made['id']}", {"status": "Checked out"})
        api.patch(f"/bookings/{made['id']}", {"status": "Checked out", "roomName": "14"})
    finally:
        booking_status_changed.disconnect(hear)
    assert heard == [("Confirmed", "Checked in"), ("Checked in", "Checked out")]


def test_a_booking_can_be_corrected(api: Any, contact: Contact) -> None:
    made = api.post("/activities", purchase(contact.pk, booking=STAY)).json()["booking"]
    response = api.patch(f"/bookings/{made['id']}", made | {"numberOfGuests": 3, "purpose": None})
    assert response.status_code == 200, response.content
    assert response.json()["numberOfGuests"] == 3
    assert response.json()["purpose"] is None
    api.post("/activities", purchase(contact.pk, booking={"externalReference": "B2"}))
    taken = api.patch(f"/bookings/{made['id']}", {"externalReference": "B2"})
    assert taken.status_code == 422
    assert taken.json()["violations"][0]["propertyPath"] == "externalReference"
    for change, path in (
        ({"total": "240.00"}, "total"),
        ({"contact": 5}, "contact"),
        ({"checkIn": "2026-04-07"}, "checkIn"),
        ({"rooms": 1}, "rooms"),
    ):
        refused = api.patch(f"/bookings/{made['id']}", change)
        assert [one["propertyPath"] for one in refused.json()["violations"]] == [path]


def test_dates_narrow_the_list(api: Any, contact: Contact) -> None:
    for day in (1, 5, 9):
        api.post(
            "/activities",
            purchase(
                contact.pk,
                booking={
                    "externalReference": str(day),
                    "checkIn": f"2026-04-0{day}T14:00:00+00:00",
                    "checkOut": f"2026-05-0{day}T10:00:00+00:00",
                },
            ),
        )

    def found(query: str) -> list[str]:
        return [one["externalReference"] for one in api.get(f"/bookings?{query}").json()]

    assert found("") == ["9", "5", "1"]
    assert found("checkIn[after]=2026-04-05") == ["9", "5"]
    assert found("checkIn[strictly_after]=2026-04-05") == ["9"]
    assert found("checkOut[before]=2026-05-05") == ["5", "1"]
    assert found("createdAt[strictly_before]=2020-01-01") == []
    assert found("updatedAt[after]=2020-01-01&externalReference=5") == ["5"]
    assert found("order[checkIn]=asc") == ["1", "5", "9"]
    assert api.get("/bookings?checkIn=2026-04-05").status_code == 400


def test_lists_cost_two_queries(api: Any, contact: Contact, django_assert_num_queries: Any) -> None:
    for number in range(5):
        stay = STAY | {"externalReference": str(number)}
        table = TABLE | {"originReference": str(number)}
        api.post("/activities", purchase(contact.pk, booking=stay, tableReservation=table))
    for path in ("bookings", "table-reservations", "golf-reservations", "activities"):
        with django_assert_num_queries(2):  # the key, the page
            api.get(f"/{path}")
    with django_assert_num_queries(3):  # and the contact
        assert len(api.get(f"/contacts/{contact.pk}/activities").json()) == 5
