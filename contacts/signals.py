"""What happened to contacts, for the apps that act on it.

All are sent inside the transaction of the service that did it, so that what a receiver writes
stands or falls with it.
"""

from __future__ import annotations

from django.dispatch import Signal

contact_merged = Signal()
"""`merge`: a `Merge` that was just done."""

contact_unmerged = Signal()
"""`merge`: a `Merge` that was just undone."""

referral_invite_created = Signal()
"""`invite`: a `ReferralInvite` that is new."""

referral_invite_completed = Signal()
"""`invite`: a `ReferralInvite` that just became Completed."""
