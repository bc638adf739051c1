"""Notes about a contact, and whom they name."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from contacts import services as contacts
from contacts.models import Contact
from crm.errors import Conflict
from desk import colleagues, services
from desk.models import Mention, Note
from organisations.models import Organisation
from tests.admin import rows
from tests.desk.conftest import colleague

pytestmark = pytest.mark.django_db


def named(note: Note) -> list[str]:
    return [one.user.first_name for one in note.mentions.select_related("user").order_by("pk")]


def test_a_note_is_tidied_and_tells_whom_it_names(jane: Contact, anna: User, bob: User) -> None:
    note = services.add_note(contact=jane, text="  Likes the sea.\r\n@Bob Nowak, ask her.", by=anna)
    assert note.text == "Likes the sea.\n@Bob Nowak, ask her."
    assert named(note) == ["Bob"]


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 10_001])
def test_a_note_is_neither_empty_nor_endless(jane: Contact, anna: User, text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        services.add_note(contact=jane, text=text, by=anna)
    assert list(refused.value.message_dict) == ["text"]


def test_editing_tells_whom_it_names_anew_and_keeps_what_was_read(
    jane: Contact, anna: User, bob: User, organisation: Organisation
) -> None:
    cleo = colleague(organisation, "Cleo Diaz")
    note = services.add_note(contact=jane, text="@Bob", by=anna)
    services.read_mentions(mentions=note.mentions.all())
    services.edit_note(note=note, text="@bob @cleo", by=anna)
    read = {one.user_id: one.read_at is not None for one in note.mentions.all()}
    assert read == {bob.pk: True, cleo.pk: False}
    services.edit_note(note=note, text="nobody", by=anna)
    assert named(note) == []


def test_who_writes_is_not_told_of_it(jane: Contact, anna: User) -> None:
    assert named(services.add_note(contact=jane, text="@Anna Lee was here", by=anna)) == []


def test_a_contact_whose_data_was_erased_gets_no_note(jane: Contact, anna: User) -> None:
    note = services.add_note(contact=jane, text="Secret", by=anna)
    contacts.redact(contact=jane)
    with pytest.raises(Conflict):
        services.add_note(contact=jane, text="Jane Hull", by=anna)
    with pytest.raises(Conflict):
        services.edit_note(note=note, text="Jane Hull", by=anna)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@Anna Lee and @bob nowak", ["Anna", "Bob"]),
        ("@anna, look", ["Anna"]),
        ("@Annabel, look", []),
        ("write to info@anna", []),
        ("@bob @Bob Nowak @bob", ["Bob"]),
        ("@nobody", []),
        ("(@anna)", ["Anna"]),
    ],
)
def test_an_at_names_whom_it_can_only_mean(
    text: str, names: list[str], anna: User, bob: User
) -> None:
    assert [user.first_name for user in colleagues.named_in(text, [anna, bob])] == names


def test_two_of_one_name_are_both_named_but_not_by_half_of_it(organisation: Organisation) -> None:
    both = [colleague(organisation, "Anna Lee") for _number in range(2)]
    assert colleagues.named_in("@Anna Lee", both) == both
    assert colleagues.named_in("@Anna", both) == []


def test_a_note_shows_links_and_names_and_nothing_that_runs(anna: User) -> None:
    shown = colleagues.as_html("<b>See</b> https://example.com/?a=1&b=2\n@Anna Lee", [anna])
    assert "<b>" not in shown
    assert '<a href="https://example.com/?a=1&amp;b=2" rel="nofollow">' in shown
    assert shown.endswith('\n<span class="rg-mention">@Anna Lee</span>')


def test_notes_go_along_with_a_merge_and_back(
    jane: Contact, anna: User, bob: User, organisation: Organisation
) -> None:
    other = rows.contact(organisation)
    note = services.add_note(contact=other, text="Other's", by=anna)
    task = services.add_task(
        organisation=organisation, by=anna, values={"title": "Call", "contact": other}
    )
    contacts.merge(survivor=jane, absorbed=other)
    later = services.add_note(contact=other, text="Written to the one that was merged", by=anna)
    for row in (note, task):
        row.refresh_from_db()
        assert row.contact_id == jane.pk
    assert later.contact == jane
    contacts.unmerge(survivor=jane, absorbed=other)
    for row in (note, task):
        row.refresh_from_db()
        assert row.contact_id == other.pk
    assert list(jane.notes.all()) == [later]


def test_redacting_erases_what_was_written(
    jane: Contact, anna: User, bob: User, organisation: Organisation
) -> None:
    note = services.add_note(contact=jane, text="Jane's secret @Bob Nowak", by=anna)
    task = services.add_task(
        organisation=organisation, by=anna, values={"title": "Call Jane", "contact": jane}
    )
    contacts.redact(contact=jane)
    note.refresh_from_db()
    task.refresh_from_db()
    assert (note.text, note.author) == ("", anna)
    assert (task.title, task.done_at is not None) == ("", True)
    assert not Mention.objects.across_organisations().exists()


def test_deleting_the_contact_deletes_it_all(jane: Contact, anna: User, bob: User) -> None:
    services.add_note(contact=jane, text="@Bob Nowak", by=anna)
    values = {"title": "Call", "contact": jane}
    services.add_task(organisation=jane.organisation, by=anna, values=values)
    contacts.delete(contact=jane)
    assert not Note.objects.across_organisations().exists()
    assert not Mention.objects.across_organisations().exists()
