"""The workflows to start from do what they say, from the event to the effect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from organisations.models import Organisation
from tests.factories import OrganisationFactory
from tests.workflows.running import contact, happens, path, run, runs, tags, work
from workflows import exchange, ready_made, services, sweeps
from workflows.models import Alert, Workflow

pytestmark = pytest.mark.django_db

START = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def active(organisation: Organisation, name: str) -> int:
    """The id of a workflow made of this document and switched on."""
    draft = exchange.bring_in(organisation=organisation, text=ready_made.text(name))
    assert draft.status == Workflow.Status.DRAFT
    return services.set_status(workflow=draft, status=Workflow.Status.ACTIVE).pk


def later(clock: Any, **so_much: int) -> None:
    """Move the clock, and do what is due by then."""
    clock.shift(timedelta(**so_much))
    sweeps.sweep()
    work()


def credit(api: Any, who: int) -> int:
    """What can be spent, in pounds."""
    balances: dict[str, int] = api.get(f"/contacts/{who}/credit").json()["balances"]
    return balances.get("GBP", 0)


@pytest.mark.parametrize("name", ready_made.NAMES)
def test_each_can_be_taken_by_any_organisation(db: None, name: str) -> None:
    for currency, country in (("GBP", "GB"), ("JPY", "JP"), ("KWD", "KW")):
        organisation = OrganisationFactory(currency_code=currency, country=country)
        draft = exchange.bring_in(organisation=organisation, text=ready_made.text(name))
        assert draft.description
        # Out again it is the file.
        assert exchange.export(draft) == ready_made.documents()[name]


def test_every_file_is_offered() -> None:
    assert list(ready_made.documents()) == list(ready_made.NAMES)


def test_welcome(api: Any, organisation: Organisation, clock: Any, mailoutbox: list[Any]) -> None:
    pk = active(organisation, "welcome")
    jane, _nobody = contact(api, firstName="Jane"), api.post("/contacts", {"firstName": "Joe"})
    work()
    later(clock, minutes=15)
    (letter,) = mailoutbox
    assert letter.subject == f"Welcome to {organisation.name}"
    assert "Dear Jane," in letter.body
    clock.shift(timedelta(days=20))
    happens(api, jane, "Purchase")
    work()
    assert tags(api, jane) == ["Came back within a month"]
    assert run(api, pk)["status"] == "completed"


def test_the_third_purchase(
    api: Any, organisation: Organisation, clock: Any, mailoutbox: list[Any]
) -> None:
    pk = active(organisation, "third_purchase")
    jane = contact(api, firstName="Jane")
    for _count in range(2):
        happens(api, jane)
    work()
    assert runs(api, pk) == []
    happens(api, jane)
    work()
    assert credit(api, jane) == 500
    assert mailoutbox == []
    later(clock, days=1)
    (letter,) = mailoutbox
    assert letter.subject == "Thank you, Jane"
    assert "£5.00" in letter.body
    # The fourth is not thanked for again.
    happens(api, jane)
    later(clock, days=2)
    assert credit(api, jane) == 500
    assert len(runs(api, pk)) == 1


def test_who_complains_after_the_third_purchase_is_not_thanked(
    api: Any, organisation: Organisation, clock: Any, mailoutbox: list[Any]
) -> None:
    pk = active(organisation, "third_purchase")
    jane = contact(api, firstName="Jane")
    for _count in range(3):
        happens(api, jane)
    work()
    clock.shift(timedelta(hours=5))
    happens(api, jane, "Complaint")
    later(clock, days=2)
    assert mailoutbox == []
    assert path(run(api, pk)) == ["credit", "complaint", "tell"]
    assert "complained" in Alert.objects.for_organisation(organisation).get().text


def test_purchases_of_long_ago_do_not_count(
    api: Any, organisation: Organisation, clock: Any
) -> None:
    pk = active(organisation, "third_purchase")
    jane = contact(api)
    for _count in range(3):
        happens(api, jane)
        later(clock, days=60)
    assert runs(api, pk) == []


def test_birthday(api: Any, organisation: Organisation, clock: Any, mailoutbox: list[Any]) -> None:
    active(organisation, "birthday")
    jane = contact(api, firstName="Jane", dob="1980-03-03")
    contact(api, "joe", dob="1980-04-03")
    later(clock, days=1)
    assert mailoutbox == []
    later(clock, days=1)
    (letter,) = mailoutbox
    assert letter.subject == "Happy birthday, Jane"
    assert credit(api, jane) == 1000


def test_the_review_after_the_stay(
    api: Any, organisation: Organisation, clock: Any, mailoutbox: list[Any]
) -> None:
    active(organisation, "post_stay_review")
    jane = contact(api, firstName="Jane")
    stay = {"booking": {"externalReference": "B-1", "status": "Checked out"}}
    for _told_twice in range(2):
        happens(api, jane, "Checked out", **stay)
    work()
    later(clock, hours=21)
    assert mailoutbox == []
    later(clock, hours=1)
    (letter,) = mailoutbox
    assert letter.subject == "How was your stay?"


@pytest.mark.parametrize("comes", [True, False])
def test_win_back(
    api: Any, organisation: Organisation, clock: Any, mailoutbox: list[Any], comes: bool
) -> None:
    active(organisation, "win_back")
    jane = contact(api, firstName="Jane")
    contact(api, "never-bought")
    happens(api, jane)
    work()
    later(clock, days=91)
    assert [letter.subject for letter in mailoutbox] == ["We miss you, Jane"]
    later(clock, days=7)
    if comes:
        happens(api, jane)
    later(clock, days=8)
    assert credit(api, jane) == (0 if comes else 1000)
    assert tags(api, jane) == (["Won back"] if comes else [])
    assert len(mailoutbox) == (1 if comes else 2)
