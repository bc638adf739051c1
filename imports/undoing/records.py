"""What an import wrote down of its rows, read a batch at a time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.db import models

from imports import tables
from imports.models import CreatedRange, Import, ImportedRow, KeptRow, What

Row = TypeVar("Row", bound=models.Model)

_READ = 500


@dataclass(frozen=True, slots=True)
class Mark:
    """How an import left a row: the moments and ids of `CreatedRange`, by the last of its batches
    that wrote the row."""

    written_at: datetime
    settled_at: datetime
    newest_address: int


@dataclass(frozen=True, slots=True)
class Change:
    """All that an import changed of a row, over all of its batches: what was before, and how it
    was left."""

    before: Mapping[str, Any]
    mark: Mark

    def pairs(self, what: str) -> Mapping[str, Sequence[Any]]:
        """`{name: [before, after]}` of `columns` or `custom_fields`."""
        found: Mapping[str, Sequence[Any]] = self.before.get(what, {})
        return found

    def pair(self, what: str) -> Sequence[Any] | None:
        """`[before, after]` of `addresses`, `tags` or `options`; None when they did not change."""
        found: Sequence[Any] | None = self.before.get(what)
        return found

    @property
    def updated_at(self) -> datetime | None:
        """The row's `updated_at` before, as far as it was written down."""
        return moment(self.before.get("at"), 0)


def moment(at: Sequence[str | None] | None, index: int) -> datetime | None:
    """The moment at this place of `at`."""
    text = at[index] if at is not None and len(at) > index else None
    return datetime.fromisoformat(text) if text is not None else None


@dataclass(slots=True)
class Outcome:
    """What became of a batch: how many rows went or are as they were, and which were kept, each
    with a name and the reason."""

    done: int = 0
    kept: dict[int, tuple[str, str]] = field(default_factory=dict)

    def keep(self, pk: int, name: object, reason: str) -> None:
        """Leave a row as it is. The first reason stays."""
        self.kept.setdefault(pk, (str(name)[:310], reason))


def among(rows: models.QuerySet[Row], column: str, ids: Iterable[int]) -> models.QuerySet[Row]:
    """Those of `rows`, of one table, whose column is among the ids: any number of these."""
    table = rows.model._meta.db_table
    return rows.extra(  # noqa: S610  # own names
        where=[tables.among_ids(f'"{table}"."{column}"')], params=[tables.ids(ids)]
    )


def created(run: Import, what: str, rows: int) -> Iterator[list[CreatedRange]]:
    """The ranges that are not undone yet, about so many rows at a time."""
    last, batch, size = 0, list[CreatedRange](), 0
    ranges = CreatedRange.objects.filter(run=run, what=what, undone_at=None).order_by("pk")
    while some := list(ranges.filter(pk__gt=last)[:_READ]):
        last = some[-1].pk
        for one in some:
            batch.append(one)
            size += one.last_id - one.first_id + 1
            if size >= rows:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def changed(run: Import, what: str, rows: int) -> Iterator[list[int]]:
    """The ids of the rows that it changed and that are not undone yet, so many at a time."""
    last = 0
    while ids := list(_open(run, what).filter(row_id__gt=last)[:rows]):
        yield ids
        last = ids[-1]


def _open(run: Import, what: str) -> models.QuerySet[ImportedRow, int]:
    rows = ImportedRow.objects.filter(run=run, what=what, undone_at=None, before__isnull=False)
    return rows.order_by("row_id").distinct().values_list("row_id", flat=True)


def sizes(run: Import) -> dict[str, tuple[int, int]]:
    """How many rows of each kind are to go, and how many are to be as they were. Two queries."""
    found: dict[str, tuple[int, int]] = {}
    ranges = CreatedRange.objects.filter(run=run, undone_at=None).order_by()
    length = models.F("last_id") - models.F("first_id") + 1
    for what, total in ranges.values_list("what").annotate(total=models.Sum(length)):
        found[what] = (total, 0)
    rows = ImportedRow.objects.filter(run=run, undone_at=None, before__isnull=False).order_by()
    counted = rows.values_list("what").annotate(total=models.Count("row_id", distinct=True))
    for what, total in counted:
        found[what] = (found.get(what, (0, 0))[0], total)
    return found


def marks(run: Import, what: str, ranges: Sequence[CreatedRange]) -> dict[int, Mark]:
    """How the import left each row of these ranges, whether it is still there or not."""
    found: dict[int, Mark] = {}
    for one in ranges:
        mark = Mark(one.written_at, one.settled_at, one.newest_address)
        found |= dict.fromkeys(range(one.first_id, one.last_id + 1), mark)
    again = among(ImportedRow.objects.filter(run=run, what=what), "row_id", found)
    columns = ("row_id", "written_at", "settled_at", "newest_address")
    for pk, *moments in again.order_by("pk").values_list(*columns):
        found[pk] = Mark(*moments)
    return found


def changes(run: Import, what: str, ids: Iterable[int]) -> dict[int, Change]:
    """What the import changed of each of these rows."""
    rows = among(ImportedRow.objects.filter(run=run, what=what, undone_at=None), "row_id", ids)
    found: dict[int, Change] = {}
    columns = ("row_id", "before", "written_at", "settled_at", "newest_address")
    for pk, before, *moments in rows.order_by("pk").values_list(*columns):
        if before is not None:
            earlier = found[pk].before if pk in found else {}
            found[pk] = Change(composed(earlier, before), Mark(*moments))
    return found


def composed(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Two changes of a row as one: what was before the first, and what is after the second."""
    composed = {**later, **earlier}
    for what in later.keys() & earlier.keys() - {"at"}:
        first, second = earlier[what], later[what]
        if isinstance(first, Mapping):
            composed[what] = {**second, **first} | {
                name: [first[name][0], second[name][1]] for name in first.keys() & second.keys()
            }
        else:
            composed[what] = [first[0], second[1]]
    return composed


def forget(organisation_id: int, contacts: Iterable[int]) -> None:
    """Erase what imports remember of these contacts. An undo then keeps them. Two queries."""
    runs = Import.objects.for_organisation(organisation_id).values("pk")
    rows = ImportedRow.objects.filter(run__in=runs, what=What.CONTACT, before__isnull=False)
    among(rows, "row_id", contacts).update(before={})
    kept = KeptRow.objects.filter(run__in=runs, what=What.CONTACT)
    among(kept, "row_id", contacts).update(name="")


def note_gone(ranges: Sequence[CreatedRange], outcome: Outcome, now: datetime) -> None:
    """Close the ranges of which nothing was kept."""
    kept = sorted(outcome.kept)
    done = [
        one.pk
        for one in ranges
        if bisect_left(kept, one.first_id) == bisect_right(kept, one.last_id)
    ]
    CreatedRange.objects.filter(pk__in=done).update(undone_at=now)


def note_kept(run: Import, what: str, ids: Iterable[int], outcome: Outcome) -> list[KeptRow]:
    """Write down which of these rows were kept and why; forget what an earlier try said."""
    among(KeptRow.objects.filter(run=run, what=what), "row_id", {*ids, *outcome.kept}).delete()
    return KeptRow.objects.bulk_create(
        KeptRow(run=run, what=what, row_id=pk, name=name, reason=reason)
        for pk, (name, reason) in sorted(outcome.kept.items())
    )
