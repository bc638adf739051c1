"""Possible duplicates: contacts that may be one, found by the worker (docs/duplicates.md).

`keys` says by which keys contacts meet, `scoring` how alike two are, `scanning` goes through all
of them, `services` decides what is no duplicate. The models are loaded first: what needs them is
imported within.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contacts.duplicates.models import DuplicatePair
    from contacts.models import Contact


def work(stopping: Callable[[], bool] = lambda: False) -> int:
    """See `contacts.duplicates.scanning.work`."""
    from contacts.duplicates import scanning

    return scanning.work(stopping)


def possible_duplicates_of(contact: Contact, limit: int = 5) -> list[DuplicatePair]:
    """The pairs that the contact is in and that nobody has decided on, likeliest first; each knows
    its `other(contact)`. One query, by indexes."""
    from contacts.duplicates.models import DuplicatePair

    pairs = DuplicatePair.objects.for_organisation(contact.organisation_id).open()
    return list(pairs.of([contact.pk]).with_contacts().order_by("-score", "pk")[:limit])
