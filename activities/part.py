"""What becomes of a contact's activities and reservations when it is merged, redacted, deleted."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from activities import services, types
from activities.models import Activity
from activities.reservations import KINDS
from contacts import rollups
from contacts.models import Contact, Merge, MergedRow
from contacts.parts import ContactPart, note_rows

SOURCE = "merge"
# What moves with a contact, by the name that a merge notes it under.
MOVING = {"activities": Activity} | {f"{kind.name}s": kind.model for kind in KINDS}


class ActivitiesPart(ContactPart):
    """A contact's activities, bookings, golf and table reservations."""

    name = "activities"

    def merge(self, merge: Merge) -> None:
        """Move all rows, and tell of it in an activity of the survivor's.

        Set-based: a few statements, however many rows there are.
        """
        for name, model in MOVING.items():
            note_rows(merge, name, model)
            # Past our own querysets, which would count the rows one by one.
            model._base_manager.filter(contact=merge.absorbed).update(contact=merge.survivor)
        rollups.recompute([merge.survivor_id, merge.absorbed_id])
        services.record(
            organisation=merge.organisation,
            contact=merge.survivor_id,
            type=types.CONTACT_MERGED_IN,
            source=SOURCE,
            happened_at=timezone.now(),
            external_reference=_reference(merge),
            data={"contact": merge.absorbed_id, "name": str(merge.absorbed)},
        )

    def unmerge(self, merge: Merge) -> None:
        """Put back what moved and is still the survivor's, and take back what told of it."""
        for name, model in MOVING.items():
            noted = MergedRow.objects.filter(merge=merge, part=name).values("row_id")
            rows = model._base_manager.filter(contact=merge.survivor, pk__in=noted)
            rows.update(contact=merge.absorbed)
        told = Activity.objects.for_organisation(merge.organisation_id)
        told.filter(type=types.CONTACT_MERGED_IN, external_reference=_reference(merge)).delete()
        rollups.recompute([merge.survivor_id, merge.absorbed_id])

    def redact(self, contact: Contact) -> None:
        """Erase what sources wrote freely. Types, times, money and references stay: they are what
        the totals are made of."""
        moment = timezone.now()
        contact.activities.exclude(data={}).update(data={}, updated_at=moment)
        for kind in KINDS:
            rows = kind.model._base_manager.filter(contact=contact)
            rows.exclude(**kind.free_text).update(**kind.free_text, updated_at=moment)

    def erase(self, contact: Contact) -> None:
        """Delete the rows at once. The totals go with the contact."""
        _delete(Activity._base_manager.filter(contact=contact))
        for kind in KINDS:
            reservations = kind.model._base_manager.filter(contact=contact)
            # Others' activities may speak of it: a guest on this contact's booking.
            Activity._base_manager.filter(**{f"{kind.name}__in": reservations}).update(
                **{kind.name: None}
            )
            _delete(reservations)


def _reference(merge: Merge) -> str:
    return f"merge-{merge.pk}"


def _delete(rows: Any) -> None:
    """Delete rows that nothing hangs on any more, without reading them first."""
    rows._raw_delete(rows.db)
