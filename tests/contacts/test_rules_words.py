"""Rules as people say them, such as on the cards of a workflow."""

from __future__ import annotations

from typing import Any

import pytest

from contacts import rules
from contacts.rules import words
from contacts.segments import services as segments
from organisations.models import Organisation
from tests.admin import rows

pytestmark = pytest.mark.django_db


def said(organisation: Organisation, data: Any) -> str:
    about = ("contact", "activity")
    return words.rule(rules.parse(data, organisation=organisation, about=about))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("P1D", "1 day"),
        ("P90D", "90 days"),
        ("P1Y6M", "1 year 6 months"),
        ("P1DT2H30M", "1 day 2 hours 30 minutes"),
        ("PT1M", "1 minute"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_duration_in_words(written: str, expected: str) -> None:
    assert words.duration(written) == expected


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        (("contact.totalOrders", "eq", 3), "Orders is 3"),
        (("contact.totalSpend", "gte", 4500), "Total spend is at least £45.00"),
        (("contact.spendByCurrency.JPY", "gte", 4500), "Spend in JPY is at least JP¥4,500"),
        (("contact.firstName", "is_not_set", None), "First name is not known"),
        (("contact.tags", "in", ["VIP", "Regular"]), "Tags contains any of VIP, Regular"),
        (("contact.createdAt", "within_last", "P3M"), "Created is within the last 3 months"),
        (("contact.dob", "before", "2000-01-31"), "Date of birth is on or before 31 Jan 2000"),
        (("contact.totalOrders", "between", [1, 5]), "Orders is between 1 and 5"),
        (
            ("contact.permissions.email", "eq", "subscribed"),
            "E-mail is Subscribed",
        ),
        (
            ("contact.firstName", "in", list("abcdefg")),
            "First name is one of a, b, c, d and 3 more",
        ),
    ],
)
def test_a_condition_in_words(
    organisation: Organisation, clause: tuple[str, str, Any], expected: str
) -> None:
    field, operator, value = clause
    data = {"field": field, "operator": operator}
    assert said(organisation, data if value is None else {**data, "value": value}) == expected


def test_activities_that_are_counted_or_added_up(organisation: Organisation) -> None:
    where = {"type": "Purchase", "within": "P90D", "source": "till", "spend": {"gte": 1000}}
    counted = {"field": "activities", "operator": "count_gte", "value": 2, "where": where}
    assert said(organisation, counted) == (
        "Purchase: at least 2 times ≥ £10.00 from till within the last 90 days"
    )
    summed = {"field": "activities", "operator": "sum_lte", "value": 5000}
    assert said(organisation, summed) == "Activities: at most £50.00 spent"


def test_segments_by_name(organisation: Organisation) -> None:
    segment = segments.create(organisation=organisation, name="Regulars", rules={"all": []})
    clause = {"field": "contact.segments", "operator": "contains", "value": segment.pk}
    assert said(organisation, clause) == "Segments contains Regulars"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"all": []}, "everybody"),
        ({"any": []}, "nobody"),
        ({"all": ["A", "B"]}, "A and B"),
        ({"any": ["A", {"all": ["B", "C"]}]}, "A or (B and C)"),
        ({"none": ["A"]}, "not A"),
        ({"none": ["A", "B"]}, "neither A nor B"),
    ],
)
def test_groups_in_words(organisation: Organisation, data: Any, expected: str) -> None:
    def clauses(node: Any) -> Any:
        if isinstance(node, str):
            return {"field": "contact.firstName", "operator": "eq", "value": node}
        return {kind: [clauses(one) for one in members] for kind, members in node.items()}

    assert said(organisation, clauses(data)).replace("First name is ", "") == expected


def test_what_a_contact_has_in_words(organisation: Organisation) -> None:
    jane = rows.contact(organisation, dob="1980-03-03", tags=["VIP", "Wine"])
    rows.activity(organisation, contact=jane, spend=4500)
    asked = [
        {"field": "contact.totalSpend", "operator": "gte", "value": 1},
        {"field": "contact.dob", "operator": "is_set"},
        {"field": "contact.tags", "operator": "contains", "value": "VIP"},
        {"field": "contact.firstName", "operator": "is_set"},
        {"field": "contact.spendByCurrency.EUR", "operator": "gte", "value": 1},
        {"field": "activities", "operator": "sum_gte", "value": 1},
        {"field": "activities", "operator": "count_gte", "value": 1},
    ]
    rule = rules.parse({"all": asked}, organisation=organisation)
    told = [one.found_said for one in rule.explain(rules.Subject(jane))]
    assert told == ["£45.00", "3 Mar 1980", "VIP, Wine", "", "€0.00", "£45.00", "1"]
