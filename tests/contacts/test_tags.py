"""/tags and /contacts/{id}/tags/{name}."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from contacts import services
from contacts.models import Contact


@pytest.fixture
def jane(api: Any) -> int:
    return int(api.post("/contacts", {"emailAddress": "jane@example.com"}).json()["id"])


def names(api: Any, pk: int) -> list[str]:
    return [tag["name"] for tag in api.get(f"/contacts/{pk}").json()["tags"]]


@pytest.mark.parametrize("name", ["VIP", "Früh stück", "a/b", "50% off?", "#1", "日本", "x&y=z"])
def test_a_tag_is_put_on_and_taken_off_any_number_of_times(api: Any, jane: int, name: str) -> None:
    address = f"/contacts/{jane}/tags/{quote(name, safe='')}"

    for _time in range(2):
        response = api.put(address)
        assert response.status_code == 200, response.content
        assert response.json()["name"] == name
        assert names(api, jane) == [name]
    for _time in range(2):
        assert api.delete(address).status_code == 204
        assert names(api, jane) == []


def test_tags_are_one_whatever_the_case_and_accents(api: Any, jane: int) -> None:
    first = api.post("/tags", {"name": "Café"})
    again = api.post("/tags", {"name": " CAFE "})

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert first.json()["kind"] == "manual"
    api.put(f"/contacts/{jane}/tags/cafe")
    assert names(api, jane) == ["Café"]
    assert [tag["id"] for tag in api.get("/tags?name=CAFÉ").json()] == [first.json()["id"]]


def test_a_deleted_tag_is_off_every_contact(api: Any, jane: int) -> None:
    tag = api.put(f"/contacts/{jane}/tags/VIP").json()["id"]

    assert api.delete(f"/tags/{tag}").status_code == 204
    assert api.get(f"/tags/{tag}").status_code == 404
    assert names(api, jane) == []


def test_tags_that_follow_a_rule_are_not_for_hands(api: Any, jane: int, organisation: Any) -> None:
    contact = Contact.objects.for_organisation(organisation).get()
    services.tag(contacts=contact, name="Regulars", kind="segment")

    assert api.put(f"/contacts/{jane}/tags/Regulars").status_code == 409
    assert api.delete(f"/contacts/{jane}/tags/regulars").status_code == 409
    tag = api.get("/tags?kind=segment").json()[0]["id"]
    assert api.delete(f"/tags/{tag}").status_code == 409
    assert api.patch(f"/contacts/{jane}", {"tags": ["Own"]}).status_code == 200
    assert names(api, jane) == ["Own", "Regulars"]
    other = api.post("/contacts", {"emailAddress": "o@example.com"}).json()["id"]
    refused = api.patch(f"/contacts/{other}", {"tags": ["Regulars"]})
    assert refused.status_code == 422
    services.untag(contacts=contact, name="Regulars", kind="segment")
    assert names(api, jane) == ["Own"]


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, None, 5, "\ufdfa" * 100])
def test_a_bad_name_is_refused(api: Any, name: Any) -> None:
    assert api.post("/tags", {"name": name}).status_code == 422


def test_tags_of_another_organisation_are_not_there(
    api: Any, api_for: Any, other_organisation: Any, jane: int
) -> None:
    stranger = api_for(other_organisation)
    tag = api.put(f"/contacts/{jane}/tags/VIP").json()["id"]

    assert stranger.get("/tags").json() == []
    assert stranger.get(f"/tags/{tag}").status_code == 404
    assert stranger.delete(f"/tags/{tag}").status_code == 404
    assert stranger.put(f"/contacts/{jane}/tags/VIP").status_code == 404
    assert stranger.delete(f"/contacts/{jane}/tags/VIP").status_code == 404
    assert stranger.post("/tags", {"name": "VIP"}).status_code == 201


def test_tagging_many_says_how_many_were_new(organisation: Any, api: Any, jane: int) -> None:
    api.post("/contacts", {"emailAddress": "other@example.com", "tags": ["VIP"]})
    everyone = Contact.objects.for_organisation(organisation)

    assert services.tag(contacts=everyone, name="vip") == 1
    assert services.untag(contacts=everyone, name="vip") == 2
    assert services.untag(contacts=everyone, name="vip") == 0
