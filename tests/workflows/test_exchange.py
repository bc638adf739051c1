"""Workflows as documents: out of one organisation, and into another."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from activities.models import ActivityType
from contacts.segments import services as segments
from organisations.models import Organisation
from tests.admin import rows
from tests.workflows.running import PURCHASE, add_tag, made
from workflows import exchange, services
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


def workflow_of(organisation: Organisation, name: str) -> Workflow:
    found: Workflow = Workflow.objects.for_organisation(organisation).get(name=name)
    return found


def exported(organisation: Organisation, name: str) -> dict[str, Any]:
    """The document, through the file that it is written to."""
    return exchange.parse(json.dumps(exchange.export(workflow_of(organisation, name))))


def wrong(organisation: Organisation, document: dict[str, Any]) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as refused:
        exchange.bring_in(organisation=organisation, text=json.dumps(document))
    return dict(refused.value.message_dict)


def speaking(api: Any, organisation: Organisation) -> dict[str, Any]:
    """The document of a workflow that speaks of all that an organisation calls its own."""
    segment = segments.create(organisation=organisation, name="Locals", rules={"all": []})
    other = segments.create(organisation=organisation, name="Far away", rules={"all": []})
    rows.field(organisation, label="Diet")
    ActivityType.objects.create(organisation=organisation, name="Massage", counts_as_order=True)
    ActivityType.objects.create(organisation=organisation, name="Not spoken of")
    called = made(api, {"type": "manual"}, add_tag("called"), name="The other one")
    within = {"field": "contact.segments", "operator": "contains", "value": other.pk}
    among = {"field": "contact.segments", "operator": "in", "value": [segment.pk, other.pk]}
    vegan = {"field": "contact.customFields.diet", "operator": "eq", "value": "Vegan"}
    often = {
        "field": "activities",
        "operator": "count_gte",
        "value": 2,
        "where": {"type": "Massage"},
    }
    trigger = {
        "type": "segment_entered",
        "segment": segment.pk,
        "conditions": {"all": [within, {"any": [vegan, often]}]},
    }
    fork = {
        "id": "fork",
        "type": "condition",
        "conditions": among,
        "then": [{"id": "start", "type": "start_workflow", "workflow": called}],
        "else": [{"id": "call", "type": "call_webhook", "url": "https://example.com/hook"}],
    }
    fork["else"][0]["headers"] = {"Authorization": "Bearer secret"}  # type: ignore[index]
    made(api, trigger, fork, name="Everything", description="All of it")
    return exported(organisation, "Everything")


def test_it_names_what_is_the_organisations_own(api: Any, organisation: Organisation) -> None:
    document = speaking(api, organisation)
    assert (document["name"], document["description"]) == ("Everything", "All of it")
    assert document["trigger"]["segment"] == "Locals"
    assert document["trigger"]["conditions"]["all"][0]["value"] == "Far away"
    (fork,) = document["steps"]
    assert fork["conditions"]["value"] == ["Locals", "Far away"]
    assert fork["then"][0]["workflow"] == "The other one"
    assert document["activityTypes"] == [{"name": "Massage", "countsAsOrder": True}]


def test_passwords_stay_at_home(api: Any, organisation: Organisation) -> None:
    (fork,) = speaking(api, organisation)["steps"]
    assert fork["else"][0]["headers"] == {"Authorization": ""}


def test_another_organisation_takes_it_in_as_a_draft(
    api: Any, organisation: Organisation, other_organisation: Organisation
) -> None:
    document = speaking(api, organisation)
    segment = segments.create(organisation=other_organisation, name="Locals", rules={"all": []})
    other = segments.create(organisation=other_organisation, name="Far away", rules={"all": []})
    rows.field(other_organisation, label="Diet")
    called = services.create(
        organisation=other_organisation, name="The other one", trigger={"type": "manual"}, steps=[]
    )

    taken = exchange.bring_in(organisation=other_organisation, text=json.dumps(document))

    assert (taken.organisation, taken.status) == (other_organisation, "Draft")
    version = taken.versions.get()
    assert version.trigger["segment"] == segment.pk
    assert version.trigger["conditions"]["all"][0]["value"] == other.pk
    (fork,) = version.steps
    assert fork["conditions"]["value"] == [segment.pk, other.pk]
    assert fork["then"][0]["workflow"] == called.pk
    massage = ActivityType.objects.for_organisation(other_organisation).get()
    assert (massage.name, massage.counts_as_order) == ("Massage", True)
    # And out again it is what came in.
    assert exported(other_organisation, "Everything") == document


def test_all_that_is_missing_is_told_at_once_and_nothing_is_made(
    api: Any, organisation: Organisation, other_organisation: Organisation
) -> None:
    document = speaking(api, organisation)
    document["name"] = ""
    assert wrong(other_organisation, document) == {
        "name": ["This is required."],
        "trigger.segment": ["There is no segment of the name Locals."],
        "trigger.conditions.all.0.value": ["There is no segment of the name Far away."],
        "trigger.conditions.all.1.any.0.field": ["There is no field contact.customFields.diet."],
        "steps.0.conditions.value": ["There is no segment of the name Far away."],
        "steps.0.then.0.workflow": ["There is no workflow of the name The other one."],
    }
    assert not Workflow.objects.for_organisation(other_organisation).exists()
    assert not ActivityType.objects.for_organisation(other_organisation).exists()


def test_a_name_that_two_have_is_nobodys(api: Any, organisation: Organisation) -> None:
    for _count in range(2):
        called = made(api, {"type": "manual"}, name="Twice")
    made(api, PURCHASE, {"type": "start_workflow", "workflow": called}, name="Starts it")
    document = exported(organisation, "Starts it")
    assert wrong(organisation, document) == {
        "steps.0.workflow": ["More than one workflow has the name Twice."]
    }


def test_what_is_gone_cannot_be_named(api: Any, organisation: Organisation) -> None:
    called = made(api, {"type": "manual"}, name="Soon gone")
    made(api, PURCHASE, {"type": "start_workflow", "workflow": called}, name="Starts it")
    services.delete(workflow=workflow_of(organisation, "Soon gone"))
    with pytest.raises(ValidationError) as refused:
        exported(organisation, "Starts it")
    assert refused.value.message_dict == {
        "steps.0.workflow": [f"Workflow {called} is no longer there."]
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "This is no JSON"),
        ("{", "This is no JSON"),
        ("[1]", "This is no exported workflow."),
        ('{"format": "other"}', "This is no exported workflow."),
        ('{"format": "regulars.workflow", "version": 2}', "another version of Regulars"),
        (" " * (exchange.LARGEST + 1), "A workflow is of 1 MB at most."),
        ('{"a":' * 5000 + "1" + "}" * 5000, "This is no JSON"),
    ],
)
def test_a_file_that_is_no_workflow_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        exchange.parse(text)


@pytest.mark.parametrize(
    "part",
    [
        {"trigger": 7},
        {"trigger": {"type": ["manual"]}},
        {"steps": "none"},
        {"steps": [7, {"type": 7}, {"type": "condition", "then": 7}]},
        {"steps": [{"type": "start_workflow", "workflow": {"id": 1}}]},
        {"activityTypes": 7},
        {"activityTypes": [7, {"name": "Booking"}]},
        {"surprise": 1},
        {"trigger": {"type": "manual", "conditions": json.loads('{"all":[' * 400 + "]}" * 400)}},
    ],
)
def test_whatever_is_in_it_is_refused_in_words(
    organisation: Organisation, part: dict[str, Any]
) -> None:
    sound = {"name": "Odd", "trigger": {"type": "manual"}, "steps": []}
    document = {"format": exchange.FORMAT, "version": exchange.VERSION, **sound, **part}
    assert wrong(organisation, document)
    assert not Workflow.objects.for_organisation(organisation).exists()
