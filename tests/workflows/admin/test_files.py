"""Workflows as files in the admin: export, import, and the ready-made ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from workflows import exchange, ready_made, services
from workflows.models import Workflow

pytestmark = pytest.mark.django_db

IMPORT, READY_MADE = (
    "admin:workflows_workflow_bring_in",
    "admin:workflows_workflow_ready_made",
)


def of(organisation: Organisation) -> Any:
    return Workflow.objects.for_organisation(organisation)


def exported(client: Client, workflow: Workflow) -> Any:
    return client.get(reverse("admin:workflows_workflow_export", args=[workflow.pk]))


def brought_in(client: Client, **given: Any) -> Any:
    return client.post(reverse(IMPORT), {"confirmed": "yes", **given})


@pytest.fixture
def hello(organisation: Organisation) -> Workflow:
    return rows.workflow(
        organisation,
        name="Hällo / there",
        steps=[{"type": "add_tag", "id": "tag", "tag": "Grüezi"}],
    )


def test_a_file_goes_out_and_comes_in(
    owner: Client, organisation: Organisation, hello: Workflow
) -> None:
    file = exported(owner, hello)
    assert file["Content-Disposition"] == 'attachment; filename="hallo-there.json"'

    upload = SimpleUploadedFile("hello.json", file.content)
    answer = brought_in(owner, file=upload)

    made = of(organisation).exclude(pk=hello.pk).get()
    assert answer.url == reverse("admin:workflows_workflow_change", args=[made.pk])
    assert (made.name, made.status) == ("Hällo / there", Workflow.Status.DRAFT)
    assert made.versions.get().steps == hello.versions.get().steps


def test_what_is_in_a_file_can_be_pasted(
    owner: Client, organisation: Organisation, hello: Workflow
) -> None:
    assert brought_in(owner, text=exported(owner, hello).content.decode()).status_code == 302
    assert of(organisation).count() == 2


def test_all_that_is_wrong_is_listed_and_what_was_pasted_stays(
    owner: Client, organisation: Organisation, hello: Workflow
) -> None:
    document = exchange.export(hello)
    document["trigger"] = {"type": "segment_entered", "segment": "Locals"}
    document["steps"][0]["tag"] = ""
    text = json.dumps(document)
    answer = brought_in(owner, text=text)
    told = answer.content.decode()
    assert "trigger.segment: There is no segment of the name Locals." in told
    assert "steps.0.tag: This is required." in told
    assert answer.context["form"]["text"].value() == text
    assert of(organisation).count() == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Choose a file, or paste what is in one."),
        ({"text": "no"}, "This is no JSON"),
        ({"text": "x" * (exchange.LARGEST + 1)}, "at most 1048576 characters"),
        (
            {"file": SimpleUploadedFile("a.json", b"x" * (exchange.LARGEST + 1))},
            "A workflow is of 1 MB at most.",
        ),
        ({"file": SimpleUploadedFile("a.json", b"\xff\xfe")}, "This is no JSON"),
    ],
)
def test_what_is_no_workflow_is_refused(
    owner: Client, organisation: Organisation, given: dict[str, Any], said: str
) -> None:
    answer = brought_in(owner, **given)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not of(organisation).exists()


def test_one_that_speaks_of_what_is_gone_is_not_exported(
    owner: Client, organisation: Organisation, hello: Workflow
) -> None:
    starting = rows.workflow(organisation, steps=[{"type": "start_workflow", "workflow": hello.pk}])
    services.delete(workflow=hello)
    answer = owner.get(reverse("admin:workflows_workflow_export", args=[starting.pk]), follow=True)
    assert "is no longer there" in answer.content.decode()


@pytest.mark.parametrize("name", ready_made.NAMES)
def test_a_template_becomes_a_draft_on_the_canvas(
    owner: Client, organisation: Organisation, name: str
) -> None:
    page = owner.get(reverse(READY_MADE)).content.decode()
    assert ready_made.documents()[name]["description"] in page
    answer = owner.post(reverse(READY_MADE), {"name": name}, follow=True)
    made = of(organisation).get()
    assert made.status == Workflow.Status.DRAFT
    assert answer.redirect_chain[-1][0] == reverse(
        "admin:workflows_workflow_change", args=[made.pk]
    )


def test_a_template_that_there_is_not_is_404(owner: Client) -> None:
    assert owner.post(reverse(READY_MADE), {"name": "../secrets"}).status_code == 404


def test_who_may_not_make_workflows_brings_none_in(
    staff_of: Callable[..., Client],
    organisation: Organisation,
    other_organisation: Organisation,
    hello: Workflow,
) -> None:
    client = staff_of(organisation, roles.STAFF)
    text = exported(client, hello).content.decode()  # looking is theirs
    for address, body in ((IMPORT, {"text": text}), (READY_MADE, {"name": "welcome"})):
        answer = client.post(reverse(address), {"confirmed": "yes", **body})
        assert answer.status_code == 403
    assert of(organisation).count() == 1
    assert exported(client, rows.workflow(other_organisation)).status_code == 404
