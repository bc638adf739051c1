"""The builder of rules, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from contacts.models import Segment
from contacts.rules import catalogue, parse
from contacts.segments import services as segments
from contacts.services import upsert
from organisations.models import Organisation
from tests.browser.conftest import sign_in
from tests.contacts.rule_world import make_world

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("complaints"),
]

ABOUT = ("contact", "activity")
MANY = 80
"""Conditions in one rule, which has at most a hundred."""


# Every type of value, in every way in which it may be written.
VALUES: Mapping[str, list[Any]] = {
    "text": ["Zürich"],
    "number": [3, 5, -1],
    "money": [4500, 4505, 5_000_000],
    "date": ["2026-04-07", "2026-12-31"],
    "datetime": [
        "2026-04-07",
        "2026-04-07T14:30:00+05:30",
        "2026-10-25T01:30:15Z",
        "2026-12-31T14:30:00.000001+00:00",
    ],
    "boolean": [True, False],
    "duration": ["P90D", "P2W", "P3M", "P1Y", "P1M10D"],
}
# Texts that not every field takes.
TEXTS = {
    "contact.phoneNumber": "+447700900000",
    "contact.customFields.phone": "+447700900000",
    "contact.customFields.email": "jane@example.com",
    "contact.customFields.url": "https://example.com/A",
    "contact.addresses.country": "GB",
}
DATA: list[Any] = ["text", "12", 12, 4.5, True, False]
WHERES: list[Any] = [
    None,
    {"type": "Purchase"},
    {"type": ["Purchase", "Spa"], "within": "P1DT12H"},
    {"source": "Website", "within": "PT30M", "currencyCode": "JPY", "spend": 4500},
    {"source": ["Website", "Till"], "spend": {"gte": 4500, "lt": 10000}},
]


def values(field: Mapping[str, Any], operator: Mapping[str, Any]) -> list[Any]:
    """What may be written behind an operator of the catalogue."""
    name, kind = field["field"], operator["value"]
    choices = [choice["value"] for choice in field["choices"]]
    own = VALUES.get(field["type"], ["VIP"])
    if field["type"] == "text":
        own = ["GBP" if name.endswith("urrencyCode") else TEXTS.get(name, "Zürich")]
    match kind:
        case "none":
            return [...]
        case "range":
            return [own[:2] if own[0] < own[1] else own[1::-1]]
        case "texts":
            return [own[:1], own[:2]]
        case "choice":
            return choices[:2]
        case "choices":
            return [choices[:1], choices]
        case "duration":
            clock = ["PT12H", "P1DT12H"] if field["type"] == "datetime" else []
            year = operator["operator"] == "anniversary_within"
            return [one for one in (*VALUES[kind], *clock) if not (year and one == "P1M10D")]
    return own if kind == "text" else VALUES[kind]


def conditions(organisation: Organisation) -> Iterator[dict[str, Any]]:
    """Every operator of every field, with every type of value."""
    told = catalogue(organisation, ABOUT)
    for field in told["fields"]:
        for operator in field["operators"]:
            for value in values(field, operator):
                said = {"field": field["field"], "operator": operator["operator"]}
                yield said if value is ... else said | {"value": value}
    for operator in told["activities"]["operators"]:
        for where in WHERES:
            said = {"field": "activities", "operator": operator["operator"], "value": 4500}
            yield said if where is None else said | {"where": where}
    for operator in told["activityData"]["operators"]:
        said = {"field": "activity.data.room.number", "operator": operator["operator"]}
        match operator["value"]:
            case "none":
                yield said
            case "texts":
                yield said | {"value": DATA}
            case _ if operator["operator"] in ("contains", "not_contains", "starts_with"):
                yield said | {"value": "1"}
            case _:
                yield from (said | {"value": value} for value in DATA)
    yield {"field": "contact.customFields.number", "operator": "eq", "value": "4.50001"}
    yield {"field": "contact.spendByCurrency.JPY", "operator": "gte", "value": 4500}


# Puts the builder on a rule, and touches every input without changing it.
TOUCH = """async (rule) => {
    const there = document.querySelector("#id_rules");
    const panel = document.createElement("section");
    const box = document.createElement("textarea");
    const fields = `${there.dataset.fields}&about=activity`;
    Object.assign(box.dataset, { ...there.dataset, about: "contact activity", fields });
    delete box.dataset.built;
    box.value = JSON.stringify(rule);
    panel.append(box);
    document.querySelector("#content-main").append(panel);
    await Regulars.rules.attach(panel);
    const boxes = [...panel.querySelectorAll(".rg-rule-inputs > textarea")];
    const written = boxes.map((one) => one.value);
    const touch = (one, type) => one.dispatchEvent(new Event(type, { bubbles: true }));
    for (const one of panel.querySelectorAll(".rg-rule-inputs input")) {
        touch(one, "input");
        touch(one, "blur");
    }
    for (const one of panel.querySelectorAll(".rg-rule-inputs select:not(.rg-operator)")) {
        touch(one, "change");
    }
    for (const one of panel.querySelectorAll(".rg-operator")) touch(one, "change");
    const shown = panel.querySelectorAll(".rg-rule-row").length;
    panel.remove();
    return { written, shown, touched: JSON.parse(box.value) };
}"""


def start(tab: Page, live_server: LiveServer) -> None:
    sign_in(tab, live_server)
    tab.goto(f"{live_server.url}/admin/contacts/segment/add/")
    expect(tab.get_by_role("button", name="Add a condition")).to_be_visible()


def test_whatever_the_language_can_say_comes_back_as_it_was(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    make_world(seaview)
    upsert(organisation=seaview, values={"name": "Jane", "email_address": "jane@example.com"})
    segments.create(organisation=seaview, name="Everybody", rules={"all": []})
    every = list(conditions(seaview))
    assert len(every) > 500
    start(tab, live_server)

    for first in range(0, len(every), MANY):
        some = every[first : first + MANY]
        rule = {"all": [{"any": some[:30]}, *some[30:50], {"none": [{"all": some[50:]}]}]}
        parse(rule, organisation=seaview, about=ABOUT)
        told = tab.evaluate(TOUCH, rule)
        assert told["written"] == []
        assert told["shown"] == len(some)
        assert told["touched"] == rule


def test_what_the_builder_cannot_show_stays_as_it_is_written(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    odd = [
        {"field": "contact.shoeSize", "operator": "eq", "value": 43},
        {"field": "contact.totalOrders", "operator": "roughly", "value": 3},
        {"field": "contact.totalOrders", "operator": "gte", "value": {"min": 3}},
        {"field": "contact.totalOrders", "operator": "gte", "value": 3, "note": "three"},
        {"field": "contact.dob", "operator": "after", "value": "yesterday"},
        {"field": "activities", "operator": "count_gte", "value": 1, "where": {"colour": "red"}},
        {"all": [], "any": []},
        {"most": []},
        "contact.totalOrders",
        None,
    ]
    known = {"field": "contact.totalOrders", "operator": "gte", "value": 3}
    start(tab, live_server)

    told = tab.evaluate(TOUCH, {"any": [*odd, known]})
    assert [json.loads(one) for one in told["written"]] == odd
    assert told["touched"] == {"any": [*odd, known]}
    # A condition that stands alone stays alone.
    assert tab.evaluate(TOUCH, known)["touched"] == known


def rule_of(tab: Page) -> Any:
    return json.loads(tab.locator("#id_rules").input_value())


def focused(tab: Page) -> str:
    return str(
        tab.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent")
    )


def test_a_rule_is_built_by_keyboard_alone(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    for name in ("Jo", "Ann"):
        values = {"name": name, "email_address": f"{name}@example.com", "tags": ["VIP"]}
        upsert(organisation=seaview, values=values)
    start(tab, live_server)
    keys = tab.keyboard
    tab.locator("#id_name").fill("Wanted")
    for _step in range(2):  # over how the conditions hold together
        keys.press("Tab")
    assert focused(tab) == "Add a condition"

    keys.press("Enter")
    assert focused(tab) == "Field"
    keys.type("total spend")
    keys.press("Enter")
    assert focused(tab) == "Operator"
    for _step in range(4):  # to "is less than"
        keys.press("ArrowDown")
    keys.press("Tab")
    keys.type("45.5")
    expect(tab.locator(".rg-rule-preview")).to_contain_text("It holds for 2 contacts.")

    tab.get_by_role("button", name="Add a group").focus()
    keys.press("Enter")
    assert focused(tab) == "Field"
    keys.type("tags")
    keys.press("Enter")
    for _step in range(2):  # to "contains any of"
        keys.press("ArrowDown")
    keys.press("Tab")
    for tag in ("vip", "Nobody yet"):
        keys.type(tag)
        keys.press("Enter")
    for _step in range(3):  # over the tools
        keys.press("Tab")
    keys.press("Tab")
    assert focused(tab) == "Add a condition"
    keys.press("Enter")
    keys.type("first name")
    keys.press("Enter")
    keys.type("starts")
    keys.press("Tab")
    keys.type("J")
    keys.press("Tab")
    assert focused(tab) == "Move up"
    for _step in range(2):  # before the other, then out of the group
        keys.press("Enter")
        assert focused(tab) == "Move up"

    spend = {"field": "contact.totalSpend", "operator": "lt", "value": 4550}
    named = {"field": "contact.firstName", "operator": "starts_with", "value": "J"}
    tagged = {"field": "contact.tags", "operator": "in", "value": ["VIP", "Nobody yet"]}
    assert rule_of(tab) == {"all": [spend, named, {"any": [tagged]}]}
    tab.get_by_role("button", name="Take away: Nobody yet").press("Enter")
    tab.get_by_role("button", name="Remove").first.press("Enter")
    tagged["value"] = ["VIP"]
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.get_by_text("was added successfully")).to_be_visible()
    made = Segment.objects.for_organisation(seaview).get()
    assert made.rules == {"all": [named, {"any": [tagged]}]}


def test_values_are_typed_as_people_write_them(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    make_world(seaview)
    regulars = segments.create(organisation=seaview, name="Regulars", rules={"all": []})
    empty = [
        {"field": f"contact.{field}", "operator": operator}
        for field, operator in (
            ("totalSpend", "gte"),
            ("credit", "between"),
            ("spendByCurrency.JPY", "gte"),
            ("customFields.number", "in"),
            ("createdAt", "after"),
            ("updatedAt", "after"),
            ("dob", "eq"),
            ("lastOrderAt", "within_last"),
            ("segments", "in"),
            ("customFields.boolean", "eq"),
            ("addresses.country", "eq"),
        )
    ]
    tally = {"field": "activities", "operator": "sum_gte"}
    start(tab, live_server)
    tab.get_by_role("button", name="Edit as JSON").click()
    tab.locator("#id_rules").fill(json.dumps({"all": [*empty, tally]}))
    tab.get_by_role("button", name="Edit with the builder").click()
    rows = tab.get_by_role("group", name="Condition")
    labelled = tab.get_by_label

    labelled("Total spend", exact=True).fill("45,5")
    labelled("Credit: from").fill("1")
    labelled("Credit: to").fill("2.05")
    labelled("(JPY)").last.fill("4500")
    for number in ("4.50", "0.123456789012345678"):
        labelled("Number", exact=True).last.fill(number)
        tab.keyboard.press("Enter")
    labelled("Created", exact=True).fill("2026-07-01")
    labelled("Created: time").fill("09:30")
    labelled("Updated", exact=True).fill("2026-01-01")
    labelled("Date of birth", exact=True).fill("1990-02-28")
    labelled("Last order", exact=True).fill("2")
    labelled("Last order: unit").select_option("hours")
    tab.get_by_role("combobox", name="Add to: Segments").fill("regu")
    tab.keyboard.press("Enter")
    labelled("Boolean", exact=True).select_option("No")
    tab.get_by_role("combobox", name="Country").fill("switz")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    labelled("Activities", exact=True).last.fill("500")
    tab.get_by_role("combobox", name="Add to: Of type").fill("check")
    tab.get_by_role("option", name="Checked in").click()
    labelled("Within the last", exact=True).fill("3")
    labelled("Within the last: unit").select_option("months")
    rows.last.get_by_text("Source, spend and currency").click()
    rows.last.get_by_role("button", name="Add an amount").click()
    tab.keyboard.type("1.20")
    tab.get_by_role("combobox", name="In currency").fill("eur")
    tab.keyboard.press("Enter")

    assert [one.get("value") for one in rule_of(tab)["all"]] == [
        4550,
        [100, 205],
        4500,
        [4.5, "0.123456789012345678"],
        "2026-07-01T09:30:00+01:00",
        "2026-01-01",
        "1990-02-28",
        "PT2H",
        [str(regulars.pk)],
        False,
        "CH",
        50000,
    ]
    assert rule_of(tab)["all"][-1]["where"] == {
        "type": ["Checked in"],
        "within": "P3M",
        "spend": {"eq": 120},
        "currencyCode": "EUR",
    }
    expect(rows.last).to_contain_text("EUR")
    expect(tab.locator(".rg-rule-preview")).to_contain_text("It holds for no contact.")


def test_what_is_wrong_is_said_at_its_condition_while_editing_and_after(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    start(tab, live_server)
    tab.locator("#id_name").fill("Wanted")
    tab.get_by_role("button", name="Add a condition").click()
    row = tab.get_by_role("group", name="Condition")
    expect(row).to_contain_text("Choose a field.")
    tab.get_by_role("combobox", name="Field").fill("orders")
    tab.keyboard.press("Enter")
    expect(row).to_contain_text("This operator needs a value.")
    tab.get_by_label("Orders", exact=True).fill("a few")
    expect(row).to_contain_text("Give a whole number.")

    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.locator(".errornote")).to_be_visible()
    expect(row).to_contain_text("Give a whole number.")
    expect(tab.get_by_text("all.0.value")).to_be_hidden()
    tab.get_by_label("Orders", exact=True).fill("3")
    expect(row).not_to_contain_text("Give a whole number.")
    expect(tab.locator(".rg-rule-preview")).to_contain_text("It holds for no contact.")


def test_json_and_builder_are_two_sides_of_one_rule(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    start(tab, live_server)
    box = tab.locator("#id_rules")
    expect(box).to_be_hidden()
    tab.get_by_role("button", name="Edit as JSON").click()
    box.fill('{"any": [')
    tab.get_by_role("button", name="Edit with the builder").click()
    expect(box).to_be_visible()
    expect(tab.get_by_role("alert")).to_contain_text("This is no JSON that can be read")

    box.fill('{"any": [{"field": "contact.name", "operator": "eq", "value": "Jo"}]}')
    tab.get_by_role("button", name="Edit with the builder").click()
    expect(tab.get_by_role("alert")).to_be_hidden()
    expect(tab.get_by_label("Operator")).to_have_value("eq")
    tab.get_by_label("Operator").select_option("is one of")
    assert rule_of(tab)["any"][0] == {"field": "contact.name", "operator": "in", "value": ["Jo"]}
    tab.get_by_label("How the conditions hold together").select_option("none")
    assert list(rule_of(tab)) == ["none"]


def test_an_answer_that_comes_late_does_not_replace_a_newer_one(
    tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    start(tab, live_server)
    preview = tab.locator(".rg-rule-preview")
    expect(preview).to_contain_text("It holds for no contact.")
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    tab.route("**/rule-preview/", hold)
    kinds = tab.get_by_label("How the conditions hold together")

    for number, kind in enumerate(("any", "none"), 1):
        with tab.expect_request("**/rule-preview/"):
            kinds.select_option(kind)
        while len(waiting) < number:  # the request is out; its route is heard in a moment
            tab.evaluate("new Promise(requestAnimationFrame)")
    older, newer = waiting
    for route, said in ((newer, "The newer."), (older, "The older.")):
        with tab.expect_response("**/rule-preview/"):
            route.fulfill(json={"said": said, "contacts": []})
        tab.evaluate("new Promise((heard) => setTimeout(heard))")
        expect(preview).to_have_text("The newer.")
