"""My work: what I have to do, where I am named, what needs a look."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from contacts.models import Contact
from desk import services
from desk.models import Task
from organisations.models import Organisation
from tests.admin import rows
from tests.admin.conftest import signed_in
from tests.admin.test_query_counts import ASKING
from workflows import alerts

pytestmark = pytest.mark.django_db

PAGE = reverse("admin:desk_work")
LIVE = {"X-Regulars": "page"}


def add(by: User, title: str, assignee: User | None, due_on: date | None = None) -> Task:
    organisation = by.memberships.across_organisations().get().organisation
    values = {"title": title, "assignee": assignee, "due_on": due_on}
    return services.add_task(organisation=organisation, by=by, values=values)


def badge(answer: Any) -> str:
    (item,) = [
        item
        for group in answer.context["sidebar_navigation"]
        for item in group["items"]
        if str(item["title"]) == "My work"
    ]
    return str(item.get("badge_callback", ""))


@pytest.fixture
def client(anna: User) -> Client:
    return signed_in(anna)


def test_my_tasks_stand_where_they_are_due(client: Client, anna: User, bob: User) -> None:
    today = timezone.localdate()
    add(anna, "Overdue", anna, today - timedelta(days=1))
    add(bob, "Due", anna, today)
    add(anna, "Ahead", anna, today + timedelta(days=3))
    add(anna, "Sometime", anna)
    add(anna, "Given", bob, today)
    add(anna, "Anybody's", None)
    services.finish_task(task=add(anna, "Finished", anna, today), by=anna)
    answer = client.get(PAGE)
    shown = {group.key: "".join(group.lines) for group in answer.context["groups"]}
    assert list(shown) == ["overdue", "today", "coming", "whenever"]
    for key, title in zip(shown, ("Overdue", "Due", "Ahead", "Sometime"), strict=True):
        assert title in shown[key]
    given = "".join(answer.context["given"])
    assert "Given" in given
    assert "Anybody&#x27;s" in given
    assert "Finished" not in answer.content.decode()
    assert badge(answer) == "2"


def test_a_task_is_added_and_ticked_off_here(client: Client, anna: User) -> None:
    added = client.post(
        reverse("admin:desk_task_note"), {"title": "Order keys", "assignee": anna.pk}, headers=LIVE
    )
    assert added.status_code == 200
    assert "Order keys" in client.get(PAGE, headers=LIVE).content.decode()
    task = Task.objects.for_organisation(anna.memberships.across_organisations().get().organisation)
    finish = reverse("admin:desk_task_finish", args=[task.get().pk])
    assert client.post(finish, {"done": "yes"})["Location"] == PAGE
    assert "Order keys" not in client.get(PAGE).content.decode()


def test_notes_that_name_me_are_read_and_unread(
    client: Client, anna: User, bob: User, jane: Contact
) -> None:
    for text in ("@Anna Lee, one", "@anna two", "nobody"):
        services.add_note(contact=jane, text=text, by=bob)
    answer = client.get(PAGE)
    assert answer.context["unread"] == 2
    mentions = [line["mention"] for line in answer.context["mentions"]]
    read = reverse("admin:desk_mention_read", args=[mentions[0].pk])
    client.post(read, {"read": "yes"}, headers=LIVE)
    assert client.get(PAGE).context["unread"] == 1
    client.post(read, {"read": "no"}, headers=LIVE)
    assert client.get(PAGE).context["unread"] == 2
    client.post(reverse("admin:desk_mentions_read"), headers=LIVE)
    answer = client.get(PAGE)
    assert (answer.context["unread"], len(answer.context["mentions"])) == (0, 2)
    assert signed_in(bob).post(read, {"read": "yes"}, headers=LIVE).status_code == 404


def test_alerts_are_dealt_with_here(
    client: Client, organisation: Organisation, other_organisation: Organisation
) -> None:
    mine = alerts.tell(organisation=organisation, text="It failed")
    foreign = alerts.tell(organisation=other_organisation, text="Secret")
    assert [one.pk for one in client.get(PAGE).context["alerts"]] == [mine.pk]
    seen = [reverse("admin:desk_alert_seen", args=[one.pk]) for one in (mine, foreign)]
    assert [client.post(one, headers=LIVE).status_code for one in seen] == [200, 404]
    assert list(client.get(PAGE).context["alerts"]) == []


def test_the_page_costs_the_same_for_much_work(
    client: Client, anna: User, bob: User, jane: Contact
) -> None:
    def work() -> None:
        add(anna, "Mine", anna, timezone.localdate())
        add(anna, "Given", bob)
        services.add_note(contact=jane, text="@Anna Lee", by=bob)
        alerts.tell(organisation=jane.organisation, text="Failed", contact=jane)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(PAGE)
        return len(captured)

    work()
    cost()
    # My tasks, those given, mentions unread and read, alerts, colleagues to choose from.
    assert cost() == ASKING + 6
    for _number in range(12):
        work()
    assert cost() == ASKING + 6


def test_the_badge_counts_no_further_than_it_shows(client: Client, anna: User) -> None:
    organisation = anna.memberships.across_organisations().get().organisation
    Task.objects.bulk_create(
        Task(organisation=organisation, title="Call", assignee=anna, due_on=date(2026, 1, 1))
        for _number in range(120)
    )
    answer = client.get(PAGE)
    assert badge(answer) == "99+"
    assert answer.context["more_tasks"]


def test_it_is_of_one_organisation_alone(
    client: Client, anna: User, other_organisation: Organisation
) -> None:
    stranger = rows.member(other_organisation).user
    add(stranger, "Secret", stranger, date(2026, 1, 1))
    Task.objects.for_organisation(other_organisation).update(assignee=anna)
    answer = client.get(PAGE)
    assert "Secret" not in answer.content.decode()
    assert badge(answer) == ""
