"""GET|POST /custom-fields, GET|PATCH|DELETE /custom-fields/{id}."""

from __future__ import annotations

from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from tests.customfields.factories import contact, define

FULL = {
    "label": "Loyalty tier",
    "type": "Select",
    "helpText": "As printed on the card",
    "options": ["Gold", {"value": "Silver", "label": "Silver (old)"}],
    "required": False,
    "group": "Loyalty",
    "default": "Gold",
}


def test_a_definition_is_answered_with_every_key(api: Any) -> None:
    response = api.post("/custom-fields", FULL)
    assert response.status_code == 201, response.content
    told = response.json()
    assert list(told) == [
        "id",
        "name",
        "label",
        "type",
        "helpText",
        "options",
        "required",
        "unique",
        "minimum",
        "maximum",
        "pattern",
        "default",
        "group",
        "position",
        "archivedAt",
        "createdAt",
        "updatedAt",
    ]
    assert told["name"] == "loyalty_tier"
    assert told["options"] == [
        {"value": "Gold", "label": "Gold"},
        {"value": "Silver", "label": "Silver (old)"},
    ]
    assert told["default"] == "Gold"
    assert api.get(f"/custom-fields/{told['id']}").json() == told


def test_what_was_read_can_be_sent_back(api: Any) -> None:
    told = api.post("/custom-fields", FULL).json()
    response = api.patch(f"/custom-fields/{told['id']}", told)
    assert response.status_code == 200, response.content
    assert {**response.json(), "updatedAt": ""} == {**told, "updatedAt": ""}


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Dietary preference", "dietary_preference"),
        ("Café  Größe!", "cafe_grosse"),
        ("2nd home", "field_2nd_home"),
        ("食事", "field"),
    ],
)
def test_a_name_is_made_from_the_label(api: Any, label: str, name: str) -> None:
    assert api.post("/custom-fields", {"label": label, "type": "Text"}).json()["name"] == name


def test_made_names_differ_and_fields_stand_in_the_order_they_were_made(api: Any) -> None:
    made = [
        api.post("/custom-fields", {"label": "x" * 100, "type": "Text"}).json() for _ in range(3)
    ]
    assert [one["name"] for one in made] == ["x" * 60, "x" * 58 + "_2", "x" * 58 + "_3"]
    assert [one["position"] for one in made] == [0, 1, 2]
    assert [one["id"] for one in api.get("/custom-fields").json()] == [one["id"] for one in made]


def test_a_name_is_once_in_an_organisation(api: Any, api_for: Any, other_organisation: Any) -> None:
    body = {"label": "VIP", "name": "vip", "type": "Boolean"}
    assert api.post("/custom-fields", body).status_code == 201
    again = api.post("/custom-fields", body)
    assert again.status_code == 422
    assert again.json()["violations"][0]["propertyPath"] == "name"
    assert api_for(other_organisation).post("/custom-fields", body).status_code == 201


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"type": "Text"}, "label"),
        ({"label": "X"}, "type"),
        ({"label": "", "type": "Text"}, "label"),
        ({"label": " ", "type": "Text"}, "label"),
        ({"label": "X", "type": "text"}, "type"),
        ({"label": "X", "type": None}, "type"),
        ({"label": "X", "type": "Text", "name": "Big Name"}, "name"),
        ({"label": "X", "type": "Text", "colour": "red"}, "colour"),
        ({"label": "X", "type": "Text", "pattern": "("}, "pattern"),
        ({"label": "X", "type": "Text", "pattern": r"(a)\1"}, "pattern"),
        ({"label": "X", "type": "Number", "pattern": "a"}, "pattern"),
        ({"label": "X", "type": "Text", "minimum": -1}, "minimum"),
        ({"label": "X", "type": "Text", "minimum": 1.5}, "minimum"),
        ({"label": "X", "type": "Number", "minimum": 5, "maximum": 4}, "minimum"),
        ({"label": "X", "type": "Number", "minimum": "lots"}, "minimum"),
        ({"label": "X", "type": "Number", "maximum": 10**20}, "maximum"),
        ({"label": "X", "type": "Date", "minimum": 1}, "minimum"),
        ({"label": "X", "type": "Boolean", "unique": True}, "unique"),
        ({"label": "X", "type": "Textarea", "unique": True}, "unique"),
        ({"label": "X", "type": "Multi select", "options": ["a"], "unique": True}, "unique"),
        ({"label": "X", "type": "Text", "unique": True, "default": "a"}, "unique"),
        ({"label": "X", "type": "Text", "options": ["a"]}, "options"),
        ({"label": "X", "type": "Select"}, "options"),
        ({"label": "X", "type": "Select", "options": []}, "options"),
        ({"label": "X", "type": "Select", "options": "Gold"}, "options"),
        ({"label": "X", "type": "Select", "options": ["a", "a"]}, "options"),
        ({"label": "X", "type": "Select", "options": [""]}, "options"),
        ({"label": "X", "type": "Select", "options": [7]}, "options"),
        ({"label": "X", "type": "Select", "options": [{"label": "a"}]}, "options"),
        ({"label": "X", "type": "Select", "options": [{"value": "a", "x": 1}]}, "options"),
        ({"label": "X", "type": "Select", "options": ["a" * 121]}, "options"),
        ({"label": "X", "type": "Multi select", "options": ["a,b"]}, "options"),
        ({"label": "X", "type": "Number", "default": "many"}, "default"),
        ({"label": "X", "type": "Number", "maximum": 3, "default": 4}, "default"),
        ({"label": "X", "type": "Select", "options": ["a"], "default": "b"}, "default"),
        ({"label": "X", "type": "Text", "position": -1}, "position"),
        ({"label": "X", "type": "Text", "archivedAt": "yesterday"}, "archivedAt"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(api: Any, body: Any, path: str) -> None:
    response = api.post("/custom-fields", body)
    assert response.status_code == 422, response.content
    assert path in [one["propertyPath"] for one in response.json()["violations"]]
    assert api.get("/custom-fields").json() == []


def test_a_comma_may_be_in_an_option_of_a_select(api: Any) -> None:
    body = {"label": "X", "type": "Select", "options": ["Bed, breakfast"]}
    assert api.post("/custom-fields", body).status_code == 201


def test_the_name_is_fixed_and_the_label_is_not(api: Any) -> None:
    field = api.post("/custom-fields", {"label": "Old", "type": "Text"}).json()
    renamed = api.patch(f"/custom-fields/{field['id']}", {"label": "New"})
    assert (renamed.json()["label"], renamed.json()["name"]) == ("New", "old")
    refused = api.patch(f"/custom-fields/{field['id']}", {"name": "new"})
    assert refused.status_code == 422
    assert refused.json()["violations"][0]["propertyPath"] == "name"


def test_the_type_is_fixed_once_there_are_values(api: Any, organisation: Any) -> None:
    field = define(organisation, "Size", "Text")
    assert api.patch(f"/custom-fields/{field.pk}", {"type": "Number"}).status_code == 200
    someone = contact(organisation, size=4)
    refused = api.patch(f"/custom-fields/{field.pk}", {"type": "Text"})
    assert refused.status_code == 409
    assert refused.json()["ids"] == [someone.pk]
    assert "1 contact" in refused.json()["detail"]


def test_a_type_may_gain_and_lose_options_while_unused(api: Any, organisation: Any) -> None:
    field = define(organisation, "Size", "Select", options=["S", "M"])
    as_text = api.patch(f"/custom-fields/{field.pk}", {"type": "Text"})
    assert (as_text.status_code, as_text.json()["options"]) == (200, [])
    assert api.patch(f"/custom-fields/{field.pk}", {"type": "Select"}).status_code == 422
    back = api.patch(f"/custom-fields/{field.pk}", {"type": "Select", "options": ["L"]})
    assert back.json()["options"] == [{"value": "L", "label": "L"}]


def test_options_may_be_added_relabelled_and_put_in_another_order(
    api: Any, organisation: Any
) -> None:
    field = define(organisation, "Tier", "Select", options=["Gold", "Silver"])
    someone = contact(organisation, tier="Gold")
    options = ["Bronze", "Silver", {"value": "Gold", "label": "Or"}]
    changed = api.patch(f"/custom-fields/{field.pk}", {"options": options})
    assert changed.status_code == 200, changed.content
    assert [one["value"] for one in changed.json()["options"]] == ["Bronze", "Silver", "Gold"]
    (value,) = api.get(f"/contacts/{someone.pk}/custom-fields").json()
    assert (value["value"], value["displayValue"]) == ("Gold", "Or")


def test_an_option_in_use_cannot_be_removed(api: Any, organisation: Any) -> None:
    field = define(organisation, "Hobbies", "Multi select", options=["Spa", "Golf", "Tennis"])
    for _ in range(2):
        contact(organisation, hobbies="Spa,Golf")
    refused = api.patch(f"/custom-fields/{field.pk}", {"options": ["Tennis", "Golf"]})
    assert refused.status_code == 409
    assert "2 contacts" in refused.json()["detail"]
    assert len(refused.json()["ids"]) == 2
    assert api.patch(f"/custom-fields/{field.pk}", {"options": ["Spa", "Golf"]}).status_code == 200


def test_a_field_becomes_required_only_when_all_contacts_have_a_value(
    api: Any, organisation: Any
) -> None:
    field = define(organisation, "Size", "Text")
    lacking = [contact(organisation).pk for _ in range(12)]
    having = contact(organisation, size="L")
    refused = api.patch(f"/custom-fields/{field.pk}", {"required": True})
    assert refused.status_code == 409
    assert refused.json()["ids"] == lacking[:10]
    assert "12" in refused.json()["detail"]
    for pk in lacking:
        api.patch(f"/contacts/{pk}", {"customFields": {"size": "S"}})
    assert api.patch(f"/custom-fields/{field.pk}", {"required": True}).status_code == 200
    assert having.pk not in lacking


@pytest.mark.parametrize(
    ("type", "options", "values"),
    [
        ("Text", [], ["a", "b"]),
        ("Number", [], [1.5, -2]),
        ("Date", [], ["2020-01-01", "2021-01-01"]),
        ("Email", [], ["a@example.com", "b@example.com"]),
        ("Phone", [], ["07700 900001", "07700 900002"]),
        ("URL", [], ["https://a.example", "https://b.example/" + "x" * 1900]),
        ("Select", ["a", "b"], ["a", "b"]),
    ],
)
def test_a_field_becomes_unique_only_when_no_contacts_share_a_value(
    api: Any, organisation: Any, type: str, options: list[str], values: list[Any]
) -> None:
    field = define(organisation, "Code", type, options=options)
    first = contact(organisation, code=values[0])
    second = contact(organisation, code=values[0])
    refused = api.patch(f"/custom-fields/{field.pk}", {"unique": True})
    assert refused.status_code == 409
    assert refused.json()["ids"] == [first.pk, second.pk]
    address = f"/contacts/{second.pk}/custom-fields/code"
    assert api.put(address, {"value": values[1]}).status_code == 200
    assert api.patch(f"/custom-fields/{field.pk}", {"unique": True}).status_code == 200
    taken = api.put(address, {"value": values[0]})
    assert taken.status_code == 422
    assert taken.json()["violations"][0]["code"] == "unique"
    assert taken.json()["violations"][0]["propertyPath"] == "customFields.code"
    assert api.patch(f"/custom-fields/{field.pk}", {"unique": False}).status_code == 200
    assert api.put(address, {"value": values[0]}).status_code == 200


def test_tightened_rules_hold_from_then_on(api: Any, organisation: Any) -> None:
    field = define(organisation, "Guests", "Number")
    someone = contact(organisation, guests=12)
    assert api.patch(f"/custom-fields/{field.pk}", {"maximum": 10}).status_code == 200
    (value,) = api.get(f"/contacts/{someone.pk}/custom-fields").json()
    assert value["typedValue"] == 12
    address = f"/contacts/{someone.pk}/custom-fields/guests"
    assert api.put(address, {"value": 11}).status_code == 422
    assert api.put(address, {"value": 10}).status_code == 200


def test_a_field_with_values_is_removed_only_by_force(api: Any, organisation: Any) -> None:
    field = define(organisation, "Hobbies", "Multi select", options=["Spa", "Golf"])
    someone = contact(organisation, hobbies="Spa,Golf")
    refused = api.delete(f"/custom-fields/{field.pk}")
    assert refused.status_code == 409
    assert "1 contact " in refused.json()["detail"]
    assert api.delete(f"/custom-fields/{field.pk}?force=true").status_code == 204
    assert api.get(f"/custom-fields/{field.pk}").status_code == 404
    assert api.get(f"/contacts/{someone.pk}").json()["customFields"] == {}


def test_a_field_without_values_is_just_removed(api: Any, organisation: Any) -> None:
    field = define(organisation, "Hobbies", "Select", options=["Spa"])
    assert api.delete(f"/custom-fields/{field.pk}").status_code == 204


def test_force_costs_the_same_for_any_number_of_values(
    organisation: Any, api: Any, django_assert_max_num_queries: Any
) -> None:
    field = define(organisation, "Size", "Text")
    for _ in range(20):
        contact(organisation, size="L")
    with django_assert_max_num_queries(20):
        assert api.delete(f"/custom-fields/{field.pk}?force=true").status_code == 204


def test_an_archived_field_keeps_its_values_and_takes_no_others(
    api: Any, organisation: Any
) -> None:
    field = define(organisation, "Size", "Text", default="M")
    someone = contact(organisation, size="L")
    moment = "2026-04-07T14:30:00+00:00"
    archived = api.patch(f"/custom-fields/{field.pk}", {"archivedAt": moment})
    assert archived.json()["archivedAt"] == moment
    assert api.get(f"/contacts/{someone.pk}").json()["customFields"] == {"size": "L"}
    for value in ("S", None):
        refused = api.patch(f"/contacts/{someone.pk}", {"customFields": {"size": value}})
        assert refused.status_code == 422
        assert refused.json()["violations"][0]["code"] == "archived"
    same = api.patch(f"/contacts/{someone.pk}", {"customFields": {"size": "L"}})
    assert same.status_code == 200
    assert contact(organisation).custom_field_values.count() == 0
    assert [one["name"] for one in api.get("/custom-fields?archived=true").json()] == ["size"]
    assert api.get("/custom-fields?archived=false").json() == []
    back = api.patch(f"/custom-fields/{field.pk}", {"archivedAt": None})
    assert back.json()["archivedAt"] is None
    assert api.patch(f"/contacts/{someone.pk}", {"customFields": {"size": "S"}}).status_code == 200


def test_definitions_are_another_organisations_business(api: Any, other_organisation: Any) -> None:
    theirs = define(other_organisation, "Size", "Text")
    assert api.get("/custom-fields").json() == []
    for method in (api.get, api.patch, api.delete):
        assert method(f"/custom-fields/{theirs.pk}").status_code == 404


@pytest.mark.parametrize(
    ("scopes", "reads", "writes"),
    [
        (["custom-fields:read"], 200, 403),
        (["custom-fields:write"], 200, 201),
        (["contacts:write"], 403, 403),
    ],
)
def test_scopes(
    organisation: Any, api_for: Any, scopes: list[str], reads: int, writes: int
) -> None:
    client = api_for(organisation, scopes)
    assert client.get("/custom-fields").status_code == reads
    body = {"label": "X", "type": "Text"}
    assert client.post("/custom-fields", body).status_code == writes


def test_the_list_costs_the_same_for_any_number_of_fields(api: Any, organisation: Any) -> None:
    from django.db import connection

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert api.get("/custom-fields").status_code == 200
        return len(captured)

    define(organisation, "A", "Select", options=["a", "b"])
    queries()  # the first one notes that the key was used
    few = queries()
    for number in range(5):
        define(organisation, f"B{number}", "Select", options=["a", "b"])
    assert queries() == few
