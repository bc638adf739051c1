"""What every reader of files gives: headers, and the rows in chunks with their line numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Cell = Any
"""Text nearly always; from JSON Lines also a list or an object."""

CHUNK_ROWS = 10_000


class Unusable(Exception):
    """The file cannot be used at all; the message is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that could not be read as one, as far as it was read."""

    line: int
    reason: str
    cells: Sequence[Cell] = ()


@dataclass(slots=True)
class Chunk:
    """Some thousands of rows in a row. `rows[i]` began on line `lines[i]` of the file and has as
    many cells as there are headers."""

    lines: Sequence[int] = field(default_factory=list)
    rows: Sequence[Sequence[Cell]] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows) + len(self.broken)

    def without_first(self, count: int) -> Chunk:
        """The same chunk less its first `count` rows, the broken ones counted with the others."""
        if count <= 0:
            return self
        if count >= len(self):
            return Chunk()
        first = sorted([*self.lines, *(row.line for row in self.broken)])[count]
        kept = [i for i, line in enumerate(self.lines) if line >= first]
        return Chunk(
            [self.lines[i] for i in kept],
            [self.rows[i] for i in kept],
            [row for row in self.broken if row.line >= first],
        )


class Source(Protocol):
    """A file that can be read from its beginning, any number of times."""

    headers: list[str]
    description: str
    """How it is read, for people: `CSV, UTF-8, comma`."""
    about: int
    """How many rows there are, nearly: lines less one."""

    def chunks(self) -> Iterator[Chunk]:
        """All rows after the header. Blank ones are left out."""
        ...


def after(source: Source, count: int) -> Iterator[Chunk]:
    """The chunks of `source` from its row number `count` (from 0) on."""
    for chunk in source.chunks():
        if count >= len(chunk):
            count -= len(chunk)
            continue
        yield chunk.without_first(count)
        count = 0


def check_headers(headers: Sequence[str]) -> list[str]:
    """The headers without stray spaces, each there once and none without a name.

    Columns at the end that have no header are dropped by the readers when they are empty.
    """
    clean = [header.replace("\ufeff", "").strip() for header in headers]
    seen: dict[str, int] = {}
    for number, header in enumerate(clean, start=1):
        if not header:
            raise Unusable(f"Column {number} has no header: give it a name or delete it.")
        if header in seen:
            raise Unusable(
                f'The header "{header}" is there twice, in columns {seen[header]} and {number}: '
                "rename one of them or delete it."
            )
        seen[header] = number
    return clean
