"""What starts a workflow, each trigger from the door where it happens."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.running import (
    PURCHASE,
    add_tag,
    contact,
    happens,
    made,
    run,
    runs,
    tags,
    work,
)

pytestmark = pytest.mark.django_db

BOOKED = {"externalReference": "B-1", "checkIn": "2027-05-01T14:00:00+00:00", "status": "Confirmed"}


def test_an_activity_starts_those_that_name_its_type_and_those_that_name_none(api: Any) -> None:
    named = made(api, PURCHASE, add_tag("bought"))
    other = made(api, {"type": "activity_created", "activityTypes": ["Login"]}, add_tag("login"))
    every = made(api, {"type": "activity_created"}, add_tag("did something"))
    jane = contact(api)
    purchase = happens(api, jane)
    work()
    assert sorted(tags(api, jane)) == ["bought", "did something"]
    told = run(api, named)
    assert (told["status"], told["contact"]) == ("completed", jane)
    assert told["triggerData"] == {"type": "activity_created", "activity": purchase}
    assert runs(api, other) == []
    assert len(runs(api, every)) == 1


def test_conditions_speak_of_the_contact_and_of_the_activity(api: Any) -> None:
    conditions = {
        "all": [
            {"field": "activity.spend", "operator": "gte", "value": 5000},
            {"field": "contact.totalOrders", "operator": "gte", "value": 2},
        ]
    }
    workflow = made(api, {**PURCHASE, "conditions": conditions}, add_tag("big"))
    jane, joe = contact(api, "jane"), contact(api, "joe")
    for who, spend in ((jane, 9000), (joe, 100), (joe, 200)):
        happens(api, who, spend=spend)
        work()
    assert runs(api, workflow) == []
    happens(api, joe, spend=5000)
    work()
    assert run(api, workflow)["contact"] == joe


def test_history_corrections_and_repeats_start_nothing(api: Any) -> None:
    workflow = made(api, PURCHASE, add_tag("bought"))
    jane = contact(api)
    happens(api, jane, backfill=True)
    live = {
        "contact": jane,
        "type": "Purchase",
        "source": "test",
        "happenedAt": "2026-04-07T14:30:00+00:00",
        "externalReference": "SO-1",
    }
    first = api.post("/activities", live).json()["id"]
    assert api.post("/activities", live).status_code == 200
    api.patch(f"/activities/{first}", {"spend": 100})
    work()
    assert run(api, workflow)["triggerData"]["activity"] == first


def test_an_activity_that_was_voided_before_the_worker_came_starts_nothing(api: Any) -> None:
    workflow = made(api, PURCHASE, add_tag("bought"))
    api.delete(f"/activities/{happens(api, contact(api))}")
    work()
    assert runs(api, workflow) == []


def test_each_row_of_a_batch_starts_one(api: Any) -> None:
    workflow = made(api, PURCHASE, add_tag("bought"))
    jane = contact(api)
    row = {"type": "Purchase", "source": "test", "happenedAt": "2026-04-07T14:30:00+00:00"}
    rows = [{**row, "contact": jane}, {**row, "contact": {"emailAddress": "new@example.com"}}]
    assert api.post("/activities/batch", {"activities": rows}).status_code == 200
    work()
    assert len(runs(api, workflow)) == 2
    api.post("/activities/batch?backfill=true", {"activities": rows})
    work()
    assert len(runs(api, workflow)) == 2


def test_a_new_contact(api: Any) -> None:
    workflow = made(api, {"type": "contact_created"}, add_tag("welcome"))
    jane = contact(api)
    api.post("/contacts", {"emailAddress": "jane@example.com", "firstName": "Jane"})
    api.post("/contacts/batch", {"contacts": [{"emailAddress": "joe@example.com"}]})
    happens(api, {"emailAddress": "zoe@example.com"})
    happens(api, {"emailAddress": "old@example.com"}, backfill=True)
    work()
    assert len(runs(api, workflow)) == 3
    assert tags(api, jane) == ["welcome"]


def test_a_changed_contact_and_only_in_the_fields_that_are_named(api: Any) -> None:
    api.post("/custom-fields", {"label": "Diet", "name": "diet", "type": "Text"})
    every = made(api, {"type": "contact_updated"}, add_tag("changed"))
    named = made(
        api, {"type": "contact_updated", "fields": ["lastName", "customFields.diet"]}, add_tag("x")
    )
    jane = contact(api)
    api.patch(f"/contacts/{jane}", {"firstName": "Jane"})
    api.patch(f"/contacts/{jane}", {"firstName": "Jane"})  # which changes nothing
    work()
    assert len(runs(api, every)) == 1  # not again for the tag that it put on itself
    assert runs(api, named) == []
    api.patch(f"/contacts/{jane}/custom-fields", {"diet": "Vegan"})
    work()
    assert len(runs(api, named)) == 1


def test_orders_are_what_counts_as_one(api: Any) -> None:
    api.post("/activity-types", {"name": "Massage", "countsAsOrder": True})
    api.post("/activity-types", {"name": "Yoga"})
    workflow = made(api, {"type": "order_created"}, add_tag("ordered"))
    jane = contact(api)
    for type_ in ("Purchase", "Shopify order", "Massage", "Yoga", "Login"):
        happens(api, jane, type_)
    work()
    assert len(runs(api, workflow)) == 3


def test_a_customer_is_one_from_the_first_order_history_included(api: Any) -> None:
    workflow = made(api, {"type": "customer_created"}, add_tag("customer"))
    jane, joe = contact(api, "jane"), contact(api, "joe")
    happens(api, jane, "Login")
    for _time in range(3):  # before the worker looks
        happens(api, jane)
    happens(api, joe, backfill=True)
    happens(api, joe)
    work()
    assert run(api, workflow)["contact"] == jane


def test_a_booking_is_made_once_however_many_activities_speak_of_it(api: Any) -> None:
    workflow = made(api, {"type": "booking_created"}, add_tag("booked"))
    jane = contact(api)
    happens(api, jane, "Booking", booking=BOOKED)
    happens(api, jane, "Checked in", booking=BOOKED)
    happens(api, jane, "Booking")
    happens(api, jane, "Checked in", booking={**BOOKED, "externalReference": "B-2"})
    happens(api, jane, "Login")
    work()
    assert len(runs(api, workflow)) == 3


def test_a_bookings_status_changes_from_and_to_what_is_named(api: Any) -> None:
    every = made(api, {"type": "booking_status_changed"}, add_tag("x"))
    cancelled = made(
        api,
        {
            "type": "booking_status_changed",
            "from": "confirmed",
            "to": ["Cancelled", "No show"],
            "conditions": {
                "all": [
                    {"field": "activity.booking.status", "operator": "eq", "value": "Cancelled"}
                ]
            },
        },
        add_tag("cancelled"),
    )
    jane = contact(api)
    happens(api, jane, "Booking", booking=BOOKED)
    happens(api, jane, "Checked in", booking={**BOOKED, "status": "Arrived"})
    work()
    assert (len(runs(api, every)), len(runs(api, cancelled))) == (1, 0)
    happens(api, jane, "Booking", booking={**BOOKED, "status": "Confirmed"}, backfill=True)
    work()
    assert len(runs(api, every)) == 1
    booking = api.get("/bookings").json()[0]["id"]
    assert api.patch(f"/bookings/{booking}", {"status": "Cancelled"}).status_code == 200
    api.patch(f"/bookings/{booking}", {"origin": "web"})
    work()
    told = run(api, cancelled)
    assert told["triggerData"] == {
        "type": "booking_status_changed",
        "activity": told["triggerData"]["activity"],
        "booking": booking,
        "from": "Confirmed",
        "to": "Cancelled",
    }


def test_a_gift_card_is_bought_once(api: Any) -> None:
    workflow = made(api, {"type": "gift_card_purchased"}, add_tag("gift"))
    jane = contact(api)
    happens(api, jane, giftCard="GC-1")
    happens(api, jane, "Gift card registered", giftCard="GC-1")
    happens(api, jane, "Gift card registered", giftCard="GC-2")
    happens(api, jane, "Added gift card to Apple Wallet", giftCard="GC-3")
    happens(api, jane)
    work()
    assert len(runs(api, workflow)) == 2


def test_members_and_subscribers(api: Any) -> None:
    api.post("/activity-types", {"name": "Subscription started"})
    api.post("/activity-types", {"name": "Box ordered"})
    member = made(api, {"type": "member_created"}, add_tag("member"))
    subscriber = made(api, {"type": "subscription_created"}, add_tag("subscriber"))
    named = made(
        api, {"type": "subscription_created", "activityTypes": ["Box ordered"]}, add_tag("box")
    )
    jane = contact(api)
    for type_ in ("Membership started", "Subscription started", "Box ordered", "Changed tier"):
        happens(api, jane, type_)
    work()
    assert [len(runs(api, one)) for one in (member, subscriber, named)] == [1, 1, 1]
    assert sorted(tags(api, jane)) == ["box", "member", "subscriber"]


def test_a_completed_referral_is_the_inviting_contacts(api: Any) -> None:
    workflow = made(api, {"type": "referral_completed"}, add_tag("host"))
    jane, joe = contact(api, "jane"), contact(api, "joe")
    invite = api.post("/referral-invites", {"contact": jane}).json()["id"]
    work()
    assert runs(api, workflow) == []
    done = {"status": "Completed", "completedBy": joe}
    assert api.patch(f"/referral-invites/{invite}", done).status_code == 200
    work()
    told = run(api, workflow)
    assert told["contact"] == jane
    assert told["triggerData"]["completedBy"] == joe


def test_tags_put_on_and_taken_off(api: Any) -> None:
    added = made(api, {"type": "tag_added", "tag": "vip"}, add_tag("greeted"))
    removed = made(api, {"type": "tag_removed", "tag": "VIP"}, add_tag("missed"))
    every = made(api, {"type": "tag_added"}, {"type": "exit"})
    jane = contact(api)
    api.put(f"/contacts/{jane}/tags/VIP")
    api.put(f"/contacts/{jane}/tags/VIP")
    work()
    assert (len(runs(api, added)), len(runs(api, removed))) == (1, 0)
    api.delete(f"/contacts/{jane}/tags/vip")
    work()
    assert (len(runs(api, added)), len(runs(api, removed))) == (1, 1)
    assert [one["triggerData"]["tag"] for one in runs(api, every)] == ["VIP", "greeted", "missed"]


def test_segments_entered_and_left(api: Any) -> None:
    rules = {"all": [{"field": "contact.totalSpend", "operator": "gte", "value": 10_000}]}
    segment = api.post("/segments", {"name": "Big spenders", "rules": rules}).json()["id"]
    entered = made(api, {"type": "segment_entered", "segment": segment}, add_tag("hello"))
    left = made(api, {"type": "segment_left", "segment": segment}, add_tag("bye"))
    jane = contact(api)
    purchase = happens(api, jane, spend=10_000)
    work()
    assert (len(runs(api, entered)), len(runs(api, left))) == (1, 0)
    happens(api, jane, spend=1)
    work()
    assert len(runs(api, entered)) == 1
    api.delete(f"/activities/{purchase}")
    work()
    assert (len(runs(api, entered)), len(runs(api, left))) == (1, 1)


def test_nothing_starts_in_another_organisation(
    api: Any, api_for: Any, other_organisation: Any
) -> None:
    workflow = made(api, {"type": "contact_created"}, add_tag("x"))
    theirs = api_for(other_organisation)
    contact(theirs)
    work()
    assert runs(api, workflow) == []
    assert theirs.get(f"/workflows/{workflow}/runs").status_code == 404
