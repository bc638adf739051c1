"""What is true of the ledger whatever was done."""

from __future__ import annotations

from collections import defaultdict

from rewards.models import CreditEntry, CreditMovement


def check() -> None:
    """Movements add up to their entries; nothing left of any grant is negative, and each is left to
    one contact only; nor is any balance negative."""
    amounts: dict[int, int] = defaultdict(int)
    left: dict[tuple[int, int], int] = defaultdict(int)
    balances: dict[tuple[int, str], int] = defaultdict(int)
    entries = {entry.pk: entry for entry in CreditEntry.objects.across_organisations()}
    for movement in CreditMovement.objects.across_organisations():
        entry = entries[movement.entry_id]
        assert movement.contact_id == entry.contact_id
        assert movement.currency_code == entry.currency_code
        amounts[entry.pk] += movement.amount
        left[movement.contact_id, movement.lot_id] += movement.amount
    for pk, entry in entries.items():
        assert amounts[pk] == entry.amount, entry
        balances[entry.contact_id, entry.currency_code] += entry.amount
    assert all(amount >= 0 for amount in left.values()), dict(left)
    assert all(amount >= 0 for amount in balances.values()), dict(balances)
