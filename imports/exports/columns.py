"""The columns of an export: their headers, and the cell that each makes of a row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import Any

from imports.files.source import Cell, Unusable
from imports.files.spreadsheet import quote_marker
from imports.headers import Vocabulary, plain, quoted

GetCell = Callable[[Any], Cell]


@dataclass(frozen=True, slots=True)
class Column:
    """`header` is what the import knows it by, `cell` makes its cell of a row.

    `reads` are the lookups of the query that it needs. `target` is the import's word for the field;
    None for what no import takes (`is_read_only`), such as totals.
    """

    header: str
    cell: GetCell
    reads: tuple[str, ...] = ()
    target: str | None = None
    is_id: bool = False

    @property
    def is_read_only(self) -> bool:
        """Whether an import refuses it."""
        return self.target is None


def text(path: str) -> GetCell:
    r"""The cell of a text; one that is `\N` is not to be taken for the marker that clears."""
    get = attrgetter(path)

    def cell(row: Any) -> Cell:
        found = get(row)
        return quote_marker(found) if found else found

    return cell


def moment(path: str) -> GetCell:
    """The cell of a time, ISO 8601 with its offset, whole to the microsecond, or of a day."""
    get = attrgetter(path)

    def cell(row: Any) -> Cell:
        found: date | None = get(row)
        return None if found is None else found.isoformat()

    return cell


def chosen(
    columns: Sequence[Column],
    names: Sequence[str] | None,
    vocabulary: Vocabulary,
    *,
    more: Collection[Column] = (),
    groups: Mapping[str, str] | None = None,
    without_ids: bool = False,
) -> list[Column]:
    """The columns of these names, in their order; None for all that an import takes.

    A name may be any that the import knows the field by, a header of `more`, or one of `groups`,
    which stands for all columns whose headers begin so. Raises Unusable for one that is not there.
    """
    if names is None:
        return [one for one in columns if not (without_ids and one.is_id)]
    by_header = {plain(one.header): one for one in (*columns, *more)}
    by_header |= {one.header: one for one in (*columns, *more)}
    by_target = {one.target: one for one in columns if one.target is not None}
    unknown = []
    found: dict[str, Column] = {}
    for name in names:
        beginning = (groups or {}).get(plain(name))
        column = by_header.get(name) or by_header.get(plain(name))
        column = column or by_target.get(vocabulary.find(name) or "")
        if column is not None:
            found[column.header] = column
        elif beginning is not None:
            found |= {one.header: one for one in columns if one.header.startswith(beginning)}
        else:
            unknown.append(name)
    if unknown:
        raise Unusable(
            f"--fields: there is no {quoted(unknown)}; there are "
            f"{', '.join(one.header for one in (*columns, *more))}."
        )
    if not found:
        raise Unusable("--fields names no field.")
    return list(found.values())


def lookups(columns: Sequence[Column], *always: str) -> list[str]:
    """What the query must read for these columns, each once."""
    return list(dict.fromkeys([*always, *(path for one in columns for path in one.reads)]))
