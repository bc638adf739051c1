"""Notes and tasks on a contact's page: who may do what, and what they see of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from contacts import services as contacts
from contacts.models import Contact
from desk import services
from desk.models import Note, Task
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.admin.conftest import signed_in

pytestmark = pytest.mark.django_db

LIVE = {"X-Regulars": "page"}


def door(name: str, pk: int) -> str:
    return reverse(f"admin:desk_{name}", args=[pk])


def sent(client: Client, name: str, pk: int, **given: Any) -> Any:
    return client.post(door(name, pk), given, headers=LIVE)


def page_of(contact: Contact) -> str:
    return reverse("admin:contacts_contact_change", args=[contact.pk])


@pytest.fixture
def staff_of(db: None) -> Callable[..., Client]:
    def client(organisation: Organisation, role: str) -> Client:
        return signed_in(rows.member(organisation, role).user)

    return client


def test_a_note_is_written_edited_pinned_and_deleted_in_place(jane: Contact, bob: User) -> None:
    client = signed_in(bob)
    assert sent(client, "note_add", jane.pk, text="Likes tea").json() == {
        "done": "The note is added."
    }
    note = jane.notes.get()
    assert (note.text, note.author) == ("Likes tea", bob)
    sent(client, "note_edit", note.pk, text="Likes <b>coffee</b>")
    sent(client, "note_pin", note.pk, pinned="yes")
    shown = client.get(page_of(jane))
    assert "Likes &lt;b&gt;coffee&lt;/b&gt;" in shown.context["now"][0]
    assert shown.content.decode().count("Likes &lt;b&gt;coffee") == 4  # each with its form
    sent(client, "note_pin", note.pk, pinned="no")
    assert client.get(page_of(jane)).context["now"] == []
    assert sent(client, "note_delete", note.pk).status_code == 200
    assert not jane.notes.exists()


def test_an_empty_note_is_refused_beside_its_field(jane: Contact, bob: User) -> None:
    refused = sent(signed_in(bob), "note_add", jane.pk, text=" ")
    assert refused.json() == {"errors": {"text": ["Write something."]}}


def test_without_the_script_one_is_led_back_and_told(jane: Contact, bob: User) -> None:
    client = signed_in(bob)
    for text, told in (("Likes tea", "The note is added."), ("", "Write something.")):
        answer = client.post(door("note_add", jane.pk), {"text": text}, follow=True)
        assert answer.redirect_chain == [(page_of(jane), 302)]
        assert told in " ".join(map(str, answer.context["messages"]))


@pytest.mark.parametrize(
    ("role", "own", "others"),
    [(roles.MANAGER, 200, 200), (roles.STAFF, 200, 403), (roles.READ_ONLY, 403, 403)],
)
def test_each_changes_what_they_may(
    role: str, own: int, others: int, jane: Contact, anna: User
) -> None:
    user = rows.member(jane.organisation, role).user
    client = signed_in(user)
    assert sent(client, "note_add", jane.pk, text="x").status_code == own
    assert sent(client, "task_about", jane.pk, title="x").status_code == own
    for author, status in ((user, own), (anna, others)):
        note = services.add_note(contact=jane, text="Before", by=author)
        assert sent(client, "note_edit", note.pk, text="After").status_code == status
        assert sent(client, "note_delete", note.pk).status_code == status
    task = services.add_task(organisation=jane.organisation, by=anna, values={"title": "Call"})
    assert sent(client, "task_finish", task.pk, done="yes").status_code == own
    shown = client.get(page_of(jane))
    composers = {one.name for one in shown.context["composers"]}
    assert composers == ({"note", "task", "activity"} if own == 200 else set())


def test_foreign_notes_and_tasks_are_not_there(
    anna: User, other_organisation: Organisation
) -> None:
    foreign = rows.contact(other_organisation)
    stranger = rows.member(other_organisation).user
    note = services.add_note(contact=foreign, text="Secret", by=stranger)
    task = rows.task(other_organisation)
    client = signed_in(anna)
    for name, pk in (
        ("note_add", foreign.pk),
        ("note_edit", note.pk),
        ("note_pin", note.pk),
        ("note_delete", note.pk),
        ("task_about", foreign.pk),
        ("task_finish", task.pk),
    ):
        answer = sent(client, name, pk, text="Mine", title="Mine", done="yes", pinned="yes")
        assert answer.status_code == 404, name
    assert list(foreign.notes.values_list("text", "pinned")) == [("Secret", False)]
    task.refresh_from_db()
    assert task.done_at is None


def test_a_task_is_given_and_ticked_off_in_place(jane: Contact, anna: User, bob: User) -> None:
    client = signed_in(anna)
    given = {"title": "Call", "due_on": "2026-12-01", "due_time": "14:30", "assignee": bob.pk}
    assert sent(client, "task_about", jane.pk, **given).status_code == 200
    task = jane.tasks.get()
    assert (task.assignee, task.author, str(task.due_on)) == (bob, anna, "2026-12-01")
    assert "for Bob Nowak" in client.get(page_of(jane)).context["now"][0]
    sent(client, "task_finish", task.pk, done="yes")
    shown = client.get(page_of(jane))
    assert shown.context["now"] == []
    assert "Done by Anna Lee" in shown.content.decode()
    stranger = {**given, "assignee": "999999"}
    for wrong, field in (
        ({**given, "title": ""}, "title"),
        ({**given, "due_on": ""}, "due_on"),
        (stranger, "assignee"),
    ):
        refused = sent(client, "task_about", jane.pk, **wrong)
        assert list(refused.json()["errors"]) == [field]


def test_nothing_is_written_about_who_was_redacted(jane: Contact, anna: User) -> None:
    client = signed_in(anna)
    services.add_note(contact=jane, text="Jane's secret", by=anna)
    contacts.redact(contact=jane)
    shown = client.get(page_of(jane))
    assert shown.context["composers"] == []
    assert "Jane's secret" not in shown.content.decode()
    assert "Erased with the contact" in shown.content.decode()
    assert "errors" in sent(client, "note_add", jane.pk, text="Jane").json()


def test_the_form_of_a_task_goes_through_the_service(
    jane: Contact, anna: User, bob: User, organisation: Organisation
) -> None:
    client = signed_in(anna)
    task = services.add_task(
        organisation=organisation, by=anna, values={"title": "Call", "contact": jane}
    )
    address = reverse("admin:desk_task_change", args=[task.pk])
    form = {"title": "Call back", "contact": jane.pk, "due_on": "01/12/2026", "assignee": bob.pk}
    saved = client.post(f"{address}?back=contact", {**form, "due_time": "14:30"})
    assert saved["Location"] == page_of(jane)
    task.refresh_from_db()
    assert (task.title, task.assignee, str(task.due_on)) == ("Call back", bob, "2026-12-01")
    refused = client.post(address, {**form, "due_on": "", "due_time": "14:30"})
    assert "due_on" in refused.context["adminform"].form.errors
    listed = client.get(reverse("admin:desk_task_changelist"), {"whose": bob.pk, "state": "open"})
    assert [one.pk for one in listed.context["cl"].result_list] == [task.pk]
    client.post(reverse("admin:desk_task_delete", args=[task.pk]), {"post": "yes"})
    assert not Task.objects.for_organisation(organisation).exists()


def test_a_note_of_a_former_colleague_stays(jane: Contact, anna: User, bob: User) -> None:
    services.add_note(contact=jane, text="Likes tea", by=bob)
    bob.delete()
    assert Note.objects.for_organisation(jane.organisation).get().author is None
    assert "Note by a former colleague" in signed_in(anna).get(page_of(jane)).content.decode()
