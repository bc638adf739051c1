"""Which contacts a tighter rule would concern, before it is set."""

from __future__ import annotations

from copy import copy
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from contacts import services as contacts
from contacts.models import Contact
from customfields import impact, services, uses
from customfields.models import CustomField
from organisations.models import Organisation
from tests.factories import OrganisationFactory

pytestmark = pytest.mark.django_db


def person(organisation: Organisation, number: int, **values: Any) -> Contact:
    given = {"email_address": f"guest{number}@example.com", "customFields": values}
    return contacts.upsert(organisation=organisation, values=given)[0]


def tightened(field: CustomField, **rules: Any) -> CustomField:
    draft = copy(field)
    for name, value in rules.items():
        setattr(draft, name, value)
    return draft


VALUES: dict[str, list[Any]] = {
    "Number": [1, 4, 5, 6, "7.25", -3],
    "Text": ["a", "abcd", "abcde", "äöüßé", "abcdefgh", "Z"],
    "Textarea": ["a", "abcdef\nghi", "abcd", "abcde", "x" * 300, "é"],
    "Multi select": [["One"], ["One", "Two"], ["One", "Two", "Three"], ["Two"], ["Three"], []],
}


@pytest.mark.parametrize("kind", sorted(VALUES))
@pytest.mark.parametrize(
    "rules",
    [
        {"minimum": Decimal(2)},
        {"maximum": Decimal(5)},
        {"minimum": Decimal(3), "maximum": Decimal(4)},
        {"maximum": Decimal(1)},
        {"pattern": "[a-z]+"},
        {"pattern": ".{4,5}"},
    ],
    ids=str,
)
def test_they_are_those_whose_value_the_rule_would_refuse(
    organisation: Organisation, kind: str, rules: dict[str, Any]
) -> None:
    options = ["One", "Two", "Three"] if kind == "Multi select" else []
    field = services.define(organisation=organisation, label="F", type=kind, options=options)
    people = {
        person(organisation, number, f=value).pk: value for number, value in enumerate(VALUES[kind])
    }
    draft = tightened(field, **rules)
    refused = set()
    for pk, value in people.items():
        try:
            if not ("pattern" in rules and not field.kind.has_pattern):
                field.kind.parse(value, draft)
        except ValidationError:
            refused.add(pk)
    found = impact.of(field, draft)
    assert {pk for one in found for pk in one.contacts} == refused
    assert {one.rule for one in found} <= rules.keys()


def test_required_unique_and_options_that_are_used(organisation: Organisation) -> None:
    field = services.define(
        organisation=organisation, label="Tier", type="Select", options=["Gold", "Silver"]
    )
    gold, also_gold = (person(organisation, n, tier="Gold") for n in (1, 2))
    none = person(organisation, 3)
    person(OrganisationFactory(), 4)
    draft = tightened(field, required=True, unique=True)
    by_rule = {one.rule: one.contacts for one in impact.of(field, draft, gone=["Gold"])}
    assert by_rule == {
        "required": [none.pk],
        "unique": [gold.pk, also_gold.pk],
        "options": [gold.pk, also_gold.pk],
    }


def test_a_rule_that_is_kept_or_loosened_concerns_nobody(organisation: Organisation) -> None:
    field = services.define(organisation=organisation, label="Age", type="Number", minimum=5)
    person(organisation, 1, age=6)
    field.minimum = Decimal(10)  # set without the service: what is there stays
    for draft in (tightened(field, minimum=Decimal(10)), tightened(field, minimum=Decimal(8))):
        assert impact.of(field, draft) == []


def test_more_than_most_are_not_told_apart(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = services.define(organisation=organisation, label="Age", type="Number")
    for number in range(4):
        person(organisation, number, age=1)
    monkeypatch.setattr(impact, "MOST", 2)
    (found,) = impact.of(field, tightened(field, minimum=Decimal(5)))
    assert (found.number, found.capped, len(found.contacts)) == (2, True, 3)
    monkeypatch.setattr(impact, "MOST", 100)
    monkeypatch.setattr(impact, "LOOKED_AT", 3)
    text = services.define(organisation=organisation, label="Code", type="Text")
    for number in range(4):
        person(organisation, number, code="a")
    (found,) = impact.of(text, tightened(text, pattern="b"))
    assert (found.number, found.partly) == (3, True)


@pytest.mark.parametrize(
    ("data", "speaks"),
    [
        ({"field": "contact.customFields.diet", "operator": "eq"}, True),
        ([{"values": {"customFields": {"name": 1, "diet": "x"}}}], True),
        ("Hello {{ contact.customFields.diet | upcase }}", True),
        ({"field": "contact.customFields.dietary"}, False),
        ({"field": "activity.diet", "customFields": {"dietary": 1}}, False),
    ],
)
def test_what_speaks_of_a_field(organisation: Organisation, data: Any, speaks: bool) -> None:
    field = services.define(organisation=organisation, label="Diet", type="Text")
    assert uses.speaks_of(data, field) is speaks
