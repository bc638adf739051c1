"""What happened to contacts, for the apps that act on it.

All are sent inside the transaction of the service that did it, so that what a receiver writes
stands or falls with it.
"""

from __future__ import annotations

from django.dispatch import Signal

contacts_created = Signal()
"""`organisation`, and `ids`: a list of contacts that are new, a batch long at most. Their values,
tags and addresses are written."""

contacts_updated = Signal()
"""`organisation`, `ids`, and `fields`: by id the names of the contact's JSON that changed (`tags`,
`customFields.diet`); none where it is not known. Not for what activities or segments change."""

contacts_deleted = Signal()
"""`organisation`, and `ids`: contacts that are about to be deleted; their rows are still there."""

contact_redacted = Signal()
"""`contact`: one whose personal data was just erased."""

totals_changed = Signal()
"""`organisation`, and `ids`: contacts of which an activity came, changed or went, or whose totals
or scores were put right."""

tags_changed = Signal()
"""`organisation`, `tag`, `contact_ids`, `added`: the tag was put on these contacts, or with `added`
false taken off. `contacts_updated` is sent too, save for a segment's tag."""

segment_changed = Signal()
"""`segment`, `contact_ids`, `entered`: contacts that just came into the segment, or with `entered`
false left it. Once for each real change."""

contact_merged = Signal()
"""`merge`: a `Merge` that was just done."""

contact_unmerged = Signal()
"""`merge`: a `Merge` that was just undone."""

referral_invite_created = Signal()
"""`invite`: a `ReferralInvite` that is new."""

referral_invite_completed = Signal()
"""`invite`: a `ReferralInvite` that just became Completed."""
