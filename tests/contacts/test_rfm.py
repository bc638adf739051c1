"""RFM: quintiles over those who bought, equal values with equal scores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management import call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts import rfm
from contacts.models import Contact, ContactRollup
from organisations.models import Organisation

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
Row = tuple[int, int, int]


def make(organisation: Organisation, rows: list[Row]) -> list[int]:
    """Contacts with these totals: days since, orders, spend."""
    contacts = Contact.objects.bulk_create(
        Contact(organisation=organisation, name=str(n), timezone="UTC") for n in range(len(rows))
    )
    ContactRollup.objects.bulk_create(
        ContactRollup(
            organisation=organisation,
            contact=contact,
            last_order_at=NOON - timedelta(days=days) if orders else None,
            total_orders=orders,
            total_spend=spend,
        )
        for contact, (days, orders, spend) in zip(contacts, rows, strict=True)
    )
    return [contact.pk for contact in contacts]


def scores(pks: list[int]) -> list[tuple[int | None, int | None, int | None]]:
    rows = ContactRollup.objects.across_organisations().in_bulk(pks)
    return [(rows[pk].recency, rows[pk].frequency, rows[pk].monetary) for pk in pks]


def test_five_contacts_are_five_quintiles(organisation: Organisation) -> None:
    pks = make(organisation, [(50, 1, 10), (40, 2, 20), (30, 3, 30), (20, 4, 40), (10, 5, 50)])
    assert rfm.recompute(organisation) == 5
    assert scores(pks) == [(1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4), (5, 5, 5)]


def test_equal_values_get_equal_scores(organisation: Organisation) -> None:
    pks = make(organisation, [(10, 1, 100), (10, 1, 100), (10, 1, 100), (10, 2, 100), (5, 2, 0)])
    rfm.recompute(organisation)
    assert [row[1] for row in scores(pks)] == [1, 1, 1, 4, 4]
    assert [row[2] for row in scores(pks)] == [2, 2, 2, 2, 1]
    assert [row[0] for row in scores(pks)] == [1, 1, 1, 1, 5]


def test_those_without_an_order_have_none_and_lose_theirs(organisation: Organisation) -> None:
    pks = make(organisation, [(1, 1, 10), (1, 0, 999)])
    rfm.recompute(organisation)
    assert scores(pks) == [(1, 1, 1), (None, None, None)]
    rows = ContactRollup.objects.across_organisations()
    rows.filter(pk=pks[0]).update(total_orders=0, last_order_at=None)
    rows.filter(pk=pks[1]).update(total_orders=2, last_order_at=NOON)
    assert rfm.recompute(organisation) == 2
    assert scores(pks) == [(None, None, None), (1, 1, 1)]


def test_organisations_are_ranked_apart_and_only_changes_are_written(
    organisation: Organisation, other_organisation: Organisation, capsys: Any
) -> None:
    ours = make(organisation, [(day, 1, day) for day in range(1, 11)])
    theirs = make(other_organisation, [(1, 1, 1)])
    call_command("recompute_rfm")
    assert "The scores of 11 contacts changed." in capsys.readouterr().out
    assert sorted(score for score, _f, _m in scores(ours)) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert scores(theirs) == [(1, 1, 1)]
    call_command("recompute_rfm", organisation=organisation.pk)
    assert "The scores of 0 contacts changed." in capsys.readouterr().out


def test_more_contacts_than_a_batch(organisation: Organisation, monkeypatch: Any) -> None:
    monkeypatch.setattr("contacts.rollups.BATCH", 3)
    pks = make(organisation, [(day, 1, 1) for day in range(10)])
    assert rfm.recompute(organisation) == 10
    assert [row[0] for row in scores(pks)] == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]


@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(-5, 5)), max_size=25)
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_scores_are_the_rule(organisation: Organisation, rows: list[Row]) -> None:
    house = Organisation.objects.create(name="House")
    pks = make(house, rows)
    rfm.recompute(house)

    def score(values: list[int], value: int) -> int:
        return 1 + 5 * sum(other < value for other in values) // len(values)

    bought = [row for row in rows if row[1] > 0]
    columns = [[-row[0] for row in bought], [row[1] for row in bought], [row[2] for row in bought]]
    assert scores(pks) == [
        tuple(
            score(column, value)
            for column, value in zip(columns, (-row[0], row[1], row[2]), strict=True)
        )
        if row[1] > 0
        else (None, None, None)
        for row in rows
    ]
