"""A workflow drawn as cards: what they say, what is wrong with them, the path of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.utils import timezone

from organisations.models import Organisation
from tests.workflows.admin.examples import STEPS, TRIGGERS
from workflows.admin.drawing import Counts, Drawing, draw
from workflows.models import StepExecution

pytestmark = pytest.mark.django_db

Given = Callable[[dict[str, Any]], dict[str, Any]]
TAG = {"id": "tag", "type": "add_tag", "tag": "VIP"}


def fork(then: list[Any], otherwise: list[Any]) -> dict[str, Any]:
    return {
        "id": "fork",
        "type": "condition",
        "conditions": {"all": []},
        "then": then,
        "else": otherwise,
    }


def shown(drawing: Drawing, **context: Any) -> str:
    return render_to_string("admin/workflows/canvas.html", {"drawing": drawing, **context})


def executed(step_id: str, status: str = "completed", **values: Any) -> StepExecution:
    return StepExecution(step_id=step_id, status=status, started_at=timezone.now(), **values)


@pytest.mark.parametrize(("type_", "keys", "said"), STEPS)
def test_the_card_of_a_step_says_what_it_does(
    type_: str, keys: dict[str, Any], said: str, organisation: Organisation, given: Given
) -> None:
    step = {"id": "one", "type": type_, **given(keys)}
    drawing = draw({"type": "activity_created"}, [step], organisation=organisation)
    (card,) = drawing.steps.cards
    assert (card.summary, card.id, card.path) == (said, "one", "steps.0")


@pytest.mark.parametrize(("type_", "keys", "said"), TRIGGERS)
def test_the_card_of_a_trigger_says_what_starts_it(
    type_: str, keys: dict[str, Any], said: str, organisation: Organisation, given: Given
) -> None:
    card = draw({"type": type_, **given(keys)}, [], organisation=organisation).trigger
    assert card.summary == said


def test_conditions_and_reentry_are_notes_of_the_trigger(organisation: Organisation) -> None:
    trigger = {
        "type": "manual",
        "conditions": {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": 2}]},
        "reentry": {"policy": "once_per", "duration": "P90D"},
    }
    assert draw(trigger, [], organisation=organisation).trigger.notes == [
        "Only if Orders is at least 2",
        "Enters at most once in 90 days",
    ]


def test_the_two_paths_of_a_condition_stand_beside_one_another(organisation: Organisation) -> None:
    drawing = draw({"type": "manual"}, [fork([TAG], []), TAG], organisation=organisation)
    paths = [card.path for card in drawing.cards()]
    assert paths == ["trigger", "steps.0", "steps.0.then.0", "steps.1"]
    html = shown(drawing, editable=True, opens=True)
    assert [html.count(f'aria-label="{name}"') for name in ("Yes", "No")] == [1, 1]
    # A place to add a step between any two, and at every end.
    places = [("steps", 0), ("steps.0.then", 0), ("steps.0.then", 1), ("steps.0.else", 0)]
    for path, index in [*places, ("steps", 1), ("steps", 2)]:
        assert html.count(f'data-add="{path}" data-index="{index}"') == 1


def test_errors_are_told_once_at_their_cards(organisation: Organisation) -> None:
    steps = [fork([{"id": "one", "type": "give_credit"}], [])]
    errors = {
        "trigger.conditions.all.0.field": ["There is no field x."],
        "steps.0.then.0.amount": ["This is required."],
        "steps.0.id": ["Another step has it."],
        "steps": ["Too many."],
    }
    drawing = draw({"type": "manual"}, steps, organisation=organisation, errors=errors)
    assert {card.path: card.errors for card in drawing.cards()} == {
        "trigger": ["Conditions: There is no field x."],
        "steps.0": ["id: Another step has it."],
        "steps.0.then.0": ["Amount: This is required."],
    }
    assert drawing.errors == ["Too many."]
    assert shown(drawing).count("This is required.") == 1


@pytest.mark.parametrize(
    ("trigger", "steps"),
    [
        ({}, []),
        (None, None),
        ("x", "y"),
        ({"type": "nonsense"}, [None, "x", {}, {"type": "nonsense"}, {"type": []}]),
        ({"type": "segment_entered", "conditions": 3, "reentry": "x"}, [{"type": "wait"}]),
        ({"type": "date_anniversary", "field": 3}, [{"type": "condition", "then": {"a": 1}}]),
        ({"type": "inactivity", "duration": {}}, [{"type": "give_credit", "amount": "x"}]),
    ],
)
def test_a_draft_that_says_nonsense_is_drawn(
    trigger: Any, steps: Any, organisation: Organisation
) -> None:
    assert "wf-canvas" in shown(draw(trigger, steps, organisation=organisation))


def test_what_a_template_or_a_name_says_is_no_html(organisation: Organisation) -> None:
    steps = [{"id": "one", "type": "add_tag", "tag": "<script>"}]
    assert "<script>" not in shown(draw({"type": "manual"}, steps, organisation=organisation))


def test_the_path_of_a_run_is_lit(organisation: Organisation) -> None:
    steps = [fork([TAG], [{"id": "other", "type": "exit"}]), {"id": "last", "type": "exit"}]
    drawing = draw(
        {"type": "manual"},
        steps,
        organisation=organisation,
        executions=[
            executed("fork", output={"path": "then"}),
            executed("tag", "failed", error="No such thing."),
        ],
    )
    lit = {card.id: card.state for card in drawing.cards() if card.lit and card.id}
    assert lit == {"fork": "completed", "tag": "failed"}
    then, otherwise = drawing.steps.cards[0].branches
    assert (then.lit, otherwise.lit) == (True, False)
    assert not any(one.passed for one in (then, otherwise, drawing.steps))
    html = shown(drawing)
    assert "No such thing." in html
    assert "<button" not in html


def test_a_path_without_steps_is_lit_too(organisation: Organisation) -> None:
    executions = [executed("fork", output={"path": "else"})]
    drawing = draw(
        {"type": "manual"}, [fork([TAG], [])], organisation=organisation, executions=executions
    )
    assert [branch.lit for branch in drawing.steps.cards[0].branches] == [False, True]
    assert drawing.steps.passed


def test_counts_lead_to_the_runs(organisation: Organisation) -> None:
    links = {"entered": "/all", "waiting": "/waiting", "failed": "/failed"}
    counts = {"tag": Counts(7, 0, 2, links)}
    drawing = draw({"type": "manual"}, [TAG], organisation=organisation, counts=counts)
    html = shown(drawing)
    assert '<a href="/all">7 runs</a>' in html
    assert "2 failed" in html
    assert "waiting" not in html
