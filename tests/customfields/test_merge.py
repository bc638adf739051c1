"""What becomes of custom values when contacts are merged, and when that is undone."""

from __future__ import annotations

from typing import Any

from customfields import services
from tests.customfields.factories import contact, define

OPTIONS = ["Golf", "Swimming", "Spa"]


def two(organisation: Any) -> tuple[Any, Any]:
    """A survivor and one to be absorbed; each has something that the other lacks."""
    define(organisation, "Size", "Text")
    define(organisation, "Card", "Text", unique=True)
    define(organisation, "Rate", "Number")
    define(organisation, "Hobbies", "Multi select", options=OPTIONS)
    return (
        contact(organisation, size="L", rate=1),
        contact(organisation, size="S", card="A1", hobbies="Spa,Golf"),
    )


def values(api: Any, contact: Any) -> Any:
    return api.get(f"/contacts/{contact.pk}").json()["customFields"]


def test_the_survivor_keeps_its_own_and_takes_what_it_lacks(api: Any, organisation: Any) -> None:
    survivor, absorbed = two(organisation)
    merged = api.post(f"/contacts/{survivor.pk}/merge", {"contact": absorbed.pk})
    assert merged.status_code == 200, merged.content
    expected = {"size": "L", "card": "A1", "rate": 1, "hobbies": ["Golf", "Spa"]}
    assert merged.json()["customFields"] == expected
    assert values(api, absorbed) == expected
    # Its own rows count once, and no longer by themselves.
    assert len(api.get("/contacts?customField[size][exists]=true").json()) == 1
    assert api.get("/contacts?customField[size]=S").json() == []
    address = f"/contacts/{absorbed.pk}/custom-fields/size"
    assert api.put(address, {"value": "XL"}).json()["contactId"] == survivor.pk


def test_undone_each_has_what_was_its_own(api: Any, organisation: Any) -> None:
    survivor, absorbed = two(organisation)
    before = values(api, survivor), values(api, absorbed)
    api.post(f"/contacts/{survivor.pk}/merge", {"contact": absorbed.pk})
    undone = api.post(f"/contacts/{survivor.pk}/unmerge", {"contact": absorbed.pk})
    assert undone.status_code == 200, undone.content
    assert (values(api, survivor), values(api, absorbed)) == before
    taken = api.put(f"/contacts/{survivor.pk}/custom-fields/card", {"value": "A1"})
    assert taken.status_code == 422


def test_what_the_survivor_changed_since_stays_its_own(api: Any, organisation: Any) -> None:
    survivor, absorbed = two(organisation)
    api.post(f"/contacts/{survivor.pk}/merge", {"contact": absorbed.pk})
    api.patch(
        f"/contacts/{survivor.pk}",
        {"customFields": {"card": "B2", "hobbies": "Spa,Golf,Swimming"}},
    )
    api.post(f"/contacts/{survivor.pk}/unmerge", {"contact": absorbed.pk})
    assert values(api, survivor) == {
        "size": "L",
        "card": "B2",
        "rate": 1,
        "hobbies": OPTIONS,
    }
    assert values(api, absorbed) == {"size": "S", "card": "A1", "hobbies": ["Golf", "Spa"]}


def test_what_the_survivor_cleared_comes_back_to_the_other(api: Any, organisation: Any) -> None:
    survivor, absorbed = two(organisation)
    api.post(f"/contacts/{survivor.pk}/merge", {"contact": absorbed.pk})
    api.patch(f"/contacts/{survivor.pk}", {"customFields": {"card": None, "hobbies": None}})
    api.post(f"/contacts/{survivor.pk}/unmerge", {"contact": absorbed.pk})
    assert values(api, survivor) == {"size": "L", "rate": 1}
    assert values(api, absorbed) == {"size": "S", "card": "A1", "hobbies": ["Golf", "Spa"]}


def test_a_unique_value_that_someone_took_meanwhile_stands_in_the_way(
    api: Any, organisation: Any
) -> None:
    survivor, absorbed = two(organisation)
    api.post(f"/contacts/{survivor.pk}/merge", {"contact": absorbed.pk})
    api.delete(f"/contacts/{survivor.pk}/custom-fields/card")
    thief = contact(organisation, card="A1")
    refused = api.post(f"/contacts/{survivor.pk}/unmerge", {"contact": absorbed.pk})
    assert refused.status_code == 409
    assert refused.json()["ids"] == [thief.pk]
    assert values(api, survivor) == {"size": "L", "rate": 1, "hobbies": ["Golf", "Spa"]}


def test_a_merged_contact_neither_lacks_nor_shares_a_value(api: Any, organisation: Any) -> None:
    field = define(organisation, "Size", "Text")
    survivor, absorbed = contact(organisation, size="L"), contact(organisation)
    api.post(f"/contacts/{survivor.pk}/merge", {"contact": absorbed.pk})
    again = contact(organisation, size="M")
    api.post(f"/contacts/{again.pk}/merge", {"contact": survivor.pk})
    other = contact(organisation, size="L")
    answer = api.patch(f"/custom-fields/{field.pk}", {"required": True, "unique": True})
    assert answer.status_code == 200, answer.content
    refused = api.delete(f"/custom-fields/{field.pk}")
    assert "2 contacts" in refused.json()["detail"]
    assert services.set_values(contact=other, values={"size": "XL"})


def test_redacted_values_do_not_come_back(api: Any, organisation: Any) -> None:
    survivor, absorbed = two(organisation)
    api.post(f"/contacts/{survivor.pk}/merge", {"contact": absorbed.pk})
    api.post(f"/contacts/{survivor.pk}/redact")
    api.post(f"/contacts/{survivor.pk}/unmerge", {"contact": absorbed.pk})
    assert (values(api, survivor), values(api, absorbed)) == ({}, {})
