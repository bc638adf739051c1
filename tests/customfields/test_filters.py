"""customField[NAME]… and order[customField.NAME] of GET /contacts."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customfields.types import TYPES
from tests.customfields.factories import contact, define

OPTIONS = ["Golf", "Swimming", "Spa"]
# Five contacts: four have a value, in this order; the last has none.
VALUES: dict[str, list[Any]] = {
    "Text": ["Vegan", "Vegetarian", "Fish, no shells", "zegan"],
    "Number": [1, 2.5, 10, -3],
    "Date": ["2026-01-01", "2026-02-01", "2026-03-01", "1999-12-31"],
    "Boolean": [True, False, True, False],
    "Email": ["a@example.com", "b@example.com", "c@example.org", "d@example.org"],
    "Phone": ["07700900001", "07700900002", "+33 1 09 75 83 51", "07700900004"],
    "URL": ["https://a.example", "https://b.example", "http://c.example", "https://d.example/x"],
    "Textarea": ["One\ntwo", "Two\nthree", "Three", "50% off_peak"],
    "Select": ["Golf", "Spa", "Spa", "Swimming"],
    "Multi select": ["Golf", "Golf,Spa", "Spa,Swimming", "Golf,Swimming,Spa"],
}
NONE = 4
CASES: list[tuple[str, str, str, list[int]]] = [
    ("Text", "", "Vegan", [0]),
    ("Text", "eq", "Vegan", [0]),
    ("Text", "ne", "Vegan", [1, 2, 3, NONE]),
    ("Text", "in", "Vegan,Vegetarian", [0, 1]),
    ("Text", "not_in", "Vegan,Vegetarian", [2, 3, NONE]),
    ("Text", "contains", "EGA", [0, 3]),
    ("Text", "contains", "fish, no", [2]),
    ("Text", "not_contains", "vega", [1, 2, 3, NONE]),
    ("Text", "starts_with", "vege", [1]),
    ("Text", "exists", "true", [0, 1, 2, 3]),
    ("Text", "exists", "false", [NONE]),
    ("Number", "", "2.50", [1]),
    ("Number", "ne", "1", [1, 2, 3, NONE]),
    ("Number", "gt", "1", [1, 2]),
    ("Number", "gte", "1", [0, 1, 2]),
    ("Number", "lt", "2.5", [0, 3]),
    ("Number", "lte", "2.5", [0, 1, 3]),
    ("Number", "between", "-3..1", [0, 3]),
    ("Number", "between", "5..1", []),
    ("Number", "in", "1,10,11", [0, 2]),
    ("Number", "exists", "false", [NONE]),
    ("Date", "", "2026-02-01", [1]),
    ("Date", "gt", "2026-01-01", [1, 2]),
    ("Date", "lte", "2026-01-01", [0, 3]),
    ("Date", "between", "2026-01-01..2026-02-01", [0, 1]),
    ("Date", "before", "2026-01-01", [0, 3]),
    ("Date", "strictly_before", "2026-01-01", [3]),
    ("Date", "after", "2026-02-01", [1, 2]),
    ("Date", "strictly_after", "2026-02-01", [2]),
    ("Date", "ne", "2026-02-01", [0, 2, 3, NONE]),
    ("Boolean", "", "true", [0, 2]),
    ("Boolean", "ne", "true", [1, 3, NONE]),
    ("Boolean", "exists", "false", [NONE]),
    ("Email", "", "A@Example.com", [0]),
    ("Email", "in", "a@example.com,d@example.org", [0, 3]),
    ("Email", "contains", "EXAMPLE.ORG", [2, 3]),
    ("Phone", "", "+44 7700 900001", [0]),
    ("Phone", "ne", "07700 900001", [1, 2, 3, NONE]),
    ("Phone", "starts_with", "+33", [2]),
    ("URL", "", "https://a.example", [0]),
    ("URL", "starts_with", "https:", [0, 1, 3]),
    ("Textarea", "", "Three", [2]),
    ("Textarea", "contains", "two", [0, 1]),
    ("Textarea", "contains", "50%", [3]),
    ("Textarea", "contains", "f_p", [3]),
    ("Textarea", "contains", "e_t", []),
    ("Textarea", "exists", "true", [0, 1, 2, 3]),
    ("Select", "", "Spa", [1, 2]),
    ("Select", "ne", "Spa", [0, 3, NONE]),
    ("Select", "in", "Golf,Swimming", [0, 3]),
    ("Select", "not_in", "Golf,Swimming", [1, 2, NONE]),
    ("Select", "exists", "false", [NONE]),
    ("Multi select", "", "Golf", [0, 1, 3]),
    ("Multi select", "", "Golf,Spa", [1, 3]),
    ("Multi select", "contains", "Swimming", [2, 3]),
    ("Multi select", "ne", "Golf,Spa", [0, 2, NONE]),
    ("Multi select", "not_contains", "Golf", [2, NONE]),
    ("Multi select", "in", "Golf,Swimming", [0, 1, 2, 3]),
    ("Multi select", "not_in", "Golf", [2, NONE]),
    ("Multi select", "exists", "false", [NONE]),
]


def five(organisation: Any, type: str) -> list[int]:
    define(organisation, "It", type, options=OPTIONS if TYPES[type].has_options else ())
    define(organisation, "Other", type, options=OPTIONS if TYPES[type].has_options else ())
    having = [contact(organisation, it=value).pk for value in VALUES[type]]
    return [*having, contact(organisation, other=VALUES[type][0]).pk]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_filters(api: Any, organisation: Any, case: tuple[str, str, str, list[int]]) -> None:
    type, operator, value, expected = case
    people = five(organisation, type)
    parameter = f"customField[it][{operator}]" if operator else "customField[it]"
    answer = api.get("/contacts", {parameter: value})
    assert answer.status_code == 200, answer.content
    found = sorted(people.index(one["id"]) for one in answer.json())
    assert found == expected


def test_every_operator_of_every_type_is_tried_or_is_the_same_as_one_that_is() -> None:
    tried = {(type, operator or "eq") for type, operator, _value, _expected in CASES}
    for name, kind in TYPES.items():
        for operator in kind.operators:
            assert (name, operator) in tried or any(
                (other, operator) in tried for other in TYPES if other != name
            )


def test_conditions_add_up(api: Any, organisation: Any) -> None:
    define(organisation, "Rooms", "Number")
    define(organisation, "Hobbies", "Multi select", options=OPTIONS)
    contact(organisation, rooms=5, hobbies="Spa")
    wanted = contact(organisation, rooms=15, hobbies="Spa,Golf")
    contact(organisation, rooms=25, hobbies="Golf")
    found = api.get(
        "/contacts",
        {
            "customField[rooms][gte]": "10",
            "customField[rooms][lt]": "25",
            "customField[hobbies]": ["Spa", "Golf"],
            "kind": "person",
        },
    )
    assert [one["id"] for one in found.json()] == [wanted.pk]


@pytest.mark.parametrize(
    "parameter",
    [
        "customField[nope]=1",
        "customField[it]=many",
        "customField[it]=",
        "customField[it][gte]=many",
        "customField[it][contains]=4",
        "customField[it][like]=4",
        "customField[it][between]=4",
        "customField[it][between]=4..",
        "customField[it][between]=a..b",
        "customField[it][in]=4,many",
        "customField[it][exists]=maybe",
        "customField[it][eq][x]=4",
        "customField[]=4",
        "customField[it=4",
        "customField=4",
        "customField[tier]=Bronze",
        "order[customField.nope]=asc",
        "order[customField.hobbies]=asc",
        "order[customField.notes]=desc",
        "order[customField.]=asc",
        "order[customField.it]=up",
    ],
)
def test_a_filter_that_cannot_be_read_is_a_400_that_names_it(
    api: Any, organisation: Any, parameter: str
) -> None:
    define(organisation, "It", "Number")
    define(organisation, "Tier", "Select", options=["Gold"])
    define(organisation, "Hobbies", "Multi select", options=["Spa"])
    define(organisation, "Notes", "Textarea")
    answer = api.get(f"/contacts?{parameter}")
    assert answer.status_code == 400, answer.content
    assert parameter.partition("=")[0] in answer.json()["detail"]


def test_another_organisations_field_is_unknown(
    api: Any, organisation: Any, other_organisation: Any
) -> None:
    define(other_organisation, "It", "Number")
    assert api.get("/contacts?customField[it]=4").status_code == 400
    assert api.get("/contacts?order[customField.it]=asc").status_code == 400


@pytest.mark.parametrize(
    ("type", "ascending"),
    [
        ("Text", [2, 0, 1, 3]),
        ("Number", [3, 0, 1, 2]),
        ("Date", [3, 0, 1, 2]),
        ("Email", [0, 1, 2, 3]),
        ("Phone", [2, 0, 1, 3]),
        ("URL", [2, 0, 1, 3]),
    ],
)
def test_order_has_the_unset_last_in_both_directions_on_every_page(
    api: Any, organisation: Any, type: str, ascending: list[int]
) -> None:
    people = five(organisation, type)
    for direction, expected in (
        ("asc", [*ascending, NONE]),
        ("desc", [*reversed(ascending), NONE]),
    ):
        address = f"/contacts?order[customField.it]={direction}"
        whole = [people.index(one["id"]) for one in api.get(address).json()]
        assert whole == expected
        assert [people.index(pk) for pk in walk(api, f"{address}&itemsPerPage=2")] == expected


@pytest.mark.parametrize("type", ["Boolean", "Select"])
def test_order_puts_equal_values_together(api: Any, organisation: Any, type: str) -> None:
    people = five(organisation, type)
    found = walk(api, "/contacts?order[customField.it]=asc&itemsPerPage=2")
    values = [VALUES[type][people.index(pk)] for pk in found[:4]]
    assert values == sorted(values, key=OPTIONS.index if type == "Select" else None)
    assert found[4] == people[NONE]


def test_order_and_filter_go_together(api: Any, organisation: Any) -> None:
    people = five(organisation, "Number")
    address = "/contacts?order[customField.it]=desc&customField[it][gte]=1&itemsPerPage=1"
    assert [people.index(pk) for pk in walk(api, address)] == [2, 1, 0]


def walk(api: Any, address: str) -> list[int]:
    """The ids of all pages, by the next links."""
    found: list[int] = []
    for _page in range(20):
        answer = api.get(address)
        assert answer.status_code == 200, answer.content
        found += [one["id"] for one in answer.json()]
        links = dict(
            reversed([part.strip(" <>") for part in link.split(">; rel=")])
            for link in answer.headers["Link"].split(", ")
        )
        if '"next"' not in links:
            return found
        address = links['"next"'].partition("testserver")[2]
    raise AssertionError("the pages do not end")


def test_a_filter_costs_one_query_for_its_definitions(api: Any, organisation: Any) -> None:
    define(organisation, "It", "Number")
    define(organisation, "Other", "Number")
    contact(organisation, it=1, other=2)

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert api.get(address).status_code == 200
        return len(captured)

    queries("/contacts")
    plain = queries("/contacts")
    # PostgreSQL is also asked how far the list is walked for what the filter leaves.
    asked = plain + (2 if connection.vendor == "postgresql" else 1)
    assert queries("/contacts?customField[it]=1") == asked
    assert queries("/contacts?customField[it]=1&customField[other][gte]=2") == asked
