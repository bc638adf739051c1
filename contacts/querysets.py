"""Reading contacts."""

from __future__ import annotations

from typing import Self

from organisations.querysets import TenantQuerySet


class ContactQuerySet(TenantQuerySet["Contact"]):
    """Contacts, always of a named organisation."""

    def current(self) -> Self:
        """Without those that were merged into another."""
        return self.filter(merged_into=None)
