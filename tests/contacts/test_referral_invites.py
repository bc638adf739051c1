"""/referral-invites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from contacts.signals import referral_invite_completed, referral_invite_created


@pytest.fixture
def jane(api: Any) -> int:
    return int(api.post("/contacts", {"emailAddress": "jane@example.com"}).json()["id"])


@pytest.fixture
def friend(api: Any) -> int:
    return int(api.post("/contacts", {"emailAddress": "friend@example.com"}).json()["id"])


@pytest.fixture
def heard() -> Iterator[list[tuple[str, int]]]:
    events: list[tuple[str, int]] = []

    def created(invite: Any, **kwargs: Any) -> None:
        events.append(("created", invite.pk))

    def completed(invite: Any, **kwargs: Any) -> None:
        events.append(("completed", invite.pk))

    referral_invite_created.connect(created)
    referral_invite_completed.connect(completed)
    yield events
    referral_invite_created.disconnect(created)
    referral_invite_completed.disconnect(completed)


def test_an_invite_is_created_and_completed(
    api: Any, jane: int, friend: int, heard: list[tuple[str, int]]
) -> None:
    response = api.post(
        "/referral-invites",
        {"contact": f"/api/contacts/{jane}", "emailAddress": "friend@example.com"},
    )
    assert response.status_code == 201, response.content
    invite = response.json()
    assert invite["contact"] == jane
    assert invite["status"] == "Pending"
    assert len(invite["code"]) == 8
    assert invite["completedBy"] is invite["completedAt"] is None
    assert api.get(f"/contacts/{jane}").json()["referralInvites"] == [invite["id"]]

    address = f"/referral-invites/{invite['id']}"
    told = api.patch(address, {"status": "Completed", "completedBy": friend}).json()
    assert told["completedBy"] == friend
    assert told["completedAt"] is not None
    assert api.get(address).json() == told
    assert api.patch(address, told).json() == told
    assert heard == [("created", invite["id"]), ("completed", invite["id"])]

    assert api.patch(address, {"status": "Pending"}).status_code == 409


def test_one_may_be_completed_from_the_start(
    api: Any, jane: int, friend: int, heard: list[tuple[str, int]]
) -> None:
    invite = api.post(
        "/referral-invites", {"contact": jane, "status": "Completed", "completedBy": friend}
    ).json()

    assert invite["status"] == "Completed"
    assert [event for event, _pk in heard] == ["created", "completed"]


def test_what_cannot_be(
    api: Any, api_for: Any, other_organisation: Any, jane: int, friend: int
) -> None:
    theirs = api_for(other_organisation).post("/contacts", {"emailAddress": "t@example.com"})
    stranger = theirs.json()["id"]
    invite = api.post("/referral-invites", {"contact": jane, "code": "HELLO"}).json()["id"]
    address = f"/referral-invites/{invite}"

    assert api.post("/referral-invites", {"contact": jane, "code": "HELLO"}).status_code == 409
    for given in (
        {},
        {"contact": stranger},
        {"contact": jane, "emailAddress": "no"},
        {"contact": jane, "status": "Lost"},
        {"contact": jane, "completedBy": friend},
        {"contact": jane, "status": "Completed", "completedBy": jane},
        {"contact": jane, "colour": "red"},
    ):
        assert api.post("/referral-invites", given).status_code == 422, given
    for given in (
        {"completedBy": friend},
        {"status": "Completed", "completedBy": stranger},
        {"status": "Completed", "completedBy": jane},
        {"contact": friend},
        {"code": "OTHER"},
    ):
        assert api.patch(address, given).status_code == 422, given
    assert api.get(address).json()["status"] == "Pending"
    assert len(api.get("/referral-invites").json()) == 1
    for method in ("get", "patch"):
        assert getattr(api_for(other_organisation), method)(address).status_code == 404


def test_invites_are_filtered(api: Any, jane: int, friend: int) -> None:
    mine = api.post("/referral-invites", {"contact": jane, "emailAddress": "X@example.com"}).json()
    other = api.post("/referral-invites", {"contact": friend}).json()
    api.patch(f"/referral-invites/{other['id']}", {"status": "Expired"})

    for query in (
        f"contact={jane}",
        "status=Pending",
        "emailAddress=x@EXAMPLE.com",
        f"code={mine['code']}",
    ):
        found = api.get(f"/referral-invites?{query}").json()
        assert [one["id"] for one in found] == [mine["id"]], query
    newest_first = [one["id"] for one in api.get("/referral-invites").json()]
    assert newest_first == [other["id"], mine["id"]]
