"""Several clients at the same moment: each gets a good answer, and one contact comes of it.

On SQLite in memory there is one connection, so only PostgreSQL can show it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections

from contacts import services
from contacts.models import Contact, Tag
from crm.errors import Conflict

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="needs several connections"),
]

CLIENTS = 8


def at_once(*tasks: Callable[[], Any]) -> list[Any]:
    """Run each task in a thread with a connection of its own, from the same moment on."""
    barrier = Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> Any:
        try:
            connections["default"].ensure_connection()
            barrier.wait()
            return task()
        except Conflict as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def test_the_same_contact_posted_at_once_is_one_row(
    api_for: Any, organisation: Any, settings: Any
) -> None:
    clients = [api_for(organisation) for _ in range(CLIENTS)]
    for round_ in range(5):
        given = {
            "emailAddress": f"jane{round_}@example.com",
            "phoneNumber": f"0770090000{round_}",
            "tags": [f"Tag {round_}"],
        }

        answers = at_once(*[partial(client.post, "/contacts", given) for client in clients])

        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        tags = Tag.objects.for_organisation(organisation)
        assert tags.filter(name=given["tags"][0]).count() == 1
    assert Contact.objects.for_organisation(organisation).count() == 5


def test_batches_of_the_same_people_in_any_order(organisation: Any) -> None:
    rows = [{"email_address": f"{n}@example.com", "first_name": "A"} for n in range(50)]

    def task(step: int) -> Callable[[], Any]:
        mixed = rows[step:] + rows[:step] if step % 2 else rows[::-1]
        return lambda: services.upsert_batch(organisation=organisation, rows=mixed)

    answers = at_once(*[task(step) for step in range(4)])

    assert all(result.error is None for results in answers for result in results)
    assert Contact.objects.for_organisation(organisation).count() == 50
    assert sum(result.created for results in answers for result in results) == 50


def test_two_contacts_that_want_the_same_email(organisation: Any) -> None:
    contacts = [
        services.upsert(organisation=organisation, values={"email_address": f"{n}@example.com"})[0]
        for n in range(4)
    ]

    answers = at_once(
        *[
            lambda c=contact: services.update(
                contact=c, values={"email_address": "wanted@example.com"}
            )
            for contact in contacts
        ]
    )

    won = [answer for answer in answers if isinstance(answer, Contact)]
    lost = [answer for answer in answers if isinstance(answer, Conflict)]
    assert (len(won), len(lost)) == (1, 3)
    assert all(conflict.ids == [won[0].pk] for conflict in lost)


def test_two_merged_into_each_other(organisation: Any) -> None:
    one, other = (
        services.upsert(organisation=organisation, values={"email_address": f"{n}@example.com"})[0]
        for n in range(2)
    )

    answers = at_once(
        lambda: services.merge(survivor=one, absorbed=other),
        lambda: services.merge(survivor=other, absorbed=one),
    )

    assert sum(isinstance(answer, Conflict) for answer in answers) == 1
    assert Contact.objects.for_organisation(organisation).current().count() == 1


def test_a_contact_changed_while_it_is_merged_or_deleted(organisation: Any) -> None:
    for n in range(5):
        one, other = (
            services.upsert(
                organisation=organisation, values={"email_address": f"{key}{n}@example.com"}
            )[0]
            for key in "ab"
        )

        merge, update = at_once(
            lambda o=one, t=other: services.merge(survivor=o, absorbed=t),
            lambda t=other: services.update(contact=t, values={"first_name": "New"}),
        )

        assert not isinstance(merge, Conflict)
        assert isinstance(update, Contact)
        survivor = Contact.objects.for_organisation(organisation).get(pk=one.pk)
        assert survivor.first_name == "New"
