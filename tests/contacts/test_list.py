"""GET /contacts: filters and order."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contacts.models import Contact, ContactRollup


@pytest.fixture
def people(api: Any) -> dict[str, int]:
    """Four contacts whose totals are set by hand; `none` has nothing at all."""
    given: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        (
            "ann",
            {"name": "Ann", "dob": "1990-05-05", "tags": ["VIP", "Golf"]},
            {"total_spend": 500, "total_orders": 3, "last_interacted_at": "2026-01-05T10:00:00Z"},
        ),
        (
            "bob",
            {"name": "Bob", "dob": "1980-05-05", "tags": ["VIP"], "kind": "business"},
            {"total_spend": -20, "total_orders": 1, "last_interacted_at": "2026-02-05T10:00:00Z"},
        ),
        ("cat", {"name": "Cat"}, {"total_spend": 500, "recency": 5}),
        ("none", {}, {}),
    ]
    ids = {}
    for key, values, totals in given:
        told = api.post("/contacts", {"emailAddress": f"{key}@example.com", **values}).json()
        ids[key] = told["id"]
        if totals:
            ContactRollup.objects.across_organisations().filter(pk=told["id"]).update(**totals)
    return ids


def keys(people: dict[str, int], response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    names = {pk: name for name, pk in people.items()}
    return [names[told["id"]] for told in response.json()]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("emailAddress=ANN@example.com", "ann"),
        ("emailAddress[]=ann@example.com&emailAddress[]=cat@example.com", "ann cat"),
        ("emailAddress=nobody@example.com", ""),
        ("tag=vip", "ann bob"),
        ("tag=VIP&tag=golf", "ann"),
        ("tag[]=VIP&tag[]=nothing", ""),
        ("kind=business", "bob"),
        ("dob[after]=1980-05-05&dob[strictly_before]=1990-05-05", "bob"),
        ("dob[before]=1990-05-05", "ann bob"),
        ("createdAt[after]=2020-01-01", "ann bob cat none"),
        ("updatedAt[before]=2020-01-01", ""),
        ("lastInteractedAt[after]=2026-01-05T10:00:00%2B00:00", "ann bob"),
        ("lastInteractedAt[strictly_after]=2026-01-05T10:00:00Z", "bob"),
        ("totalSpend=500", "ann cat"),
        ("totalSpend[lt]=0", "bob"),
        ("totalSpend[between]=-20..0", "bob none"),
        ("totalSpend[gte]=500&totalOrders[gt]=0", "ann"),
        ("recency=5", "cat"),
        ("frequency[gte]=1", ""),
        ("search=example&tag=vip&totalOrders[lte]=1", "bob"),
    ],
)
def test_filters(api: Any, people: dict[str, int], query: str, expected: str) -> None:
    assert sorted(keys(people, api.get(f"/contacts?{query}"))) == sorted(expected.split())


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("", "none cat bob ann"),
        ("order[createdAt]=asc", "ann bob cat none"),
        ("order[totalSpend]=desc", "cat ann none bob"),
        ("order[totalSpend]=asc", "bob none ann cat"),
        ("order[totalOrders]=desc", "ann bob none cat"),
        ("order[lastInteractedAt]=desc", "bob ann none cat"),
        ("order[lastInteractedAt]=asc", "ann bob none cat"),
        ("order[name]=asc", "ann bob cat none"),
        ("order[name]=desc", "cat bob ann none"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 30])
def test_order_holds_over_pages(
    api: Any, people: dict[str, int], order: str, expected: str, size: int
) -> None:
    found: list[str] = []
    address = f"/contacts?itemsPerPage={size}&{order}"
    while address:
        response = api.get(address)
        found += keys(people, response)
        links = [link for link in response["Link"].split(", ") if 'rel="next"' in link]
        address = links[0][1:].split(">")[0].removeprefix("http://testserver") if links else ""

    if order == "order[totalOrders]=desc":
        assert found[:2] == ["ann", "bob"]
        assert sorted(found[2:]) == ["cat", "none"]
    else:
        assert found == expected.split()


def test_order_by_updated_at(api: Any, people: dict[str, int], time_machine: Any) -> None:
    time_machine.move_to(datetime.now(UTC) + timedelta(hours=1))
    api.patch(f"/contacts/{people['bob']}", {"firstName": "Bobby"})

    assert keys(people, api.get("/contacts?order[updatedAt]=desc"))[0] == "bob"
    assert keys(people, api.get("/contacts?order[updatedAt]=asc"))[-1] == "bob"


@pytest.mark.parametrize(
    "spelling", ["07700 900001", "%2B447700900001", "+447700900001", "447700900001"]
)
def test_the_phone_is_found_in_any_spelling(api: Any, spelling: str) -> None:
    pk = api.post("/contacts", {"phoneNumber": "(07700) 900-001"}).json()["id"]

    assert [one["id"] for one in api.get(f"/contacts?phoneNumber={spelling}").json()] == [pk]


@pytest.mark.parametrize(
    "query",
    [
        "phoneNumber=12",
        "totalSpend[gte]=much",
        "dob[after]=soon",
        "kind=robot",
        "order[shoeSize]=asc",
        "order[customField.nothing]=asc",
        "order[name]=up",
        "customfield[x]=1",
        "colour=red",
        "totalSpend[between]=5",
        "search=",
        "page=0",
    ],
)
def test_what_cannot_be_asked_is_a_400_that_names_it(api: Any, query: str) -> None:
    response = api.get(f"/contacts?{query}")

    assert response.status_code == 400, response.content
    name = query.split("=", maxsplit=1)[0]
    assert response.json()["violations"][0]["propertyPath"] == name


def test_another_organisations_contacts_are_not_listed(
    api: Any, api_for: Any, other_organisation: Any, people: dict[str, int]
) -> None:
    stranger = api_for(other_organisation)

    for query in ("", "?order[totalSpend]=desc", "?tag=VIP", "?emailAddress=ann@example.com"):
        assert stranger.get(f"/contacts{query}").json() == []
    assert Contact.objects.across_organisations().count() == 4


def test_count_is_told_when_asked_for(api: Any, people: dict[str, int]) -> None:
    response = api.get("/contacts?count=true&itemsPerPage=1&order[lastInteractedAt]=asc")

    assert response["X-Total-Count"] == "4"


def test_names_are_sorted_whatever_their_case(api: Any) -> None:
    for number, name in enumerate(("bob", "Cat", "Ann", "ann")):
        api.post("/contacts", {"emailAddress": f"{number}@example.com", "name": name})
    api.post("/contacts", {"emailAddress": "nameless@example.com"})

    names = [one["name"] for one in api.get("/contacts?order[name]=asc").json()]

    assert [name.lower() for name in names] == ["ann", "ann", "bob", "cat", ""]


@pytest.mark.parametrize("order", ["createdAt", "name", "totalSpend"])
@pytest.mark.parametrize("way", ["asc", "desc"])
@pytest.mark.parametrize("patience", [2, 9])
def test_what_is_found_at_both_ends_of_a_long_list_comes_in_its_order(
    api: Any, monkeypatch: pytest.MonkeyPatch, order: str, way: str, patience: int
) -> None:
    """As of millions, of which a page is looked for a little way along the list, then gathered."""
    monkeypatch.setattr("contacts.search.FEW", 1)
    monkeypatch.setattr("crm.api.pagination.Walk.patience", property(lambda _walk: patience))
    found = [0, 1, 17, 18, 19]
    names = [f"{letter} {'Ruby' if at in found else 'Jo'}" for at, letter in enumerate(ALPHABET)]
    rows = [{"name": name, "emailAddress": f"{at}@example.com"} for at, name in enumerate(names)]
    ids = [told["id"] for told in api.post("/contacts/batch", {"contacts": rows}).json()["results"]]
    for at, pk in enumerate(ids):
        rollup = ContactRollup.objects.across_organisations().filter(pk=pk)
        rollup.update(total_spend=at)
    wanted = [ids[at] for at in (found if way == "asc" else reversed(found))]

    query = f"/contacts?search=ruby&order[{order}]={way}&itemsPerPage=2"
    pages, prev = [], ""
    while query:
        answer = api.get(query)
        pages.append([told["id"] for told in answer.json()])
        links = dict(re.findall(r'<([^>]*)>; rel="(\w+)"', answer["Link"]))
        ways = {rel: address for address, rel in links.items()}
        query, prev = ways.get("next", ""), ways.get("prev", "")

    assert [pk for page in pages for pk in page] == wanted
    assert [told["id"] for told in api.get(prev).json()] == pages[-2]


ALPHABET = "ABCDEFGHIJKLMNOPQRST"
