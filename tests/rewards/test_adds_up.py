"""After any sequence of what can happen to credit, it is what a simple account says.

The account is a list of pots, each with an owner, what is left and when it expires: first to expire
is spent first, and a pot follows its owner through merges.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from contacts import services as contacts
from contacts.models import Contact
from rewards import services
from rewards.models import CreditEntry
from tests import factories
from tests.rewards.books import check

START = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = 3
people = st.integers(0, PEOPLE - 1)
amounts = st.integers(1, 60)
currencies = st.sampled_from(["GBP", "JPY"])


@dataclass
class Pot:
    """What is left of a grant. `owner` is the contact that it was given to."""

    number: int
    owner: int
    currency: str
    expires: datetime | None
    left: int


@dataclass
class Spent:
    """A redemption: how much of which pots, by whom at the time, and its entry."""

    entry: CreditEntry
    taken: list[tuple[Pot, int]]
    back: bool = False


@dataclass
class Account:
    """The model. `into` says who was merged into whom."""

    pots: list[Pot] = field(default_factory=list)
    spent: list[Spent] = field(default_factory=list)
    into: dict[int, int] = field(default_factory=dict)

    def who(self, person: int) -> int:
        while person in self.into:
            person = self.into[person]
        return person

    def open(self, person: int, currency: str, now: datetime) -> list[Pot]:
        mine = [
            pot
            for pot in self.pots
            if self.who(pot.owner) == person
            and pot.currency == currency
            and (pot.expires is None or pot.expires > now)
        ]
        return sorted(mine, key=lambda pot: (pot.expires is None, pot.expires or START, pot.number))


class Credit(RuleBasedStateMachine):
    """Three contacts who are given credit, spend it, wait, and turn out to be one or not."""

    clock: Any

    @initialize()
    def begin(self) -> None:
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.clock = time_machine.travel(START, tick=False)
        self.travel = self.clock.start()
        self.now = START
        organisation = factories.OrganisationFactory()
        self.people: list[Contact] = [
            contacts.upsert(
                organisation=organisation, values={"email_address": f"{n}@example.com"}
            )[0]
            for n in range(PEOPLE)
        ]
        self.account = Account()

    def teardown(self) -> None:
        if hasattr(self, "travel"):
            self.clock.stop()
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    @rule(person=people, amount=amounts, currency=currencies, days=st.none() | st.integers(1, 20))
    def grant(self, person: int, amount: int, currency: str, days: int | None) -> None:
        expires = None if days is None else self.now + timedelta(days=days)
        entry, created = services.grant(
            contact=self.people[person], amount=amount, currency_code=currency, expires_at=expires
        )
        assert created
        owner = self.account.who(person)
        assert entry.contact_id == self.people[owner].pk
        self.account.pots.append(Pot(entry.pk, owner, currency, expires, amount))

    @rule(person=people, amount=amounts, currency=currencies)
    def redeem(self, person: int, amount: int, currency: str) -> None:
        pots = self.account.open(self.account.who(person), currency, self.now)
        enough = sum(pot.left for pot in pots) >= amount
        try:
            entry, _created = services.redeem(
                contact=self.people[person], amount=amount, currency_code=currency
            )
        except ValidationError:
            assert not enough
            return
        assert enough
        taken = []
        for pot in pots:
            part = min(pot.left, amount)
            if part:
                pot.left -= part
                amount -= part
                taken.append((pot, part))
        self.account.spent.append(Spent(entry, taken))

    @precondition(lambda self: self.account.spent)
    @rule(data=st.data())
    def take_back(self, data: Any) -> None:
        spent = data.draw(st.sampled_from(self.account.spent))
        entry = CreditEntry.objects.across_organisations().get(pk=spent.entry.pk)
        reversal, created = services.reverse(entry=entry)
        assert created != spent.back
        if created:
            for pot, part in spent.taken:
                # To the pot, unless its owner was parted from whoever redeemed: who then has a
                # new one.
                here = [person.pk for person in self.people].index(entry.contact_id)
                if self.account.who(pot.owner) == here:
                    pot.left += part
                else:
                    new = Pot(reversal.pk, here, pot.currency, pot.expires, part)
                    self.account.pots.append(new)
            spent.back = True

    @rule(days=st.integers(1, 9))
    def wait(self, days: int) -> None:
        self.now += timedelta(days=days)
        self.travel.move_to(self.now, tick=False)

    @rule()
    def book(self) -> None:
        services.expire_due()

    @rule(survivor=people, absorbed=people)
    def merge(self, survivor: int, absorbed: int) -> None:
        if survivor == absorbed or {survivor, absorbed} & self.account.into.keys():
            return
        contacts.merge(survivor=self.people[survivor], absorbed=self.people[absorbed])
        self.account.into[absorbed] = survivor

    @precondition(lambda self: self.account.into)
    @rule(data=st.data())
    def unmerge(self, data: Any) -> None:
        absorbed, survivor = data.draw(st.sampled_from(sorted(self.account.into.items())))
        if survivor in self.account.into:
            return
        contacts.unmerge(survivor=self.people[survivor], absorbed=self.people[absorbed])
        del self.account.into[absorbed]

    @invariant()
    def adds_up(self) -> None:
        if not hasattr(self, "account"):
            return
        check()
        for number, person in enumerate(self.people):
            if number in self.account.into:
                continue
            told = services.statement(Contact.objects.across_organisations().get(pk=person.pk))
            for currency in ("GBP", "JPY"):
                pots = self.account.open(number, currency, self.now)
                assert told.balances.get(currency, 0) == sum(pot.left for pot in pots)
            ledger: dict[str, int] = {}
            for entry in CreditEntry.objects.across_organisations().filter(contact=person):
                ledger[entry.currency_code] = ledger.get(entry.currency_code, 0) + entry.amount
            assert {c: a for c, a in ledger.items() if a} == {
                c: a for c, a in told.balances.items() if a
            }


def run(examples: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Credit, settings=chosen)


class TestCredit(TestCase):
    """What happened before each test is rolled back, and what happened in each example."""

    def test_credit_is_what_a_simple_account_says(self) -> None:
        run(15)

    @pytest.mark.slow
    def test_credit_is_what_a_simple_account_says_of_much_more(self) -> None:
        run(300)
