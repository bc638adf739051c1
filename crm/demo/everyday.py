"""What the staff of The Harbour Collection do with it: segments, workflows, views, notes, tasks, an
import, and a shop that is connected. A worker takes up what is left to it within a minute.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.contrib.auth.models import User

from contacts.models import Contact
from contacts.segments import services as segments
from crm.demo import house
from desk import services as desk
from desk.bulk import services as bulk
from desk.lists import services as lists
from imports.files.opening import opened
from imports.options import Options
from imports.services import Door, import_contacts
from integrations import inbox
from integrations import services as integrations
from integrations.sources import SOURCES
from integrations.sources.base import Hook
from organisations.models import Organisation
from rewards import services as rewards
from workflows import exchange, ready_made
from workflows import services as workflows
from workflows.models import Workflow

SHOP = "harbour-collection-demo.myshopify.com"
SHOP_SECRET = "the demo's shop signs with this"  # noqa: S105 - of a shop that is not there
ORDERS = 9

SEGMENTS: dict[str, dict[str, Any]] = {
    "Regulars who stay away": {
        "all": [
            {"field": "contact.totalOrders", "operator": "gte", "value": 3},
            {
                "field": "activities",
                "operator": "count_lte",
                "value": 0,
                "where": {"within": "P90D"},
            },
        ]
    },
    "Over £1,000 in a year": {
        "field": "activities",
        "operator": "sum_gte",
        "value": 100_000,
        "where": {"within": "P1Y"},
    },
    "Eats no meat": {
        "any": [
            {"field": "contact.customFields.dietary_preference", "operator": "eq", "value": diet}
            for diet in ("Vegetarian", "Vegan")
        ]
    },
}
VIEWS = {
    "Regulars at a glance": (
        "cols=shown_name,tag_list,cf_card_tier,rfm_words,total_spend,last_interaction&o=-5"
    ),
    "Champions": "rfm=champion",
    "At risk": "rfm=risk",
}
ACTIVE = ("third_purchase", "birthday", "post_stay_review")
"""Of the ready-made workflows. The others wait as drafts."""
GOLD = {
    "name": "New Gold card",
    "description": "Started from the page of a contact whose card turned gold.",
    "trigger": {"type": "manual"},
    "steps": [
        {"id": "tag", "type": "add_tag", "tag": "Gold since this autumn"},
        {"id": "credit", "type": "give_credit", "amount": 2500, "reason": "New Gold card"},
        {
            "id": "tell",
            "type": "notify_staff",
            "title": "{{ contact.name }} has a Gold card now",
            "text": "Their welcome parcel is to be sent.",
        },
        {"id": "rest", "type": "wait", "duration": "P14D"},
    ],
}
NOTES = (
    "Asked for the corner table again. They bring the grandparents in spring.",
    "@Olivia Penrose would like to talk about the wedding in June, best after six.",
    "Was kept waiting for half an hour at check-in. I apologised; @Marcus Bell please see to it.",
    "Prefers a call to an e-mail.",
    "Left a pair of glasses in the bar; they are in the safe of the front desk.",
    "Loved the walk to St Anthony Head. Send the new map when it is printed.",
)
TASKS: Sequence[tuple[str, int | None, int | None, str]] = (
    ("Call back about the wedding", -1, None, "owner"),
    ("Send the welcome parcel", 0, 16, "owner"),
    ("Confirm the group of twelve", 2, 11, "owner"),
    ("Ask whether the new pillows are right", 6, None, "owner"),
    ("Look for the lost scarf", None, None, "owner"),
    ("Write to them about check-in", 1, None, "manager"),
    ("Order the birthday cake", 3, 9, "staff"),
)
"""What, in how many days, at which hour, and for whom."""


@dataclass(frozen=True)
class Everyday:
    """The staff, and the guests they have to do with."""

    organisation: Organisation
    people: dict[str, User]
    regulars: list[Contact]
    today: date


def fill(organisation: Organisation, people: dict[str, User], last_day: date) -> None:
    """Write all of it. `people` are the staff by the first part of their login."""
    guests = Contact.objects.for_organisation(organisation).filter(kind=Contact.Kind.PERSON)
    regulars = list(guests.order_by("-rollup__total_spend", "pk")[:40])
    day = Everyday(organisation, people, regulars, last_day + timedelta(days=1))
    for name, rules in SEGMENTS.items():
        segments.create(organisation=organisation, name=name, rules=rules)
    _save_views(day)
    _write_down(day)
    _begin_workflows(day)
    _import_a_list(day)
    _tag_for_christmas(day)
    _connect_the_shop(day, last_day)


def _save_views(day: Everyday) -> None:
    for name, query in VIEWS.items():
        lists.save(
            organisation=day.organisation,
            owner=day.people["manager"],
            screen="contacts.contact",
            name=name,
            query=query,
            shared=True,
        )


def _write_down(day: Everyday) -> None:
    """Notes and tasks, and credit for those who were kept waiting."""
    for text, contact in zip(NOTES, day.regulars, strict=False):
        note = desk.add_note(contact=contact, text=text, by=day.people["staff"])
        if contact == day.regulars[0]:
            desk.pin_note(note=note, pinned=True)
    for (title, days, hour, whose), contact in zip(TASKS, day.regulars, strict=False):
        values = {
            "title": title,
            "contact": contact,
            "assignee": day.people[whose],
            "due_on": None if days is None else day.today + timedelta(days=days),
            "due_time": None if hour is None else time(hour),
        }
        author = day.people["staff" if whose == "owner" else "owner"]
        desk.add_task(organisation=day.organisation, by=author, values=values)
    for contact in day.regulars[:3]:
        rewards.grant(contact=contact, amount=1500, reason="Kept waiting at check-in")


def _begin_workflows(day: Everyday) -> None:
    for name in ready_made.NAMES:
        workflow = exchange.bring_in(organisation=day.organisation, text=ready_made.text(name))
        if name in ACTIVE:
            workflows.set_status(workflow=workflow, status=Workflow.Status.ACTIVE)
    gold = workflows.create(organisation=day.organisation, status=Workflow.Status.ACTIVE, **GOLD)
    for contact in day.regulars[3:6]:
        workflows.start(workflow=gold, contact=contact)


def _import_a_list(day: Everyday) -> None:
    """Who came to the wine tasting."""
    rows = [[contact.email_address, contact.name, "Wine"] for contact in day.regulars[9:33]]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "wine-tasting.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([["E-mail", "Name", "Interests"], *rows])
        with opened(str(path)) as source:
            import_contacts(
                organisation=day.organisation,
                file=source,
                options=Options(backfill=True),
                door=Door(),
            )


def _tag_for_christmas(day: Everyday) -> None:
    chosen = Contact.objects.for_organisation(day.organisation)
    bulk.start(
        organisation=day.organisation,
        by=day.people["manager"],
        action="tag",
        told={"name": "Christmas card"},
        contacts=chosen.filter(pk__in=[contact.pk for contact in day.regulars]),
    )


def _connect_the_shop(day: Everyday, last_day: date) -> None:
    """Orders of the last evening, as the shop tells of them, and one that cannot be read."""
    connection = integrations.connect(
        organisation=day.organisation,
        source="shopify",
        name="Harbour shop",
        credentials={"shop_domain": SHOP, "secret": SHOP_SECRET},
    )
    evening = datetime.combine(last_day, time(18), UTC)
    buyers = day.regulars[5 : 5 + ORDERS]
    bodies = [_order(buyer, number, evening) for number, buyer in enumerate(buyers, start=1)]
    for number, body in enumerate([*bodies, {"id": "no order"}], start=1):
        raw = json.dumps(body).encode()
        signature = hmac.new(SHOP_SECRET.encode(), raw, hashlib.sha256).digest()
        headers = {
            "x-shopify-topic": "orders/paid",
            "x-shopify-shop-domain": SHOP,
            "x-shopify-webhook-id": f"demo-{number}",
            "x-shopify-hmac-sha256": base64.b64encode(signature).decode(),
        }
        kind, hook = SOURCES["shopify"], Hook(raw=raw, headers=headers)
        inbox.keep(kind, connection, hook, kind.verify(hook, connection))


def _order(buyer: Contact, number: int, evening: datetime) -> dict[str, Any]:
    item, price = house.SHOP[number % len(house.SHOP)]
    moment = (evening + timedelta(minutes=13 * number)).isoformat()
    total = f"{price / 100:.2f}"
    return {
        "id": 5_000_000 + number,
        "name": f"#HS{1040 + number}",
        "created_at": moment,
        "processed_at": moment,
        "updated_at": moment,
        "currency": "GBP",
        "email": buyer.email_address,
        "financial_status": "paid",
        "total_price": total,
        "total_outstanding": "0.00",
        "line_items": [{"id": number, "title": item, "price": total, "quantity": 1}],
        "customer": {
            "id": 7_000_000 + number,
            "email": buyer.email_address,
            "first_name": buyer.first_name,
            "last_name": buyer.last_name,
        },
        "refunds": [],
    }
