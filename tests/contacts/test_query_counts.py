"""How many queries reading and writing contacts costs, without what other apps add."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import parts
from contacts.serializers import ContactSerializer

AUTHENTICATION = 1


@pytest.fixture(autouse=True)
def _no_parts() -> Iterator[None]:
    ContactSerializer().fields  # noqa: B018  # which are made once, and shall have all parts later
    kept = list(parts.PARTS)
    parts.PARTS.clear()
    yield
    parts.PARTS.extend(kept)


@pytest.fixture
def count(api: Any) -> Callable[..., int]:
    """`count(api.get, "/contacts")`: the queries of a request, without savepoints and the key's."""

    def counted(ask: Callable[..., Any], *args: Any, **kwargs: Any) -> int:
        with CaptureQueriesContext(connection) as queries:
            response = ask(*args, **kwargs)
        assert response.status_code < 300, response.content
        told = [
            query["sql"]
            for query in queries
            if not query["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))
        ]
        return len(told) - AUTHENTICATION

    api.get("/contacts")
    return counted


def fill(api: Any, number: int) -> list[int]:
    return [
        api.post(
            "/contacts",
            {
                "emailAddress": f"{n}-{number}@example.com",
                "tags": ["VIP", f"tag {n}"],
                "addresses": [{"line1": "1 High Street"}],
            },
        ).json()["id"]
        for n in range(number)
    ]


# The page with its totals; all that stands beside.
READ = 2


@pytest.mark.parametrize("number", [1, 12])
def test_a_list_costs_the_same_whatever_its_length(
    api: Any, count: Callable[..., int], number: int
) -> None:
    fill(api, number)

    assert count(api.get, "/contacts") == READ
    # The tag; whether those that fit the total are few; SQLite asks that of the tag too, and
    # PostgreSQL how far the list is walked for them.
    narrowing = 3
    query = "order[totalSpend]=desc&tag=VIP&totalSpend[gte]=0"
    assert count(api.get, f"/contacts?{query}") == READ + narrowing


def test_reading_one(api: Any, count: Callable[..., int]) -> None:
    (pk,) = fill(api, 1)

    assert count(api.get, f"/contacts/{pk}") == READ


def test_creating_one(api: Any, count: Callable[..., int]) -> None:
    # Find; insert; insert the totals, and the history; what stands beside.
    assert count(api.post, "/contacts", {"emailAddress": "a@example.com"}) == 5


def test_updating_one(api: Any, count: Callable[..., int]) -> None:
    (pk,) = fill(api, 1)

    # Read; lock; update; the history; touch the totals; to be compared again; read them, and what
    # stands beside.
    assert count(api.patch, f"/contacts/{pk}", {"firstName": "A"}) == 6 + READ
    # A new e-mail: is it another's?
    assert count(api.patch, f"/contacts/{pk}", {"emailAddress": "b@example.com"}) == 7 + READ
    # Nothing differs: read; lock; read it back.
    assert count(api.patch, f"/contacts/{pk}", {"firstName": "A"}) == 2 + READ


def test_a_batch_costs_no_more_for_more_rows(api: Any, count: Callable[..., int]) -> None:
    def rows(number: int) -> dict[str, Any]:
        return {
            "contacts": [
                {"emailAddress": f"{n}-of-{number}@example.com", "tags": ["VIP"]}
                for n in range(number)
            ]
        }

    fill(api, 1)
    # Find; look up the tags; insert contacts, totals, links, the history.
    assert count(api.post, "/contacts/batch", rows(2)) == 6
    assert count(api.post, "/contacts/batch", rows(30)) == 6
