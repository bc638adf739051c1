"""Trying a workflow on a contact in the admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.workflows.running import PURCHASE, add_tag, contact, happens, made
from tests.workflows.test_simulation import everything
from workflows.models import Workflow

pytestmark = pytest.mark.django_db

LOYAL = {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": 1}]}


def page(workflow: int) -> str:
    return reverse("admin:workflows_workflow_simulate", args=[workflow])


def tried(client: Client, workflow: int, **given: Any) -> Any:
    answer = client.post(page(workflow), given)
    assert answer.status_code == 200
    return answer


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


@pytest.fixture
def thanks(api: Any) -> int:
    """A Draft that thanks those who ordered before, a day later."""
    mail = {
        "id": "mail",
        "type": "send_email",
        "subject": "Thank you, {{ contact.firstName }}",
        "body": "<p>We <b>thank</b> you, {{ contact.firstName }}.</p><script>alert(1)</script>",
    }
    fork = {
        "id": "fork",
        "type": "condition",
        "conditions": LOYAL,
        "then": [{"id": "pause", "type": "wait", "duration": "P1D"}, mail],
        "else": [add_tag("New", id="new")],
    }
    trigger = {**PURCHASE, "conditions": LOYAL}
    return made(api, trigger, fork, status=Workflow.Status.DRAFT)


def test_it_shows_the_way_the_waits_and_the_messages(
    owner: Client, api: Any, thanks: int, mailoutbox: list[Any]
) -> None:
    jane = contact(api, firstName="Jane")
    happens(api, jane)
    tried(owner, thanks, contact=jane)  # the session is written once
    before = everything()

    answer = tried(owner, thanks, contact=jane, at="2027-03-01T10:00")

    assert everything() == before
    assert mailoutbox == []
    told = text_of(answer)
    assert "It would start for Jane" in told
    assert "Orders is at least 1" in told
    assert "found: 1" in told
    assert "Waits until 2 Mar 2027, 10:00." in told
    assert "Thank you, Jane" in told
    lit = [card.id for card in answer.context["drawing"].cards() if card.lit]
    assert lit == ["", "fork", "pause", "mail"]
    # The e-mail is in a frame of its own, in which nothing runs.
    assert "<iframe sandbox " in told
    assert "<script>alert(1)</script>" not in told


def test_it_says_why_it_would_not_start(owner: Client, api: Any, thanks: int) -> None:
    answer = tried(owner, thanks, contact=contact(api, firstName="Jane"))
    told = text_of(answer)
    assert "It would not start for Jane by itself" in told
    assert "no activity that could set it off" in told
    assert [line.id for line in answer.context["lines"]] == ["fork", "new"]


def test_the_latest_activity_that_starts_it_is_taken_or_the_chosen_one(
    owner: Client, api: Any, thanks: int
) -> None:
    jane = contact(api)
    first, second = happens(api, jane), happens(api, jane)
    other = happens(api, jane, "Checked in")
    assert tried(owner, thanks, contact=jane).context["activity"].pk == second
    assert tried(owner, thanks, contact=jane, activity=first).context["activity"].pk == first
    chosen = tried(owner, thanks, contact=jane, activity=other)
    assert "It would not start" in text_of(chosen)
    foreign = happens(api, contact(api, "tom"))
    refused = tried(owner, thanks, contact=jane, activity=foreign)
    assert "Select a valid choice" in text_of(refused)


def test_a_workflow_without_an_activity_asks_for_none(owner: Client, api: Any) -> None:
    pk = made(api, {"type": "manual"}, add_tag("x"))
    assert "activity" not in owner.get(page(pk)).context["form"].fields
    assert "It would start" in text_of(tried(owner, pk, contact=contact(api)))


def test_a_step_that_fails_is_told(owner: Client, api: Any) -> None:
    contact(api, "taken", phoneNumber="+447700900123")
    same = {"type": "update_contact", "id": "same", "values": {"phoneNumber": "+447700900123"}}
    pk = made(api, {"type": "manual"}, same, add_tag("never", id="never"))
    answer = tried(owner, pk, contact=contact(api))
    assert [(line.id, line.status) for line in answer.context["lines"]] == [("same", "failed")]
    assert "phone number already" in text_of(answer)


def test_nobody_tries_on_contacts_of_others_or_foreign_workflows(
    owner: Client,
    staff_of: Callable[..., Client],
    organisation: Organisation,
    other_organisation: Organisation,
    thanks: int,
) -> None:
    foreign = rows.contact(other_organisation)
    for given in (foreign.pk, "x", "", 2**70):
        assert "told" not in tried(owner, thanks, contact=given).context
    assert owner.get(page(rows.workflow(other_organisation).pk)).status_code == 404
    for role in (roles.STAFF, roles.READ_ONLY):
        assert staff_of(organisation, role).get(page(thanks)).status_code == 403
