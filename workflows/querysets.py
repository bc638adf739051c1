"""Reading runs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db.models import Q

from organisations.querysets import TenantQuerySet

if TYPE_CHECKING:
    from workflows.models import Run, Workflow  # noqa: F401


class RunQuerySet(TenantQuerySet["Run"]):
    """Runs, always of a named organisation."""

    def unfinished(self) -> Self:
        """Those that are not at their end."""
        return self.filter(status__in=self.model.UNFINISHED)

    def of(self, workflow: Workflow) -> Self:
        """Those of this workflow."""
        return self.filter(organisation=workflow.organisation_id, workflow=workflow)

    def claimable(self, now: datetime) -> Self:
        """Those that a worker may take now."""
        unleased = Q(leased_until=None) | Q(leased_until__lte=now)
        return self.filter(unleased, held=False, due_at__lte=now)
