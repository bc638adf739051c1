"""`send_email`: what goes out, to whom, when, and what is kept of it."""

from __future__ import annotations

import email
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from contacts import consent, services
from contacts.models import Contact
from organisations.models import Organisation
from tests.workflows.moments import contact_of, moment_of, refused, run, simulate
from workflows.messages import configuration, plain
from workflows.messages.models import Message
from workflows.steps.base import Done, GiveUp, Outcome, Retry, Wait

pytestmark = pytest.mark.django_db

THANKS = {
    "type": "send_email",
    "subject": "Thank you, {{ contact.firstName }}",
    "body": "<p>You spent {{ contact.totalSpend | money }}, {{ contact.name }}.</p>",
}
MIDNIGHT = datetime(2026, 4, 7, 23, 0, tzinfo=UTC)


@pytest.fixture
def jane(organisation: Organisation) -> Contact:
    return contact_of(organisation)


def messages(organisation: Organisation) -> list[Message]:
    return list(Message.objects.for_organisation(organisation).order_by("pk"))


def output(outcome: Outcome) -> dict[str, Any]:
    assert isinstance(outcome, Done)
    return dict(outcome.output)


# A real server


class Server:
    """Takes mail as a server does, or refuses it with `answer`."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.rcpt = self.data = "250 OK"

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.data.startswith("250"):
            parsed: Any = email.message_from_bytes(envelope.content, policy=policy.default)
            self.taken.append(parsed)
        return self.data


@pytest.fixture
def server(settings: Any) -> Iterator[Server]:
    handler = Server()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.SITE_URL = "https://crm.example.com"
    settings.DEFAULT_FROM_EMAIL = "hello@example.com"
    yield handler
    controller.stop()


def test_a_server_receives_it_with_all_that_mail_programs_want(
    server: Server, organisation: Organisation
) -> None:
    organisation.name = "Café\nZoë"
    zoe = contact_of(organisation, first_name="Zoë <b>", last_name="", name="Zoë <b>")
    configuration.change(organisation=organisation, values={"reply_to": "desk@example.com"})
    moment = moment_of(zoe, THANKS)
    assert output(run(moment))["status"] == "sent"

    (mail,) = server.taken
    assert mail["To"] == "jane@example.com"
    assert mail["Subject"] == "Thank you, Zoë <b>"
    assert mail["From"] == "Café Zoë <hello@example.com>"
    assert mail["Reply-To"] == "desk@example.com"
    assert mail["Message-ID"] == (f"<{moment.idempotency_key}.{organisation.hash_id}@example.com>")
    # RFC 8058
    url = consent.unsubscribe_url(zoe, "email", moment.run.pk)
    assert mail["List-Unsubscribe"].strip() == f"<{url}>"  # in a line of its own: it is long
    assert url.startswith("https://")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert "You spent £0.00, Zoë <b>." in text.get_content()
    assert url in text.get_content()
    assert "You spent £0.00, Zoë &lt;b&gt;." in html.get_content()
    assert html.get_content().count(f'href="{url}"') == 1

    (kept,) = messages(organisation)
    assert (kept.status, kept.channel, kept.to) == ("sent", "email", "jane@example.com")
    assert kept.provider_id == mail["Message-ID"]
    assert kept.run_id == moment.run.pk


def test_a_receiver_that_is_not_there_is_noted_and_the_run_goes_on(
    server: Server, jane: Contact
) -> None:
    server.rcpt = "550 5.1.1 No such user jane@example.com"
    outcome = output(run(moment_of(jane, THANKS)))
    assert outcome["status"] == "failed"
    assert "550" in outcome["reason"]
    assert "jane@" not in outcome["reason"]
    assert messages(jane.organisation)[0].status == "failed"


def test_a_server_that_is_busy_is_tried_again(server: Server, jane: Contact) -> None:
    server.rcpt = "451 4.7.1 Greylisted"
    with pytest.raises(Retry, match="451"):
        run(moment_of(jane, THANKS))
    assert messages(jane.organisation) == []


def test_a_server_that_wants_none_of_it_fails_the_step(server: Server, jane: Contact) -> None:
    server.data = "554 5.7.1 Not from you"
    moment = moment_of(jane, THANKS)
    with pytest.raises(GiveUp, match="554"):
        run(moment)
    assert messages(jane.organisation)[0].status == "failed"
    # Somebody mends it and retries the step.
    server.data = "250 OK"
    assert output(run(moment))["status"] == "sent"
    assert [message.status for message in messages(jane.organisation)] == ["sent"]


def test_a_server_that_is_not_there_is_tried_again(settings: Any, jane: Contact) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    with pytest.raises(Retry, match="does not answer"):
        run(moment_of(jane, THANKS))


# At least once


def test_a_message_that_was_noted_before_a_crash_is_not_sent_again(
    mailoutbox: list[Any], jane: Contact
) -> None:
    moment = moment_of(jane, THANKS)
    assert output(run(moment)) == output(run(moment))
    assert len(mailoutbox) == 1


def test_one_that_was_not_noted_goes_out_again_under_the_same_id(
    mailoutbox: list[Any], jane: Contact
) -> None:
    moment = moment_of(jane, THANKS)
    run(moment)
    Message.objects.for_organisation(jane.organisation).delete()
    run(moment)
    first, second = (mail.message()["Message-ID"] for mail in mailoutbox)
    assert first == second


# To whom


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"email_address": None}, "no e-mail address"),
        ({"email_address": "none@example.com"}, "no e-mail address"),
        ({"permissions": {"email": "unsubscribed"}}, "unsubscribed"),
    ],
)
def test_who_cannot_or_may_not_be_written_to_is_skipped(
    mailoutbox: list[Any], organisation: Organisation, values: dict[str, Any], reason: str
) -> None:
    permissions = values.pop("permissions", {})
    contact = contact_of(organisation, **values)
    for channel, status in permissions.items():
        consent.set_permission(contact=contact, channel=channel, status=status)
    outcome = output(run(moment_of(contact, THANKS)))
    assert outcome["status"] == "skipped"
    assert reason in outcome["reason"]
    assert mailoutbox == []
    (kept,) = messages(organisation)
    assert (kept.status, kept.reason, kept.body) == ("skipped", outcome["reason"], "")


def test_a_redacted_contact_is_skipped(mailoutbox: list[Any], jane: Contact) -> None:
    moment = moment_of(services.redact(contact=jane), THANKS | {"transactional": True})
    assert "erased" in output(run(moment))["reason"]
    assert mailoutbox == []


def test_a_transactional_mail_goes_to_who_unsubscribed_and_has_no_link(
    mailoutbox: list[Any], jane: Contact
) -> None:
    consent.set_permission(contact=jane, channel="email", status="unsubscribed")
    run(moment_of(jane, THANKS | {"transactional": True}))
    (mail,) = mailoutbox
    assert "List-Unsubscribe" not in mail.extra_headers
    assert "nsubscribe" not in mail.body
    assert messages(jane.organisation)[0].transactional


def test_an_organisation_may_want_a_permission_that_is_known(
    mailoutbox: list[Any], jane: Contact
) -> None:
    configuration.change(organisation=jane.organisation, values={"send_to_unknown": False})
    assert "not subscribed" in output(run(moment_of(jane, THANKS)))["reason"]
    consent.set_permission(contact=jane, channel="email", status="subscribed")
    assert output(run(moment_of(jane, THANKS)))["status"] == "sent"
    assert len(mailoutbox) == 1


# When


def test_marketing_waits_for_the_end_of_the_quiet_hours(
    mailoutbox: list[Any], jane: Contact
) -> None:
    hours = {"quiet_from": "21:00", "quiet_to": "08:00"}
    configuration.change(organisation=jane.organisation, values=hours)
    moment = moment_of(jane, THANKS, now=MIDNIGHT)
    outcome = run(moment)
    assert outcome == Wait(datetime(2026, 4, 8, 7, 0, tzinfo=UTC))  # eight o'clock in London
    assert mailoutbox == []
    assert messages(jane.organisation) == []
    moment.now = outcome.until
    assert output(run(moment))["status"] == "sent"


def test_quiet_hours_are_on_the_contacts_own_clock(organisation: Organisation) -> None:
    jane = contact_of(organisation, timezone="Asia/Tokyo")
    moment = moment_of(jane, THANKS | {"quietHours": {"from": "07:00", "to": "09:00"}})
    moment.now = MIDNIGHT  # eight in the morning in Tokyo
    assert run(moment) == Wait(MIDNIGHT + timedelta(hours=1))


@pytest.mark.parametrize("more", [{"transactional": True}, {"quietHours": False}])
def test_what_does_not_wait(mailoutbox: list[Any], jane: Contact, more: dict[str, Any]) -> None:
    hours = {"quiet_from": "21:00", "quiet_to": "08:00"}
    configuration.change(organisation=jane.organisation, values=hours)
    assert output(run(moment_of(jane, THANKS | more, now=MIDNIGHT)))["status"] == "sent"
    assert len(mailoutbox) == 1


# What


def test_a_link_of_the_templates_own_is_not_followed_by_another(
    mailoutbox: list[Any], jane: Contact
) -> None:
    body = '<html><body><a href="{{ unsubscribeUrl }}">No more</a></body></html>'
    run(moment_of(jane, THANKS | {"body": body}))
    (mail,) = mailoutbox
    (html,) = mail.alternatives
    assert html[0].count("unsubscribe") == 1
    assert "No more (http" in mail.body


def test_a_text_mail_is_text_alone(mailoutbox: list[Any], jane: Contact) -> None:
    body = "Dear {{ contact.firstName }} & co,\n\nthank you <3"
    run(moment_of(jane, THANKS | {"body": body, "format": "text"}))
    (mail,) = mailoutbox
    assert mail.body.startswith("Dear Jane & co,\n\nthank you <3\n\n-- \n")
    assert mail.alternatives == []


def test_the_sender_is_the_organisations(mailoutbox: list[Any], jane: Contact) -> None:
    sender = {"sender_name": 'Jo "The" Host', "sender_email": "jo@inn.example"}
    configuration.change(organisation=jane.organisation, values=sender)
    run(moment_of(jane, THANKS))
    assert mailoutbox[0].from_email == '"Jo \\"The\\" Host" <jo@inn.example>'


def test_a_subject_is_one_line(mailoutbox: list[Any], organisation: Organisation) -> None:
    jane = contact_of(organisation, first_name="Jane\nBcc: all@example.com " + "x" * 100)
    run(moment_of(jane, THANKS | {"subject": "Hi {{ contact.firstName }}" * 3}))
    assert len(mailoutbox[0].subject) <= 250
    assert "\n" not in mailoutbox[0].subject
    assert mailoutbox[0].recipients() == ["jane@example.com"]


def test_a_message_that_becomes_too_much_fails_the_step(jane: Contact) -> None:
    loop = "{{% for {} in run.triggerData.all %}}{}{{% endfor %}}"
    body = loop.format("a", loop.format("b", "."))
    moment = moment_of(jane, THANKS | {"body": body})
    moment.run.trigger_data = {"all": list(range(100))}
    with pytest.raises(GiveUp, match="too much"):
        run(moment)


def test_a_simulation_shows_the_mail_and_sends_and_writes_nothing(
    mailoutbox: list[Any], jane: Contact
) -> None:
    shown = output(simulate(moment_of(jane, THANKS)))
    assert shown["status"] == "simulated"
    assert (shown["to"], shown["subject"]) == ("jane@example.com", "Thank you, Jane")
    assert "You spent £0.00, Jane Hull." in shown["body"]
    assert "You spent £0.00, Jane Hull." in shown["text"]
    assert mailoutbox == []
    assert messages(jane.organisation) == []
    hours = THANKS | {"quietHours": {"from": "11:00", "to": "14:00"}}
    assert isinstance(simulate(moment_of(jane, hours)), Wait)
    consent.set_permission(contact=jane, channel="email", status="unsubscribed")
    assert output(simulate(moment_of(jane, THANKS)))["status"] == "skipped"


def test_the_queries_of_a_message(
    mailoutbox: list[Any], jane: Contact, django_assert_max_num_queries: Any
) -> None:
    moment = moment_of(jane, THANKS)
    # Whether it was sent, the settings, the permission, the contact's JSON (7 with its parts), the
    # message: sought, written in a savepoint.
    with django_assert_max_num_queries(16):
        run(moment)
    assert len(mailoutbox) == 1


# Saving


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"subject": ""}, "subject"),
        ({"subject": "{{ contact.fistName }}"}, "subject"),
        ({"body": None}, "body"),
        ({"body": "{% if %}"}, "body"),
        ({"body": 7}, "body"),
        ({"format": "rtf"}, "format"),
        ({"transactional": "yes"}, "transactional"),
        ({"quietHours": {"from": "9"}}, "quietHours"),
        ({"body": "{{ activity.type }}"}, "body"),
    ],
)
def test_what_cannot_be_sent_cannot_be_saved(
    organisation: Organisation, given: dict[str, Any], path: str
) -> None:
    assert list(refused(organisation, THANKS | given)) == [path]
    assert refused(organisation, THANKS) == {}
    assert (
        refused(organisation, THANKS | {"body": "{{ activity.type }}"}, ("contact", "activity"))
        == {}
    )


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two &amp; <b>three</b></p>", "One\n\nTwo & three"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<ul><li>x</li><li>y</li></ul>", "- x\n- y"),
        ('<a href="https://example.com">Look</a>', "Look (https://example.com)"),
        ('<a href="https://example.com">https://example.com</a>', "https://example.com"),
        ("<head><style>p{}</style></head><script>x</script>Hi", "Hi"),
        ('<img src="x" alt="Logo"> <h1>Title</h1>  text', "Logo\n\nTitle\n\ntext"),
        ("5 < 6 and <unclosed", "5 < 6 and <unclosed"),
        ("", ""),
    ],
)
def test_the_plain_text_of_html(html: str, text: str) -> None:
    assert plain.text_of(html) == text
