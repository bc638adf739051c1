"""`send_sms`: what goes out, to whom, and what is kept of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contacts import consent
from contacts.models import Contact
from organisations.models import Organisation
from tests.workflows.moments import contact_of, moment_of, refused, run, simulate
from workflows.messages import configuration, sms
from workflows.messages.errors import Misconfigured, Refusal, Unavailable
from workflows.messages.models import Message
from workflows.steps.base import Done, GiveUp, Retry

pytestmark = pytest.mark.django_db

READY = {"type": "send_sms", "text": "{{ contact.firstName }}, your table is ready."}


class Pigeon(sms.SmsBackend):
    """Keeps what it is given, or fails with `error`."""

    sent: list[dict[str, str]]
    error: Exception | None = None

    def send(self, to: str, text: str, *, sender: str, idempotency_key: str) -> sms.SentSms:
        if self.error is not None:
            raise self.error
        self.sent.append({"to": to, "text": text, "sender": sender, "key": idempotency_key})
        return sms.SentSms(f"P{len(self.sent)}", "flying")


@pytest.fixture
def pigeon(monkeypatch: pytest.MonkeyPatch) -> Pigeon:
    """A backend as somebody may add one."""
    bird = Pigeon()
    bird.sent = []
    monkeypatch.setattr(sms, "backend", lambda: bird)
    return bird


@pytest.fixture
def jane(organisation: Organisation) -> Contact:
    return contact_of(organisation)


def kept(organisation: Organisation) -> Message:
    return Message.objects.for_organisation(organisation).get()


def test_it_goes_to_the_number_in_its_international_form(pigeon: Pigeon, jane: Contact) -> None:
    configuration.change(organisation=jane.organisation, values={"sms_sender": "The Inn"})
    moment = moment_of(jane, READY)
    assert run(moment) == Done({"status": "sent", "message": kept(jane.organisation).pk})
    assert pigeon.sent == [
        {
            "to": "+447700900123",
            "text": "Jane, your table is ready.",
            "sender": "The Inn",
            "key": moment.idempotency_key,
        }
    ]
    message = kept(jane.organisation)
    assert (message.channel, message.provider_id) == ("sms", "P1")
    assert message.body == "Jane, your table is ready."


def test_permissions_are_by_channel(pigeon: Pigeon, jane: Contact) -> None:
    consent.set_permission(contact=jane, channel="email", status="unsubscribed")
    run(moment_of(jane, READY))
    assert len(pigeon.sent) == 1
    consent.set_permission(contact=jane, channel="sms", status="unsubscribed")
    outcome = run(moment_of(jane, READY))
    assert isinstance(outcome, Done)
    assert outcome.output["status"] == "skipped"
    assert len(pigeon.sent) == 1


def test_without_a_number_it_is_skipped(pigeon: Pigeon, organisation: Organisation) -> None:
    run(moment_of(contact_of(organisation, phone_number=None), READY))
    assert kept(organisation).status == "skipped"
    assert pigeon.sent == []


@pytest.mark.parametrize("text", ["{{ contact.dob }}", "{{ contact.firstName }}" * 500])
def test_a_text_that_is_empty_or_too_long_is_noted_as_failed(
    pigeon: Pigeon, jane: Contact, text: str
) -> None:
    run(moment_of(jane, READY | {"text": text}))
    assert kept(jane.organisation).status == "failed"
    assert pigeon.sent == []


def test_who_answered_stop_is_unsubscribed_from_then_on(pigeon: Pigeon, jane: Contact) -> None:
    pigeon.error = Refusal("21610", unsubscribed=True)
    run(moment_of(jane, READY))
    assert kept(jane.organisation).status == "failed"
    assert consent.permission_of(jane, "sms") == "unsubscribed"
    assert consent.permission_of(jane, "email") == "unknown"


def test_a_provider_that_is_busy_is_tried_again_when_it_says(pigeon: Pigeon, jane: Contact) -> None:
    pigeon.error = Unavailable("429", timedelta(seconds=30))
    with pytest.raises(Retry) as raised:
        run(moment_of(jane, READY))
    assert raised.value.after == timedelta(seconds=30)
    assert not Message.objects.for_organisation(jane.organisation).exists()


def test_a_wrong_setting_fails_the_step(pigeon: Pigeon, jane: Contact) -> None:
    pigeon.error = Misconfigured("20003")
    with pytest.raises(GiveUp):
        run(moment_of(jane, READY))
    assert kept(jane.organisation).status == "failed"


def test_a_simulation_sends_nothing(pigeon: Pigeon, jane: Contact) -> None:
    outcome = simulate(moment_of(jane, READY))
    assert isinstance(outcome, Done)
    assert outcome.output["body"] == "Jane, your table is ready."
    assert pigeon.sent == []
    assert not Message.objects.for_organisation(jane.organisation).exists()


def test_what_cannot_be_sent_cannot_be_saved(organisation: Organisation) -> None:
    def paths(**given: Any) -> list[str]:
        return list(refused(organisation, READY | given))

    assert paths() == []
    assert paths(text=" ") == ["text"]
    assert paths(text="{{ contact.frstName }}") == ["text"]
    assert paths(transactional=1) == ["transactional"]
    assert paths(quietHours=True) == ["quietHours"]
