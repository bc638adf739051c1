"""What The Harbour Collection sells, where, and when people come. Prices in pence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NAME = "The Harbour Collection"
MEMBERSHIP = "Harbour Card"


@dataclass(frozen=True)
class Hotel:
    """`weight` is how many of a hundred stays are here; `rates` a night by room type."""

    name: str
    weight: int
    currency: str
    timezone: str
    rates: dict[str, int]
    rooms: Sequence[str]


HOTELS: Sequence[Hotel] = (
    Hotel(
        "The Harbour House, Falmouth",
        55,
        "GBP",
        "Europe/London",
        {"Cosy double": 14500, "Sea view double": 19500, "Family room": 24000, "Suite": 38500},
        ("Pendennis", "St Mawes", "Carrick", "Custom House", "Lookout", "Swanpool", "Gyllyngvase"),
    ),
    Hotel(
        "The Quay Rooms, St Ives",
        30,
        "GBP",
        "Europe/London",
        {"Courtyard room": 12500, "Harbour room": 17500, "Loft": 26500},
        ("Porthmeor", "Godrevy", "Hepworth", "Leach", "Smeaton", "Bamaluz"),
    ),
    Hotel(
        "Scilly House, Kinsale",
        15,
        "EUR",
        "Europe/Dublin",
        {"Garden room": 16000, "Estuary room": 21000, "Suite": 33000},
        ("Charles Fort", "Compass Hill", "Sandycove", "Old Head"),
    ),
)


@dataclass(frozen=True)
class Restaurant:
    """`per_head` is what a guest usually spends, drinks and all."""

    name: str
    weight: int
    currency: str
    timezone: str
    per_head: int


RESTAURANTS: Sequence[Restaurant] = (
    Restaurant("The Lobster Shed", 40, "GBP", "Europe/London", 4800),
    Restaurant("Lantern & Oar", 35, "GBP", "Europe/London", 3400),
    Restaurant("The Chart Room", 15, "GBP", "Europe/London", 8900),
    Restaurant("Fishy Fields, Kinsale", 10, "EUR", "Europe/Dublin", 4200),
)

GOLF_COURSE = ("GP18", "Gannet Point Golf Links")
GREEN_FEES = {9: 3200, 18: 5800}

SHOP: Sequence[tuple[str, int]] = (
    ("Cornish cream tea hamper", 4200),
    ("Harbour House candle", 2800),
    ("Linen robe", 8500),
    ("Seaweed bath salts", 1900),
    ("Lobster Shed cookbook", 2500),
    ("Tin of shortbread", 1250),
    ("Sailcloth tote", 3400),
)

OFFERS = (
    "Carrick Roads day sail, 15% off",
    "Eden Project late entry",
    "Tate St Ives members' preview",
    "Seal boat trip, two for one",
)

WIFI_PLACES = (
    "The Harbour House, lobby",
    "The Harbour House, rooms",
    "The Quay Rooms",
    "Lantern & Oar, bar",
    "Gannet Point clubhouse",
)

CHANNELS = ("Direct", "Direct", "Direct", "Booking.com", "Booking.com", "Expedia", "Telephone")
PURPOSES = ("Leisure", "Leisure", "Leisure", "Leisure", "Business", "Wedding", "Anniversary")

# January to December: how busy the coast is.
HOTEL_SEASON = (0.4, 0.6, 0.7, 1.1, 1.2, 1.4, 1.8, 2.0, 1.4, 1.0, 0.5, 0.8)
TABLE_SEASON = (0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.5, 1.6, 1.1, 1.0, 0.8, 1.3)
GOLF_SEASON = (0.2, 0.3, 0.7, 1.1, 1.4, 1.6, 1.7, 1.6, 1.3, 0.9, 0.4, 0.2)
SHOP_SEASON = (0.5, 0.7, 0.8, 0.8, 0.9, 0.9, 1.0, 1.0, 0.8, 1.0, 1.7, 2.6)
# Monday to Sunday.
HOTEL_WEEK = (0.7, 0.7, 0.8, 1.0, 1.8, 1.6, 0.7)
TABLE_WEEK = (0.5, 0.6, 0.8, 1.0, 1.8, 2.0, 1.4)
GOLF_WEEK = (0.7, 0.7, 0.9, 0.8, 1.1, 1.9, 1.7)
SHOP_WEEK = (1.1, 1.0, 1.0, 1.0, 0.9, 0.9, 1.2)

ROOM_NOTES = (
    "Allergic to feather pillows.\nPrefers a room away from the lift.",
    "Travels with a small dog called Biscuit.\nNeeds a bowl and a blanket.",
    "Uses a wheelchair: step-free room and a shower seat.",
    "Light sleeper. Top floor if there is one.",
    "Always asks for extra milk and two more pillows.",
    "Celebrated their silver wedding with us.\nLikes the table by the window.",
    "Vegan breakfast; oat milk in the room.",
    "Arrives late from the airport. Leave the key with the night porter.",
)
TABLE_NOTES = (
    "Window table if possible",
    "High chair, please",
    "Birthday: candle in the dessert",
    "One guest is coeliac",
    "Anniversary",
    "Nut allergy",
    "Dog under the table",
)
