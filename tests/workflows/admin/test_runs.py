"""Runs in the admin: the list, one run's page, retrying and cancelling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.admin.test_query_counts import ASKING
from tests.workflows.running import PURCHASE, add_tag, contact, happens, made, work
from workflows.admin import runs as admin_runs
from workflows.models import Run

pytestmark = pytest.mark.django_db

RUNS = "admin:workflows_run_changelist"
TAKEN: dict[str, Any] = {
    "type": "update_contact",
    "id": "same",
    "values": {"phoneNumber": "+447700900123"},
}
"""It fails: the number is somebody else's."""


def page(run: Run, name: str = "change") -> str:
    return reverse(f"admin:workflows_run_{name}", args=[run.pk])


def listed(client: Client, **query: Any) -> list[Run]:
    answer = client.get(reverse(RUNS), query)
    assert answer.status_code == 200, answer.content
    return list(answer.context["cl"].result_list)


def text_of(client: Client, run: Run) -> str:
    answer = client.get(page(run))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def run_of(workflow: int) -> Run:
    found: Run = Run.objects.across_organisations().get(workflow=workflow)
    return found


@pytest.fixture(autouse=True)
def _one_attempt(settings: Any) -> None:
    settings.WORKFLOW_RETRY_PAUSES = ()


@pytest.fixture
def failed(api: Any) -> Run:
    """Jane's run, which did one step and failed at the second."""
    contact(api, "taken", phoneNumber="+447700900123")
    workflow = made(api, PURCHASE, add_tag("First", id="first"), TAKEN, add_tag("Last", id="last"))
    happens(api, contact(api, firstName="Jane", lastName="Hull"))
    work()
    run = run_of(workflow)
    assert run.status == Run.Status.FAILED
    return run


@pytest.fixture
def waiting(api: Any) -> Run:
    """Tom's run, which waits for a day."""
    arrival = {"type": "activity_created", "activityTypes": ["Checked in"]}
    wait = {"type": "wait", "duration": "P1D"}
    workflow = made(api, arrival, add_tag("First", id="first"), wait)
    happens(api, contact(api, "tom", firstName="Tom"), "Checked in")
    work()
    return run_of(workflow)


# The list


def test_the_list_says_where_each_run_is(owner: Client, failed: Run, waiting: Run) -> None:
    told = owner.get(reverse(RUNS)).content.decode()
    assert "Change the contact · same" in told
    assert "Wait · wait" in told
    assert "waits until" in told


def test_the_list_is_filtered(owner: Client, failed: Run, waiting: Run) -> None:
    mine = {"workflow": failed.workflow_id}
    assert listed(owner, status="failed") == [failed]
    assert listed(owner, **mine) == [failed]
    assert listed(owner, **mine, version=1) == [failed]
    assert listed(owner, **mine, version=2) == []
    assert listed(owner, started_to="2001-01-01") == []
    assert waiting in listed(owner, started_from="2001-01-01")


def test_a_step_finds_the_runs_that_came_to_it_or_stand_there(
    owner: Client, failed: Run, waiting: Run
) -> None:
    mine = {"workflow": failed.workflow_id}
    assert listed(owner, **mine, step="first") == [failed]
    assert listed(owner, **mine, step="same") == [failed]
    assert listed(owner, **mine, step="last") == []
    # It failed, but not there.
    assert listed(owner, **mine, step="first", status="failed") == []
    assert listed(owner, **mine, step="same", status="failed") == [failed]
    assert listed(owner, step="wait", status="waiting") == [waiting]
    assert listed(owner, step="first", status="waiting") == []


def test_the_list_is_searched_by_contact_and_number(
    owner: Client, failed: Run, waiting: Run
) -> None:
    assert listed(owner, q="hull") == [failed]
    assert listed(owner, q=f"#{failed.pk}") == [failed]
    assert listed(owner, q="nobody") == []
    assert listed(owner, contact=failed.contact_id) == [failed]


def test_chosen_runs_are_retried_and_cancelled_once_it_is_confirmed(
    owner: Client, failed: Run, waiting: Run
) -> None:
    chosen = {"_selected_action": [failed.pk, waiting.pk]}
    for action, run, becomes in (
        ("retry_chosen", failed, "pending"),
        ("cancel_chosen", waiting, "cancelled"),
    ):
        asked = owner.post(reverse(RUNS), {"action": action, **chosen})
        assert "1 run?" in asked.content.decode() or "2 runs?" in asked.content.decode()
        run.refresh_from_db()
        assert run.status in ("failed", "waiting")
        owner.post(reverse(RUNS), {"action": action, "confirmed": "yes", **chosen})
        run.refresh_from_db()
        assert run.status == becomes


def test_more_than_a_page_can_wait_for_are_refused(
    owner: Client, failed: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_runs, "MAX_STEERED", 0)
    chosen = {"action": "retry_chosen", "confirmed": "yes", "_selected_action": [failed.pk]}
    assert "At most 0 runs" in owner.post(reverse(RUNS), chosen, follow=True).content.decode()
    failed.refresh_from_db()
    assert failed.status == Run.Status.FAILED


def test_one_that_cannot_be_retried_stops_no_other(owner: Client, api: Any) -> None:
    contact(api, "taken", phoneNumber="+447700900123")
    once = {**PURCHASE, "reentry": {"policy": "one_at_a_time"}}
    jane, tom = contact(api, "jane"), contact(api, "tom")
    workflow = made(api, once, TAKEN)
    for _count in range(2):  # two that failed one after the other
        happens(api, jane)
        work()
    happens(api, tom)
    work()
    failed = list(Run.objects.across_organisations().filter(workflow=workflow))
    owner.post(
        reverse(RUNS),
        {
            "action": "retry_chosen",
            "confirmed": "yes",
            "_selected_action": [run.pk for run in failed],
        },
    )
    statuses = Run.objects.across_organisations().filter(workflow=workflow)
    assert sorted(statuses.values_list("status", flat=True)) == ["failed", "pending", "pending"]


# One run


def test_a_failed_run_says_what_it_did_and_why_it_failed(owner: Client, failed: Run) -> None:
    told = text_of(owner, failed)
    assert "Jane Hull in When activity_created" in told
    assert failed.error_message.split(": ", 1)[1] in told.replace("&#x27;", "'")
    assert "Put on." in told
    assert "Purchase," in told  # the activity, linked
    assert reverse("admin:activities_activity_change", args=[failed.activity_id]) in told
    assert "Retry from the failed step" in told
    assert "Cancel the run" not in told


def test_a_waiting_run_says_until_when(owner: Client, waiting: Run) -> None:
    told = text_of(owner, waiting)
    assert "waits until" in told
    assert "Cancel the run" in told
    assert "Retry from" not in told


def test_the_canvas_is_lit_where_it_went(owner: Client, failed: Run) -> None:
    drawing = owner.get(page(failed)).context["drawing"]
    assert [(card.id, card.lit, card.state) for card in drawing.cards()][1:] == [
        ("first", True, "completed"),
        ("same", True, "failed"),
        ("last", False, ""),
    ]


def test_a_chain_of_runs_is_linked_both_ways(owner: Client, api: Any) -> None:
    heard = made(api, {"type": "tag_added", "tag": "vip"}, add_tag("Heard"))
    first = made(api, PURCHASE, add_tag("VIP"))
    happens(api, contact(api))
    work()
    cause, effect = run_of(first), run_of(heard)
    assert page(effect) in text_of(owner, cause)
    assert page(cause) in text_of(owner, effect)


def test_what_was_sent_is_linked(owner: Client, api: Any, mailoutbox: list[Any]) -> None:
    mail = {"type": "send_email", "subject": "Hello <you>", "body": "<p>Hello</p>"}
    workflow = made(api, PURCHASE, mail)
    happens(api, contact(api))
    work()
    told = text_of(owner, run_of(workflow))
    assert "Hello &lt;you&gt;" in told
    assert "Sent." in told


def test_a_run_whose_contact_was_erased_can_still_be_looked_at(
    owner: Client, api: Any, failed: Run
) -> None:
    assert api.post(f"/contacts/{failed.contact_id}/redact").status_code in (200, 204)
    told = text_of(owner, failed)
    assert "Hull" not in told
    assert "Put on." not in told


def test_retry_and_cancel_ask_first_and_want_a_post(
    owner: Client, failed: Run, waiting: Run
) -> None:
    for run, name, becomes in ((failed, "retry", "pending"), (waiting, "cancel", "cancelled")):
        before = run.status
        assert owner.get(page(run, name)).status_code == 200
        assert owner.get(page(run, name), {"confirmed": "yes"}).status_code == 200
        run.refresh_from_db()
        assert run.status == before
        assert owner.post(page(run, name), {"confirmed": "yes"}).status_code == 302
        run.refresh_from_db()
        assert run.status == becomes
        # Once more is refused in words.
        again = owner.post(page(run, name), {"confirmed": "yes"}, follow=True)
        assert "can be retried." in again.content.decode() or "ended" in again.content.decode()


@pytest.mark.parametrize("role", [roles.STAFF, roles.READ_ONLY])
def test_who_may_not_change_workflows_only_looks(
    staff_of: Callable[..., Client], organisation: Organisation, failed: Run, role: str
) -> None:
    client = staff_of(organisation, role)
    assert "Retry from" not in text_of(client, failed)
    assert client.post(page(failed, "retry"), {"confirmed": "yes"}).status_code == 403
    client.post(
        reverse(RUNS),
        {"action": "retry_chosen", "confirmed": "yes", "_selected_action": [failed.pk]},
    )
    failed.refresh_from_db()
    assert failed.status == Run.Status.FAILED


def test_a_run_is_neither_made_nor_changed_nor_deleted_here(owner: Client, failed: Run) -> None:
    assert owner.get(reverse("admin:workflows_run_add")).status_code == 403
    assert owner.post(page(failed), {"status": "completed"}).status_code == 403
    assert owner.post(page(failed, "delete"), {"post": "yes"}).status_code == 403


def test_a_page_costs_the_same_for_many_steps(owner: Client, api: Any) -> None:
    def cost(workflow: int) -> int:
        run = run_of(workflow)
        owner.get(page(run))
        with CaptureQueriesContext(connection) as captured:
            owner.get(page(run))
        return len(captured)

    short = made(api, PURCHASE, add_tag("a"))
    happens(api, contact(api, "jane"))
    work()
    few = cost(short)
    # The run, its steps, the activity, what it set off, what it sent.
    assert few <= ASKING + 5
    api.post(f"/workflows/{short}/pause")
    long = made(api, PURCHASE, *[add_tag(f"t{number}") for number in range(20)])
    happens(api, contact(api, "tom"))
    work()
    assert cost(long) <= few


# The contact's page


def test_a_contacts_page_shows_its_runs(
    owner: Client, staff_of: Callable[..., Client], organisation: Organisation, failed: Run
) -> None:
    address = reverse("admin:contacts_contact_change", args=[failed.contact_id])
    assert page(failed) in owner.get(address).content.decode()
    nobody = rows.contact(organisation)
    address = reverse("admin:contacts_contact_change", args=[nobody.pk])
    assert 'class="rg-entry rg-entry-run"' not in owner.get(address).content.decode()
