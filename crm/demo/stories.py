"""What each guest did: stays, meals, rounds of golf, orders and the wifi in between.

`tell` fills in a guest's activities, as `activities.services.record_batch` takes them. How much
and for how much depends on the guest alone; the calendar only says on which days.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from crm.demo import house
from crm.demo.days import Calendar, at
from crm.demo.guests import Guest, Habit

LONGEST_STAY = 8


class Calendars:
    """One for each kind of visit."""

    def __init__(self, last: date) -> None:
        self.last = last
        self.hotel = Calendar(last, house.HOTEL_SEASON, house.HOTEL_WEEK)
        self.table = Calendar(last, house.TABLE_SEASON, house.TABLE_WEEK)
        self.golf = Calendar(last, house.GOLF_SEASON, house.GOLF_WEEK)
        self.shop = Calendar(last, house.SHOP_SEASON, house.SHOP_WEEK)


def tell(guest: Guest, calendars: Calendars) -> None:
    """Fill in `guest.activities`, oldest first."""
    Story(guest, calendars).tell()
    guest.activities.sort(key=lambda activity: activity["happened_at"])


_Weighted = TypeVar("_Weighted", house.Hotel, house.Restaurant)


class Story:
    """The two years of one guest."""

    def __init__(self, guest: Guest, calendars: Calendars) -> None:
        self.guest = guest
        self.random = guest.random
        self.calendars = calendars
        self._told = 0

    def tell(self) -> None:
        random, calendars = self.random, self.calendars
        habits: dict[Habit, Callable[[], None]] = {
            Habit.VISITOR: lambda: self.stays(1),
            Habit.DINER: lambda: self.meals(random.choice([1, 1, 1, 2, 2, 3])),
            Habit.PASSER_BY: lambda: self.wifi(
                calendars.table.days(random, random.choice([1, 1, 2, 4]))
            ),
            Habit.SHOPPER: lambda: self.shop(random.choice([1, 1, 2, 3])),
            Habit.RETURNING: lambda: self.stays(self.many(3, 14)),
            Habit.REGULAR_DINER: lambda: self.meals(self.many(10, 70)),
            Habit.DAY_GOLFER: lambda: self.rounds(random.choice([1, 1, 2, 4])),
            Habit.GOLF_MEMBER: lambda: self.rounds(self.many(20, 90)),
            Habit.BUSINESS: lambda: self.stays(self.many(2, 20)),
        }
        habits[self.guest.habit]()
        if self.guest.habit.regular:
            self.shop(random.choice([0, 0, 1, 2]))
            self.offers()
        if random.random() < 0.05:
            self.gift_card()
        if self.guest.member:
            self.membership()

    def many(self, fewest: int, most: int) -> int:
        """How often a regular comes: most of them now and then, a few all the time."""
        return min(most, fewest + int(self.random.expovariate(4 / (most - fewest))))

    def add(self, type: str, source: str, happened_at: datetime, /, **more: Any) -> None:
        """One activity that its source has a number for."""
        number = f"{source}-{self.guest.number:05}-{self._told + 1:03}"
        self.note(type, source, happened_at, external_reference=number, **more)

    def note(self, type: str, source: str, happened_at: datetime, /, **more: Any) -> None:
        """One activity without a number."""
        self._told += 1
        self.guest.activities.append(
            {"type": type, "source": source, "happened_at": happened_at, **more}
        )

    def pick(self, places: Sequence[_Weighted]) -> _Weighted:
        return self.random.choices(places, [place.weight for place in places])[0]

    # Stays

    def stays(self, count: int) -> None:
        random = self.random
        favourite = self.pick(house.HOTELS)
        for day in self.calendars.hotel.days(random, count, spare=LONGEST_STAY):
            self.stay(favourite if random.random() < 0.8 else self.pick(house.HOTELS), day)
        if random.random() < (0.25 if self.guest.habit.regular else 0.03):
            ahead = timedelta(days=random.randint(2, 120))
            self.stay(favourite, self.calendars.last + ahead, arriving=True)

    def stay(self, hotel: house.Hotel, arrival: date, *, arriving: bool = False) -> None:
        random, zone = self.random, hotel.timezone
        nights = random.choices([1, 2, 3, 4, 5, 7], [25, 35, 18, 10, 7, 5])[0]
        kind = random.choices(list(hotel.rates), [5, 4, 2, 1][: len(hotel.rates)])[0]
        total = round(hotel.rates[kind] * nights * random.uniform(0.85, 1.25), -2)
        lead = timedelta(days=random.randint(1, 75), hours=random.randint(0, 9))
        booked_at = at(min(arrival, self.calendars.last), 10, random.randint(0, 59)) - lead
        channel = random.choice(house.CHANNELS)
        cancelled = not arriving and random.random() < 0.06
        reference = f"HC-{self.guest.number:05}-{self._told + 1:03}"
        booking = {
            "external_reference": reference,
            "check_in": at(arrival, 15, zone=zone),
            "check_out": at(arrival + timedelta(days=nights), 11, zone=zone),
            "number_of_guests": random.choices([1, 2, 3, 4], [20, 60, 8, 12])[0],
            "room_type": kind,
            "room_name": random.choice(hotel.rooms),
            "total": int(total),
            "currency_code": hotel.currency,
            "purpose": "Business"
            if self.guest.habit is Habit.BUSINESS
            else random.choice(house.PURPOSES),
            "origin": channel,
            "status": "Cancelled" if cancelled else ("Confirmed" if arriving else "Checked out"),
        }
        place = {"property": hotel.name}
        self.add("Booking", "mews", booked_at, booking=booking, data=place)
        if cancelled or arriving:
            return
        known = {"booking": {"external_reference": reference}, "data": place}
        came = at(arrival, random.randint(15, 20), random.randint(0, 59), zone)
        self.add("Checked in", "mews", came, **known)
        departure = arrival + timedelta(days=nights)
        for night in range(min(nights, random.randint(1, 3))):
            day = arrival + timedelta(days=night)
            self.note(
                "Connected to wifi",
                "wifi",
                at(day, random.randint(20, 22), random.randint(0, 59), zone),
                data={"place": f"{hotel.name.split(',')[0]}, rooms"},
            )
        if hotel.currency == "GBP" and random.random() < 0.55:
            self.meal(self.pick(house.RESTAURANTS[:3]), arrival)
        if random.random() < 0.12:
            treated = at(departure - timedelta(days=1), random.randint(10, 14), 30, zone)
            spa = round(random.choice([6500, 8500, 12000]))
            self.add("Spa treatment", "mews", treated, spend=spa, currency_code=hotel.currency)
        left = at(departure, random.randint(8, 11), random.randint(0, 59), zone)
        self.add("Checked out", "mews", left, **known)
        bill = {"spend": int(total), "currency_code": hotel.currency, "purchase": reference}
        self.add("Purchase", "mews", left, **bill, **known)
        if random.random() < 0.015:
            back = {"spend": -int(total) // 10, "currency_code": hotel.currency}
            self.add("Refund", "mews", left + timedelta(hours=3), **back, data=place)

    # Meals

    def meals(self, count: int) -> None:
        random = self.random
        favourite = self.pick(house.RESTAURANTS)
        for day in self.calendars.table.days(random, count, spare=1):
            self.meal(favourite if random.random() < 0.7 else self.pick(house.RESTAURANTS), day)

    def meal(self, restaurant: house.Restaurant, day: date) -> None:
        random, zone = self.random, restaurant.timezone
        starts = at(day, random.choice([12, 13, 18, 19, 19, 20]), random.choice([0, 15, 30]), zone)
        party = random.choices([1, 2, 3, 4, 6, 8], [4, 52, 12, 20, 8, 4])[0]
        fate = random.choices(["Seated", "Walk-in", "No show", "Cancelled"], [74, 18, 4, 4])[0]
        known: dict[str, Any] = {"data": {"restaurant": restaurant.name}}
        if fate != "Walk-in":
            table = {
                "start_time": starts,
                "party_size": party,
                "status": fate,
                "notes": random.choice(house.TABLE_NOTES) if random.random() < 0.15 else "",
                "origin": "tables",
                "origin_reference": f"T-{self.guest.number:05}-{self._told + 1:03}",
            }
            ahead = timedelta(days=random.randint(0, 20), hours=random.randint(3, 9))
            if fate == "Cancelled":
                table["cancelled_at"] = starts - timedelta(hours=2)
            self.add(
                "Table reservation", "tables", starts - ahead, table_reservation=table, **known
            )
        if fate in ("No show", "Cancelled"):
            return
        if random.random() < 0.25:
            known_wifi = {"place": restaurant.name}
            logged_in = starts + timedelta(minutes=12)
            self.note("Connected to wifi", "wifi", logged_in, data=known_wifi)
        spend = int(restaurant.per_head * party * random.uniform(0.6, 1.5)) // 5 * 5
        paid = starts + timedelta(minutes=random.randint(55, 140))
        self.add(
            "Purchase",
            "lightspeed",
            paid,
            spend=spend,
            currency_code=restaurant.currency,
            purchase=f"till-{self.random.randint(1, 6)}",
            data={**known["data"], "covers": party},
        )

    # The rest

    def rounds(self, count: int) -> None:
        random = self.random
        course_id, course = house.GOLF_COURSE
        for day in self.calendars.golf.days(random, count, spare=1):
            holes = random.choices([9, 18], [30, 70])[0]
            starts = at(day, random.randint(7, 15), random.choice([0, 8, 16, 24, 32, 40, 48]))
            tee = {
                "holes": holes,
                "status": "Played",
                "start_time": starts,
                "origin": "golf",
                "origin_reference": f"G-{self.guest.number:05}-{self._told + 1:03}",
                "course_id": course_id,
                "course_name": course,
            }
            ahead = timedelta(days=random.randint(1, 14))
            self.add("Golf reservation", "golf", starts - ahead, golf_reservation=tee)
            if self.guest.habit is not Habit.GOLF_MEMBER:
                self.add("Purchase", "golf", starts, spend=house.GREEN_FEES[holes])
            if random.random() < 0.4:
                bar = {"spend": random.randint(8, 60) * 50, "data": {"place": "Clubhouse"}}
                self.add("Purchase", "lightspeed", starts + timedelta(hours=4), **bar)

    def wifi(self, days: Sequence[date]) -> None:
        for day in days:
            moment = at(day, self.random.randint(9, 21), self.random.randint(0, 59))
            place = {"place": self.random.choice(house.WIFI_PLACES)}
            self.note("Connected to wifi", "wifi", min(moment, self.latest), data=place)

    def shop(self, count: int) -> None:
        random = self.random
        for day in self.calendars.shop.days(random, count, spare=1):
            basket = random.sample(house.SHOP, random.choice([1, 1, 2, 3]))
            order = {
                "spend": sum(price for _name, price in basket),
                "data": {"items": [name for name, _price in basket]},
            }
            moment = at(day, random.randint(7, 22), random.randint(0, 59))
            self.add("Shopify order", "shopify", moment, **order)

    def gift_card(self) -> None:
        random = self.random
        card = f"HGC-{self.guest.number:05}"
        moment = at(self.calendars.shop.day(random, spare=1), random.randint(9, 20), 5)
        self.add("Gift card registered", "website", moment, gift_card=card)
        if random.random() < 0.6:
            later = moment + timedelta(minutes=4)
            self.add("Added gift card to Apple Wallet", "website", later, gift_card=card)

    def offers(self) -> None:
        random = self.random
        for day in self.calendars.shop.days(random, random.choice([0, 1, 1, 2]), spare=1):
            offer = {"offer": random.choice(house.OFFERS)}
            moment = at(day, random.randint(8, 21), random.randint(0, 49))
            self.note("Viewed partner offer", "app", moment, data=offer)
            if random.random() < 0.35:
                clicked = moment + timedelta(seconds=40)
                self.note("Clicked partner offer link", "app", clicked, data=offer)

    def membership(self) -> None:
        random = self.random
        joined = at(self.calendars.shop.day(random, spare=200), random.randint(9, 19), 20)
        card = {"data": {"membership": house.MEMBERSHIP}}
        self.add("Membership started", "app", joined, **card)
        if random.random() < 0.5:
            wallet = joined + timedelta(minutes=3)
            self.add("Added membership card to Apple Wallet", "app", wallet, **card)
        for day in self.calendars.shop.days(random, random.randint(0, 4), spare=1):
            self.note("Login", "app", at(day, random.randint(7, 22), 11))
        if random.random() < 0.35:
            tier = {"data": {"membership": house.MEMBERSHIP, "tier": "Silver"}}
            self.add("Changed tier", "app", joined + timedelta(days=120), **tier)
        elif random.random() < 0.06:
            self.add("Membership cancelled", "app", joined + timedelta(days=180), **card)

    @property
    def latest(self) -> datetime:
        """The end of the last day: nothing that has happened is later."""
        return at(self.calendars.last, 23, 59)
