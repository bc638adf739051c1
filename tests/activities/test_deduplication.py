"""The same fact told twice is one activity, counted once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from activities import services
from activities.models import Activity, Booking
from contacts.models import Contact
from tests.activities.conftest import MOMENT, purchase


def test_the_same_type_and_reference_answers_what_is_there(api: Any, contact: Contact) -> None:
    first = api.post("/activities", purchase(contact.pk, externalReference="SO-1"))
    again = api.post(
        "/activities", purchase(contact.pk, externalReference="SO-1", spend=9900, source="other")
    )
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    other = api.post(
        "/activities", purchase(contact.pk, externalReference="SO-1", type="Refund", spend=-4500)
    )
    assert other.status_code == 201
    assert api.get(f"/contacts/{contact.pk}").json()["totalOrders"] == 1
    assert api.get(f"/contacts/{contact.pk}").json()["totalSpend"] == 0


def test_a_blank_reference_is_none(api: Any, contact: Contact) -> None:
    for reference in ("", "  ", None):
        made = api.post("/activities", purchase(contact.pk, externalReference=reference))
        assert made.status_code == 201
        assert made.json()["externalReference"] is None


def test_a_gift_card_is_registered_once(api: Any, contact: Contact) -> None:
    def register(**values: Any) -> Any:
        return api.post("/activities", purchase(contact.pk, type="Gift card registered", **values))

    first = register(giftCard=77)
    assert first.status_code == 201
    for same in (77, "77", "/api/gift_cards/77"):
        again = register(giftCard=same, externalReference="different")
        assert again.status_code == 200
        assert again.json()["id"] == first.json()["id"]
    assert register(giftCard=78).status_code == 201
    # Of another type the card may be named any number of times.
    for _time in range(2):
        made = api.post(
            "/activities",
            purchase(contact.pk, type="Added gift card to Apple Wallet", giftCard=77),
        )
        assert made.status_code == 201


def test_a_known_fact_changes_nothing_else(api: Any, contact: Contact) -> None:
    """A retried old message must not set a booking, or a contact, back to what they were."""
    booked = purchase(
        {"emailAddress": "jane@example.com", "firstName": "Jane"},
        type="Booking",
        externalReference="E1",
        booking={"externalReference": "B1", "status": "Confirmed"},
    )
    first = api.post("/activities", booked).json()
    api.patch(f"/contacts/{contact.pk}", {"firstName": "Janet"})
    api.patch(f"/bookings/{first['booking']['id']}", {"status": "Cancelled"})
    again = api.post("/activities", booked)
    assert again.status_code == 200
    assert again.json()["booking"]["status"] == "Cancelled"
    assert api.get(f"/contacts/{contact.pk}").json()["firstName"] == "Janet"
    anonymous = {key: value for key, value in booked.items() if key != "booking"}
    api.post("/activities", anonymous | {"booking": {"status": "Confirmed"}})
    stranger = anonymous | {"contact": {"emailAddress": "stranger@example.com"}}
    assert api.post("/activities", stranger).json()["contact"] == contact.pk
    assert Booking.objects.across_organisations().count() == 1
    assert Contact.objects.across_organisations().count() == 1


def test_voided_facts_may_be_told_anew(api: Any, contact: Contact) -> None:
    first = api.post("/activities", purchase(contact.pk, externalReference="SO-1")).json()
    assert api.delete(f"/activities/{first['id']}").status_code == 204
    assert api.get(f"/activities/{first['id']}").status_code == 404
    assert api.get(f"/contacts/{contact.pk}").json()["totalSpend"] == 0
    assert (
        api.post("/activities", purchase(contact.pk, externalReference="SO-1")).status_code == 201
    )


def test_posting_costs_the_same_few_queries(
    api: Any, contact: Contact, django_assert_num_queries: Any
) -> None:
    body = purchase(contact.pk, externalReference="SO-1")
    api.post("/activities", body)  # the key's last use is noted once a while
    # The key, savepoint and release, the contact, the row, the totals.
    with django_assert_num_queries(6):
        api.post("/activities", purchase(contact.pk, externalReference="SO-2"))
    # Of a known one no totals, but the row that is there.
    with django_assert_num_queries(6):
        api.post("/activities", body)


def test_a_row_that_lost_a_race_leaves_nothing_behind(contact: Contact, monkeypatch: Any) -> None:
    """Another process inserts the same fact after we looked and before we insert."""
    from activities.services import recording

    look = recording._find_known
    told: list[Activity] = []

    def look_and_lose(organisation: Any, drafts: Any) -> None:
        look(organisation, drafts)
        if not told:
            told.append(Activity.objects.create(organisation=organisation, **theirs))

    theirs = {
        "contact": contact,
        "type": "Purchase",
        "source": "theirs",
        "happened_at": MOMENT,
        "currency_code": "GBP",
        "external_reference": "SO-1",
    }
    monkeypatch.setattr(recording, "_find_known", look_and_lose)
    activity, created = services.record(
        organisation=contact.organisation,
        contact=contact,
        type="Purchase",
        source="ours",
        happened_at=datetime.fromisoformat(MOMENT),
        external_reference="SO-1",
        booking={"status": "Confirmed"},
    )
    assert (activity.pk, created) == (told[0].pk, False)
    assert not Booking.objects.across_organisations().exists()
