"""A year of a hotel comes to the same, however its news arrives, and whatever Mews answers then.

Mews's webhooks name ids only: what counts is the state that is fetched, which may be newer than
what the webhook was sent for, or older when an answer comes from a copy that is behind.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Response

from integrations import polling, services
from integrations.client import Pace
from integrations.mews.stays import STAGES
from integrations.models import Delivery
from integrations.sources.base import Asleep
from tests import factories
from tests.integrations import mews, years
from tests.integrations.conftest import work
from tests.integrations.mews import Mews

pytestmark = pytest.mark.django_db

World = dict[str, dict[str, dict[str, Any]]]
"""All that Mews has at a time: rows by their id, by what they are of."""

A_YEAR = timedelta(days=350)
FAULTY = 0.05
"""The share of questions that Mews does not answer."""
OPTIONS = {
    "spend": ["stayed", "booked", "paid"],
    "city_tax": ["leave", "count"],
    "deposit": ["leave", "count"],
    "empty": ["keep", "clear"],
}


@dataclass(frozen=True)
class Fact:
    """Something that happened: the events that Mews calls us with, or none where it calls nobody
    and a poll finds it; when it was, and what Mews has from then on."""

    events: tuple[tuple[str, str], ...]
    at: datetime
    world: World


class Year:
    """What happens in a hotel, as the dice fall: `facts`, in the order in which it happened.

    Of a `forgetful` one only what is now counts, not what was in between: no value is taken away
    that stays here once it was told, no opt-in is withdrawn. Its states may be skipped.
    """

    def __init__(
        self, dice: random.Random, customers: int, reservations: int, *, forgetful: bool
    ) -> None:
        self.dice, self.forgetful = dice, forgetful
        self.options = {name: dice.choice(values) for name, values in OPTIONS.items()}
        self.now = timezone.now().replace(microsecond=0) - A_YEAR
        self.step = round(A_YEAR.total_seconds() / (customers + 16 * reservations))
        self.world: World = {name: {} for name in mews.IDS}
        self.facts: list[Fact] = []
        for number in range(customers):
            self._arrive(number)
        self.opening = len(self.facts)
        under_way = [self._reservation(number) for number in range(reservations)]
        while under_way:
            if dice.random() < 0.3:
                self._change(dice.choice([*self._people()]))
            if dice.random() < 0.05:
                self._merge()
            reservation = dice.choice(under_way)
            if not self._go_on(reservation):
                under_way.remove(reservation)

    def _pass_time(self, *, surely: bool = True) -> None:
        """Mews tells time by the second: in one, several things may happen."""
        if surely or self.dice.random() < 0.8:
            self.now += timedelta(seconds=self.dice.randint(1, self.step))
            self.changed: set[str] = set()

    def _stamp(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _put(self, key: str, row: dict[str, Any], **changed: Any) -> None:
        """A row is so from now on; what was told before stays as it was."""
        self.changed.add(f"{key} {row.get('ServiceOrderId') or row.get('ReservationId')}")
        row = {**row, **changed, "UpdatedUtc": self._stamp()}
        self.world[key] = {**self.world[key], row["Id"]: row}

    def _tell(self, *events: tuple[str, str]) -> None:
        self.facts.append(Fact(events, self.now, dict(self.world)))

    # People

    def _people(self) -> list[str]:
        return [row["Id"] for row in self.world["Customers"].values() if row["IsActive"]]

    def _arrive(self, number: int) -> None:
        """Somebody new; or somebody who is known by another profile, with the same address."""
        self._pass_time()
        id_, email = f"customer-{number}", f"{number}@example.com"
        if number and self.dice.random() < 0.3:
            email = self.world["Customers"]["customer-0"]["Email"]
        self._put(
            "Customers",
            mews.customer(
                Id=id_,
                Email=email,
                Phone=None,
                FirstName=f"First {number}",
                LastName=f"Last {number}",
                BirthDate=None,
                CreatedUtc=self._stamp(),
                Options=[],
            ),
        )
        self._tell(("CustomerAdded", id_))

    def _change(self, id_: str) -> None:
        self._pass_time()
        row, roll = self.world["Customers"][id_], self.dice.randint(0, 99)
        changes: dict[str, dict[str, Any]] = {
            "name": {"FirstName": f"First {roll}"},
            "phone": {"Phone": f"+4477009{int(id_.split('-')[1]):03}{roll:02}"},
            "birthday": {"BirthDate": f"1990-01-{roll % 28 + 1:02}"},
            "tags": {"Classifications": self.dice.sample(["Returning", "Important", "Loyal"], 2)},
            "opt-in": {"Options": ["SendMarketingEmails"]},
        }
        if not self.forgetful:
            changes["opt-out"] = {"Options": []}
            changes["booking site"] = {
                "HasOtaEmail": not row["HasOtaEmail"],
                "Email": row["Email"] if row["HasOtaEmail"] else f"{id_}-{roll}@guest.booking.com",
            }
        if not self.forgetful or self.options["empty"] == "clear":
            changes["nothing told"] = {"Phone": None, "BirthDate": None, "Address": None}
        self._put("Customers", row, **self.dice.choice([*changes.values()]))
        self._tell(("CustomerUpdated", id_))

    def _merge(self) -> None:
        """Two profiles become one, which has the stays of both from now on."""
        people = self._people()
        if len(people) < 2:
            return
        self._pass_time()
        gone, kept = self.dice.sample(people, 2)
        ended = {"MergeTargetId": kept, "IsActive": False, "ActivityState": "Deleted"}
        self._put("Customers", self.world["Customers"][gone], **ended)
        self._put("Customers", self.world["Customers"][kept])
        events = [("CustomerUpdated", gone), ("CustomerUpdated", kept)]
        for row in self.world["Reservations"].values():
            if row["AccountId"] == gone:
                self._put("Reservations", row, AccountId=kept)
                events.append(("ServiceOrderUpdated", row["Id"]))
        self._tell(*events)

    # Stays

    def _reservation(self, number: int) -> dict[str, Any]:
        return mews.reservation(Id=f"reservation-{number}", Number=str(number), State=None)

    def _say(self, id_: str, *more: tuple[str, str], **changed: Any) -> None:
        self._put("Reservations", self.world["Reservations"][id_], **changed)
        self._tell(("ServiceOrderUpdated", id_), *more)

    def _go_on(self, row: dict[str, Any]) -> bool:
        """The next thing that happens to a reservation; whether more may."""
        id_ = row["Id"]
        if id_ not in self.world["Reservations"]:
            self._pass_time()
            start = self.now + timedelta(days=self.dice.randint(0, 30))
            self.world["Reservations"] = {**self.world["Reservations"], id_: row}
            self._say(
                id_,
                State=self.dice.choice(["Inquired", "Optional", "Requested", "Confirmed"]),
                AccountId=self.dice.choice(self._people()),
                CreatedUtc=self._stamp(),
                ScheduledStartUtc=start.isoformat(),
                ScheduledEndUtc=(start + timedelta(days=2)).isoformat(),
            )
            return True
        now = self.world["Reservations"][id_]
        kind = self.dice.choice(["state", "state", "state", "item", "item", "pay", "edit", "end"])
        if kind == "state":
            new = self._next_state(now["State"])
            self._pass_time(surely=not _is_onwards(now["State"], new))
            self._say(id_, **self._turned(now["State"], new))
        elif kind == "item":
            self._charge(id_)
        elif kind == "pay":
            self._pay(id_)
        elif kind == "edit":
            self._pass_time()
            guests = [{"AgeCategoryId": "adult", "Count": self.dice.randint(1, 4)}]
            whose = self.dice.choice([now["AccountId"], *self._people()])
            self._say(id_, PersonCounts=guests, AccountId=whose)
        return kind != "end"

    def _next_state(self, state: str) -> str:
        """On it goes, mostly; sometimes back, or it is called off."""
        following = {
            "Confirmed": ["Started", "Started", "Canceled", "Optional"],
            "Started": ["Processed", "Processed", "Confirmed"],
            "Processed": ["Started"],
            "Canceled": ["Confirmed"],
        }
        return self.dice.choice(following.get(state, ["Confirmed", "Confirmed", "Canceled"]))

    def _turned(self, state: str, new: str) -> dict[str, Any]:
        changed: dict[str, Any] = {"State": new, "CancelledUtc": None}
        if new == "Started" and state == "Confirmed":
            changed["ActualStartUtc"] = self._stamp()
        elif new == "Processed":
            changed["ActualEndUtc"] = self._stamp()
        elif new == "Canceled":
            changed["CancelledUtc"] = self._stamp()
        return changed

    def _charge(self, id_: str) -> None:
        """Something is put on the bill, or taken off it, for which Mews does not always call."""
        self._pass_time(surely=f"OrderItems {id_}" in self.changed)
        mine = [one for one in self.world["OrderItems"].values() if one["ServiceOrderId"] == id_]
        if mine and self.dice.random() < 0.3:
            self._put("OrderItems", self.dice.choice(mine), AccountingState="Canceled")
        else:
            new = mews.item(
                f"{self.dice.randint(-1000, 50_000) / 100:.2f}",
                self.dice.choice(["GBP", "GBP", "GBP", "JPY"]),
                Id=f"{id_}-item-{len(mine)}",
                ServiceOrderId=id_,
                Type=self.dice.choice(["SpaceOrder", "ProductOrder", "CityTax", "Deposit"]),
                AccountingState=self.dice.choice(["Open", "Closed", "Inactive"]),
            )
            self._put("OrderItems", new)
        self._tell(*([("ServiceOrderUpdated", id_)] if self.dice.random() < 0.7 else []))

    def _pay(self, id_: str) -> None:
        self._pass_time(surely=f"Payments {id_}" in self.changed)
        mine = [one for one in self.world["Payments"].values() if one["ReservationId"] == id_]
        if mine and self.dice.random() < 0.4:
            payment = self.dice.choice(mine)
            self._put("Payments", payment, State=self.dice.choice(["Failed", "Charged"]))
        else:
            payment = mews.payment(
                f"{self.dice.randint(-50_000, 1000) / 100:.2f}",
                Id=f"{id_}-payment-{len(mine)}",
                ReservationId=id_,
                Type=self.dice.choice(["CashPayment", "InvoicePayment"]),
            )
            payment["Amount"]["Currency"] = "GBP"
            self._put("Payments", payment)
        self._tell(("PaymentUpdated", payment["Id"]))


def _is_onwards(state: str, new: str) -> bool:
    """Whether of two states told in one second it is plain which is the later."""
    return new in STAGES[STAGES.index(state) + 1 if state in STAGES else 0 :]


# How its news arrives


class Faulty(Mews):
    """A Mews that has what it had at a time, and now and then does not answer."""

    dice: random.Random | None = None

    def show(self, world: World) -> None:
        self.rows = {name: [*rows.values()] for name, rows in world.items()}

    def _answer(self, request: Any) -> Response:
        if self.dice is not None and self.dice.random() < FAULTY:
            self.faults = [self.dice.choice(self._answers_of_one_in_trouble())]
        return super()._answer(request)

    @staticmethod
    def _answers_of_one_in_trouble() -> list[Response]:
        cut_off = Response('{"Customers": [{"Id": ', content_type="application/json")
        return [mews.busy("1"), mews.busy("600"), mews.broken(), mews.broken(503), cut_off]


def a_hotel(server: HTTPServer, year: Year) -> Faulty:
    server.clear()
    connection = services.connect(
        organisation=factories.OrganisationFactory(),
        source="mews",
        credentials=mews.credentials(server),
        options=year.options,
    )
    hotel = Faulty(server, connection)
    hotel.always_a_cursor = False  # half as much to ask
    return hotel


def hear(hotel: Faulty, fact: Fact, world: World) -> None:
    """Let a webhook of it come in, or a poll find it, while Mews has this."""
    hotel.show(world)
    if fact.events:
        assert hotel.post(mews.message(*fact.events)).status_code == 200
        settle(hotel)
        return
    while True:
        try:
            for page in polling.sync(hotel.connection, fact.at - timedelta(minutes=1)):
                assert page.problems == []
        except Asleep:
            continue  # it goes on where it was cut off
        return


def settle(hotel: Faulty) -> None:
    """Let the worker apply all that came, also what it has to try again."""
    work()
    while hotel.deliveries().filter(due_at__isnull=False).update(due_at=timezone.now()):
        work()


def lived(server: HTTPServer, year: Year) -> dict[str, Any]:
    """What a year comes to whose news is applied once, in order, each state as it was."""
    hotel = a_hotel(server, year)
    for fact in year.facts:
        hear(hotel, fact, fact.world)
    return outcome(hotel)


def told(server: HTTPServer, year: Year, dice: random.Random) -> dict[str, Any]:
    """What it comes to when it arrives as it may, and Mews answers as it may."""
    hotel = a_hotel(server, year)
    hotel.dice = dice
    for fact, world in arrivals(year, dice):
        hear(hotel, fact, world)
    statuses = set(hotel.deliveries().values_list("status", flat=True))
    assert statuses <= {Delivery.Status.APPLIED, Delivery.Status.IGNORED}, statuses
    return outcome(hotel)


def arrivals(year: Year, dice: random.Random) -> Iterator[tuple[Fact, World]]:
    """The facts as they may arrive, each with what Mews has when it is asked.

    Everybody is known before the rest: of two profiles that become one here whoever is known first
    is the contact, so that who they are does depend on the order, as among people.
    """
    first = year.facts[: year.opening]
    dice.shuffle(first)
    yield from ((fact, fact.world) for fact in first)
    seen: set[int] = set()
    for (number, fact), late in years.disturbed([*enumerate(year.facts)], dice):
        if late or (not year.forgetful and number not in seen):
            world = fact.world
        elif year.forgetful:  # what it is by now
            world = year.facts[min(number + dice.randrange(5), len(year.facts) - 1)].world
        else:  # told again: anything, newer or older
            world = dice.choice(year.facts).world
        seen.add(number)
        yield fact, world


def outcome(hotel: Mews) -> dict[str, Any]:
    """What is left of it, without those whose profile became another's: contacts are merged by
    people only, and nothing is theirs any more."""
    left = years.outcome(hotel.organisation)
    gone = [one for one in left["contacts"] if not one["ids"]]
    assert all(one["total_spend"] == one["total_orders"] == 0 for one in gone)
    return {**left, "contacts": [one for one in left["contacts"] if one["ids"]]}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits."""
    monkeypatch.setattr("integrations.client.time.sleep", lambda _seconds: None)
    monkeypatch.setattr(Pace, "wait", lambda _pace: None)


def compare(server: HTTPServer, seed: int, **size: Any) -> None:
    dice = random.Random(seed)
    year = Year(dice, **size)
    with transaction.atomic():
        assert told(server, year, dice) == lived(server, year)
        transaction.set_rollback(True)


@given(seed=st.integers(0, 2**32 - 1), forgetful=st.booleans())
@settings(years.SLOWLY, max_examples=2)
def test_a_little_of_a_year(httpserver: HTTPServer, seed: int, forgetful: bool) -> None:
    compare(httpserver, seed, customers=2, reservations=1, forgetful=forgetful)


@pytest.mark.slow
@given(seed=st.integers(0, 2**32 - 1), forgetful=st.booleans())
@settings(years.SLOWLY, max_examples=2)
def test_a_year(httpserver: HTTPServer, seed: int, forgetful: bool) -> None:
    compare(httpserver, seed, customers=4, reservations=6, forgetful=forgetful)
