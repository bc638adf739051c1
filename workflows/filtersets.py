"""The query parameters of the lists of workflows and runs."""

from __future__ import annotations

from activities.filtersets import OfContact
from crm.api.filters import DateRange, FilterSet, TextFilter


class WorkflowFilterSet(FilterSet):
    """Which workflows to list."""

    status = TextFilter(repeatable=True)
    starting_trigger_type = TextFilter(repeatable=True)


class RunFilterSet(OfContact):
    """Which runs to list."""

    status = TextFilter(repeatable=True)
    created_at = DateRange()
