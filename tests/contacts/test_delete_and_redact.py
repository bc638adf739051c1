"""DELETE /contacts/{id} and POST /contacts/{id}/redact."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contacts.models import Contact, Merge


@pytest.fixture
def merged(api: Any) -> dict[str, int]:
    """A contact with everything, into which another was merged."""
    survivor = api.post(
        "/contacts",
        {
            "emailAddress": "secret@example.com",
            "firstName": "Secret",
            "lastName": "Person",
            "dob": "1990-02-28",
            "tags": ["VIP"],
            "addresses": [{"line1": "Secret Street"}],
        },
    ).json()["id"]
    absorbed = api.post(
        "/contacts",
        {
            "emailAddress": "secret2@example.com",
            "phoneNumber": "07700900009",
            "name": "Secret Two",
            "addresses": [{"line1": "Secret Road"}],
        },
    ).json()["id"]
    api.post(
        "/referral-invites", {"contact": survivor, "emailAddress": "secret-friend@example.com"}
    )
    assert api.post(f"/contacts/{survivor}/merge", {"contact": absorbed}).status_code == 200
    return {"survivor": survivor, "absorbed": absorbed}


def test_a_deleted_contact_is_gone_with_what_was_merged_into_it(
    api: Any, merged: dict[str, int]
) -> None:
    assert api.delete(f"/contacts/{merged['survivor']}").status_code == 204

    assert api.get(f"/contacts/{merged['survivor']}").status_code == 404
    assert api.get(f"/contacts/{merged['absorbed']}").status_code == 404
    assert not Contact.objects.across_organisations().exists()
    assert api.delete(f"/contacts/{merged['survivor']}").status_code == 404
    assert api.post("/contacts", {"emailAddress": "secret@example.com"}).status_code == 201


def test_a_merged_contact_is_not_deleted_by_its_old_id(api: Any, merged: dict[str, int]) -> None:
    response = api.delete(f"/contacts/{merged['absorbed']}")

    assert response.status_code == 409
    assert response.json()["ids"] == [merged["survivor"]]


def test_redaction_leaves_nothing_personal(api: Any, merged: dict[str, int]) -> None:
    address = f"/contacts/{merged['survivor']}"
    response = api.post(f"{address}/redact")

    assert response.status_code == 200, response.content
    told = response.json()
    assert told["redactedAt"] is not None
    assert told["name"] == told["firstName"] == told["lastName"] == ""
    assert told["emailAddress"] is told["phoneNumber"] is told["phoneNumberE164"] is None
    assert told["dob"] is None
    assert told["addresses"] == []
    assert [tag["name"] for tag in told["tags"]] == ["VIP"]
    rows = [
        *Contact.objects.across_organisations().values(),
        *Merge.objects.across_organisations().values(),
        *api.get("/referral-invites").json(),
    ]
    assert "ecret" not in json.dumps(rows, default=str)
    assert api.get("/contacts?search=secret").json() == []


def test_redacting_again_changes_nothing(api: Any, merged: dict[str, int]) -> None:
    address = f"/contacts/{merged['survivor']}"
    assert api.post(f"{address}/redact").json() == api.post(f"{address}/redact").json()


def test_the_identifiers_of_a_redacted_contact_are_free(api: Any, merged: dict[str, int]) -> None:
    api.post(f"/contacts/{merged['survivor']}/redact")

    for given in ({"emailAddress": "secret@example.com"}, {"phoneNumber": "07700900009"}):
        response = api.post("/contacts", given)
        assert response.status_code == 201
        assert response.json()["id"] not in merged.values()


def test_a_redacted_contact_is_not_written_to_again(api: Any, merged: dict[str, int]) -> None:
    address = f"/contacts/{merged['survivor']}"
    told = api.post(f"{address}/redact").json()

    assert api.patch(address, {"firstName": "Back"}).status_code == 409
    assert api.patch(address, {"firstName": ""}).status_code == 200
    assert api.patch(address, told).json() == told
    other = api.post("/contacts", {"emailAddress": "other@example.com"}).json()["id"]
    assert api.post(f"{address}/merge", {"contact": other}).status_code == 409
    assert api.post(f"/contacts/{other}/merge", {"contact": merged["survivor"]}).status_code == 409


def test_an_unmerge_after_redaction_brings_back_an_empty_contact(
    api: Any, merged: dict[str, int]
) -> None:
    api.post(f"/contacts/{merged['survivor']}/redact")

    response = api.post(f"/contacts/{merged['survivor']}/unmerge", {"contact": merged["absorbed"]})

    assert response.status_code == 200, response.content
    assert response.json()["id"] == merged["absorbed"]
    assert response.json()["emailAddress"] is None
    assert response.json()["redactedAt"] is not None
