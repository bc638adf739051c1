"""POST /contacts: create or update, matched by e-mail or phone."""

from __future__ import annotations

from typing import Any

import pytest

from contacts.models import Contact

JANE = {"emailAddress": "Jane@Example.com", "firstName": "Jane", "lastName": "Doe"}


def violations(response: Any) -> dict[str, str]:
    return {one["propertyPath"]: one["code"] for one in response.json()["violations"]}


def test_a_new_contact_is_answered_with_every_key(api: Any, organisation: Any) -> None:
    response = api.post("/contacts", JANE)

    assert response.status_code == 201
    told = response.json()
    assert response["Location"] == f"/api/contacts/{told['id']}"
    assert told.pop("createdAt") == told.pop("updatedAt")
    assert (
        told.items()
        >= {
            "organisation": organisation.pk,
            "kind": "person",
            "emailAddress": "Jane@Example.com",
            "phoneNumber": None,
            "phoneNumberCountryCode": None,
            "phoneNumberE164": None,
            "firstName": "Jane",
            "lastName": "Doe",
            "name": "Jane Doe",
            "dob": None,
            "timezone": "Europe/London",
            "addresses": [],
            "tags": [],
            "totalSpend": 0,
            "spendByCurrency": {},
            "totalOrders": 0,
            "lastInteractedAt": None,
            "recency": None,
            "frequency": None,
            "monetary": None,
            "referralInvites": [],
            "redactedAt": None,
        }.items()
    )
    assert api.get(f"/contacts/{told['id']}").json().items() >= told.items()


def test_the_same_email_in_another_case_updates(api: Any) -> None:
    first = api.post("/contacts", JANE).json()
    again = api.post("/contacts", {"emailAddress": " jane@example.COM ", "dob": "1990-02-28"})

    assert again.status_code == 200
    assert again.json()["id"] == first["id"]
    assert again.json()["dob"] == "1990-02-28"
    assert again.json()["firstName"] == "Jane"
    assert again.json()["emailAddress"] == "jane@example.COM"


@pytest.mark.parametrize(
    "spelling", ["07700 900000", "+44 7700 900000", "+44 (0)7700-900000", "0044 7700 900000"]
)
def test_any_spelling_of_the_phone_updates(api: Any, spelling: str) -> None:
    first = api.post("/contacts", {"phoneNumber": "+447700900000"}).json()
    again = api.post("/contacts", {"phoneNumber": spelling, "firstName": "Jo"})

    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    assert again.json()["phoneNumber"] == spelling
    assert again.json()["phoneNumberE164"] == "+447700900000"


def test_a_national_number_is_read_with_the_calling_code_given(api: Any) -> None:
    told = api.post(
        "/contacts", {"phoneNumber": "06 12 34 56 78", "phoneNumberCountryCode": "33"}
    ).json()

    assert told["phoneNumber"] == "06 12 34 56 78"
    assert told["phoneNumberCountryCode"] == "33"
    assert told["phoneNumberE164"] == "+33612345678"


def test_a_phone_that_cannot_be_read_is_refused_with_what_was_expected(api: Any) -> None:
    response = api.post("/contacts", {"phoneNumber": "12345", "emailAddress": "not one"})

    assert response.status_code == 422
    assert violations(response) == {
        "phoneNumber": "invalid_phone",
        "emailAddress": "invalid_email",
    }
    message = (
        response.json()["violations"][-1]["message"] + response.json()["violations"][0]["message"]
    )
    assert "expected one such as +44" in message


@pytest.mark.parametrize("given", [{}, {"emailAddress": None}, {"phoneNumber": "n/a"}])
def test_neither_email_nor_phone_is_refused(api: Any, given: dict[str, Any]) -> None:
    response = api.post("/contacts", {"firstName": "Nobody", **given})

    assert response.status_code == 422
    assert violations(response) == {"emailAddress": "required"}


def test_on_conflict_fail_answers_409_with_the_id(api: Any) -> None:
    first = api.post("/contacts?onConflict=fail", JANE)
    again = api.post("/contacts?onConflict=fail", {**JANE, "firstName": "Other"})

    assert first.status_code == 201
    assert again.status_code == 409
    assert again.json()["ids"] == [first.json()["id"]]
    assert api.get(f"/contacts/{first.json()['id']}").json()["firstName"] == "Jane"


def test_email_of_one_and_phone_of_another_is_409_with_both(api: Any) -> None:
    one = api.post("/contacts", {"emailAddress": "one@example.com"}).json()["id"]
    other = api.post("/contacts", {"phoneNumber": "07700900001"}).json()["id"]

    response = api.post(
        "/contacts",
        {"emailAddress": "one@example.com", "phoneNumber": "07700900001", "firstName": "Both"},
    )

    assert response.status_code == 409
    assert response.json()["ids"] == [one, other]
    assert api.get(f"/contacts/{one}").json()["firstName"] == ""


def test_a_new_phone_is_added_to_the_contact_that_the_email_finds(api: Any) -> None:
    first = api.post("/contacts", JANE).json()["id"]
    told = api.post("/contacts", {**JANE, "phoneNumber": "07700900001"}).json()

    assert (told["id"], told["phoneNumberE164"]) == (first, "+447700900001")


def test_relays_are_shown_and_match_nobody(api: Any) -> None:
    relay = {"emailAddress": "abc@guest.booking.com"}
    one = api.post("/contacts", {**relay, "firstName": "One"})
    two = api.post("/contacts", {**relay, "firstName": "Two"})

    assert (one.status_code, two.status_code) == (201, 201)
    assert one.json()["emailAddress"] == "abc@guest.booking.com"
    assert one.json()["id"] != two.json()["id"]
    found = api.get("/contacts?emailAddress=ABC@guest.booking.com").json()
    assert {told["id"] for told in found} == {one.json()["id"], two.json()["id"]}


def test_a_placeholder_takes_no_real_identifier_away(api: Any) -> None:
    first = api.post("/contacts", {**JANE, "phoneNumber": "07700900001"}).json()
    for given in (
        {"emailAddress": "abc@guest.booking.com", "phoneNumber": "07700900001"},
        {"emailAddress": None, "phoneNumber": "07700900001"},
        {"emailAddress": JANE["emailAddress"], "phoneNumber": "0000000000"},
    ):
        again = api.post("/contacts", given)
        assert again.status_code == 200
        assert again.json()["emailAddress"] == JANE["emailAddress"]
        assert again.json()["phoneNumberE164"] == first["phoneNumberE164"]


def test_nothing_changes_when_the_same_is_sent_again(api: Any) -> None:
    given = {
        **JANE,
        "addresses": [{"line1": "1 High Street", "country": "gb"}],
        "tags": ["VIP"],
    }
    first = api.post("/contacts", given).json()
    Contact.objects.across_organisations().update(updated_at="2020-01-01T00:00:00Z")

    assert api.post("/contacts", given).json() == first
    contact = Contact.objects.across_organisations().get()
    assert contact.updated_at.year == 2020


def test_other_organisations_contacts_are_not_matched(
    api: Any, api_for: Any, other_organisation: Any
) -> None:
    theirs = api_for(other_organisation).post("/contacts", JANE).json()["id"]

    mine = api.post("/contacts", JANE)

    assert mine.status_code == 201
    assert mine.json()["id"] != theirs


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"dob": "2999-01-01"}, "dob"),
        ({"dob": "1500-01-01"}, "dob"),
        ({"dob": "yesterday"}, "dob"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"kind": "robot"}, "kind"),
        ({"firstName": "x" * 151}, "firstName"),
        ({"emailAddress": "x" * 250 + "@example.com"}, "emailAddress"),
        ({"phoneNumberCountryCode": "999"}, "phoneNumberCountryCode"),
        ({"addresses": [{"city": "Bath"}, {"country": "XX"}]}, "addresses[1].country"),
        ({"addresses": "Bath"}, "addresses"),
        ({"tags": ["fine", ""]}, "tags[1]"),
        ({"tags": [{"id": 4}]}, "tags"),
        ({"firstName": 7}, "firstName"),
        ({"firstName": "a\0b"}, "firstName"),
        ({"emial": "x"}, "emial"),
        ({"totalSpend": 5}, "totalSpend"),
    ],
)
def test_what_cannot_be_taken_is_named(api: Any, given: dict[str, Any], path: str) -> None:
    response = api.post("/contacts", {"emailAddress": "jane@example.com", **given})

    assert response.status_code == 422, response.content
    assert [one["propertyPath"] for one in response.json()["violations"]] == [path]
    assert not Contact.objects.across_organisations().exists()


def test_spaces_are_trimmed_and_a_business_has_its_name(api: Any) -> None:
    told = api.post(
        "/contacts",
        {
            "kind": "business",
            "name": "  Acme Ltd ",
            "emailAddress": " office@acme.example ",
            "addresses": [{"type": "billing", "line1": " 1 High St ", "country": "gb"}],
        },
    ).json()

    assert (told["kind"], told["name"]) == ("business", "Acme Ltd")
    assert told["emailAddress"] == "office@acme.example"
    assert told["addresses"] == [
        {
            "type": "billing",
            "line1": "1 High St",
            "line2": "",
            "city": "",
            "county": "",
            "postcode": "",
            "country": "GB",
        }
    ]
