"""Definitions of custom fields from files, and undoing them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import services as contacts
from customfields import services
from customfields.models import CustomField
from imports.models import Import
from organisations.models import Organisation
from tests.imports.running import counts, failures, report, run, write_csv
from tests.imports.snapshots import everything

pytestmark = pytest.mark.django_db

HEADERS = [
    "Name",
    "Label",
    "Field type",
    "Help text",
    "Choices",
    "Mandatory",
    "unique",
    "Min",
    "MAXIMUM",
    "Regex",
    "Default value",
    "Section",
    "Order",
]
TIER = ["", "Tier", "Dropdown", "", "Gold;Silver; Bronze", "no", "", "", "", "", "Silver", "", ""]
CODE = [
    "member_code",
    "Code",
    "text",
    "On the card",
    "",
    "",
    "Yes",
    "3",
    "8",
    "[A-Z]+ ?",
    "",
    "Club",
    "7",
]


def field(organisation: Organisation, name: str) -> CustomField:
    fields: Any = CustomField.objects.for_organisation(organisation)
    found: CustomField = fields.get(name=name)
    return found


def options(one: CustomField) -> list[tuple[str, str]]:
    return [(option.value, option.label) for option in one.options.all()]


def undo(pk: int) -> dict[str, Any]:
    code, out, err = run("undo_import", pk, "--json")
    assert out, err
    return {**json.loads(out), "code": code}


@pytest.fixture
def fields_file(tmp_path: Path) -> Any:
    def fields_file(*rows: list[str], headers: list[str] = HEADERS) -> Path:
        name = f"{len(list(tmp_path.iterdir()))}.csv"
        return write_csv(tmp_path / name, headers, list(rows))

    return fields_file


def test_a_file_defines_fields(organisation: Organisation, fields_file: Any, api: Any) -> None:
    told = report("import_custom_fields", fields_file(TIER, CODE), organisation)

    assert (told["code"], *counts(told)) == (0, 2, 0, 0, 0)
    code = api.get(f"/custom-fields/{field(organisation, 'member_code').pk}").json()
    assert {name: code[name] for name in ("label", "type", "helpText", "required", "unique")} == {
        "label": "Code",
        "type": "Text",
        "helpText": "On the card",
        "required": False,
        "unique": True,
    }
    assert (code["minimum"], code["maximum"], code["pattern"]) == (3, 8, "[A-Z]+ ?")
    assert (code["group"], code["position"]) == ("Club", 7)
    tier = field(organisation, "tier")
    assert (tier.type, tier.default) == ("Select", "Silver")
    assert [value for value, _label in options(tier)] == ["Gold", "Silver", "Bronze"]
    assert Import.objects.for_organisation(organisation).get().kind == "custom fields"


def test_json_lines_as_the_api_tells_definitions(
    organisation: Organisation, tmp_path: Path
) -> None:
    lines = [
        {
            "name": "diets",
            "label": "Diets",
            "type": "Multi select",
            "options": [{"value": "a", "label": "Vegan"}, "b"],
            "default": ["b"],
            "required": False,
            "minimum": 1,
        },
        {"label": "Newsletter", "type": "Boolean", "default": True, "position": 3},
        {"label": "Visits", "type": "Number", "minimum": 0.5, "default": 12},
        {"label": "Days", "type": "Multi select", "options": "a\nb;c", "default": "c, a"},
    ]
    path = tmp_path / "fields.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))

    told = report("import_custom_fields", path, organisation)

    assert (told["code"], *counts(told)) == (0, 4, 0, 0, 0)
    assert field(organisation, "days").default == ["a", "c"]
    diets = field(organisation, "diets")
    assert options(diets) == [("a", "Vegan"), ("b", "b")]
    assert (diets.default, diets.minimum) == (["b"], 1)
    assert field(organisation, "newsletter").default is True
    assert field(organisation, "visits").default == 12


def test_a_workbook(organisation: Organisation, tmp_path: Path) -> None:
    path = tmp_path / "fields.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(
            [["Label", "Type", "Position", "Options"], ["Tier", "select", 4, '["Gold; red", "B"]']]
        ):
            sheet.write_row(number, 0, row)

    told = report("import_custom_fields", path, organisation)

    assert (told["code"], *counts(told)) == (0, 1, 0, 0, 0)
    tier = field(organisation, "tier")
    assert tier.position == 4
    assert [value for value, _label in options(tier)] == ["Gold; red", "B"]


def test_known_fields_are_changed_by_name_or_by_label(
    organisation: Organisation, fields_file: Any
) -> None:
    services.define(organisation=organisation, label="Tier", type="Text", help_text="Old")
    services.define(organisation=organisation, name="member_code", label="Old", type="Text")
    headers = ["name", "label", "help text", "required"]

    told = report(
        "import_custom_fields",
        fields_file(["", "TIER", "New", ""], ["member_code", "Code", r"\N", "x"], headers=headers),
        organisation,
    )

    assert (told["code"], *counts(told)) == (0, 0, 2, 0, 0)
    tier, code = field(organisation, "tier"), field(organisation, "member_code")
    assert (tier.label, tier.help_text) == ("TIER", "New")
    assert (code.label, code.required) == ("Code", True)


def test_a_second_time_nothing_changes(organisation: Organisation, fields_file: Any) -> None:
    path = fields_file(TIER, CODE)
    report("import_custom_fields", path, organisation)
    before = field(organisation, "tier").updated_at

    told = report("import_custom_fields", path, organisation)

    assert (told["code"], *counts(told)) == (0, 0, 0, 2, 0)
    assert field(organisation, "tier").updated_at == before


def test_rows_that_break_a_rule_fail_with_the_reason(
    organisation: Organisation, fields_file: Any
) -> None:
    services.define(organisation=organisation, label="Visits", type="Number")
    contacts.upsert(
        organisation=organisation,
        values={"email_address": "a@x.com", "customFields": {"visits": 3}},
    )
    headers = ["Label", "Type", "Options", "Required", "Pattern", "Position"]
    rows = [
        ["Visits", "Text", "", "", "", ""],
        ["Tier", "Select", "", "", "", ""],
        ["Colour", "Hue", "", "", "", ""],
        ["Size", "Text", "", "perhaps", "", "-1"],
        ["Code", "Text", "", "", "(", ""],
        ["", "Text", "", "", "", ""],
        ["Untyped", "", "", "", "", ""],
        ["Good", "Text", "", "", "", ""],
    ]

    told = report("import_custom_fields", fields_file(*rows, headers=headers), organisation)

    assert (told["code"], *counts(told)) == (1, 1, 0, 0, 7)
    failed = failures(told["errorsFile"])
    assert [row["error_line"] for row in failed] == ["2", "3", "4", "5", "6", "7", "8"]
    assert [row["error_field"] for row in failed] == [
        "",
        "options",
        "type",
        "required, position",
        "pattern",
        "label",
        "type",
    ]
    assert failed[0]["error_reason"].startswith("The type of Visits is fixed")
    assert "the types are Text, Number" in failed[2]["error_reason"]
    assert failed[0]["Label"] == "Visits"


@pytest.mark.parametrize(("mode", "expected"), [("create", (1, 0, 0, 1)), ("update", (0, 1, 0, 1))])
def test_modes(
    organisation: Organisation, fields_file: Any, mode: str, expected: tuple[int, ...]
) -> None:
    services.define(organisation=organisation, label="Tier", type="Select", options=["Gold"])

    told = report("import_custom_fields", fields_file(TIER, CODE), organisation, "--mode", mode)

    assert counts(told) == expected


def test_labels_that_several_fields_have(organisation: Organisation, fields_file: Any) -> None:
    for name in ("one", "two"):
        services.define(organisation=organisation, label="Tier", name=name, type="Text")

    told = report("import_custom_fields", fields_file(TIER), organisation)

    (failed,) = failures(told["errorsFile"])
    assert "say which by its name (one, two)" in failed["error_reason"]


def test_a_dry_run_writes_nothing(organisation: Organisation, fields_file: Any) -> None:
    before = everything(organisation)

    told = report("import_custom_fields", fields_file(TIER, CODE, TIER), organisation, "--dry-run")

    assert (told["code"], *counts(told), told["importId"]) == (0, 2, 0, 1, 0, None)
    assert everything(organisation) == before


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (["Type", "Options"], "No column has the name or the label"),
        (["Label", "Colour"], 'The column "Colour" is not known.'),
        (["Label", "createdAt"], 'The column "createdAt" cannot be imported'),
        (["Label", "Title"], 'The columns "Label" and "Title" are both label'),
    ],
)
def test_a_file_that_cannot_be_used(
    organisation: Organisation, fields_file: Any, headers: list[str], said: str
) -> None:
    path = fields_file(["a", "b"], headers=headers)

    code, out, err = run("import_custom_fields", path, "--organisation", organisation.pk)

    assert (code, out) == (2, "")
    assert said in err
    assert not Import.objects.for_organisation(organisation).exists()


def test_a_column_can_be_mapped(organisation: Organisation, fields_file: Any) -> None:
    path = fields_file(["Tier", "Text", "x"], headers=["Feld", "Typ", "Rest"])
    maps = [word for one in ("Feld=label", "Typ=type", "Rest=") for word in ("--map", one)]

    told = report("import_custom_fields", path, organisation, *maps)

    assert (told["code"], *counts(told)) == (0, 1, 0, 0, 0)


# Undone


def test_undone_all_is_as_it_was(organisation: Organisation, fields_file: Any) -> None:
    services.define(
        organisation=organisation,
        label="Tier",
        type="Select",
        options=[{"value": "Gold", "label": "The best"}, "Tin"],
        default="Tin",
    )
    services.define(organisation=organisation, label="Size", type="Number", minimum="1.5")
    before = everything(organisation)
    size = ["", "Size", "", "How large", "", "yes", "", r"\N", "9", "", "3", "Body", "5"]
    told = report("import_custom_fields", fields_file(TIER, CODE, size), organisation)
    assert (told["code"], *counts(told)) == (0, 1, 2, 0, 0)
    again = [*TIER[:3], "Help", "Gold;Silver", *TIER[5:]]
    second = report("import_custom_fields", fields_file(again, CODE), organisation)

    assert undo(second["importId"])["code"] == 0
    undone = undo(told["importId"])

    assert (undone["code"], undone["deleted"], undone["restored"]) == (
        0,
        {"custom field": 1},
        {"custom field": 2},
    )
    assert everything(organisation) == before


def test_undone_what_is_used_or_changed_is_kept(
    organisation: Organisation, fields_file: Any
) -> None:
    services.define(organisation=organisation, label="Size", type="Text")
    size = ["", "Size", "", "How large", *[""] * 9]
    pk = report("import_custom_fields", fields_file(TIER, CODE, size), organisation)["importId"]
    contacts.upsert(
        organisation=organisation,
        values={"email_address": "a@x.com", "customFields": {"tier": "Gold"}},
    )
    for name in ("size", "member_code"):
        services.change(field=field(organisation, name), values={"label": "Changed"})

    told = undo(pk)

    assert (told["code"], told["deleted"], told["restored"]) == (1, {}, {})
    reasons = {row["name"]: row["reason"] for row in told["keptRows"]}
    assert reasons.pop("Tier").startswith("1 contact has a value in Tier.")
    assert len(told["keptRows"]) == 3
    assert set(reasons.values()) == {"It was changed since."}


def test_an_option_that_contacts_have_by_now_is_not_taken_away(
    organisation: Organisation, fields_file: Any
) -> None:
    services.define(organisation=organisation, label="Tier", type="Select", options=["Gold"])
    pk = report("import_custom_fields", fields_file(TIER), organisation)["importId"]
    contacts.upsert(
        organisation=organisation,
        values={"email_address": "a@x.com", "customFields": {"tier": "Silver"}},
    )

    (kept,) = undo(pk)["keptRows"]

    assert kept["reason"] == "Silver cannot be removed: it is used by 1 contact."


def test_the_cost_of_a_row(organisation: Organisation, fields_file: Any) -> None:
    def queries(number: int) -> int:
        rows = [["", f"Field {number}-{n}", "Text", *[""] * 10] for n in range(number)]
        path = fields_file(*rows)
        with CaptureQueriesContext(connection) as context:
            report("import_custom_fields", path, organisation)
        return len(context)

    two, four = queries(2), queries(4)
    assert (four - two) / 2 <= 11
