"""What becomes of a contact's external ids, and of what came about it, when it is merged, redacted
or deleted."""

from __future__ import annotations

from contacts.models import Contact, Merge
from contacts.parts import ContactPart, note_rows
from integrations.models import Delivery, DeliveryTrace, ExternalId


class ExternalIdsPart(ContactPart):
    """By which ids other systems know a contact."""

    name = "external_ids"

    def merge(self, merge: Merge) -> None:
        """The ids mean the survivor from now on."""
        note_rows(merge, self.name, ExternalId)
        ids = ExternalId.objects.for_organisation(merge.organisation_id)
        ids.filter(contact=merge.absorbed).update(contact=merge.survivor)

    def unmerge(self, merge: Merge) -> None:
        ids = ExternalId.objects.for_organisation(merge.organisation_id)
        noted = merge.rows.filter(part=self.name).values("row_id")
        ids.filter(contact=merge.survivor, pk__in=noted).update(contact=merge.absorbed)

    def redact(self, contact: Contact) -> None:
        """What deliveries said goes, and the relay addresses. The ids stay: by them the same
        person is known again, and nothing is written to a redacted contact."""
        ids = ExternalId.objects.for_organisation(contact.organisation_id)
        ids.filter(contact=contact).exclude(email="").update(email="")
        traces = DeliveryTrace.objects.filter(contact=contact).values("delivery")
        deliveries = Delivery.objects.for_organisation(contact.organisation_id)
        deliveries.filter(pk__in=traces).update(body="", notes=[], error="")

    def erase(self, contact: Contact) -> None:
        traces = DeliveryTrace.objects.filter(contact=contact)
        traces._raw_delete(traces.db)
