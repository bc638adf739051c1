"""The page on which a workflow is made: shown, saved, switched on and off, by whom."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from workflows import services
from workflows.models import Event, Run, StepExecution, Workflow

pytestmark = pytest.mark.django_db

Ask = Callable[..., Any]
ADD = "/admin/workflows/workflow/add/"


def page(workflow: Workflow, name: str = "change") -> str:
    return reverse(f"admin:workflows_workflow_{name}", args=[workflow.pk])


def posted(trigger: Any, steps: Any, **more: Any) -> dict[str, Any]:
    given = {"name": "Hello", "description": "", **more}
    return {**given, "trigger": json.dumps(trigger), "steps": json.dumps(steps)}


def test_a_workflow_is_made_by_the_service(owner: Client, organisation: Organisation) -> None:
    steps = [{"type": "add_tag", "tag": "VIP"}]
    answer = owner.post(ADD, posted({"type": "contact_created"}, steps, name="Greet"))
    workflow = Workflow.objects.for_organisation(organisation).get()
    assert answer["location"] == page(workflow)
    assert (workflow.name, workflow.status, workflow.version) == ("Greet", "Draft", 1)
    assert workflow.versions.get().steps == [{"id": "add_tag", "type": "add_tag", "tag": "VIP"}]


def test_other_steps_make_a_new_version(owner: Client, workflow: Workflow) -> None:
    services.set_status(workflow=workflow, status="Active")
    owner.post(page(workflow), posted({"type": "activity_created"}, [{"id": "e", "type": "exit"}]))
    workflow.refresh_from_db()
    assert (workflow.version, workflow.status) == (2, "Active")


def test_what_is_refused_is_drawn_with_its_errors(owner: Client, workflow: Workflow) -> None:
    steps = [{"id": "one", "type": "give_credit"}]
    answer = owner.post(page(workflow), posted({"type": "manual"}, steps, name="Mine"))
    (card,) = answer.context["drawing"].steps.cards
    assert card.errors == ["Amount: This is required."]
    html = answer.content.decode()
    assert 'value="Mine"' in html
    assert " data-unsaved" in html
    workflow.refresh_from_db()
    assert (workflow.name, workflow.version) == ("Hello", 1)


def test_json_that_is_none_is_told(owner: Client, workflow: Workflow) -> None:
    given = posted({"type": "manual"}, []) | {"steps": "[{"}
    answer = owner.post(page(workflow), given)
    assert "Enter a valid JSON" in answer.content.decode()


def test_the_canvas_of_a_draft_has_its_errors(ask: Ask, workflow: Workflow) -> None:
    answer = ask("draw", {"type": "manual"}, [{"id": "a", "type": "add_tag"}], workflow=workflow.pk)
    html = answer.content.decode()
    assert "Tag: This is required." in html
    assert 'data-add="steps" data-index="1"' in html


def test_each_step_says_how_many_runs_came_to_it(
    owner: Client, workflow: Workflow, organisation: Organisation
) -> None:
    for status in ("completed", "waiting", "failed"):
        run = rows.run(organisation, workflow=workflow)
        started = {"started_at": timezone.now(), "type": "add_tag"}
        StepExecution.objects.create(run=run, number=1, step_id="tag", status=status, **started)
    drawing = owner.get(page(workflow)).context["drawing"]
    counts = next(card.counts for card in drawing.cards() if card.id == "tag")
    assert (counts.entered, counts.waiting, counts.failed) == (3, 1, 1)
    runs = owner.get(counts.links["failed"])
    assert runs.status_code == 200


def test_the_page_costs_the_same_whatever_the_workflow_has(
    owner: Client, workflow: Workflow, organisation: Organisation
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert owner.get(page(workflow)).status_code == 200
        return len(captured)

    before = queries()
    for _count in range(5):
        rows.run(organisation, workflow=workflow)
    rule = {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": 2}]}
    many = [
        {"id": f"c{number}", "type": "condition", "conditions": rule, "then": [], "else": []}
        for number in range(30)
    ]
    services.replace(
        workflow=workflow, values={"name": "x", "trigger": {"type": "manual"}, "steps": many}
    )
    Run.objects.of(workflow).update(version=workflow.versions.get(number=2))
    assert queries() == before


def test_who_may_only_read_sees_it_and_cannot_change_it(
    workflow: Workflow, staff_of: Callable[..., Client], organisation: Organisation
) -> None:
    reader = staff_of(organisation, roles.READ_ONLY)
    html = reader.get(page(workflow)).content.decode()
    assert "VIP" in html
    assert "data-add" not in html
    assert page(workflow, "activate") not in html
    assert reader.post(page(workflow), posted({"type": "manual"}, [])).status_code == 403
    assert reader.post(page(workflow, "activate"), {"confirmed": "yes"}).status_code == 404
    assert reader.get(ADD).status_code == 403
    workflow.refresh_from_db()
    assert (workflow.version, workflow.status) == (1, "Draft")


def test_activating_asks(owner: Client, workflow: Workflow) -> None:
    assert "Activate Hello?" in owner.get(page(workflow, "activate")).content.decode()
    workflow.refresh_from_db()
    assert workflow.status == "Draft"
    owner.post(page(workflow, "activate"), {"confirmed": "yes"})
    workflow.refresh_from_db()
    assert workflow.status == "Active"
    owner.post(page(workflow, "pause"), {"confirmed": "yes"})
    workflow.refresh_from_db()
    assert workflow.status == "Paused"


@pytest.mark.parametrize("wished", [True, False])
def test_contacts_who_match_already_enter_if_wished(
    wished: bool, owner: Client, organisation: Organisation
) -> None:
    rows.contact(organisation)
    workflow = services.create(
        organisation=organisation, name="All", trigger={"type": "contact_created"}, steps=[]
    )
    html = owner.get(page(workflow, "activate")).content.decode()
    assert "Let the 1 contact in who matches already" in html
    answer = {"confirmed": "yes"} | ({"include_existing": "on"} if wished else {})
    owner.post(page(workflow, "activate"), answer)
    assert Event.objects.for_organisation(organisation).exists() is wished


def test_the_pages_of_a_foreign_workflow_are_not_there(
    owner: Client, other_organisation: Organisation
) -> None:
    foreign = rows.workflow(other_organisation)
    for name in ("activate", "pause"):
        assert owner.post(page(foreign, name), {"confirmed": "yes"}).status_code == 404
    foreign.refresh_from_db()
    assert foreign.status == "Draft"


def test_the_list_says_what_became_of_the_runs(
    owner: Client, workflow: Workflow, organisation: Organisation
) -> None:
    rows.run(organisation, workflow=workflow, status=Run.Status.WAITING)
    rows.run(organisation, workflow=workflow, status=Run.Status.FAILED)
    (shown,) = owner.get(reverse("admin:workflows_workflow_changelist")).context["cl"].result_list
    assert (shown.counts["unfinished"], shown.counts["failed"]) == (1, 1)
    assert shown.last_run_at is not None


def test_deleting_goes_through_the_service(owner: Client, workflow: Workflow) -> None:
    owner.post(page(workflow, "delete"), {"post": "yes"})
    assert not Workflow.objects.across_organisations().exists()


def test_a_webhook_shows_its_address(owner: Client, organisation: Organisation) -> None:
    workflow = rows.workflow(organisation, trigger={"type": "webhook"})
    assert workflow.secret in owner.get(page(workflow)).content.decode()
