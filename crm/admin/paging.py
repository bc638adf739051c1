"""Lists that do not count: a page costs the same among a million rows as among a thousand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.contrib.admin.views.main import ORDER_VAR
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from crm.admin import columns
from crm.admin.unfold import ChangeList
from crm.api.ordering import Ordering, by
from crm.api.pagination import walks_of
from organisations.middleware import organisation_of
from organisations.models import Organisation, TenantModel

if TYPE_CHECKING:
    from crm.admin.base import OrganisationAdmin

# As in the API: a list is browsed this far, past that one narrows it by search or filter.
MAX_ROWS = 10_000


class Phases:
    """Rows that come in several queries, one after the other: those that have a value of the
    column they are sorted by, then the others. Each is read from an index."""

    ordered = True

    def __init__(
        self,
        rows: QuerySet[Any],
        ordering: Ordering,
        *,
        whole: QuerySet[Any],
        counted: QuerySet[Any],
    ) -> None:
        """`whole` is the list without its filters; `counted` are the same rows as `rows` without
        what sorting them needs."""
        self.counted = counted
        self.phases = walks_of(rows.order_by(), ordering, whole.order_by())

    def count(self, limit: int) -> int:
        """How many there are, at most `limit`."""
        return self.counted.order_by()[:limit].count()

    def __getitem__(self, wanted: slice) -> list[Any]:
        start, stop = wanted.start, wanted.stop
        found: list[Any] = []
        for phase in self.phases:
            part = phase.some(stop - start, start=start)
            found += part
            if len(part) == stop - start or phase is self.phases[-1]:
                break
            # Where the next phase goes on: behind what this one has before `stop`.
            passed = start + len(part) if part else phase.rows.order_by()[:start].count()
            start, stop = max(start - passed, 0), stop - passed
        return found


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # no subscript when it runs
    """Counts no further than `MAX_ROWS`, one millisecond at any size, and says "10,000+" there."""

    template_name = "admin/capped_pagination.html"

    @cached_property
    def found(self) -> int:
        """How many rows there are, at most `MAX_ROWS` + 1. One query."""
        rows: Any = self.object_list
        if isinstance(rows, Phases):
            return rows.count(MAX_ROWS + 1)
        if isinstance(rows, QuerySet):
            return rows.order_by()[: MAX_ROWS + 1].count()
        return len(rows[: MAX_ROWS + 1])

    @cached_property
    def count(self) -> int:
        return min(self.found, MAX_ROWS)

    @property
    def capped(self) -> bool:
        return self.found > MAX_ROWS


class CappedChangeList(ChangeList):
    """A change list over a `CappedPaginator` that sorts only along indexes."""

    model_admin: OrganisationAdmin

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.request = request
        super().__init__(request, *args, **kwargs)

    def get_results(self, request: HttpRequest) -> None:
        """One page of rows; a page past the last is answered with the last."""
        rows: Any = self.queryset
        if self._sorted_column() is not None or getattr(rows, "is_scattered", False):
            sortable, ordering = self.sorting(rows)
            whole, _same = self.sorting(self.model_admin.for_list(self.root_queryset))
            rows = Phases(sortable, ordering, whole=whole, counted=rows)
        paginator: Any = self.model_admin.get_paginator(request, rows, self.list_per_page)
        if self.page_num > paginator.num_pages:
            if paginator.capped:
                messages.warning(
                    request,
                    _(
                        "Only the first %(rows)s rows can be paged through. Search or filter to "
                        "reach the others."
                    )
                    % {"rows": f"{MAX_ROWS:,}"},
                )
            self.page_num = paginator.num_pages
        self.page_num = max(self.page_num, 1)
        self.result_list = list(paginator.page(self.page_num).object_list)
        for row in self.result_list:
            if isinstance(row, TenantModel):
                row.organisation = cast(Organisation, organisation_of(request))
        columns.attach(cast(Any, self.list_display), self.result_list)
        self.result_count = paginator.count
        self.full_result_count = paginator.count  # alike: no "show all" link in the header
        self.show_full_result_count = False
        self.show_admin_actions = bool(paginator.count)
        self.can_show_all = False
        self.multi_page = paginator.num_pages > 1
        self.paginator = paginator

    def sorting(self, rows: QuerySet[Any]) -> tuple[QuerySet[Any], Ordering]:
        """`rows` of this list with what sorting them needs, and the order that the list is in."""
        column = self._sorted_column()
        if column is None:
            fields = self.get_ordering(self.request, rows)
            return rows, by(*(str(one) for one in fields if one.lstrip("-") not in ("pk", "id")))
        name, descending = column
        sortable = self.model_admin.for_sorting(self.request, rows, columns.name_of(name))
        return sortable, self._orderings()[name](descending)

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in columns.OWN}

    def _orderings(self) -> dict[Any, Any]:
        """How columns are sorted by that one query cannot sort."""
        chosen = [one for one in self.list_display if isinstance(one, columns.Shown)]
        own = {one: one.column.ordering for one in chosen if one.column.ordering is not None}
        return {**self.model_admin.orderings, **own}

    def _sorted_column(self) -> tuple[Any, bool] | None:
        """The column that the address sorts by, and whether downwards, where one query cannot."""
        column = str(self.params.get(ORDER_VAR, "")).split(".")[0]
        descending, index = column.startswith("-"), column.removeprefix("-")
        if not index.isdecimal() or int(index) >= len(self.list_display):
            return None
        name: Any = self.list_display[int(index)]
        return (name, descending) if name in self._orderings() else None

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str | None] | None = None
    ) -> QuerySet[Any]:
        """The rows that search and filters leave, with what a row shows."""
        return self.model_admin.for_list(super().get_queryset(request, exclude_parameters))

    def get_ordering_field(self, field_name: Any) -> Any:
        # Django sorts by any column that is asked for in the address, sortable or not.
        sortable = self.model_admin.get_sortable_by(self.request)
        return super().get_ordering_field(field_name) if field_name in sortable else None

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """One column, and the id in the same direction to break ties: what one index serves."""
        ordering: list[Any] = super().get_ordering(request, queryset)
        first, *rest = ordering
        if self.params.get(ORDER_VAR) or not rest:
            rest = ["-pk" if first.startswith("-") else "pk"]
        return [first, *rest]
