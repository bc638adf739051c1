"""Several at once: rules that hold at any moment. PostgreSQL only: SQLite has one writer at a time,
and its database in memory one connection."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, connections

from crm.errors import Conflict
from customfields import services
from customfields.models import CustomField, CustomFieldValue
from tests.customfields.factories import contact, define

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="one writer at a time"),
]

AT_ONCE = 6


def all_at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each of `calls` answered or raised, all begun at the same moment."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            barrier.wait()
            return call()
        except (ValidationError, Conflict) as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_a_unique_value_goes_to_one_contact(organisation: Any) -> None:
    define(organisation, "Card", "Text", unique=True)
    people = [contact(organisation) for _ in range(AT_ONCE)]
    for value in ("A", "B", "C"):
        answers = all_at_once(
            *(partial(services.set_values, contact=one, values={"card": value}) for one in people)
        )
        assert answers.count(True) == 1
        refused = [answer for answer in answers if answer is not True]
        assert all(error.message_dict.keys() == {"custom_fields.card"} for error in refused)


def test_contacts_created_at_once_share_no_unique_value(organisation: Any, api_for: Any) -> None:
    define(organisation, "Card", "Text", unique=True)
    clients = [api_for(organisation) for _ in range(AT_ONCE)]
    answers = all_at_once(
        *(
            lambda number=number, api=api: api.post(
                "/contacts",
                {"emailAddress": f"p{number}@example.com", "customFields": {"card": "A"}},
            )
            for number, api in enumerate(clients)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, *[422] * (AT_ONCE - 1)]


def test_a_contact_has_one_value_in_a_field(organisation: Any) -> None:
    define(organisation, "Size", "Text")
    define(organisation, "Tier", "Select", options=["1", "2", "3", "4", "5", "6"])
    define(organisation, "Hobbies", "Multi select", options=["1", "2", "3", "4", "5", "6"])
    someone = contact(organisation)
    for _ in range(3):
        answers = all_at_once(
            *(
                lambda value=str(number): services.set_values(
                    contact=someone,
                    values={"size": value, "tier": value, "hobbies": [value]},
                )
                for number in range(1, AT_ONCE + 1)
            )
        )
        assert set(answers) <= {True, False}
        assert someone.custom_field_values.count() == 3


def test_a_field_that_becomes_unique_meets_no_late_writer(organisation: Any) -> None:
    field = define(organisation, "Card", "Text")
    people = [contact(organisation) for _ in range(AT_ONCE)]
    for value in ("A", "B", "C"):
        all_at_once(
            lambda: services.change(field=field, values={"unique": True}),
            *(partial(services.set_values, contact=one, values={"card": value}) for one in people),
        )
        rows = CustomFieldValue.objects.for_organisation(organisation).filter(field=field)
        now_unique = CustomField.objects.for_organisation(organisation).get(pk=field.pk).unique
        if now_unique:
            assert rows.filter(unique_key=None).count() == 0
            services.change(field=field, values={"unique": False})
        rows.delete()


def test_an_option_that_goes_is_in_nobodys_hands(organisation: Any) -> None:
    field = define(organisation, "Tier", "Select", options=["Gold", "Silver"])
    people = [contact(organisation) for _ in range(AT_ONCE)]
    for _ in range(3):
        answers = all_at_once(
            lambda: services.change(field=field, values={"options": ["Silver"]}),
            *(partial(services.set_values, contact=one, values={"tier": "Gold"}) for one in people),
        )
        taken = answers[1:].count(True)
        assert taken == 0 or isinstance(answers[0], Conflict)
        CustomFieldValue.objects.for_organisation(organisation).delete()
        services.change(field=field, values={"options": ["Gold", "Silver"]})


def test_names_made_at_once_differ(organisation: Any) -> None:
    answers = all_at_once(
        *(lambda: define(organisation, "Room size", "Text") for _ in range(AT_ONCE))
    )
    names = sorted(one.name for one in answers)
    assert names == ["room_size", *(f"room_size_{number}" for number in range(2, AT_ONCE + 1))]
