"""The export of a list of the admin as it is seen: its columns, its order, its words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import unescape
from typing import TYPE_CHECKING, Any, cast

from django.contrib.admin.utils import display_for_field, label_for_field, lookup_field
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from crm.admin import columns
from crm.admin.paging import CappedChangeList
from crm.api.pagination import in_chunks
from imports.exports.columns import Column, GetCell
from imports.exports.plans import CHUNK
from imports.files.source import Cell
from organisations.middleware import organisation_of

if TYPE_CHECKING:
    from crm.admin.base import OrganisationAdmin


class SeenExport:
    """`rows` of a list as its address shows them: not for an import, which wants more exact cells.

    The queries of a page of the list for each chunk, wherever it is.
    """

    def __init__(
        self, screen: OrganisationAdmin, request: HttpRequest, rows: QuerySet[Any]
    ) -> None:
        changes = cast(CappedChangeList, screen.get_changelist_instance(request))
        self.name = screen.opts.model_name or ""
        self._screen = screen
        self._request = request
        self._shown = columns.displayed(screen, request)
        self.columns: Sequence[Column] = [
            Column(_label(screen, one), _cell(screen, one)) for one in self._shown
        ]
        self.rows, self._ordering = changes.sorting(screen.for_list(rows).order_by())

    def chunks(self) -> Iterator[list[Any]]:
        organisation = organisation_of(self._request)
        for rows in in_chunks(self.rows, self._ordering, CHUNK):
            for row in rows:
                row.organisation = organisation
            columns.attach(self._shown, rows)
            yield rows


def _label(screen: OrganisationAdmin, shown: Any) -> str:
    label = str(label_for_field(shown, screen.model, screen))
    return label[:1].upper() + label[1:]


def _cell(screen: OrganisationAdmin, shown: Any) -> GetCell:
    def cell(row: Any) -> Cell:
        field, _attribute, value = lookup_field(shown, row, screen)
        if field is not None:
            value = display_for_field(value, field, "")
        if isinstance(value, SafeString):
            # Chips stand beside one another; here commas part them.
            return unescape(strip_tags(value.replace("</span><span", "</span>, <span"))) or None
        return value if isinstance(value, int) else str(value) if value else None

    return cell
