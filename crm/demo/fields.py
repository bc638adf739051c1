"""The group's custom fields, of all ten types, and what guests have in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

from crm.demo.house import ROOM_NOTES

DIETS = ("Vegetarian", "Vegan", "Pescatarian", "Gluten free", "Halal", "Kosher")
INTERESTS = ("Spa", "Swimming", "Golf", "Sailing", "Wine", "Walking", "Live music", "Art")

FIELDS: Sequence[dict[str, Any]] = (
    {
        "label": "Dietary preference",
        "type": "Select",
        "group": "Preferences",
        "options": ["Eats everything", *DIETS],
        "help_text": "The kitchen sees it on the day.",
    },
    {
        "label": "Interests",
        "type": "Multi select",
        "group": "Preferences",
        "options": INTERESTS,
    },
    {
        "label": "Favourite room",
        "type": "Text",
        "group": "Preferences",
    },
    {
        "label": "Notes for the house",
        "type": "Textarea",
        "group": "Preferences",
        "help_text": "Allergies, pillows, dogs.",
    },
    {
        "label": "Card number",
        "type": "Text",
        "group": "Loyalty",
        "unique": True,
        "pattern": r"HC-\d{6}",
        "help_text": "Such as HC-104217, from the front of the Harbour Card.",
    },
    {
        "label": "Card tier",
        "type": "Select",
        "group": "Loyalty",
        "options": [
            {"value": "Blue", "label": "Blue"},
            {"value": "Silver", "label": "Silver"},
            {"value": "Gold", "label": "Gold"},
        ],
    },
    {
        "label": "Card points",
        "type": "Number",
        "group": "Loyalty",
        "minimum": 0,
    },
    {"label": "Wedding anniversary", "type": "Date", "group": "Loyalty"},
    {"label": "Newsletter", "type": "Boolean", "group": "Reach"},
    {"label": "Second e-mail", "name": "second_email", "type": "Email", "group": "Reach"},
    {"label": "Emergency phone", "type": "Phone", "group": "Reach"},
    {"label": "Website", "type": "URL", "group": "Office"},
    {
        "label": "Agreed discount",
        "type": "Number",
        "group": "Office",
        "minimum": 0,
        "maximum": 40,
        "help_text": "Per cent off the room rate.",
    },
)


def for_person(
    random: Random, number: int, *, member: bool, regular: bool, stays: bool
) -> dict[str, Any]:
    """What a guest has told us. The more often somebody comes, the more is known."""
    known = 0.75 if regular else 0.2
    values: dict[str, Any] = {"newsletter": random.random() < (0.7 if regular else 0.35)}
    if random.random() < known:
        values["dietary_preference"] = random.choices(
            ["Eats everything", *DIETS],
            [40, 22, 9, 10, 12, 5, 2],
        )[0]
    if random.random() < known:
        values["interests"] = random.sample(
            INTERESTS,
            random.randint(1, 3),
        )
    if stays and regular and random.random() < 0.6:
        values["favourite_room"] = random.choice(["Lookout", "Godrevy", "Carrick", "Hepworth"])
    if random.random() < (0.3 if regular else 0.04):
        values["notes_for_the_house"] = random.choice(ROOM_NOTES)
    if random.random() < known / 4:
        married = date(1968, 6, 1) + timedelta(days=random.randint(0, 55 * 365))
        values["wedding_anniversary"] = married.isoformat()
    if random.random() < 0.04:
        values["second_email"] = f"home.{number}@example.net"
    if stays and random.random() < 0.05:
        values["emergency_phone"] = f"+44 7700 900{random.randint(0, 999):03}"
    if member:
        values["card_number"] = f"HC-{100000 + number}"
        values["card_tier"] = random.choices(["Blue", "Silver", "Gold"], [5, 3, 2])[0]
        values["card_points"] = random.randint(0, 9000)
    return values


def for_business(random: Random, number: int) -> dict[str, Any]:
    """What is known of a business that books with us."""
    return {
        "website": f"https://www.example.com/clients/{number}",
        "agreed_discount": random.choice(["5", "7.5", "10", "12.5", "15"]),
        "newsletter": False,
    }
