"""PATCH /contacts/{id}."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest


@pytest.fixture
def jane(api: Any) -> dict[str, Any]:
    told: dict[str, Any] = api.post(
        "/contacts",
        {
            "emailAddress": "jane@example.com",
            "phoneNumber": "07700900001",
            "firstName": "Jane",
            "lastName": "Doe",
            "dob": "1990-02-28",
            "tags": ["VIP", "Golf"],
            "addresses": [{"line1": "1 High Street"}, {"line1": "2 Low Street"}],
        },
    ).json()
    return told


def test_only_what_is_given_changes_and_null_clears(api: Any, jane: dict[str, Any]) -> None:
    told = api.patch(f"/contacts/{jane['id']}", {"dob": None, "phoneNumber": None}).json()

    assert told["dob"] is None
    assert told["phoneNumber"] is None
    assert told["phoneNumberE164"] is None
    assert told["phoneNumberCountryCode"] is None
    assert told["emailAddress"] == "jane@example.com"
    assert told["tags"] == jane["tags"]
    assert told["addresses"] == jane["addresses"]


def test_clearing_the_last_identifier_is_refused(api: Any, jane: dict[str, Any]) -> None:
    address = f"/contacts/{jane['id']}"
    assert api.patch(address, {"phoneNumber": ""}).status_code == 200

    response = api.patch(address, {"emailAddress": None, "firstName": "No"})

    assert response.status_code == 422
    assert response.json()["violations"][0]["propertyPath"] == "emailAddress"
    assert api.get(address).json()["firstName"] == "Jane"


def test_an_identifier_of_another_contact_is_409(api: Any, jane: dict[str, Any]) -> None:
    other = api.post("/contacts", {"emailAddress": "other@example.com"}).json()["id"]

    response = api.patch(f"/contacts/{jane['id']}", {"emailAddress": "OTHER@example.com"})

    assert response.status_code == 409
    assert response.json()["ids"] == [other]


def test_the_name_follows_first_and_last_until_one_is_given(api: Any, jane: dict[str, Any]) -> None:
    address = f"/contacts/{jane['id']}"

    assert api.patch(address, {"lastName": "Roe"}).json()["name"] == "Jane Roe"
    assert api.patch(address, {"name": "Lady Roe"}).json()["name"] == "Lady Roe"
    assert api.patch(address, {"firstName": "Ann"}).json()["name"] == "Lady Roe"
    assert api.patch(address, {"name": None}).json()["name"] == "Ann Roe"
    assert api.patch(address, {"firstName": None}).json()["name"] == "Roe"


def test_the_phone_is_read_anew_when_the_calling_code_changes(
    api: Any, jane: dict[str, Any]
) -> None:
    address = f"/contacts/{jane['id']}"
    api.patch(address, {"phoneNumber": "06 12 34 56 78", "phoneNumberCountryCode": "33"})

    told = api.patch(address, {"phoneNumberCountryCode": "+39"}).json()
    assert told["phoneNumberE164"] == "+390612345678"
    assert told["phoneNumberCountryCode"] == "39"

    same = api.patch(address, {"phoneNumber": "06 12 34 56 78"}).json()
    assert same["phoneNumberE164"] == "+390612345678"


def test_addresses_and_manual_tags_are_replaced(api: Any, jane: dict[str, Any]) -> None:
    told = api.patch(
        f"/contacts/{jane['id']}",
        {"addresses": [{"line1": "3 New Street"}], "tags": [{"name": "golf"}, "Spa"]},
    ).json()

    assert [one["line1"] for one in told["addresses"]] == ["3 New Street"]
    assert [one["name"] for one in told["tags"]] == ["Golf", "Spa"]


def test_what_was_read_can_be_sent_back(api: Any, jane: dict[str, Any]) -> None:
    read = api.get(f"/contacts/{jane['id']}").json()

    response = api.patch(f"/contacts/{jane['id']}", {**read, "lastName": "Doe"})

    assert response.status_code == 200, response.content
    assert response.json() == read


def test_a_read_only_key_is_refused(api: Any, jane: dict[str, Any]) -> None:
    response = api.patch(f"/contacts/{jane['id']}", {"totalSpend": 1})

    assert response.status_code == 422
    assert response.json()["violations"][0]["code"] == "read_only"


def test_updated_at_moves_only_when_something_changed(
    api: Any, jane: dict[str, Any], time_machine: Any
) -> None:
    address = f"/contacts/{jane['id']}"
    time_machine.move_to(datetime.now(UTC) + timedelta(hours=1))
    assert api.patch(address, {"firstName": "Jane"}).json()["updatedAt"] == jane["updatedAt"]
    assert api.patch(address, {"tags": ["vip", "golf"]}).json()["updatedAt"] == jane["updatedAt"]
    assert api.patch(address, {"tags": ["vip"]}).json()["updatedAt"] > jane["updatedAt"]


def test_a_stale_if_match_is_412(api: Any, jane: dict[str, Any]) -> None:
    address = f"/contacts/{jane['id']}"
    tag = api.get(address)["ETag"]

    fresh = api.patch(address, {"firstName": "Ann"}, headers={"If-Match": tag})
    stale = api.patch(address, {"firstName": "Eve"}, headers={"If-Match": tag})

    assert (fresh.status_code, stale.status_code) == (200, 412)
    assert api.get(address).json()["firstName"] == "Ann"


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_another_organisations_contact_is_not_there(
    api_for: Any, other_organisation: Any, jane: dict[str, Any], method: str
) -> None:
    stranger = api_for(other_organisation)

    assert getattr(stranger, method)(f"/contacts/{jane['id']}").status_code == 404


def test_an_address_that_is_null_is_refused(api: Any) -> None:
    contact = api.post("/contacts", {"emailAddress": "jane@example.com"}).json()["id"]
    answer = api.patch(f"/contacts/{contact}", {"addresses": [None]})
    assert answer.status_code == 422
    assert [one["propertyPath"] for one in answer.json()["violations"]] == ["addresses[0]"]
