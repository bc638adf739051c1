"""Columns that one may put into a list: which, and in which order, stands in its address (`cols`).

So a list with its columns can be sent as a link, and a saved view is nothing but an address.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.admin.utils import label_for_field
from django.http import HttpRequest

from crm.api.ordering import Ordering

if TYPE_CHECKING:
    from crm.admin.base import OrganisationAdmin

COLUMNS = "cols"
VIEW = "view"
"""The saved view that a list was opened from (`desk.views`); the list itself does not read it."""
OWN = frozenset({COLUMNS, VIEW})
"""What stands in the address of a list and is no filter."""
MOST = 30
"""More columns than this are not read."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column beyond those that a list has of itself."""

    name: str
    """Stable: it stands in addresses."""
    label: Any
    show: Callable[[Any], str]
    """What the cell of a row says, in no query."""
    attach: Callable[[Sequence[Any]], None] | None = None
    """Fetches for a page of rows what `show` reads. Once for all columns that share it."""
    ordering: Callable[[bool], Ordering] | None = None
    """How to sort by it, downwards or not, along an index; None: it is not sorted by."""


class Shown:
    """A `Column` as Django's list displays it."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.__name__ = column.name
        self.short_description = column.label
        self.admin_order_field = "pk" if column.ordering else None

    def __call__(self, row: Any) -> str:
        return self.column.show(row)


Displayed = str | Shown


def name_of(displayed: Displayed) -> str:
    """The stable name of what stands in `list_display`."""
    return displayed.column.name if isinstance(displayed, Shown) else str(displayed)


def displayed(screen: OrganisationAdmin, request: HttpRequest) -> list[Displayed]:
    """The columns that the address asks for, the first being the one that leads to the row; those
    that the list has of itself when it asks for none. Names that are not there are passed over."""
    known: list[Displayed] | None = getattr(request, "list_columns", None)
    if known is None:
        standard: list[Displayed] = [str(name) for name in screen.list_display]
        asked = [name for name in request.GET.get(COLUMNS, "").split(",")[:MOST] if name]
        if asked:
            choices = {name_of(one): one for one in choosable(screen, request)}
            first = standard[0]
            chosen = [choices[name] for name in dict.fromkeys(asked) if name in choices]
            known = [first, *(one for one in chosen if one != first)]
        else:
            known = standard
        request.list_columns = known  # type: ignore[attr-defined]
    return known


def choosable(screen: OrganisationAdmin, request: HttpRequest) -> list[Displayed]:
    """All columns that the list may show."""
    known: list[Displayed] | None = getattr(request, "list_choices", None)
    if known is None:
        known = [
            *(str(name) for name in screen.list_display),
            *(Shown(column) for column in screen.more_columns(request)),
        ]
        request.list_choices = known  # type: ignore[attr-defined]
    return known


def labelled(screen: OrganisationAdmin, request: HttpRequest) -> list[tuple[str, str, bool]]:
    """All columns as (name, label, whether it is shown): the shown ones first, in their order."""
    shown = displayed(screen, request)
    names = {name_of(one) for one in shown}
    rest = [one for one in choosable(screen, request) if name_of(one) not in names]
    return [
        (name_of(one), str(label_for_field(one, screen.model, screen)), one in shown)
        for one in (*shown, *rest)
    ]


def attach(shown: Sequence[Displayed], rows: Sequence[Any]) -> None:
    """Fetch for a page of rows what these columns read."""
    wanted = [one.column.attach for one in shown if isinstance(one, Shown) and one.column.attach]
    for fetch in dict.fromkeys(wanted):
        fetch(rows)
