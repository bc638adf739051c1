"""Filters of the list of definitions."""

from __future__ import annotations

from typing import Any

from crm.api.filters import BooleanFilter, ChoiceFilter, FilterSet, TextFilter
from customfields.models import CustomField
from customfields.types import TYPES


class CustomFieldFilterSet(FilterSet):
    """Query parameters of `GET /custom-fields`."""

    name = TextFilter(repeatable=True)
    type = ChoiceFilter(choices=[(name, name) for name in TYPES], repeatable=True)
    group = TextFilter()
    archived = BooleanFilter(method="by_archived")

    class Meta:
        model = CustomField
        fields: list[str] = []

    def by_archived(self, queryset: Any, _parameter: str, value: bool) -> Any:
        """Archived fields, or the others."""
        return queryset.filter(archived_at__isnull=not value)
