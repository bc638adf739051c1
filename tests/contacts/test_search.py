"""GET /contacts?search=: names, e-mail and phone fragments."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from contacts import search
from contacts.models import Contact


@pytest.fixture
def people(api: Any) -> dict[int, str]:
    given = [
        {"emailAddress": "zoe.muller@example.com", "firstName": "Zoë", "lastName": "Müller"},
        {"phoneNumber": "07837489814", "firstName": "Richard", "lastName": "Hull"},
        {"phoneNumber": "+44 7837 489815", "name": "Acme 100% Ltd", "kind": "business"},
        {"emailAddress": "o'brien_x@example.org", "lastName": "O'Brien"},
        {"emailAddress": "yi@example.net", "name": "李 Yi"},
        {"emailAddress": "q@example.net", "name": 'The "Quoted" \\ One'},
    ]
    names = ["zoe", "richard", "acme", "obrien", "yi", "quoted"]
    return {
        api.post("/contacts", values).json()["id"]: name
        for name, values in zip(names, given, strict=True)
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("zoe", "zoe"),
        ("ZOË MÜLLER", "zoe"),
        ("muller zoe", "zoe"),
        ("muller richard", ""),
        ("uller", "zoe"),
        ("zoe.muller@EXAMPLE", "zoe"),
        ("07837 489814", "richard"),
        ("07837 489", "richard acme"),
        ("+44 7837", "richard acme"),
        ("0044 (0)7837-489815", "acme"),
        ("richard 07837 489", "richard"),
        ("489815", "acme"),
        ("9815", "acme"),
        ("hu", "richard"),
        ("ex", "zoe obrien yi quoted"),
        ("br", "obrien"),
        ("ul", ""),
        ("z h", ""),
        ("x h", "quoted"),
        ("%", "acme"),
        ("100%", "acme"),
        ("_", "obrien"),
        ("o'brien", "obrien"),
        ('"', "quoted"),
        ('"quoted" \\', "quoted"),
        ("\\", "quoted"),
        ("李", "yi"),
        ("李 yi", "yi"),
        ("nobody", ""),
        ("OR AND NOT", ""),
        ("zoe*", ""),
        ("acme^2", ""),
    ],
)
def test_what_is_found(api: Any, people: dict[int, str], text: str, expected: str) -> None:
    response = api.get("/contacts", {"search": text})

    assert response.status_code == 200, response.content
    found = {people[told["id"]] for told in response.json()}
    assert found == set(expected.split())


def test_what_changed_is_found_as_it_is_now(api: Any, people: dict[int, str]) -> None:
    zoe = next(pk for pk, name in people.items() if name == "zoe")
    api.patch(f"/contacts/{zoe}", {"lastName": "Schneider"})

    assert [one["id"] for one in api.get("/contacts?search=schneider").json()] == [zoe]
    api.delete(f"/contacts/{zoe}")
    assert api.get("/contacts?search=schneider").json() == []


def test_many_matches_are_found_as_well_as_few(
    api: Any, people: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = api.get("/contacts?search=example").json()
    monkeypatch.setattr(search, "FEW", 1)

    assert api.get("/contacts?search=example").json() == few != []


def test_other_organisations_people_are_not_found(
    api_for: Any, other_organisation: Any, people: dict[int, str]
) -> None:
    assert api_for(other_organisation).get("/contacts?search=zoe").json() == []


@pytest.mark.django_db(transaction=True)
def test_the_trigger_table_comes_back_after_a_migration_took_it(api: Any) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("SQLite only: PostgreSQL keeps its index itself")
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER contacts_search_insert")
    api.post("/contacts", {"emailAddress": "late@example.com", "name": "Latecomer"})

    call_command("migrate", verbosity=0)

    assert len(api.get("/contacts?search=latecomer").json()) == 1
    assert Contact.objects.across_organisations().count() == 1
