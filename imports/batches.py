"""What an importer makes of a batch of rows, and what the run keeps of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from django.core.exceptions import ValidationError
from django.db.models import Model

from crm.errors import Conflict
from imports.cells import reasons
from imports.files.source import Broken, Cell, Chunk


@dataclass(frozen=True, slots=True)
class Failure:
    """A row that was not taken: its line, the field and the reason, and its cells as they were."""

    line: int
    field: str
    reason: str
    cells: Sequence[Cell]
    reasons: Sequence[tuple[str, str]] = ()
    """The same, field by field, where more than one is wrong too."""

    @classmethod
    def of(cls, line: int, error: ValidationError | Conflict, cells: Sequence[Cell]) -> Failure:
        """The failure of a row that a service or a reader refused."""
        if isinstance(error, Conflict):
            return cls(line, "", error.detail, cells)
        found = reasons(error)
        return cls(
            line,
            ", ".join(field for field, _reason in found if field),
            " ".join(reason for _field, reason in found),
            cells,
            found,
        )

    @classmethod
    def broken(cls, row: Broken) -> Failure:
        """The failure of a row that could not be read as one."""
        return cls(row.line, "", row.reason, row.cells)


@dataclass(slots=True)
class Record:
    """Rows of one table that a batch wrote: ids of new ones, and for changed ones what differed
    (None for rows of this same import) and the `updated_at` that they were left with."""

    what: str
    created: Sequence[int] = ()
    changed: Sequence[tuple[int, dict[str, Any] | None, datetime]] = ()


@dataclass(slots=True)
class Batch:
    """What became of the rows of a batch."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failures: list[Failure] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    def add(self, other: Batch) -> None:
        """Take in what became of further rows."""
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.failures += other.failures
        self.records += other.records


Outcome = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of one row: whose it is, and what it changes, as `ImportedRow.before` has it."""

    outcome: Outcome
    line: int
    cells: Sequence[Cell]
    who: str
    contact: int | None
    """The contact's id; None for one that is new."""
    changes: Mapping[str, Any]


class Watcher(Protocol):
    """Looks at rows of a dry run, as many as it likes. Counting them is not its business."""

    def wants(self, outcome: Outcome) -> bool:
        """Whether one more row of this outcome is of interest."""
        ...

    def see(self, row: Seen) -> None: ...


class Importer(Protocol):
    """One kind of file. `prepare` reads a chunk without a query, maybe in another thread while
    the batch before is written; `write` is called in a transaction, again when it has to be.
    `writes` are the tables that grow."""

    writes: Sequence[type[Model]]

    def prepare(self, chunk: Chunk) -> Any: ...

    def write(self, prepared: Any, now: datetime) -> Batch: ...

    def close(self) -> None: ...


def ranges(ids: Iterable[int]) -> list[tuple[int, int]]:
    """The ids as ranges of first and last."""
    found: list[tuple[int, int]] = []
    for pk in sorted(ids):
        if found and pk == found[-1][1] + 1:
            found[-1] = (found[-1][0], pk)
        else:
            found.append((pk, pk))
    return found
