"""One of each type of step and trigger, with every key that it may have."""

from __future__ import annotations

from typing import Any

SPENT = {"all": [{"field": "activity.spend", "operator": "gte", "value": 1000}]}
LOYAL = {"all": [{"field": "contact.totalOrders", "operator": "eq", "value": 3}]}
SOFT = {"transactional": True, "quietHours": {"from": "21:00", "to": "08:00"}}

# (type, its keys, what its card says). `{segment}` and `{other}` are ids of what is there.
STEPS: list[tuple[str, dict[str, Any], str]] = [
    ("add_tag", {"tag": "VIP"}, "VIP"),
    ("remove_tag", {"tag": "VIP"}, "VIP"),
    (
        "call_webhook",
        {
            "url": "https://example.com/hook",
            "data": {"room": "{{ activity.booking.roomType }}", "nights": 2},
            "headers": {"X-Key": "abc"},
        },
        "example.com",
    ),
    ("condition", {"conditions": LOYAL}, "Orders is 3"),
    (
        "create_activity",
        {
            "activityType": "Purchase",
            "spend": 4500,
            "currencyCode": "JPY",
            "source": "workflow",
            "data": {"a": [1, 2]},
        },
        "Purchase · JP¥4,500",
    ),
    ("create_activity", {"activityType": "Login"}, "Login"),
    ("exit", {}, ""),
    (
        "give_credit",
        {"amount": 500, "currencyCode": "GBP", "expiresAfter": "P90D", "reason": "Thank you"},
        "£5.00, expires after 90 days, Thank you",
    ),
    ("give_credit", {"amount": 1250}, "£12.50"),
    (
        "notify_staff",
        {"title": "{{ contact.name }} is here", "text": "Say hello.\nNow.", "role": "Manager"},
        "{{ contact.name }} is here",
    ),
    (
        "send_email",
        {
            "subject": "Hello {{ contact.firstName }}",
            "body": "Dear guest",
            "format": "text",
            **SOFT,
        },
        "Hello {{ contact.firstName }}",
    ),
    ("send_email", {"subject": "Hi", "body": "<p>{{ now }}</p>", "quietHours": False}, "Hi"),
    (
        "send_sms",
        {"text": "See you at {{ organisation.name }}", **SOFT},
        "See you at {{ organisation.name }}",
    ),
    ("start_workflow", {"workflow": "{other}"}, "Other"),
    (
        "update_contact",
        {"values": {"lastName": "Smith", "customFields": {"diet": "Vegan"}, "tags": ["a", "b"]}},
        "lastName = Smith, tags = ['a', 'b'], diet = Vegan",
    ),
    ("wait", {"duration": "P1D", "until": "09:00"}, "1 day, then until 09:00"),
    ("wait", {"duration": "P1DT2H30M"}, "1 day 2 hours 30 minutes"),
    ("wait", {"until": "09:00"}, "Until 09:00"),
    (
        "wait",
        {"field": "activity.booking.checkIn", "offset": "-P2D", "at": "09:00"},
        "Until 2 days before check-in at 09:00",
    ),
    (
        "wait_for",
        {"activityTypes": ["Checked in", "Login"], "conditions": SPENT, "timeout": "P7D"},
        "Checked in, Login, at most 7 days",
    ),
]
REENTRY = [
    {"policy": "once"},
    {"policy": "once_per", "duration": "PT12H"},
    {"policy": "one_at_a_time", "key": "contact.id"},
]
TRIGGERS: list[tuple[str, dict[str, Any], str]] = [
    (
        "activity_created",
        {
            "activityTypes": ["Purchase"],
            "conditions": SPENT,
            "reentry": {"policy": "every_time", "key": "activity.booking.id"},
        },
        "Purchase",
    ),
    ("order_created", {"conditions": LOYAL}, ""),
    ("customer_created", {}, ""),
    ("booking_created", {}, ""),
    (
        "booking_status_changed",
        {"from": ["Confirmed"], "to": ["Cancelled", "No show"]},
        "From Confirmed to Cancelled, No show",
    ),
    ("gift_card_purchased", {}, ""),
    ("member_created", {}, ""),
    ("subscription_created", {"activityTypes": ["Login"]}, "Login"),
    ("contact_created", {"reentry": REENTRY[0]}, ""),
    (
        "contact_updated",
        {"fields": ["lastName", "customFields.diet"], "reentry": REENTRY[1]},
        "lastName, customFields.diet",
    ),
    ("tag_added", {"tag": "VIP", "reentry": REENTRY[2]}, "VIP"),
    ("tag_removed", {}, ""),
    ("segment_entered", {"segment": "{segment}"}, "Guests"),
    ("segment_left", {"segment": "{segment}"}, "Guests"),
    ("referral_completed", {}, ""),
    (
        "date_anniversary",
        {"field": "contact.dob", "offset": "-P3D", "repeat": "once", "at": "10:30"},
        "3 days before date of birth at 10:30",
    ),
    ("inactivity", {"duration": "P90D"}, "90 days"),
    ("webhook", {}, ""),
    ("manual", {}, ""),
]
