"""What becomes of a contact's messages, and of alerts about it, when it is merged, redacted or
deleted."""

from __future__ import annotations

from typing import Any

from contacts.models import Contact, Merge, MergedRow
from contacts.parts import ContactPart, note_rows
from workflows.messages.models import Message
from workflows.models import Alert

MOVING: dict[str, Any] = {"messages": Message, "alerts": Alert}
ERASED = {"to": "", "subject": "", "body": "", "reason": ""}


class MessagesPart(ContactPart):
    """Messages and alerts. A few statements, however many there are."""

    name = "messages"

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
        """What was said, and to where. That, when and by which way something was sent stays."""
        Message.objects.filter(organisation=contact.organisation_id, contact=contact).update(
            **ERASED
        )
        Alert.objects.filter(organisation=contact.organisation_id, contact=contact).update(text="…")

    def erase(self, contact: Contact) -> None:
        for model in MOVING.values():
            rows = model.objects.filter(organisation=contact.organisation_id, contact=contact)
            rows._raw_delete(rows.db)
