"""Reading segments."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Self

from organisations.querysets import TenantQuerySet

if TYPE_CHECKING:
    from contacts.segments.models import Segment  # noqa: F401  named as text


class SegmentQuerySet(TenantQuerySet["Segment"]):
    """Segments, always of a named organisation."""

    def due(self, now: datetime.datetime) -> Self:
        """Those to be looked through, the longest due first."""
        return self.filter(due_at__lte=now).order_by("due_at", "pk")

    def held(self) -> Self:
        """In the order of ids, locked until the transaction ends: whoever writes a segment's tags
        holds the segment, so that what was found true stays true until it is written."""
        return self.select_for_update(no_key=True, of=("self",)).order_by("pk")
