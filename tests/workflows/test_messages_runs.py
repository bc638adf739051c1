"""Messages within a run: parked in quiet hours, tried again, once however the worker fares."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.core.mail.backends.locmem import EmailBackend

from contacts.models import Contact
from organisations.models import Organisation
from tests.workflows.moments import contact_of, run_of
from workflows import engine
from workflows.messages import configuration
from workflows.messages.models import Message
from workflows.models import Run, StepExecution, Workflow

pytestmark = pytest.mark.django_db

MAIL = {"id": "mail", "type": "send_email", "subject": "Hi", "body": "Hi {{ contact.firstName }}"}
TEXT = {"id": "text", "type": "send_sms", "text": "Hi {{ run.context.mail.status }}"}
EVENING = datetime(2026, 4, 7, 21, 30, tzinfo=UTC)  # half past ten in London


@pytest.fixture(autouse=True)
def _settings(settings: Any) -> None:
    settings.SMS_BACKEND = "log"
    settings.WORKFLOW_RETRY_PAUSES = [60, 300]


@pytest.fixture
def jane(organisation: Organisation) -> Contact:
    return contact_of(organisation)


def due(contact: Contact, *steps: dict[str, Any], at: datetime) -> Run:
    run = run_of(contact, list(steps))
    Workflow.objects.for_organisation(contact.organisation).update(status="Active")
    Run.objects.for_organisation(contact.organisation).update(position="steps.0", due_at=at)
    return run


def work_until_idle() -> None:
    while engine.run_due():
        pass


def executions(run: Run) -> list[tuple[str, str, Any]]:
    rows = StepExecution.objects.filter(run=run).order_by("number")
    return [(row.step_id, row.status, row.output.get("status")) for row in rows]


def test_marketing_waits_in_the_quiet_hours_and_goes_on_after_them(
    jane: Contact, mailoutbox: list[Any]
) -> None:
    hours = {"quiet_from": "21:00", "quiet_to": "08:00"}
    configuration.change(organisation=jane.organisation, values=hours)
    with time_machine.travel(EVENING, tick=False) as clock:
        run = due(jane, MAIL, TEXT, at=EVENING)
        work_until_idle()
        run.refresh_from_db()
        assert run.status == "waiting"
        assert run.due_at == datetime(2026, 4, 8, 7, 0, tzinfo=UTC)
        assert mailoutbox == []
        clock.move_to(run.due_at)
        work_until_idle()
    run.refresh_from_db()
    assert run.status == "completed"
    assert executions(run) == [("mail", "completed", "sent"), ("text", "completed", "sent")]
    assert len(mailoutbox) == 1
    said = Message.objects.for_organisation(jane.organisation).get(channel="sms")
    assert said.body == "Hi sent"


def test_a_server_that_was_away_is_tried_again_and_gets_the_same_message(
    jane: Contact, mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = EmailBackend.send_messages
    ids: list[str] = []

    def busy_once(backend: EmailBackend, messages: Any) -> int:
        ids.extend(message.extra_headers["Message-ID"] for message in messages)
        if len(ids) == 1:
            raise smtplib.SMTPServerDisconnected("gone")
        return int(taken(backend, messages))

    monkeypatch.setattr(EmailBackend, "send_messages", busy_once)
    with time_machine.travel(EVENING, tick=False) as clock:
        run = due(jane, MAIL, at=EVENING)
        work_until_idle()
        run.refresh_from_db()
        assert run.status in ("pending", "running", "waiting")
        assert mailoutbox == []
        assert run.due_at is not None
        clock.move_to(run.due_at)
        work_until_idle()
    assert len(mailoutbox) == 1
    assert len(set(ids)) == 1
    assert executions(run) == [("mail", "completed", "sent")]


def test_a_worker_that_dies_after_noting_the_message_does_not_send_it_twice(
    jane: Contact, mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run's move is lost; its next worker finds the message."""

    class Killed(BaseException):
        pass

    def die(*_args: Any, **_kwargs: Any) -> None:
        raise Killed

    with time_machine.travel(EVENING, tick=False) as clock:
        run = due(jane, MAIL, at=EVENING)
        with monkeypatch.context() as dying:
            dying.setattr(engine.moves, "write", die)
            with pytest.raises(Killed):
                engine.run_due()
        assert len(mailoutbox) == 1
        clock.shift(engine.LEASE)
        work_until_idle()
    run.refresh_from_db()
    assert run.status == "completed"
    assert len(mailoutbox) == 1
    assert executions(run) == [("mail", "completed", "sent")]
