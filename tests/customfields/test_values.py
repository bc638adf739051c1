"""What contacts have in their custom fields, over the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customfields import services
from customfields.definitions import Definitions
from tests.customfields.factories import contact, define

OPTIONS = ["Golf", "Swimming", "Spa"]

# type, what is given in all its spellings, value, displayValue, typedValue
FORMS = [
    ("Text", ["Vegetarian", " Vegetarian "], "Vegetarian", "Vegetarian", "Vegetarian"),
    ("Number", ["42", 42, 42.0, "42.00", "4.2e1"], "42", "42", 42),
    ("Number", ["4.5", 4.5, "+4.50"], "4.5", "4.5", 4.5),
    ("Number", ["-0", 0, 0.0], "0", "0", 0),
    ("Date", ["2026-04-07"], "2026-04-07", "7 Apr 2026", "2026-04-07"),
    ("Boolean", ["true", True, "TRUE", "yes", "1"], "true", "Yes", True),
    ("Boolean", ["false", False, "No", "0"], "false", "No", False),
    ("Email", ["jane@example.com", "Jane@Example.com"], *["jane@example.com"] * 3),
    (
        "Phone",
        ["+44 7700 900000", "07700900000", "+447700900000", "0044 7700 900000"],
        "+44 7700 900000",
        "+44 7700 900000",
        "+447700900000",
    ),
    ("URL", ["https://example.com", " https://example.com\n"], *["https://example.com"] * 3),
    (
        "Textarea",
        ["Allergic to nuts.\nPrefers ground floor.", "Allergic to nuts.\r\nPrefers ground floor."],
        *["Allergic to nuts.\nPrefers ground floor."] * 3,
    ),
    ("Select", ["Spa"], "Spa", "Spa", "Spa"),
    (
        "Multi select",
        ["Swimming,Spa", ["Swimming", "Spa"], "Spa, Swimming", ["Spa", "Swimming", "Spa"]],
        "Swimming,Spa",
        "Swimming, Spa",
        ["Swimming", "Spa"],
    ),
]
SPELLINGS = [(type, spelling, *told) for type, spellings, *told in FORMS for spelling in spellings]


def options_of(type: str) -> list[str]:
    return OPTIONS if "elect" in type else []


@pytest.mark.parametrize("case", SPELLINGS, ids=str)
def test_a_value_is_taken_as_text_and_typed_and_told_in_three_forms(
    api: Any, organisation: Any, case: Any
) -> None:
    type, given, value, display, typed = case
    field = define(organisation, "It", type, options=options_of(type))
    someone = contact(organisation)
    put = api.put(f"/contacts/{someone.pk}/custom-fields/it", {"value": given})
    assert put.status_code == 200, put.content
    told = put.json()
    assert list(told) == [
        "id",
        "contactId",
        "fieldName",
        "fieldId",
        "fieldLabel",
        "fieldType",
        "value",
        "displayValue",
        "typedValue",
        "createdAt",
        "updatedAt",
    ]
    assert (told["contactId"], told["fieldId"], told["fieldName"]) == (someone.pk, field.pk, "it")
    assert (told["fieldLabel"], told["fieldType"]) == ("It", type)
    assert (told["value"], told["displayValue"], told["typedValue"]) == (value, display, typed)
    assert type != "Number" or isinstance(told["typedValue"], int) == isinstance(typed, int)
    assert api.get(f"/contacts/{someone.pk}/custom-fields").json() == [told]
    whole = api.get(f"/contacts/{someone.pk}").json()
    assert whole["customFieldValues"] == [told]
    assert whole["customFields"] == {"it": typed}
    (listed,) = api.get("/contacts").json()
    assert listed["customFieldValues"] == [told]


@pytest.mark.parametrize(
    ("type", "given", "code"),
    [
        ("Text", 42, "invalid_type"),
        ("Text", "x" * 256, "max_length"),
        ("Text", "two\nlines", "invalid_text"),
        ("Text", "\u0007", "invalid_text"),
        ("Text", {"a": 1}, "invalid_type"),
        ("Number", "many", "invalid_number"),
        ("Number", "1,234", "invalid_number"),
        ("Number", "NaN", "invalid_number"),
        ("Number", "Infinity", "invalid_number"),
        ("Number", "1_000", "invalid_number"),
        ("Number", True, "invalid_number"),
        ("Number", 10**15, "max_whole_digits"),
        ("Number", "1e999", "max_whole_digits"),
        ("Number", "0.12345678901", "max_decimal_places"),
        ("Date", "07/04/2026", "invalid_date"),
        ("Date", "2026-02-30", "invalid_date"),
        ("Date", "20260407", "invalid_date"),
        ("Date", 20260407, "invalid_date"),
        ("Boolean", "maybe", "invalid_boolean"),
        ("Boolean", 1, "invalid_boolean"),
        ("Email", "jane", "invalid_email"),
        ("Phone", "12", "invalid_phone"),
        ("Phone", "n/a", "invalid_phone"),
        ("Phone", "+44 7700 900000 ext. 5", "invalid_phone"),
        ("URL", "example.com", "invalid_url"),
        ("URL", "ftp://example.com", "invalid_url"),
        ("URL", "javascript:alert(1)", "invalid_url"),
        ("URL", "https://example.com/" + "x" * 2000, "max_length"),
        ("Select", "Tennis", "invalid_option"),
        ("Select", ["Spa"], "invalid_type"),
        ("Multi select", "Spa,Tennis", "invalid_option"),
        ("Multi select", [7], "invalid_type"),
        ("Multi select", {"Spa": True}, "invalid_type"),
    ],
)
def test_a_bad_value_is_refused_everywhere_and_nothing_is_written(
    api: Any, organisation: Any, type: str, given: Any, code: str
) -> None:
    define(organisation, "It", type, options=options_of(type))
    define(organisation, "Other", "Text")
    someone = contact(organisation)
    both = {"other": "fine", "it": given}
    for answer in (
        api.put(f"/contacts/{someone.pk}/custom-fields/it", {"value": given}),
        api.patch(f"/contacts/{someone.pk}/custom-fields", both),
        api.patch(f"/contacts/{someone.pk}", {"firstName": "Jane", "customFields": both}),
        api.post("/contacts", {"emailAddress": "new@example.com", "customFields": both}),
    ):
        assert answer.status_code == 422, answer.content
        (violation,) = answer.json()["violations"]
        assert (violation["propertyPath"], violation["code"]) == ("customFields.it", code)
    (only,) = api.get("/contacts").json()
    assert (only["customFields"], only["firstName"]) == ({}, "")


def test_all_that_is_wrong_is_told_at_once(api: Any, organisation: Any) -> None:
    define(organisation, "Size", "Number")
    someone = contact(organisation)
    answer = api.patch(
        f"/contacts/{someone.pk}/custom-fields", {"size": "L", "no_such": 1, "camelCase": 2}
    )
    assert answer.status_code == 422
    assert [(one["propertyPath"], one["code"]) for one in answer.json()["violations"]] == [
        ("customFields.size", "invalid_number"),
        ("customFields.no_such", "unknown_field"),
        ("customFields.camelCase", "unknown_field"),
    ]


@pytest.mark.parametrize("body", [[], "x", 1, None, True])
def test_values_come_in_an_object(api: Any, organisation: Any, body: Any) -> None:
    import json

    someone = contact(organisation)
    address = f"/contacts/{someone.pk}/custom-fields"
    assert api.patch(address, json.dumps(body)).status_code == 422
    if body is not None:
        assert api.patch(f"/contacts/{someone.pk}", {"customFields": body}).status_code == 422


def test_patch_merges_and_null_clears(api: Any, organisation: Any) -> None:
    for label in ("A", "B", "C"):
        define(organisation, label, "Text")
    define(organisation, "D", "Multi select", options=OPTIONS)
    someone = contact(organisation, a="1", b="2", d="Spa,Golf")
    address = f"/contacts/{someone.pk}/custom-fields"
    answer = api.patch(address, {"a": None, "c": "3", "d": []})
    assert [(one["fieldName"], one["value"]) for one in answer.json()] == [("b", "2"), ("c", "3")]
    answer = api.patch(f"/contacts/{someone.pk}", {"customFields": {"b": "", "c": "4"}})
    assert answer.json()["customFields"] == {"c": "4"}


def test_put_and_delete_by_name_or_id(api: Any, organisation: Any) -> None:
    field = define(organisation, "Size", "Text")
    someone = contact(organisation)
    by_name, by_id = (f"/contacts/{someone.pk}/custom-fields/{key}" for key in ("size", field.pk))
    assert api.put(by_id, {"value": "L"}).json()["value"] == "L"
    assert api.get(by_name).json()["value"] == "L"
    assert api.put(by_name, {"value": None}).status_code == 204
    assert api.get(by_id).status_code == 404
    assert api.put(by_name, {"value": "M"}).status_code == 200
    assert api.delete(by_id).status_code == 204
    assert api.delete(by_id).status_code == 204
    assert api.get(f"/contacts/{someone.pk}/custom-fields").json() == []
    assert api.put(by_name, {}).status_code == 422
    assert api.put(by_name, {"value": "L", "x": 1}).status_code == 422
    for unknown in ("colour", "0", "9" * 30, "²"):
        address = f"/contacts/{someone.pk}/custom-fields/{unknown}"
        assert api.put(address, {"value": "L"}).status_code == 404
    assert api.put("/contacts/999999/custom-fields/size", {"value": "L"}).status_code == 404


def test_a_new_value_keeps_the_entrys_id_and_the_same_value_changes_nothing(
    api: Any, organisation: Any
) -> None:
    define(organisation, "Size", "Text")
    define(organisation, "Tier", "Select", options=["Gold", "Silver"])
    someone = contact(organisation, size="L", tier="Gold")
    address = f"/contacts/{someone.pk}/custom-fields"
    before = api.get(f"/contacts/{someone.pk}").json()
    api.patch(address, {"size": "L", "tier": "Gold"})
    assert api.get(f"/contacts/{someone.pk}").json() == before
    after = api.patch(address, {"size": "M", "tier": "Silver"}).json()
    assert [one["id"] for one in after] == [one["id"] for one in before["customFieldValues"]]
    assert [one["value"] for one in after] == ["M", "Silver"]


def test_a_change_of_a_value_moves_the_contacts_updated_at(
    api: Any, organisation: Any, time_machine: Any
) -> None:
    define(organisation, "Hobbies", "Multi select", options=OPTIONS)
    time_machine.move_to("2026-01-01T00:00:00+00:00", tick=False)
    someone = contact(organisation, hobbies="Spa")
    time_machine.move_to("2026-01-02T00:00:00+00:00", tick=False)
    address = f"/contacts/{someone.pk}/custom-fields/hobbies"
    api.put(address, {"value": ["Spa"]})
    assert api.get(f"/contacts/{someone.pk}").json()["updatedAt"][:10] == "2026-01-01"
    told = api.put(address, {"value": ["Spa", "Golf"]}).json()
    assert told["createdAt"][:10] == "2026-01-01"
    assert told["updatedAt"][:10] == "2026-01-02"
    assert api.get(f"/contacts/{someone.pk}").json()["updatedAt"][:10] == "2026-01-02"


def test_numbers_are_exact_on_both_databases(api: Any, organisation: Any) -> None:
    define(organisation, "Reading", "Number")
    someone = contact(organisation)
    address = f"/contacts/{someone.pk}/custom-fields/reading"
    for value in (
        "123456789012345.1234567891",
        "-999999999999999.9999999999",
        "0.0000000001",
        "-0.0000000001",
        "999999999999999",
    ):
        assert api.put(address, {"value": value}).json()["value"] == value
        assert api.get(address).json()["value"] == value
        found = api.get("/contacts", {"customField[reading]": value}).json()
        assert [one["id"] for one in found] == [someone.pk]


def test_rules_are_checked(api: Any, organisation: Any) -> None:
    define(organisation, "Code", "Text", minimum=3, maximum=5, pattern="[A-Z]+[0-9]*")
    define(organisation, "Age", "Number", minimum="0.5", maximum=120)
    define(organisation, "Hobbies", "Multi select", options=OPTIONS, minimum=2)
    someone = contact(organisation)
    address = f"/contacts/{someone.pk}/custom-fields"
    for values, code in [
        ({"code": "AB"}, "minimum"),
        ({"code": "ABCDEF"}, "maximum"),
        ({"code": "ABC!"}, "pattern"),
        ({"code": "xABC"}, "pattern"),
        ({"age": 0.4}, "minimum"),
        ({"age": 120.1}, "maximum"),
        ({"hobbies": "Spa"}, "minimum"),
    ]:
        answer = api.patch(address, values)
        assert answer.status_code == 422
        assert answer.json()["violations"][0]["code"] == code
    fine = {"code": "ABC12", "age": "0.5", "hobbies": "Spa,Golf"}
    assert api.patch(address, fine).status_code == 200


def test_a_pattern_cannot_keep_a_worker_busy(api: Any, organisation: Any) -> None:
    define(organisation, "Code", "Text", pattern="(a+)+b")
    someone = contact(organisation)
    address = f"/contacts/{someone.pk}/custom-fields/code"
    assert api.put(address, {"value": "a" * 255}).status_code == 422


def test_new_contacts_get_defaults_unless_told_otherwise(api: Any, organisation: Any) -> None:
    define(organisation, "Tier", "Select", options=["Gold", "Silver"], default="Silver")
    define(organisation, "Hobbies", "Multi select", options=OPTIONS, default="Spa,Golf")
    define(organisation, "Rate", "Number", default=4.5)
    body = {"emailAddress": "a@example.com"}
    made = api.post("/contacts", body).json()
    assert made["customFields"] == {"tier": "Silver", "hobbies": ["Golf", "Spa"], "rate": 4.5}
    body = {
        "emailAddress": "b@example.com",
        "customFields": {"tier": "Gold", "hobbies": None, "rate": None},
    }
    assert api.post("/contacts", body).json()["customFields"] == {"tier": "Gold"}
    # Found, not created: what was cleared stays so.
    body["customFields"] = {}
    assert api.post("/contacts", body).json()["customFields"] == {"tier": "Gold"}


def test_a_required_field_is_asked_for_and_stays(api: Any, organisation: Any) -> None:
    define(organisation, "Size", "Text", required=True)
    body: dict[str, Any] = {"emailAddress": "a@example.com"}
    for given in ({}, {"size": None}, {"size": " "}):
        refused = api.post("/contacts", {**body, "customFields": given})
        assert refused.status_code == 422
        (violation,) = refused.json()["violations"]
        assert (violation["propertyPath"], violation["code"]) == ("customFields.size", "required")
    assert api.post("/contacts", body).status_code == 422
    made = api.post("/contacts", {**body, "customFields": {"size": "L"}})
    assert made.status_code == 201
    pk = made.json()["id"]
    assert api.patch(f"/contacts/{pk}", {"firstName": "Jane"}).status_code == 200
    assert api.patch(f"/contacts/{pk}", {"customFields": {"size": None}}).status_code == 422
    assert api.delete(f"/contacts/{pk}/custom-fields/size").status_code == 422


def test_unique_values(api: Any, organisation: Any, other_organisation: Any) -> None:
    define(organisation, "Card", "Text", unique=True)
    define(other_organisation, "Card", "Text", unique=True)
    contact(other_organisation, card="A1")
    first, second = contact(organisation, card="A1"), contact(organisation)
    address = f"/contacts/{second.pk}/custom-fields/card"
    refused = api.put(address, {"value": "A1"})
    assert refused.status_code == 422
    assert refused.json()["violations"][0]["code"] == "unique"
    assert str(first.pk) in refused.json()["violations"][0]["message"]
    new = {"emailAddress": "new@example.com", "customFields": {"card": "A1"}}
    assert api.post("/contacts", new).status_code == 422
    assert api.put(address, {"value": "a1"}).status_code == 200
    assert api.put(f"/contacts/{first.pk}/custom-fields/card", {"value": "A1"}).status_code == 200
    assert api.delete(f"/contacts/{first.pk}/custom-fields/card").status_code == 204
    assert api.put(address, {"value": "A1"}).status_code == 200


def test_a_batch_writes_values_row_by_row(api: Any, organisation: Any) -> None:
    define(organisation, "Card", "Text", unique=True)
    define(organisation, "Hobbies", "Multi select", options=OPTIONS)
    there = contact(organisation, card="A0", hobbies="Spa")
    rows = [
        {"emailAddress": "a@example.com", "customFields": {"card": "A1", "hobbies": "Spa"}},
        {"emailAddress": "b@example.com", "customFields": {"card": "A1"}},
        {"emailAddress": "c@example.com", "customFields": {"card": "A0"}},
        {"emailAddress": "d@example.com", "customFields": {"nope": 1}},
        {"emailAddress": there.email_address, "customFields": {"hobbies": ["Golf"]}},
        {"emailAddress": "e@example.com"},
    ]
    answer = api.post("/contacts/batch", {"contacts": rows})
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [one["status"] for one in results] == [201, 422, 422, 422, 200, 201]
    assert results[1]["violations"][0]["propertyPath"] == "customFields.card"
    assert api.get(f"/contacts/{there.pk}").json()["customFields"] == {
        "card": "A0",
        "hobbies": ["Golf"],
    }


def test_a_batch_costs_the_same_for_any_number_of_rows(api: Any, organisation: Any) -> None:
    define(organisation, "Card", "Text", unique=True)
    define(organisation, "Rate", "Number")
    define(organisation, "Hobbies", "Multi select", options=OPTIONS)

    def rows(start: int, number: int) -> dict[str, Any]:
        return {
            "contacts": [
                {
                    "emailAddress": f"row{row}@example.com",
                    "customFields": {"card": f"C{row}", "rate": row, "hobbies": "Spa,Golf"},
                }
                for row in range(start, start + number)
            ]
        }

    def queries(body: Any) -> int:
        with CaptureQueriesContext(connection) as captured:
            answer = api.post("/contacts/batch", body)
        assert {one["status"] for one in answer.json()["results"]} == {201}
        return sum("customfields_" in query["sql"] for query in captured)

    queries(rows(0, 1))
    assert queries(rows(10, 2)) == queries(rows(100, 200))


def test_bulk_writes_cost_the_same_for_any_number_of_contacts(
    organisation: Any, django_assert_num_queries: Any
) -> None:
    define(organisation, "Size", "Text")
    define(organisation, "Hobbies", "Multi select", options=OPTIONS)
    people = [contact(organisation, hobbies="Golf") for _ in range(30)]
    definitions = Definitions.of(organisation)
    for number, size in ((2, "S"), (30, "L")):
        values = {
            one.pk: definitions.parse({"size": size, "hobbies": "Spa"}) for one in people[:number]
        }
        # A savepoint and its release; what is there; a delete, two inserts; the history; the touch.
        with django_assert_num_queries(8):
            changed = services.set_values_bulk(organisation=organisation, values=values)
        assert changed == {one.pk for one in people[:number]}
    assert services.set_values_bulk(organisation=organisation, values=values) == set()


def test_a_write_costs_a_fixed_number_of_queries(
    api: Any, organisation: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        define(organisation, f"F{number}", "Text")
    someone = contact(organisation)
    api.get("/contacts")
    with django_assert_max_num_queries(12):
        answer = api.patch(
            f"/contacts/{someone.pk}/custom-fields", {f"f{number}": "x" for number in range(20)}
        )
    assert len(answer.json()) == 20


def test_the_contact_list_costs_the_same_for_any_number_of_values(
    api: Any, organisation: Any
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert api.get("/contacts").status_code == 200
        return len(captured)

    for number in range(3):
        define(organisation, f"F{number}", "Multi select", options=OPTIONS)
    contact(organisation, f0="Spa")
    queries()
    few = queries()
    for _ in range(5):
        contact(organisation, f0="Spa,Golf", f1="Spa", f2="Swimming")
    assert queries() == few


def test_values_are_another_organisations_business(
    api: Any, other_organisation: Any, organisation: Any
) -> None:
    define(organisation, "Size", "Text")
    field = define(other_organisation, "Size", "Text")
    theirs = contact(other_organisation, size="L")
    ours = contact(organisation)
    for address in (f"/contacts/{theirs.pk}/custom-fields", f"/contacts/{theirs.pk}"):
        assert api.get(address).status_code == 404
        assert api.patch(address, {}).status_code == 404
    assert (
        api.put(f"/contacts/{ours.pk}/custom-fields/{field.pk}", {"value": "L"}).status_code == 404
    )


def test_scopes_of_values_are_the_contacts(organisation: Any, api_for: Any) -> None:
    define(organisation, "Size", "Text")
    someone = contact(organisation, size="L")
    address = f"/contacts/{someone.pk}/custom-fields"
    for scopes, reads, writes in [
        (["contacts:read"], 200, 403),
        (["contacts:write"], 200, 200),
        (["custom-fields:write"], 403, 403),
    ]:
        client = api_for(organisation, scopes)
        assert client.get(address).status_code == reads
        assert client.patch(address, {"size": "M"}).status_code == writes
        assert client.put(f"{address}/size", {"value": "M"}).status_code == writes


def test_a_redacted_contact_has_no_values_and_takes_none(api: Any, organisation: Any) -> None:
    define(organisation, "Notes", "Textarea")
    someone = contact(organisation, notes="Very private")
    assert api.post(f"/contacts/{someone.pk}/redact").status_code == 200
    address = f"/contacts/{someone.pk}/custom-fields"
    assert api.get(address).json() == []
    assert api.patch(address, {"notes": "Again"}).status_code == 409


def test_a_contact_is_deleted_with_its_values(api: Any, organisation: Any) -> None:
    field = define(organisation, "Tier", "Select", options=["Gold"])
    someone = contact(organisation, tier="Gold")
    assert api.delete(f"/contacts/{someone.pk}").status_code == 204
    assert api.delete(f"/custom-fields/{field.pk}").status_code == 204
