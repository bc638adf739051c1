"""The side panel: from a part's JSON to its form, and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from organisations import roles
from organisations.models import Organisation
from tests.workflows.admin.examples import STEPS, TRIGGERS
from tests.workflows.admin.html import filled
from workflows import inputs as kinds
from workflows import services
from workflows.models import Workflow
from workflows.steps import STEPS as STEP_TYPES
from workflows.triggers import TRIGGERS as TRIGGER_TYPES

pytestmark = pytest.mark.django_db

STARTED = {"type": "activity_created"}
Ask = Callable[..., Any]
Given = Callable[[dict[str, Any]], dict[str, Any]]


def applied(answer: Any) -> dict[str, Any]:
    assert answer["content-type"] == "application/json", filled(answer.content.decode())
    part: dict[str, Any] = answer.json()["part"]
    return part


def typed(**inputs: str) -> dict[str, Any]:
    """The inputs of the panel's form by their names."""
    return {f"part-{name}": value for name, value in inputs.items()}


def test_there_is_an_example_of_each_type() -> None:
    assert {type_ for type_, _keys, _said in STEPS} == set(STEP_TYPES)
    assert {type_ for type_, _keys, _said in TRIGGERS} == set(TRIGGER_TYPES)


def test_a_form_has_an_input_for_every_key() -> None:
    for kind in [*STEP_TYPES.values(), *TRIGGER_TYPES.values()]:
        assert {key for one in kinds.flat(kind.form) for key in one.keys} == set(kind.keys)
        assert kind.hint, kind.type
        assert kind.icon != "bolt" or kind.type == "activity_created", kind.type


@pytest.mark.parametrize(("type_", "keys", "_said"), STEPS)
def test_the_form_of_a_step_gives_back_its_json(
    type_: str, keys: dict[str, Any], _said: str, ask: Ask, given: Given
) -> None:
    step = {"id": "one", "type": type_, **given(keys)}
    form = filled(ask("panel", STARTED, [step], path="steps.0").content.decode())
    answer = ask("panel", STARTED, [step], path="steps.0", apply="yes", **form)
    assert applied(answer) == step


@pytest.mark.parametrize(("type_", "keys", "_said"), STEPS)
def test_what_is_typed_makes_the_json_of_a_step(
    type_: str, keys: dict[str, Any], _said: str, ask: Ask, given: Given
) -> None:
    """The same inputs, into the form of a step that has nothing yet."""
    step = {"id": "one", "type": type_, **given(keys)}
    form = filled(ask("panel", STARTED, [step], path="steps.0").content.decode())
    empty = {"id": "one", "type": type_}
    answer = ask("panel", STARTED, [empty], path="steps.0", apply="yes", **form)
    assert applied(answer) == step


@pytest.mark.parametrize(("type_", "keys", "_said"), TRIGGERS)
def test_what_is_typed_makes_the_json_of_a_trigger(
    type_: str, keys: dict[str, Any], _said: str, ask: Ask, given: Given
) -> None:
    trigger = {"type": type_, **given(keys)}
    form = filled(ask("panel", trigger, [], path="trigger").content.decode())
    for before in (trigger, {"type": type_}):
        answer = ask("panel", before, [], path="trigger", apply="yes", **form)
        assert applied(answer) == trigger


def test_what_the_form_cannot_show_stays_as_it_is(ask: Ask) -> None:
    trigger = {"type": "booking_status_changed", "from": "Confirmed", "reentry": None}
    form = filled(ask("panel", trigger, [], path="trigger").content.decode())
    answer = ask("panel", trigger, [], path="trigger", apply="yes", **form)
    assert applied(answer) == trigger


def test_of_several_ways_the_chosen_one_remains(ask: Ask) -> None:
    step = {"id": "one", "type": "wait", "duration": "P1D", "until": "09:00"}
    form = filled(ask("panel", STARTED, [step], path="steps.0").content.decode())
    form |= typed(way="1", field="contact.dob", offset_0_0="2", offset_0_1="P{}W")
    answer = ask("panel", STARTED, [step], path="steps.0", apply="yes", **form)
    assert applied(answer) == {
        "id": "one",
        "type": "wait",
        "field": "contact.dob",
        "offset": "-P2W",
    }


@pytest.mark.parametrize(
    ("step", "inputs", "field", "message"),
    [
        ({"type": "give_credit"}, {"amount_0": "-1"}, "amount", "whole number"),
        ({"type": "give_credit"}, {"amount_0": "1.234"}, "amount", "GBP has 2 decimals"),
        ({"type": "give_credit"}, {"amount_0": ""}, "amount", "required"),
        ({"type": "add_tag"}, {"tag": ""}, "tag", "required"),
        (
            {"type": "wait"},
            {"duration_0": "soon", "duration_1": "P{}D"},
            "duration",
            "whole number",
        ),
        ({"type": "send_email"}, {"subject": "{{ contact.nick }}"}, "subject", "nick"),
        ({"type": "call_webhook"}, {"data": "{"}, "data", "valid JSON"),
        ({"type": "call_webhook"}, {"headers": '{"Host": "x"}'}, "headers", "set by Regulars"),
        ({"type": "exit"}, {"id": "not an id"}, "id", "letters"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(
    step: dict[str, Any], inputs: dict[str, str], field: str, message: str, ask: Ask
) -> None:
    answer = ask(
        "panel", STARTED, [{"id": "one", **step}], path="steps.0", apply="yes", **typed(**inputs)
    )
    form = answer.context_data["form"]
    assert message in " ".join(form.errors[field])
    assert message in answer.content.decode()


def test_the_errors_of_a_rule_say_where(ask: Ask) -> None:
    rule = {"all": [{"field": "contact.totalOrders", "operator": "eq", "value": "x"}]}
    step = {"id": "one", "type": "condition"}
    inputs = typed(conditions=json.dumps(rule))
    answer = ask("panel", STARTED, [step], path="steps.0", apply="yes", **inputs)
    (error,) = answer.context_data["form"].errors["conditions"]
    assert error.startswith("all.0.value: ")


def test_errors_of_the_steps_within_are_not_its_own(ask: Ask) -> None:
    broken = {"id": "two", "type": "add_tag", "tag": ""}
    step = {
        "id": "one",
        "type": "condition",
        "conditions": {"all": []},
        "then": [broken],
        "else": [],
    }
    form = filled(ask("panel", STARTED, [step], path="steps.0").content.decode())
    answer = ask("panel", STARTED, [step], path="steps.0", apply="yes", **form)
    assert applied(answer) == step
    inner = ask("panel", STARTED, [step], path="steps.0.then.0").content.decode()
    assert 'value="two"' in inner


def test_the_variables_are_those_that_the_trigger_brings(ask: Ask) -> None:
    step = {"id": "one", "type": "send_sms", "text": "x"}
    by_activity = ask("panel", STARTED, [step], path="steps.0").content.decode()
    assert "<option>activity.booking.checkIn</option>" in by_activity
    by_contact = ask("panel", {"type": "contact_created"}, [step], path="steps.0").content.decode()
    assert "<option>contact.firstName</option>" in by_contact
    assert "activity.booking" not in by_contact


@pytest.mark.parametrize("path", ["", "steps", "steps.7", "steps.0.then.0", "name", "trigger.x"])
def test_a_path_that_is_not_there_is_404(path: str, ask: Ask) -> None:
    step = {"id": "one", "type": "add_tag", "tag": "VIP"}
    assert ask("panel", STARTED, [step], path=path).status_code == 404


def test_a_draft_that_is_none_is_refused(owner: Client, ask: Ask) -> None:
    assert ask("panel", "manual", [], path="trigger").status_code == 400
    assert ask("draw", ["x"], []).status_code == 400
    assert ask("draw", {"type": "manual"}, [], workflow="x").status_code == 404


def test_a_workflow_of_another_organisation_is_not_there(
    ask: Ask, other_organisation: Organisation
) -> None:
    foreign = services.create(
        organisation=other_organisation, name="Theirs", trigger={"type": "manual"}, steps=[]
    )
    for page in ("draw", "panel"):
        answer = ask(page, {"type": "manual"}, [], workflow=foreign.pk, path="trigger")
        assert answer.status_code == 404


def test_who_may_only_read_gets_a_form_that_cannot_be_filled_in(
    ask: Ask, workflow: Workflow, staff_of: Callable[..., Client], organisation: Organisation
) -> None:
    reader = staff_of(organisation, roles.READ_ONLY)
    answer = ask("panel", STARTED, [], path="trigger", workflow=workflow.pk, client=reader)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert '<fieldset class="wf-fields" disabled>' in html
    assert "Apply" not in html
