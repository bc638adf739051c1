"""Many corrections at once come to what they come to one by one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.models import Activity
from activities.services import correct, correct_batch, record
from activities.signals import activity_corrected
from contacts.models import Contact
from contacts.services import upsert
from organisations.models import Organisation
from tests import factories

pytestmark = pytest.mark.django_db

MOMENT = datetime(2026, 4, 7, 14, 30, tzinfo=UTC)
CHANGES: list[dict[str, Any]] = [
    {"spend": 250},
    {"happened_at": MOMENT - timedelta(days=9), "data": {"late": True}},
    {"spend": 300, "currency_code": "EUR"},
    {"happened_at": MOMENT, "spend": -5},
    {"spend": 100, "source": "till"},
]

Purchases = list[Activity]
_numbers = itertools.count(1)


def a_contact(organisation: Organisation) -> Contact:
    """Another one each time."""
    values = {"email_address": f"guest.{next(_numbers)}@example.com"}
    return upsert(organisation=organisation, values=values)[0]


@pytest.fixture
def purchases(organisation: Organisation) -> Callable[[], Purchases]:
    """Makes five purchases, by turns of two new contacts."""

    def make() -> Purchases:
        two = [a_contact(organisation) for _number in range(2)]
        return [
            record(
                organisation=organisation,
                contact=two[number % 2],
                type="Purchase",
                source="till",
                happened_at=MOMENT + timedelta(days=number),
                spend=100,
            )[0]
            for number in range(len(CHANGES))
        ]

    return make


def seen(purchases: Purchases) -> list[Any]:
    """The purchases as they are now, and their contacts' totals."""
    names = ("total_spend", "total_orders", "last_interacted_at", "last_order_at")
    rows = Activity.objects.filter(organisation=purchases[0].organisation_id)
    found = []
    for one in purchases:
        row = rows.select_related("contact__rollup").get(pk=one.pk)
        foreign = dict(row.contact.foreign_spend.values_list("currency_code", "amount"))
        told = [row.source, row.spend, row.currency_code, row.happened_at, row.data, foreign]
        found.append(told + [getattr(row.contact.rollup, name) for name in names])
    return found


def test_activities_and_totals_are_those_of_one_by_one(
    organisation: Organisation, purchases: Callable[[], Purchases]
) -> None:
    together, alone = purchases(), purchases()
    rows = [(one.pk, values) for one, values in zip(together, CHANGES, strict=True)]
    results = correct_batch(organisation=organisation, rows=rows)
    for one, values in zip(alone, CHANGES, strict=True):
        correct(activity=one, values=values)

    assert [(one.id, one.error) for one in results] == [(one.pk, None) for one in together]
    assert seen(together) == seen(alone)


def test_one_that_moves_takes_its_spend_along(
    organisation: Organisation, purchases: Callable[[], Purchases]
) -> None:
    first, second, *_rest = purchases()
    rows = [(first.pk, {"contact": second.contact_id, "spend": 7}), (second.pk, {"spend": 8})]

    correct_batch(organisation=organisation, rows=rows)

    contacts = Contact.objects.for_organisation(organisation).order_by("pk")
    assert list(contacts.values_list("rollup__total_spend", flat=True)) == [200, 115]


def test_each_row_is_by_itself(
    organisation: Organisation, purchases: Callable[[], Purchases]
) -> None:
    first, second, third, fourth, fifth = purchases()
    foreign = a_contact(factories.OrganisationFactory())
    fifth.delete()
    rows: list[tuple[int, dict[str, Any]]] = [
        (first.pk, {"spend": 5}),
        (second.pk, {"happened_at": datetime(2999, 1, 1, tzinfo=UTC)}),
        (third.pk, {"contact": foreign.pk}),
        (fourth.pk, {"external_reference": "x"}),
        (fifth.pk, {"spend": 5}),
    ]

    results = correct_batch(organisation=organisation, rows=rows)

    paths = [list(one.error.error_dict) if one.error else [] for one in results]  # type: ignore[union-attr]  # of these all are ValidationError
    assert paths == [[], ["happened_at"], ["contact"], ["external_reference"], ["activity"]]
    assert [row[1] for row in seen([first, second, third, fourth])] == [5, 100, 100, 100]


def test_who_listens_hears_of_what_changed_alone(
    organisation: Organisation, purchases: Callable[[], Purchases]
) -> None:
    first, second, *_rest = purchases()
    heard: list[tuple[int, int]] = []

    def hear(activity: Activity, **_kwargs: Any) -> None:
        heard.append((activity.pk, activity.spend))

    activity_corrected.connect(hear)
    try:
        rows = [(first.pk, {"spend": 100}), (second.pk, {"spend": 9})]
        correct_batch(organisation=organisation, rows=rows)
    finally:
        activity_corrected.disconnect(hear)

    assert heard == [(second.pk, 9)]


def test_five_cost_as_many_statements_as_one(
    organisation: Organisation,
    purchases: Callable[[], Purchases],
    django_assert_num_queries: Callable[..., Any],
) -> None:
    made = purchases()
    for some in (made[:1], made):
        rows = [(one.pk, {"spend": len(some)}) for one in some]
        # The savepoint's two; the rows; the update; the totals' lock, for several, and update.
        with django_assert_num_queries(6 if len(some) > 1 else 5):
            correct_batch(organisation=organisation, rows=rows)
