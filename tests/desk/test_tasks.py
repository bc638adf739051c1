"""What is to be done, by whom and until when."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from contacts.models import Contact
from crm.errors import Conflict
from desk import services
from desk.models import Task
from organisations.models import Organisation
from tests.admin import rows

pytestmark = pytest.mark.django_db


def add(by: User, organisation: Organisation, **values: Any) -> Task:
    given = {"title": "Call", **values}
    return services.add_task(organisation=organisation, by=by, values=given)


def test_a_task_is_for_somebody_about_somebody_until_some_time(
    jane: Contact, anna: User, bob: User, organisation: Organisation
) -> None:
    task = add(
        anna,
        organisation,
        title="  Call   her\tback ",
        contact=jane,
        assignee=bob,
        due_on=date(2026, 12, 1),
        due_time=time(14, 30),
    )
    task.refresh_from_db()
    assert (task.title, task.contact, task.assignee, task.author) == (
        "Call her back",
        jane,
        bob,
        anna,
    )


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"due_time": time(9)}, "due_on"),
    ],
)
def test_what_is_wrong_is_told_by_column(
    anna: User, organisation: Organisation, values: dict[str, Any], column: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        add(anna, organisation, **values)
    assert list(refused.value.message_dict) == [column]


def test_strangers_and_their_contacts_have_no_tasks_here(
    anna: User, organisation: Organisation, other_organisation: Organisation
) -> None:
    stranger = rows.member(other_organisation).user
    task = add(anna, organisation)
    for values, column in (
        ({"assignee": stranger}, "assignee"),
        ({"contact": rows.contact(other_organisation)}, "contact"),
    ):
        with pytest.raises(ValidationError) as refused:
            add(anna, organisation, **values)
        assert list(refused.value.message_dict) == [column]
        with pytest.raises(ValidationError):
            services.change_task(task=task, values=values)


def test_ticking_off_says_who_and_when_and_can_be_taken_back(
    anna: User, bob: User, organisation: Organisation
) -> None:
    task = add(anna, organisation)
    done = services.finish_task(task=task, by=bob)
    assert done.done_by == bob
    assert services.finish_task(task=task, by=anna).done_by == bob, "it was done already"
    undone = services.finish_task(task=task, by=anna, done=False)
    assert (undone.done_at, undone.done_by) == (None, None)


def test_a_task_is_changed_and_deleted(
    anna: User, bob: User, jane: Contact, organisation: Organisation
) -> None:
    task = add(anna, organisation, due_on=date(2026, 12, 1))
    changed = services.change_task(task=task, values={"assignee": bob, "contact": jane})
    assert (changed.assignee, changed.contact, changed.due_on) == (bob, jane, date(2026, 12, 1))
    services.delete_task(task=task)
    with pytest.raises(Conflict):
        services.change_task(task=task, values={"title": "Gone"})


def test_tasks_come_in_the_order_in_which_they_are_due(
    anna: User, bob: User, organisation: Organisation
) -> None:
    for title, day, moment, who in (
        ("sometime", None, None, anna),
        ("that day", date(2026, 12, 1), None, anna),
        ("at nine", date(2026, 12, 1), time(9), anna),
        ("before", date(2026, 11, 1), None, anna),
        ("Bob's", date(2026, 11, 1), None, bob),
        ("anybody's", date(2026, 11, 2), None, None),
    ):
        add(anna, organisation, title=title, due_on=day, due_time=moment, assignee=who)
    tasks = Task.objects.for_organisation(organisation).unfinished().soonest_first()
    assert [one.title for one in tasks.of(anna)] == ["before", "at nine", "that day", "sometime"]
    assert [one.title for one in tasks.given_by(anna)] == ["Bob's", "anybody's"]
    assert [one.title for one in tasks.of(anna).due_by(date(2026, 12, 1))][-1] == "that day"
