"""Reading uploads."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db.models import Q

from organisations.querysets import TenantQuerySet

if TYPE_CHECKING:
    from imports.wizard.models import Upload  # noqa: F401

# `Upload.DUE` in words: the partial index is found by these.
_DUE = ("reading", "checking", "running", "stopping")


class UploadQuerySet(TenantQuerySet["Upload"]):
    """Uploads; `organisations.querysets` says what must be named."""

    def claimable(self, now: datetime) -> Self:
        """Those that wait for a worker, and that none is at."""
        free = Q(leased_until=None) | Q(leased_until__lt=now)
        return self.filter(free, stage__in=_DUE)

    def unfinished(self) -> Self:
        """Those that have not come to their end, newest first."""
        return self.exclude(stage="done").order_by("-created_at", "-pk")
