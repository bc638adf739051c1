"""`notify_staff`, and the alerts, messages and settings in the admin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail as django_mail
from django.test import Client
from django.urls import reverse

from contacts import services
from contacts.models import Contact
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.admin.conftest import signed_in
from tests.workflows.moments import contact_of, moment_of, refused, run, simulate
from workflows import alerts
from workflows.messages import configuration, mail
from workflows.messages.errors import Unavailable
from workflows.messages.models import Message, MessageSettings
from workflows.models import Alert
from workflows.steps.base import Done, GiveUp, Wait

pytestmark = pytest.mark.django_db

COMPLAINT = {
    "type": "notify_staff",
    "title": "A complaint by {{ contact.name }}",
    "text": "Ring {{ contact.phoneNumberE164 }}.",
    "role": roles.MANAGER,
}
HOME = reverse("admin:index")


@pytest.fixture
def jane(organisation: Organisation) -> Contact:
    return contact_of(organisation)


@pytest.fixture
def owner(organisation: Organisation) -> Client:
    return signed_in(rows.member(organisation, roles.OWNER).user)


@pytest.fixture
def staff(organisation: Organisation) -> Callable[[str], Client]:
    return lambda role: signed_in(rows.member(organisation, role).user)


def page(model: str, name: str, *args: Any) -> str:
    return reverse(f"admin:workflows_{model}_{name}", args=args)


# The step


def test_staff_see_an_alert_and_those_of_the_role_get_a_mail(
    mailoutbox: list[Any], jane: Contact, other_organisation: Organisation, settings: Any
) -> None:
    settings.SITE_URL = "https://crm.example.com"
    managers = [rows.member(jane.organisation, roles.MANAGER).user for _number in range(2)]
    rows.member(jane.organisation, roles.STAFF)
    rows.member(other_organisation, roles.MANAGER)
    gone = rows.member(jane.organisation, roles.MANAGER).user
    User.objects.filter(pk=gone.pk).update(is_active=False)
    outcome = run(moment_of(jane, COMPLAINT))
    alert = Alert.objects.for_organisation(jane.organisation).get()
    assert outcome == Done({"alert": alert.pk, "mailed": 2})
    assert alert.text == "A complaint by Jane Hull\nRing +447700900123."
    assert sorted(one.to[0] for one in mailoutbox) == sorted(user.email for user in managers)
    assert mailoutbox[0].subject == "A complaint by Jane Hull"
    assert f"https://crm.example.com/admin/contacts/contact/{jane.pk}/change/" in mailoutbox[0].body
    assert "List-Unsubscribe" not in mailoutbox[0].extra_headers


@pytest.mark.parametrize(("role", "mailed"), [("", 0), ("Owner", 1), ("Everyone", 2)])
def test_who_is_mailed(mailoutbox: list[Any], jane: Contact, role: str, mailed: int) -> None:
    rows.member(jane.organisation, roles.OWNER)
    rows.member(jane.organisation, roles.READ_ONLY)
    run(moment_of(jane, COMPLAINT | {"role": role}))
    assert len(mailoutbox) == mailed
    assert Alert.objects.for_organisation(jane.organisation).count() == 1


def test_mail_that_fails_is_tried_again_without_another_alert(
    jane: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One alert from the first try on, each member mailed once."""
    for _number in range(3):
        rows.member(jane.organisation, roles.MANAGER)
    answers: list[Exception | None] = [None, Unavailable("busy"), None, None]
    sent = []

    def send(letter: mail.Letter) -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        sent.append(letter.to)

    monkeypatch.setattr(mail, "send", send)
    moment = moment_of(jane, COMPLAINT)
    outcome = run(moment)
    assert isinstance(outcome, Wait)
    assert outcome.until == moment.now + timedelta(minutes=2)
    moment.memory = outcome.memory
    outcome = run(moment)
    assert isinstance(outcome, Done)
    assert outcome.output["mailed"] == 3
    assert len(set(sent)) == 3
    assert Alert.objects.for_organisation(jane.organisation).count() == 1


def test_mail_that_goes_on_failing_fails_the_step(
    jane: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.member(jane.organisation, roles.MANAGER)

    def busy(letter: mail.Letter) -> None:
        raise Unavailable("busy")

    monkeypatch.setattr(mail, "send", busy)
    moment = moment_of(jane, COMPLAINT)
    for _number in range(4):
        outcome = run(moment)
        assert isinstance(outcome, Wait)
        moment.memory = outcome.memory
    with pytest.raises(GiveUp, match="busy"):
        run(moment)


def test_a_simulation_tells_nobody(mailoutbox: list[Any], jane: Contact) -> None:
    rows.member(jane.organisation, roles.MANAGER)
    outcome = simulate(moment_of(jane, COMPLAINT))
    assert isinstance(outcome, Done)
    assert outcome.output["title"] == "A complaint by Jane Hull"
    assert outcome.output["mailed"] == 1
    assert mailoutbox == []
    assert not Alert.objects.for_organisation(jane.organisation).exists()


def test_what_cannot_be_told_cannot_be_saved(organisation: Organisation) -> None:
    assert refused(organisation, COMPLAINT) == {}
    assert refused(organisation, {"type": "notify_staff", "title": "Look"}) == {}
    wrong = {"title": "", "text": "{{ nothing }}", "role": "Chef"}
    assert sorted(refused(organisation, COMPLAINT | wrong)) == ["role", "text", "title"]


# Alerts in the admin


def test_an_alert_stays_on_the_first_page_until_somebody_is_done_with_it(
    owner: Client, jane: Contact
) -> None:
    first = alerts.tell(organisation=jane.organisation, text="First\nmore", contact=jane)
    alerts.tell(organisation=jane.organisation, text="<b>Second</b>")
    shown = owner.get(HOME).content.decode()
    assert "Alerts (2)" in shown
    assert "&lt;b&gt;Second&lt;/b&gt;" in shown
    answer = owner.get(page("alert", "change", first.pk))
    assert "First" in answer.content.decode()
    owner.post(reverse("admin:workflows_alert_mark", args=[first.pk]))
    assert "Alerts (1)" in owner.get(HOME).content.decode()
    first.refresh_from_db()
    assert first.seen_at is not None
    assert first.seen_by is not None
    act = {"action": "mark_chosen", "_selected_action": [str(first.pk)]}
    again = owner.post(page("alert", "changelist"), act, follow=True)
    assert "0 alerts are done" in again.content.decode()


def test_who_only_reads_sees_alerts_and_cannot_end_them(
    staff: Callable[[str], Client], jane: Contact
) -> None:
    alert = alerts.tell(organisation=jane.organisation, text="Look")
    reader = staff(roles.READ_ONLY)
    assert "Alerts (1)" in reader.get(HOME).content.decode()
    assert reader.post(reverse("admin:workflows_alert_mark", args=[alert.pk])).status_code == 403
    alert.refresh_from_db()
    assert alert.seen_at is None


# Messages in the admin


def test_messages_are_read_and_not_changed(owner: Client, organisation: Organisation) -> None:
    message = rows.message(organisation)
    message.body = "<html><body><p>Hello</p><script>alert(1)</script></body></html>"
    message.save()
    listed = owner.get(page("message", "changelist"), {"contact": str(message.contact_id)})
    assert message.subject in listed.content.decode()
    shown = owner.get(page("message", "change", message.pk)).content.decode()
    assert "Hello" in shown
    assert "alert(1)" not in shown
    assert owner.get(page("message", "add")).status_code == 403
    assert owner.post(page("message", "change", message.pk), {"subject": "x"}).status_code == 403
    assert owner.post(page("message", "delete", message.pk), {"post": "yes"}).status_code == 403


# Settings in the admin


def typed(**values: str) -> dict[str, str]:
    return {
        "sender_name": "The Inn",
        "sender_email": "hello@inn.example",
        "reply_to": "",
        "sms_sender": "",
        "locale": "",
        "send_to_unknown": "on",
        "quiet_from": "21:00",
        "quiet_to": "08:00",
        **values,
    }


def test_an_organisation_has_one_set_of_settings(owner: Client, organisation: Organisation) -> None:
    assert owner.post(page("messagesettings", "add"), typed()).status_code == 302
    (made,) = MessageSettings.objects.for_organisation(organisation)
    assert made.sender_email == "hello@inn.example"
    again = owner.get(page("messagesettings", "add"))
    assert again["Location"] == page("messagesettings", "change", made.pk)
    answer = owner.post(page("messagesettings", "change", made.pk), typed(sender_name="Inn"))
    assert answer.status_code == 302
    assert configuration.of(organisation).sender_name == "Inn"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"sender_email": "nobody"}, "sender_email"),
        ({"quiet_to": ""}, "quiet_to"),
        ({"quiet_to": "21:00"}, "quiet_to"),
        ({"locale": "xx_YY"}, "locale"),
        ({"sms_sender": "A name that is too long"}, "sms_sender"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    owner: Client, organisation: Organisation, given: dict[str, str], field: str
) -> None:
    answer = owner.post(page("messagesettings", "add"), typed(**given))
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert not MessageSettings.objects.for_organisation(organisation).exists()


def test_the_signing_secret_is_for_who_may_see_keys(
    staff: Callable[[str], Client], organisation: Organisation
) -> None:
    kept = configuration.kept(organisation)
    address = page("messagesettings", "change", kept.pk)
    assert kept.webhook_secret in staff(roles.OWNER).get(address).content.decode()
    manager = staff(roles.MANAGER).get(address)
    assert manager.status_code == 200
    assert kept.webhook_secret not in manager.content.decode()
    assert staff(roles.STAFF).get(address).status_code == 403


# What becomes of them with the contact


def said(contact: Contact) -> list[str]:
    return [message.body for message in contact.messages.all()]


def test_redaction_erases_what_was_said_and_keeps_that_it_was(jane: Contact) -> None:
    run(moment_of(jane, {"type": "send_email", "subject": "Hi", "body": "Dear {{ contact.name }}"}))
    run(moment_of(jane, COMPLAINT))
    assert len(django_mail.outbox) == 1
    services.redact(contact=jane)
    (message,) = jane.messages.all()
    assert (message.status, message.to, message.subject, message.body) == ("sent", "", "", "")
    assert "Jane" not in jane.alerts.get().text


def test_a_merge_moves_messages_and_taking_it_back_returns_them(
    jane: Contact, organisation: Organisation, settings: Any
) -> None:
    settings.SMS_BACKEND = "log"
    john = contact_of(
        organisation, email_address="john@example.com", phone_number=None, first_name="John"
    )
    for contact in (jane, john):
        text = {"type": "send_sms", "text": "Hi {{ contact.firstName }}"}
        run(moment_of(contact, text | {"transactional": True}))
        run(moment_of(contact, COMPLAINT))
    services.merge(survivor=jane, absorbed=john)
    assert jane.messages.count() == jane.alerts.count() == 2
    services.unmerge(survivor=jane, absorbed=john)
    assert jane.messages.count() == jane.alerts.count() == 1
    assert john.messages.count() == john.alerts.count() == 1


def test_deletion_takes_messages_along_and_deleting_a_run_does_not(
    jane: Contact, organisation: Organisation
) -> None:
    moment = moment_of(jane, {"type": "send_email", "subject": "Hi", "body": "Hi"})
    run(moment)
    moment.run.workflow.delete()
    assert jane.messages.count() == 1
    services.delete(contact=jane)
    assert not Message.objects.for_organisation(organisation).exists()
