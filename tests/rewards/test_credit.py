"""Giving, telling and spending credit over the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact
from crm import causes
from rewards import services
from rewards.models import CreditEntry
from rewards.querysets import Unchangeable
from rewards.signals import credit_granted, credit_redeemed, credit_reversed

NOW = datetime(2026, 4, 7, 12, tzinfo=UTC)


def test_a_contact_has_no_credit_at_first(api: Any, credit: str) -> None:
    answer = api.get(credit)

    assert answer.status_code == 200
    assert answer.json() == {"balances": {"GBP": 0}, "expiring": [], "entries": []}


def test_what_is_given_can_be_spent(api: Any, contact: Contact, credit: str) -> None:
    given = api.post(credit, {"amount": 500, "currencyCode": "GBP", "reason": "Third visit"})
    assert given.status_code == 201, given.content
    assert given.headers["Location"] == f"/api{credit}"
    assert given.json() | {"id": None, "apiKey": None, "createdAt": None} == {
        "id": None,
        "contact": contact.pk,
        "kind": "grant",
        "amount": 500,
        "currencyCode": "GBP",
        "expiresAt": None,
        "externalReference": None,
        "reason": "Third visit",
        "reverses": None,
        "staff": None,
        "apiKey": None,
        "workflowRun": None,
        "createdAt": None,
        "balances": {"GBP": 500},
    }
    assert isinstance(given.json()["apiKey"], int)

    spent = api.post(f"{credit}/redeem", {"amount": 300, "externalReference": "till-7-881"})
    assert spent.status_code == 201, spent.content
    assert (spent.json()["kind"], spent.json()["amount"]) == ("redeem", -300)
    assert spent.json()["balances"] == {"GBP": 200}

    told = api.get(credit).json()
    assert told["balances"] == {"GBP": 200}
    newest_first = [spent.json(), given.json()]
    assert told["entries"] == [
        {key: value for key, value in one.items() if key != "balances"} for one in newest_first
    ]


def test_more_than_there_is_cannot_be_spent(api: Any, credit: str) -> None:
    api.post(credit, {"amount": 200})
    api.post(credit, {"amount": 900, "currencyCode": "EUR"})

    refused = api.post(f"{credit}/redeem", {"amount": 201})

    assert refused.status_code == 422
    assert refused.json()["violations"] == [
        {
            "propertyPath": "amount",
            "message": "The balance does not reach: it is 200 GBP (£2.00).",
            "code": "insufficient_balance",
        }
    ]
    assert api.get(credit).json()["balances"] == {"GBP": 200, "EUR": 900}
    assert api.post(f"{credit}/redeem", {"amount": 200}).status_code == 201
    assert api.post(f"{credit}/redeem", {"amount": 1}).status_code == 422
    everything = {"amount": 900, "currencyCode": "EUR"}
    assert api.post(f"{credit}/redeem", everything).json()["balances"] == {"GBP": 0, "EUR": 0}


@pytest.mark.parametrize("path", ["", "/redeem"])
def test_the_same_reference_twice_counts_once(api: Any, credit: str, path: str) -> None:
    api.post(credit, {"amount": 1000})
    body = {"amount": 300, "externalReference": "till-7-881", "reason": "Lunch"}

    first = api.post(credit + path, body)
    again = api.post(credit + path, body | {"reason": "Dinner"})

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    for other in ({"amount": 301}, {"currencyCode": "EUR"}):
        refused = api.post(credit + path, body | other)
        assert refused.status_code == 409
        assert refused.json()["ids"] == [first.json()["id"]]
    assert len(api.get(credit).json()["entries"]) == 2


def test_a_reference_is_of_one_contact_and_one_kind(api: Any, credit: str) -> None:
    other = api.post("/contacts", {"emailAddress": "joe@example.com"}).json()["id"]
    body = {"amount": 300, "externalReference": "SO-1"}
    assert api.post(credit, body).status_code == 201
    assert api.post(f"/contacts/{other}/credit", body).status_code == 409
    assert api.post(f"{credit}/redeem", body).status_code == 201
    # Spent already: the till that asks again hears that it went through.
    assert api.post(f"{credit}/redeem", body).status_code == 200


def test_another_organisation_uses_its_own_references(
    api: Any, credit: str, other_organisation: Any, api_for: Callable[..., Any]
) -> None:
    theirs = api_for(other_organisation)
    pk = theirs.post("/contacts", {"emailAddress": "jane@example.com"}).json()["id"]
    body = {"amount": 300, "externalReference": "SO-1"}

    assert api.post(credit, body).status_code == 201
    assert theirs.post(f"/contacts/{pk}/credit", body).status_code == 201
    assert theirs.post(credit, body).status_code == 404


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({}, "amount", "required"),
        ({"amount": 0}, "amount", "min_value"),
        ({"amount": -5}, "amount", "min_value"),
        ({"amount": 10**12 + 1}, "amount", "max_value"),
        ({"amount": True}, "amount", "invalid"),
        ({"amount": 1.5}, "amount", "invalid"),
        ({"amount": 1, "currencyCode": "XXQ"}, "currencyCode", "invalid_currency"),
        ({"amount": 1, "reason": "x" * 256}, "reason", "max_length"),
        ({"amount": 1, "externalReference": "x" * 256}, "externalReference", "max_length"),
        ({"amount": 1, "externalReference": ""}, "externalReference", "blank"),
        ({"amount": 1, "colour": "red"}, "colour", "unknown_field"),
        ({"amount": 1, "expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt", "passed"),
        ({"amount": 1, "expiresAt": "2090-01-01"}, "expiresAt", "offset_missing"),
        ({"amount": 1, "expiresAfter": "3 months"}, "expiresAfter", "invalid_duration"),
        (
            {"amount": 1, "expiresAfter": "P1D", "expiresAt": "2090-01-01T00:00:00Z"},
            "expiresAfter",
            "ambiguous",
        ),
    ],
)
def test_what_cannot_be_taken_is_named(
    api: Any, credit: str, body: dict[str, Any], path: str, code: str
) -> None:
    answer = api.post(credit, body)

    assert answer.status_code == 422
    (violation,) = answer.json()["violations"]
    assert (violation["propertyPath"], violation["code"]) == (path, code)
    assert api.get(credit).json()["entries"] == []


def test_what_expires_first_is_spent_first_and_what_expired_is_gone(api: Any, credit: str) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        api.post(credit, {"amount": 100, "reason": "for ever"})
        later = api.post(credit, {"amount": 200, "expiresAfter": "P60D"}).json()
        api.post(credit, {"amount": 400, "expiresAt": "2026-05-01T00:00:00+00:00"})
        told = api.get(credit).json()
        assert told["balances"] == {"GBP": 700}
        assert told["expiring"] == [
            {"amount": 400, "currencyCode": "GBP", "expiresAt": "2026-05-01T00:00:00+00:00"},
            {"amount": 200, "currencyCode": "GBP", "expiresAt": "2026-06-06T12:00:00+00:00"},
        ]
        # 400 of the first, 50 of the second.
        api.post(f"{credit}/redeem", {"amount": 450})
        clock.move_to(datetime(2026, 6, 6, 11, 59, 59, tzinfo=UTC))
        assert api.get(credit).json()["balances"] == {"GBP": 250}
        clock.move_to(datetime(2026, 6, 6, 12, tzinfo=UTC))
        assert api.post(f"{credit}/redeem", {"amount": 101}).status_code == 422
        told = api.get(credit).json()

    assert told["balances"] == {"GBP": 100}
    assert told["expiring"] == []
    expired = told["entries"][0]
    assert (expired["kind"], expired["amount"]) == ("expire", -150)
    assert expired["expiresAt"] == later["expiresAt"]
    assert sum(entry["amount"] for entry in told["entries"]) == 100


def test_a_duration_is_by_the_contacts_clock(api: Any, contact: Contact, credit: str) -> None:
    """A day across the start of summer time has 23 hours."""
    api.patch(f"/contacts/{contact.pk}", {"timezone": "Europe/London"})
    with time_machine.travel(datetime(2026, 3, 28, 12, tzinfo=UTC), tick=False):
        given = api.post(credit, {"amount": 1, "expiresAfter": "P1D"}).json()
    assert given["expiresAt"] == "2026-03-29T11:00:00+00:00"


def test_what_expired_cannot_be_spent_though_nobody_booked_it(contact: Contact) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        services.grant(contact=contact, amount=500, expires_at=NOW + timedelta(days=1))
        clock.shift(timedelta(days=1))
        assert CreditEntry.objects.for_organisation(contact.organisation).count() == 1
        with pytest.raises(Exception, match="it is 0 GBP"):
            services.redeem(contact=contact, amount=1)


def test_the_worker_books_what_expired_once(contact: Contact) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        for days in (1, 2, 9):
            services.grant(contact=contact, amount=days, expires_at=NOW + timedelta(days=days))
        services.redeem(contact=contact, amount=1)
        clock.shift(timedelta(days=5))
        assert services.expire_due() == 1
        assert services.expire_due() == 0
    expired = contact.credit_entries.filter(kind="expire")
    assert [entry.amount for entry in expired] == [-2]


def test_a_redemption_is_taken_back_once(api: Any, credit: str) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        api.post(credit, {"amount": 100, "expiresAfter": "P1D"})
        grant = api.post(credit, {"amount": 100}).json()
        spent = api.post(f"{credit}/redeem", {"amount": 150}).json()
        clock.shift(timedelta(hours=1))
        address = f"{credit}/{spent['id']}/reverse"
        first = api.post(address, {"reason": "Sent back"})
        again = api.post(address)
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        told = first.json()
        assert (told["kind"], told["amount"], told["reverses"]) == ("reversal", 150, spent["id"])
        assert told["balances"] == {"GBP": 200}
        for entry in (grant, told):
            refused = api.post(f"{credit}/{entry['id']}/reverse")
            assert refused.status_code == 409
        # It is as it was: the first hundred still expires.
        clock.shift(timedelta(days=1))
        assert api.get(credit).json()["balances"] == {"GBP": 100}


def test_what_expired_meanwhile_expires_when_it_comes_back(api: Any, credit: str) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        api.post(credit, {"amount": 100, "expiresAfter": "P1D"})
        spent = api.post(f"{credit}/redeem", {"amount": 70}).json()
        clock.shift(timedelta(days=2))
        back = api.post(f"{credit}/{spent['id']}/reverse").json()
        assert back["balances"] == {"GBP": 0}
        kinds = [(one["kind"], one["amount"]) for one in api.get(credit).json()["entries"]]
    assert sorted(kinds) == [("expire", -100), ("grant", 100), ("redeem", -70), ("reversal", 70)]


def test_anothers_redemption_is_not_there(api: Any, credit: str) -> None:
    other = api.post("/contacts", {"emailAddress": "joe@example.com"}).json()["id"]
    api.post(credit, {"amount": 100})
    spent = api.post(f"{credit}/redeem", {"amount": 70}).json()

    assert api.post(f"/contacts/{other}/credit/{spent['id']}/reverse").status_code == 404


def test_the_ledger_is_leafed_through(api: Any, credit: str) -> None:
    for amount in range(1, 8):
        api.post(credit, {"amount": amount})

    seen: list[int] = []
    address: str | None = f"{credit}?itemsPerPage=3&count=true"
    while address:
        answer = api.get(address)
        assert answer.headers["X-Total-Count"] == "7"
        assert answer.json()["balances"] == {"GBP": 28}
        seen += [entry["amount"] for entry in answer.json()["entries"]]
        links = answer.headers["Link"].split(", ")
        following = [link for link in links if 'rel="next"' in link]
        address = following[0].partition(">")[0].removeprefix("<") if following else None
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert api.get(f"{credit}?colour=red").status_code == 400


def test_an_idempotency_key_replays_a_redemption(api: Any, credit: str) -> None:
    api.post(credit, {"amount": 100})

    first = api.post(f"{credit}/redeem", {"amount": 60}, headers={"Idempotency-Key": "a"})
    again = api.post(f"{credit}/redeem", {"amount": 60}, headers={"Idempotency-Key": "a"})

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert api.get(credit).json()["balances"] == {"GBP": 40}


def test_the_ledger_never_changes(api: Any, contact: Contact) -> None:
    entry, _created = services.grant(contact=contact, amount=5)
    entries = CreditEntry.objects.for_organisation(contact.organisation)

    entry.amount = 500
    for change in (
        entry.save,
        entry.delete,
        lambda: entries.update(amount=500),
        entries.delete,
        lambda: contact.credit_entries.all().delete(),
    ):
        with pytest.raises(Unchangeable):
            change()
    assert entries.get().amount == 5


def test_whoever_acts_on_credit_hears_of_it(contact: Contact) -> None:
    heard: list[tuple[str, int]] = []

    def listen(signal: Any, name: str) -> Any:
        def receiver(sender: Any, entry: CreditEntry, **kwargs: Any) -> None:
            assert connection.in_atomic_block
            heard.append((name, entry.amount))

        signal.connect(receiver, weak=False, dispatch_uid="test")
        return receiver

    signals = {
        "granted": credit_granted,
        "redeemed": credit_redeemed,
        "reversed": credit_reversed,
    }
    for name, signal in signals.items():
        listen(signal, name)
    try:
        services.grant(contact=contact, amount=50, external_reference="once")
        services.grant(contact=contact, amount=50, external_reference="once")
        entry, _created = services.redeem(contact=contact, amount=20)
        services.reverse(entry=entry)
        services.reverse(entry=entry)
    finally:
        for signal in signals.values():
            signal.disconnect(dispatch_uid="test")
    assert heard == [("granted", 50), ("redeemed", -20), ("reversed", 20)]


def test_a_workflow_leaves_its_run(contact: Contact) -> None:
    with causes.acting(causes.Cause(run=77, workflow=3, depth=1)):
        entry, _created = services.grant(
            organisation=contact.organisation, contact=contact, amount=50
        )
    assert entry.run == 77


def test_how_many_queries_it_costs(api: Any, credit: str) -> None:
    def count(ask: Callable[..., Any], *args: Any) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert ask(*args).status_code in (200, 201)
        return len(
            [one for one in queries if not one["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN"))]
        )

    api.get(credit)
    for _number in range(2):
        # The key; the contact; what is left; the entries.
        assert count(api.get, credit) == 4
        # The key; the contact; its lock; the entry and its movement; the balance.
        assert count(api.post, credit, {"amount": 100}) == 6
        # Also what is there to be spent.
        assert count(api.post, f"{credit}/redeem", {"amount": 10}) == 7
        for _more in range(5):
            api.post(credit, {"amount": 100})
