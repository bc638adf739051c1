"""Reading activities."""

from __future__ import annotations

from typing import Self

from organisations.querysets import TenantQuerySet


class ActivityQuerySet(TenantQuerySet["Activity"]):
    """Activities, always of a named organisation."""

    def with_reservations(self) -> Self:
        """With the booking or reservation that each speaks of: no query per row."""
        return self.select_related("booking", "golf_reservation", "table_reservation")
