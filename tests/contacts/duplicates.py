"""Looking for possible duplicates, for the tests of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contacts import services
from contacts.duplicates import scanning
from contacts.duplicates.models import DuplicatePair, DuplicateScan
from contacts.models import Contact
from organisations.models import Organisation


def person(organisation: Organisation, email: str | None = None, **values: Any) -> Contact:
    """A contact, whom the search has not seen."""
    given = {**({"email_address": email} if email else {}), **values}
    return services.upsert(organisation=organisation, values=given)[0]


def look() -> None:
    """Do all that the worker would do within the next minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "LAG", timedelta(0))
        past = {"due_at": scanning.timezone.now() - timedelta(seconds=1)}
        DuplicateScan.objects.across_organisations().update(**past)
        while scanning.check_some() or scanning.scan_some() > 1:
            pass
        DuplicateScan.objects.across_organisations().update(**past)
        scanning.scan_some()


def pairs(organisation: Organisation) -> dict[tuple[int, int], list[str]]:
    """The open pairs, with the reasons of each."""
    rows = DuplicatePair.objects.for_organisation(organisation).open()
    return {(row.first_id, row.second_id): row.reasons for row in rows}
