"""The demo: the same every time, true to the eye, right in its totals, and written once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from activities.models import Activity
from contacts import rollups
from contacts.models import Contact, Segment
from crm.demo import house, staff, stories
from crm.demo.guests import guests
from customfields.models import CustomField, CustomFieldValue
from customfields.types import TYPES
from desk.models import Mention, SavedView, Task
from imports.models import Import
from integrations.applying import work
from integrations.models import Delivery
from organisations.models import Organisation
from workflows.models import Run

PASSWORD = "a-window-on-the-quay"


def load(*arguments: str) -> str:
    said = StringIO()
    call_command("load_demo", *arguments, stdout=said)
    return said.getvalue()


@pytest.fixture
def demo(db: None) -> Organisation:
    load("--contacts", "60", "--until", "2026-03-31", "--password", PASSWORD)
    return Organisation.objects.get(name=house.NAME)


def test_totals_follow_from_the_activities(demo: Organisation) -> None:
    assert list(rollups.drift(demo)) == []
    spenders = Contact.objects.for_organisation(demo).filter(rollup__total_spend__gt=0)
    assert spenders.count() > 30
    assert spenders.filter(rollup__monetary=5).exists()


def test_all_ten_types_of_custom_field_are_there_and_used(demo: Organisation) -> None:
    fields = CustomField.objects.for_organisation(demo)
    assert {field.type for field in fields} == set(TYPES)
    used = CustomFieldValue.objects.for_organisation(demo).values_list("field__type", flat=True)
    assert set(used) == set(TYPES)
    assert len({field.group for field in fields}) > 1


def test_it_shows_a_regular_and_many_who_came_once(demo: Organisation) -> None:
    counts = sorted(
        Activity.objects.for_organisation(demo).filter(contact=contact).count()
        for contact in Contact.objects.for_organisation(demo)
    )
    assert counts[len(counts) // 2] < 10
    assert counts[-1] > 30


def test_nothing_has_happened_after_the_last_day(demo: Organisation) -> None:
    newest = Activity.objects.for_organisation(demo).exclude(type__startswith="Referral").first()
    assert newest is not None
    assert newest.happened_at.date() <= date(2026, 3, 31)
    assert newest.happened_at.date() >= date(2026, 3, 1)


def test_the_staff_have_been_at_work(demo: Organisation) -> None:
    """Segments, views, notes, tasks and an import are there; the rest is left to a worker."""
    for model in (Segment, SavedView, Mention, Import):
        assert model.objects.for_organisation(demo).exists(), model
    mine = Task.objects.for_organisation(demo).filter(assignee__username="owner@harbour.example")
    assert {task.due_on for task in mine} >= {date(2026, 3, 31), date(2026, 4, 1), None}
    assert Run.objects.for_organisation(demo).filter(status=Run.Status.PENDING).exists()
    work()
    deliveries = Delivery.objects.for_organisation(demo)
    assert deliveries.filter(status=Delivery.Status.APPLIED).count() > 5
    assert deliveries.filter(status=Delivery.Status.FAILED).count() == 1


def test_every_role_can_log_in(demo: Organisation) -> None:
    for username in staff.LOGINS:
        client = Client()
        credentials = {"username": username, "password": PASSWORD}
        answer = client.post("/admin/login/?next=/admin/", credentials, follow=True)
        assert answer.status_code == 200
        assert answer.wsgi_request.user.get_username() == username


def test_a_second_time_changes_nothing_and_says_so(demo: Organisation) -> None:
    before = Contact.objects.for_organisation(demo).count()
    assert "there already" in load("--contacts", "500")
    assert Organisation.objects.count() == 1
    assert Contact.objects.for_organisation(demo).count() == before


def test_an_interrupted_one_leaves_nothing_behind(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("crm.demo.load.rfm.recompute", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load("--contacts", "10")
    assert not Organisation.objects.exists()


@pytest.mark.parametrize("wrong", [("--contacts", "0"), ("--until", "soon")])
def test_wrong_arguments_are_refused_with_a_sentence(wrong: Sequence[str]) -> None:
    with pytest.raises(CommandError, match="invalid"):
        call_command("load_demo", *wrong)


def story(count: int, last_day: date) -> list[tuple[Any, ...]]:
    """Who the guests are and what they did, without the days."""
    calendars = stories.Calendars(last_day)
    told = []
    for guest in guests(count):
        stories.tell(guest, calendars)
        did = sorted(
            (a.get("external_reference", ""), a["type"], a.get("spend", 0))
            for a in guest.activities
        )
        told.append((guest.values["email_address"], guest.values["tags"], did))
    return told


def test_the_same_people_do_the_same_whatever_the_day_is() -> None:
    assert story(150, date(2026, 3, 31)) == story(150, date(2028, 12, 24))


def test_a_larger_demo_begins_with_the_smaller_one() -> None:
    assert story(150, date(2026, 3, 31))[:40] == story(40, date(2026, 3, 31))


def test_no_two_guests_share_an_address_or_a_number() -> None:
    values = [guest.values for guest in guests(5000)]
    addresses = [row["email_address"].lower() for row in values]
    phones = [
        (row["phone_number_country_code"], row["phone_number"])
        for row in values
        if "phone_number" in row
    ]
    assert len(set(addresses)) == len(addresses)
    assert len(set(phones)) == len(phones)


def test_nothing_happened_after_the_last_day(demo: Organisation) -> None:
    activities = Activity.objects.for_organisation(demo)
    invited = activities.filter(type="Referral invite created")
    assert invited.dates("happened_at", "day").count() > 5
    assert activities.filter(happened_at__date__gt=date(2026, 3, 31)).count() == 0
