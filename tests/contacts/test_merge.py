"""POST /contacts/{id}/merge and unmerge."""

from __future__ import annotations

from typing import Any

import pytest

from contacts.signals import contact_merged, contact_unmerged


def create(api: Any, **given: Any) -> int:
    response = api.post("/contacts", given)
    assert response.status_code == 201, response.content
    return int(response.json()["id"])


@pytest.fixture
def jane(api: Any) -> int:
    return create(
        api,
        emailAddress="jane@example.com",
        firstName="Jane",
        tags=["VIP"],
        addresses=[{"line1": "1 High Street"}],
    )


@pytest.fixture
def twin(api: Any) -> int:
    return create(
        api,
        emailAddress="twin@example.com",
        phoneNumber="07700900002",
        firstName="Janet",
        lastName="Doe",
        dob="1990-02-28",
        tags=["vip", "Golf"],
        addresses=[{"line1": "1 High Street"}, {"line1": "2 Low Street"}],
    )


def merge(api: Any, survivor: int, absorbed: int) -> Any:
    return api.post(f"/contacts/{survivor}/merge", {"contact": absorbed})


def unmerge(api: Any, survivor: int, absorbed: int) -> Any:
    return api.post(f"/contacts/{survivor}/unmerge", {"contact": absorbed})


def test_the_survivor_keeps_its_own_and_is_filled_where_it_lacks(
    api: Any, jane: int, twin: int
) -> None:
    response = merge(api, jane, twin)

    assert response.status_code == 200, response.content
    told = response.json()
    assert told["id"] == jane
    assert told["emailAddress"] == "jane@example.com"
    assert told["phoneNumberE164"] == "+447700900002"
    assert (told["firstName"], told["lastName"], told["name"]) == ("Jane", "Doe", "Jane Doe")
    assert told["dob"] == "1990-02-28"
    assert [tag["name"] for tag in told["tags"]] == ["Golf", "VIP"]
    assert [one["line1"] for one in told["addresses"]] == ["1 High Street", "2 Low Street"]


def test_the_absorbed_id_and_identifiers_find_the_survivor(api: Any, jane: int, twin: int) -> None:
    merge(api, jane, twin)

    assert api.get(f"/contacts/{twin}").json()["id"] == jane
    assert api.get(f"/contact/{twin}").json()["id"] == jane
    assert api.patch(f"/contacts/{twin}", {"lastName": "Roe"}).json()["id"] == jane
    assert [one["id"] for one in api.get("/contacts").json()] == [jane]
    for query in ("emailAddress=TWIN@example.com", "phoneNumber=07700 900002"):
        assert [one["id"] for one in api.get(f"/contacts?{query}").json()] == [jane]
    again = api.post("/contacts", {"emailAddress": "twin@example.com", "dob": "1991-01-01"})
    assert (again.status_code, again.json()["id"]) == (200, jane)
    assert again.json()["emailAddress"] == "jane@example.com"
    assert again.json()["dob"] == "1991-01-01"


def test_email_of_the_survivor_with_the_absorbed_ones_phone_is_one_person(
    api: Any, jane: int
) -> None:
    other = create(api, phoneNumber="07700900003")
    api.patch(f"/contacts/{jane}", {"phoneNumber": "07700900004"})
    merge(api, jane, other)

    response = api.post(
        "/contacts", {"emailAddress": "jane@example.com", "phoneNumber": "07700900003"}
    )

    assert (response.status_code, response.json()["id"]) == (200, jane)
    assert response.json()["phoneNumberE164"] == "+447700900004"


def test_unmerge_brings_both_back_as_they_were(api: Any, jane: int, twin: int) -> None:
    api.post("/referral-invites", {"contact": twin, "emailAddress": "friend@example.com"})
    before = [api.get(f"/contacts/{pk}").json() for pk in (jane, twin)]
    merged = merge(api, jane, twin).json()
    assert merged["referralInvites"] == before[1]["referralInvites"]

    response = unmerge(api, jane, twin)

    assert response.status_code == 200, response.content
    assert response.json()["id"] == twin
    after = [api.get(f"/contacts/{pk}").json() for pk in (jane, twin)]
    for told in (*before, *after):
        told.pop("updatedAt")
    assert after == before
    assert api.post("/contacts", {"emailAddress": "twin@example.com"}).json()["id"] == twin


def test_what_the_survivor_changed_since_stays_at_unmerge(api: Any, jane: int, twin: int) -> None:
    merge(api, jane, twin)
    api.patch(f"/contacts/{jane}", {"dob": "2000-01-01", "tags": ["Golf", "Spa"]})

    unmerge(api, jane, twin)

    told = api.get(f"/contacts/{jane}").json()
    assert told["dob"] == "2000-01-01"
    assert told["lastName"] == ""
    assert [tag["name"] for tag in told["tags"]] == ["Spa"]
    assert api.get(f"/contacts/{twin}").json()["dob"] == "1990-02-28"


def test_an_identifier_that_the_survivor_takes_over_moves(api: Any, jane: int, twin: int) -> None:
    merge(api, jane, twin)

    told = api.patch(f"/contacts/{jane}", {"emailAddress": "twin@example.com"})
    assert told.status_code == 200, told.content
    assert told.json()["emailAddress"] == "twin@example.com"

    refused = unmerge(api, jane, twin)
    assert refused.status_code == 409
    assert refused.json()["ids"] == [jane]
    assert str(jane) in refused.json()["detail"]

    api.patch(f"/contacts/{jane}", {"emailAddress": "jane@example.com"})
    assert unmerge(api, jane, twin).json()["emailAddress"] == "twin@example.com"


def test_unmerge_says_who_took_the_identifier_meanwhile(api: Any, jane: int, twin: int) -> None:
    merge(api, jane, twin)
    api.patch(f"/contacts/{jane}", {"phoneNumber": None})
    taker = create(api, phoneNumber="07700900002")

    response = unmerge(api, jane, twin)

    assert (response.status_code, response.json()["ids"]) == (409, [taker])
    assert api.get(f"/contacts/{twin}").json()["id"] == jane


def test_unmerge_does_not_leave_the_survivor_without_identifiers(api: Any) -> None:
    survivor = create(api, emailAddress="a@example.com")
    absorbed = create(api, phoneNumber="07700900005")
    merge(api, survivor, absorbed)
    assert api.patch(f"/contacts/{survivor}", {"emailAddress": None}).status_code == 200

    response = unmerge(api, survivor, absorbed)

    assert (response.status_code, response.json()["ids"]) == (409, [survivor])


def test_chains_end_at_the_last_survivor_and_come_apart_in_reverse(api: Any) -> None:
    first, second, third = (create(api, emailAddress=f"{n}@example.com") for n in "abc")
    merge(api, second, first)
    merge(api, third, second)

    assert api.get(f"/contacts/{first}").json()["id"] == third
    assert api.post("/contacts", {"emailAddress": "a@example.com"}).json()["id"] == third
    assert unmerge(api, third, first).status_code == 409
    assert unmerge(api, third, second).status_code == 200
    assert api.get(f"/contacts/{first}").json()["id"] == second
    assert unmerge(api, second, first).status_code == 200
    assert api.get(f"/contacts/{first}").json()["id"] == first


def test_merges_that_cannot_be(
    api: Any, api_for: Any, other_organisation: Any, jane: int, twin: int
) -> None:
    theirs = create(api_for(other_organisation), emailAddress="theirs@example.com")

    assert merge(api, jane, jane).status_code == 422
    assert merge(api, jane, theirs).status_code == 422
    assert merge(api, jane, 10**18).status_code == 422
    assert merge(api, theirs, jane).status_code == 404
    assert api.post(f"/contacts/{jane}/merge", {}).status_code == 422
    assert merge(api, jane, twin).status_code == 200
    again = merge(api, jane, twin)
    assert (again.status_code, again.json()["ids"]) == (409, [jane])
    other = create(api, emailAddress="other@example.com")
    assert merge(api, other, twin).status_code == 409
    assert unmerge(api, other, twin).status_code == 409
    assert unmerge(api, jane, other).status_code == 409
    assert unmerge(api, jane, theirs).status_code == 422
    assert unmerge(api, jane, twin).status_code == 200
    assert unmerge(api, jane, twin).status_code == 409


def test_merge_and_unmerge_are_announced(api: Any, jane: int, twin: int) -> None:
    heard: list[tuple[str, int, int]] = []

    def hear(signal: Any, merge: Any, **kwargs: Any) -> None:
        name = "merged" if signal is contact_merged else "unmerged"
        heard.append((name, merge.survivor_id, merge.absorbed_id))

    contact_merged.connect(hear)
    contact_unmerged.connect(hear)
    try:
        merge(api, jane, twin)
        unmerge(api, jane, twin)
    finally:
        contact_merged.disconnect(hear)
        contact_unmerged.disconnect(hear)

    assert heard == [("merged", jane, twin), ("unmerged", jane, twin)]
