"""The guests one by one: who they are, and what kind of guest.

Each guest has a random generator of their own, seeded with their number: guest 17 is the same
person with the same story in a demo of a hundred and in one of ten thousand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import Enum
from random import Random
from typing import Any

from contacts.identity import fold
from crm.demo import fields
from crm.demo.people import BRANCHES, BUSINESSES, COUNTRIES, MAIL_DOMAINS, Country

SEED = "harbour"


class Habit(Enum):
    """What kind of guest somebody is."""

    VISITOR = "one stay"
    DINER = "a meal or three"
    PASSER_BY = "only the wifi"
    SHOPPER = "orders from the shop"
    RETURNING = "stays again and again"
    REGULAR_DINER = "eats here all the time"
    DAY_GOLFER = "a round now and then"
    GOLF_MEMBER = "member of the golf club"
    BUSINESS = "a company that books rooms"

    @property
    def stays(self) -> bool:
        return self in (Habit.VISITOR, Habit.RETURNING, Habit.BUSINESS)

    @property
    def regular(self) -> bool:
        return self in (Habit.RETURNING, Habit.REGULAR_DINER, Habit.GOLF_MEMBER)


# Of a hundred guests, in the order of `Habit`: many come once, a few are the regulars.
SHARES = (40, 21, 10, 6, 8, 6, 4, 3, 2)

TWIN_EVERY = 150
"""One in so many is the guest before, who gave another address: a possible duplicate."""


@dataclass
class Guest:
    """Somebody with what to write of them; `stories` fills in the activities."""

    number: int
    habit: Habit
    random: Random
    member: bool
    values: dict[str, Any]
    activities: list[dict[str, Any]] = field(default_factory=list)


def guests(count: int) -> Iterator[Guest]:
    """The first `count` guests. Their e-mail addresses and phone numbers are all different."""
    addresses: Counter[str] = Counter()
    phones: Counter[str] = Counter()
    before: dict[str, Any] | None = None
    for number in range(1, count + 1):
        random = Random(f"{SEED}-{number}")  # noqa: S311 - stories, not secrets
        habit = random.choices(list(Habit), SHARES)[0]
        member = random.random() < (0.65 if habit.regular else 0.04)
        if habit is Habit.BUSINESS:
            values = _business(random, number)
        else:
            values = _person(random, number, habit, addresses, phones)
            if number % TWIN_EVERY == 0 and before is not None:
                _become(values, before, random, addresses)
            before = values
            values["customFields"] = fields.for_person(
                random, number, member=member, regular=habit.regular, stays=habit.stays
            )
        values["tags"] = _tags(random, habit, member, values)
        yield Guest(number, habit, random, member, values)


def _become(
    values: dict[str, Any], other: dict[str, Any], random: Random, addresses: Counter[str]
) -> None:
    """Be the same person, who gave another e-mail address and no number this time."""
    for name in ("first_name", "last_name", "timezone", "dob", "addresses"):
        values.pop(name, None)
        if name in other:
            values[name] = other[name]
    values.pop("phone_number", None)
    values.pop("phone_number_country_code", None)
    first, last = values["first_name"], values["last_name"]
    values["email_address"] = _email(random, first, last, addresses)


def _person(
    random: Random, number: int, habit: Habit, addresses: Counter[str], phones: Counter[str]
) -> dict[str, Any]:
    country = random.choices(COUNTRIES, [country.share for country in COUNTRIES])[0]
    if habit in (Habit.REGULAR_DINER, Habit.GOLF_MEMBER):
        country = COUNTRIES[0]  # they live nearby
    first, last = random.choice(country.first_names), random.choice(country.last_names)
    phone = _phone(random, country, phones)
    values: dict[str, Any] = {
        "first_name": first,
        "last_name": last,
        "timezone": country.timezone,
        "email_address": _email(random, first, last, addresses),
    }
    if phone:
        values["phone_number"] = phone
        values["phone_number_country_code"] = CALLING_CODES[country.code]
        # Booking sites hand over an address of their own, which is nobody's.
        if habit is Habit.VISITOR and random.random() < 0.06:
            values["email_address"] = f"{last[:1].lower()}{number}.77@guest.booking.com"
    if random.random() < (0.8 if habit.regular else 0.35):
        values["dob"] = date(1942, 1, 1) + timedelta(days=random.randint(0, 62 * 365))
    if random.random() < (0.85 if habit.stays or habit.regular else 0.2):
        values["addresses"] = [_address(random, country, nearby=not habit.stays)]
    return values


CALLING_CODES = {"GB": "44", "IE": "353", "FR": "33", "DE": "49", "US": "1", "SE": "46"}


def _business(random: Random, number: int) -> dict[str, Any]:
    name, town = BUSINESSES[number % len(BUSINESSES)]
    if number > 200:
        town = BRANCHES[number // len(BUSINESSES) % len(BRANCHES)]
    slug = "".join(c for c in fold(name) if c.isalnum())
    return {
        "kind": "business",
        "name": name if number <= 200 else f"{name}, {town}",
        "email_address": f"events.{number}@{slug[:24]}.example.com",
        "addresses": [
            {"type": "Office", "line1": f"{random.randint(1, 90)} Quay Street", "city": town}
            | {"country": "GB"}
        ],
        "customFields": fields.for_business(random, number),
    }


def _email(random: Random, first: str, last: str, taken: Counter[str]) -> str:
    local = ".".join(
        "".join(c for c in fold(part).replace("ı", "i") if c.isascii() and c.isalnum())
        for part in (first, last)
    )
    address = f"{local}@{random.choice(MAIL_DOMAINS)}"
    taken[address] += 1
    if taken[address] == 1:
        return address
    return address.replace("@", f"{taken[address]}@")


def _phone(random: Random, country: Country, taken: Counter[str]) -> str | None:
    """The next number of the country's free range, for two guests in three while there are any."""
    wanted = random.random() < 0.66
    if not wanted or country.phone is None:
        return None
    room = country.phone.count("#")
    number = taken[country.code]
    if number >= 10**room:
        return None
    taken[country.code] += 1
    digits = iter(f"{number:0{room}}"[::-1])
    return "".join(next(digits) if c == "#" else c for c in country.phone)


def _address(random: Random, country: Country, *, nearby: bool) -> dict[str, str]:
    towns = country.towns[:5] if nearby else country.towns
    city, postcode = random.choice(towns)
    street, house = random.choice(country.streets), random.randint(1, 140)
    line = f"{house} {street}" if country.number_first else f"{street} {house}"
    address = {
        "type": "Home",
        "line1": line,
        "city": city,
        "postcode": postcode,
        "country": country.code,
    }
    if city in ("Falmouth", "Truro", "Penzance", "St Ives"):
        address["county"] = "Cornwall"
    return address


def _tags(random: Random, habit: Habit, member: bool, values: dict[str, Any]) -> list[str]:
    tags = []
    if member:
        tags.append("Harbour Card")
    if habit is Habit.GOLF_MEMBER:
        tags.append("Golf club")
    if habit is Habit.BUSINESS:
        tags.append("Corporate")
    if habit.regular and random.random() < 0.12:
        tags.append("VIP")
    home = values.get("addresses", [{}])[0]
    if home.get("county") == "Cornwall" and habit is not Habit.BUSINESS:
        tags.append("Local")
    if random.random() < 0.02:
        tags.append("Wedding party")
    if random.random() < 0.01:
        tags.append("Press")
    return tags
