"""Reading pairs of possible duplicates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from django.db.models import Prefetch, Q

from organisations.querysets import TenantQuerySet

if TYPE_CHECKING:
    from contacts.duplicates.models import DuplicatePair  # noqa: F401


class PairQuerySet(TenantQuerySet["DuplicatePair"]):
    """Pairs, always of a named organisation."""

    def open(self) -> Self:
        """Those that nobody has decided on."""
        return self.filter(status="open")

    def dismissed(self) -> Self:
        """Those that are said to be two."""
        return self.filter(status="dismissed")

    def of(self, ids: Iterable[int]) -> Self:
        """Those with any of these contacts."""
        wanted = list(ids)
        return self.filter(Q(first__in=wanted) | Q(second__in=wanted))

    def with_contacts(self) -> Self:
        """With both contacts and their totals, in the same query."""
        return self.select_related("first__rollup", "second__rollup")

    def with_tags(self) -> Self:
        """With both contacts' tags: two more queries for any page."""
        from contacts.models import Tag

        tags = Tag.objects.across_organisations().order_by("name")
        return self.prefetch_related(Prefetch("first__tags", tags), Prefetch("second__tags", tags))
