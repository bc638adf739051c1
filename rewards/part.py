"""What becomes of a contact's credit when it is merged, redacted, deleted."""

from __future__ import annotations

from typing import Any

from contacts.models import Contact, Merge, MergedRow
from contacts.parts import ContactPart, note_rows
from rewards import services
from rewards.models import CreditEntry, CreditMovement

# Past our own querysets: an entry keeps what it says when it goes to the contact that it is
# another's now, or when free text in it is erased.
_ENTRIES: Any = CreditEntry._base_manager
_MOVEMENTS: Any = CreditMovement._base_manager


class CreditPart(ContactPart):
    """A contact's ledger."""

    name = "credit"

    def merge(self, merge: Merge) -> None:
        """Move it, in three statements however long it is."""
        note_rows(merge, self.name, CreditEntry)
        for rows in (_ENTRIES, _MOVEMENTS):
            rows.filter(contact=merge.absorbed).update(contact=merge.survivor)

    def unmerge(self, merge: Merge) -> None:
        """Put back what moved. What the survivor spent of it meanwhile stays spent, and the
        absorbed contact bears it: both get an entry that says so."""
        noted = MergedRow.objects.filter(merge=merge, part=self.name).values("row_id")
        _MOVEMENTS.filter(contact=merge.survivor, entry__in=noted).update(contact=merge.absorbed)
        _ENTRIES.filter(contact=merge.survivor, pk__in=noted).update(contact=merge.absorbed)
        stayed = merge.survivor.credit_movements.filter(lot__in=noted)
        left = [lot for lot in stayed.lots() if lot.left]
        services.settle(merge.absorbed, merge.survivor, left)

    def redact(self, contact: Contact) -> None:
        """Erase what was written freely; the money stays."""
        _ENTRIES.filter(contact=contact).exclude(reason="").update(reason="")

    def erase(self, contact: Contact) -> None:
        for rows in (_MOVEMENTS.filter(contact=contact), _ENTRIES.filter(contact=contact)):
            rows._raw_delete(rows.db)
