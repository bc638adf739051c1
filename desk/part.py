"""What becomes of notes and tasks about a contact when it is merged, redacted or deleted."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from contacts.models import Contact, Merge, MergedRow
from contacts.parts import ContactPart, note_rows
from desk.models import Mention, Note, Task

MOVING: dict[str, Any] = {"notes": Note, "tasks": Task}


class DeskPart(ContactPart):
    """Notes, their mentions, and tasks. A few statements, however many there are."""

    name = "desk"

    def merge(self, merge: Merge) -> None:
        for name, model in MOVING.items():
            note_rows(merge, name, model)
            rows = model.objects.filter(organisation=merge.organisation_id)
            rows.filter(contact=merge.absorbed).update(contact=merge.survivor)

    def unmerge(self, merge: Merge) -> None:
        for name, model in MOVING.items():
            noted = MergedRow.objects.filter(merge=merge, part=name).values("row_id")
            rows = model.objects.filter(organisation=merge.organisation_id, pk__in=noted)
            rows.filter(contact=merge.survivor).update(contact=merge.absorbed)

    def redact(self, contact: Contact) -> None:
        """What was written goes, and with it what there was to do and to read. That somebody wrote,
        and when, stays."""
        notes = Note.objects.filter(organisation=contact.organisation_id, contact=contact)
        Mention.objects.filter(organisation=contact.organisation_id, note__in=notes).delete()
        notes.update(text="", pinned=False)
        tasks = Task.objects.filter(organisation=contact.organisation_id, contact=contact)
        now = timezone.now()
        tasks.unfinished().update(done_at=now)
        tasks.update(title="", updated_at=now)

    def erase(self, contact: Contact) -> None:
        notes = Note.objects.filter(organisation=contact.organisation_id, contact=contact)
        mentions = Mention.objects.filter(organisation=contact.organisation_id, note__in=notes)
        tasks = Task.objects.filter(organisation=contact.organisation_id, contact=contact)
        for rows in (mentions, notes, tasks):
            rows._raw_delete(rows.db)
