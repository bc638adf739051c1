"""What imports remember of a contact."""

from __future__ import annotations

from contacts.models import Contact
from contacts.parts import ContactPart
from imports.undoing.records import forget


class ImportsPart(ContactPart):
    """What a contact was before an import changed it: personal data, which goes with the rest."""

    name = "imports"

    def redact(self, contact: Contact) -> None:
        forget(contact.organisation_id, [contact.pk])

    def erase(self, contact: Contact) -> None:
        forget(contact.organisation_id, [contact.pk])
