"""Writing notes and tasks. Each function is one transaction.

What is wrong with a value is Django's `ValidationError` with a dict of columns; a contact whose
data was erased is `crm.errors.Conflict`. Whether somebody may is the door's to ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Contact
from contacts.services.locks import locked
from contacts.services.profiles import redacted
from crm.errors import Conflict
from desk import colleagues
from desk.models import Mention, Note, Task
from organisations.models import Membership, Organisation

LONGEST_NOTE = 10_000
LONGEST_TITLE = 200
CHANGEABLE = ("contact", "title", "due_on", "due_time", "assignee")
"""What may be given of a task."""


# Notes.


@transaction.atomic
def add_note(*, contact: Contact, text: str, by: User) -> Note:
    """Write a note about the contact (about its survivor, when it was merged), and tell whom it
    names. Raises ValidationError for an empty or too long text, Conflict for a redacted contact."""
    tidy = _text(text)
    current = _open(contact)
    note = Note.objects.create(
        organisation_id=current.organisation_id, contact=current, text=tidy, author=by
    )
    _mention(note, current.organisation, by)
    return note


@transaction.atomic
def edit_note(*, note: Note, text: str, by: User) -> Note:
    """Write it anew. Whom it names from now on is told, whom it does not any more is left alone,
    and who has read it has read it. Nothing is written when nothing differs."""
    tidy = _text(text)
    current = _locked_note(note)
    if tidy == current.text:
        return current
    current.text, current.edited_at = tidy, timezone.now()
    current.save(update_fields=["text", "edited_at"])
    _mention(current, current.contact.organisation, by)
    return current


@transaction.atomic
def pin_note(*, note: Note, pinned: bool) -> Note:
    """Keep it on top of the contact's page, or let it go to its place."""
    current = _locked_note(note)
    current.pinned = pinned
    current.save(update_fields=["pinned"])
    return current


@transaction.atomic
def delete_note(*, note: Note) -> None:
    """Delete it and its mentions."""
    Note.objects.filter(organisation=note.organisation_id, pk=note.pk).delete()


@transaction.atomic
def read_mentions(*, mentions: Iterable[Mention], read: bool = True) -> int:
    """Note that they were read, or were not; answers how many that changed."""
    by_organisation: dict[int, list[int]] = {}
    for mention in mentions:
        by_organisation.setdefault(mention.organisation_id, []).append(mention.pk)
    return sum(
        Mention.objects.filter(organisation=owner, pk__in=ids, read_at__isnull=read).update(
            read_at=timezone.now() if read else None
        )
        for owner, ids in by_organisation.items()
    )


def _text(text: str) -> str:
    tidy = text.replace("\r\n", "\n").replace("\x00", "").strip()
    if not tidy:
        raise ValidationError({"text": ValidationError(_("Write something."), code="required")})
    if len(tidy) > LONGEST_NOTE:
        raise ValidationError(
            {
                "text": ValidationError(
                    _("A note has at most %(most)d characters; this has %(number)d."),
                    code="max_length",
                    params={"most": LONGEST_NOTE, "number": len(tidy)},
                )
            }
        )
    return tidy


def _open(contact: Contact) -> Contact:
    """The contact as it is now, locked, so that nothing is written to one that is being erased."""
    current = locked(contact)
    if current.redacted_at is not None:
        raise redacted(current)
    return current


def _locked_note(note: Note) -> Note:
    """Raises Conflict when it is gone, or was erased with its contact's data."""
    contact = _open(note.contact)  # ahead of the note, as merges and redactions lock them
    notes = Note.objects.filter(organisation=note.organisation_id, pk=note.pk)
    current = notes.select_for_update().first()
    if current is None:
        raise Conflict(_("The note is not there any more."))
    current.contact = contact
    return current


def _mention(note: Note, organisation: Organisation, by: User) -> None:
    """Mentions of whom the note names, but for its writer."""
    if "@" not in note.text:
        note.mentions.all().delete()
        return
    named = colleagues.named_in(note.text, colleagues.of(organisation))
    ids = {user.pk for user in named} - {by.pk}
    note.mentions.exclude(user__in=ids).delete()
    Mention.objects.bulk_create(
        [Mention(organisation_id=organisation.pk, note=note, user_id=pk) for pk in sorted(ids)],
        ignore_conflicts=True,
    )


# Tasks.


@transaction.atomic
def add_task(*, organisation: Organisation, by: User, values: Mapping[str, Any]) -> Task:
    """Note something that is to be done. `values` are of `CHANGEABLE`; only the title is needed.

    Raises ValidationError by column, also for an assignee who does not work there or a contact of
    another organisation; Conflict for a redacted contact.
    """
    task = Task(organisation=organisation, author=by)
    _assign(task, values)
    if task.contact is not None:
        task.contact = _open(task.contact)
    task.save()
    return task


@transaction.atomic
def change_task(*, task: Task, values: Mapping[str, Any]) -> Task:
    """Write what is given of `CHANGEABLE`; raises as `add_task`."""
    given: Contact | None = values.get("contact")
    if given is not None and given.organisation_id == task.organisation_id:
        # Ahead of the task, as merges and redactions lock them.
        values = {**values, "contact": _open(given)}
    current = _locked_task(task)
    _assign(current, values)
    current.save()
    return current


@transaction.atomic
def finish_task(*, task: Task, by: User, done: bool = True) -> Task:
    """Tick it off, or take that back. What is so already stays as it is."""
    current = _locked_task(task)
    if (current.done_at is not None) != done:
        current.done_at = timezone.now() if done else None
        current.done_by = by if done else None
        current.save(update_fields=["done_at", "done_by", "updated_at"])
    return current


@transaction.atomic
def delete_task(*, task: Task) -> None:
    """Delete it."""
    Task.objects.filter(organisation=task.organisation_id, pk=task.pk).delete()


def _locked_task(task: Task) -> Task:
    """Raises Conflict when it is gone."""
    tasks = Task.objects.for_organisation(task.organisation_id).filter(pk=task.pk)
    current: Task | None = tasks.select_for_update().first()
    if current is None:
        raise Conflict(_("The task is not there any more."))
    current.organisation = task.organisation
    return current


def _assign(task: Task, values: Mapping[str, Any]) -> None:
    unknown = values.keys() - set(CHANGEABLE)
    assert not unknown, unknown
    for column, value in values.items():
        setattr(task, column, value)
    task.title = " ".join((task.title or "").replace("\x00", "").split())
    errors: dict[str, ValidationError] = {}
    if not task.title:
        errors["title"] = ValidationError(_("Say what is to be done."), code="required")
    elif len(task.title) > LONGEST_TITLE:
        errors["title"] = ValidationError(
            _("At most %(most)d characters; write the rest as a note."),
            code="max_length",
            params={"most": LONGEST_TITLE},
        )
    if task.due_time is not None and task.due_on is None:
        errors["due_on"] = ValidationError(_("On which day?"), code="required")
    if values.get("assignee") is not None and not _works_at(task.organisation, values["assignee"]):
        errors["assignee"] = ValidationError(_("They do not work here."), code="foreign")
    if values.get("contact") is not None and (
        values["contact"].organisation_id != task.organisation_id
    ):
        errors["contact"] = ValidationError(_("There is no such contact."), code="foreign")
    if errors:
        raise ValidationError(errors)


def _works_at(organisation: Organisation, user: User) -> bool:
    members = Membership.objects.for_organisation(organisation)
    return members.filter(user=user, user__is_active=True).exists()
