"""Rows as somebody corrected them, in place of those of the file."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from imports.files.opening import Opened
from imports.files.source import Broken, Cell, Chunk, Source
from imports.files.spreadsheet import guard, unguard
from imports.files.writing import cell_text
from imports.wizard.models import Correction, Upload

Cells = Mapping[str, str]
"""What was typed, by header."""


def corrected(file: Opened, upload: Upload) -> Opened:
    """The file with the corrections of its upload. One query."""
    kept = Correction.objects.filter(upload=upload)
    by_line = dict(kept.values_list("line", "cells"))
    if not by_line:
        return file
    source = CorrectedSource(file.source, by_line, guarded=file.guarded)
    return dataclasses.replace(file, source=source)


class CorrectedSource:
    """A source with other cells in some of its rows. It has as many rows as before, in the same
    order, so that an import which was stopped goes on at the right one."""

    def __init__(self, source: Source, by_line: Mapping[int, Cells], *, guarded: bool) -> None:
        self._source = source
        self._by_line = by_line
        self._guarded = guarded
        self.headers = source.headers
        self.description = source.description
        self.about = source.about

    def chunks(self) -> Iterator[Chunk]:
        for chunk in self._source.chunks():
            self._correct(chunk)
            self._mend(chunk)
            yield chunk

    def _correct(self, chunk: Chunk) -> None:
        wanted = [
            (place, self._by_line[line])
            for place, line in enumerate(chunk.lines)
            if line in self._by_line
        ]
        if wanted:
            rows = list(chunk.rows)
            for place, cells in wanted:
                rows[place] = put(self.headers, rows[place], cells, guarded=self._guarded)
            chunk.rows = rows

    def _mend(self, chunk: Chunk) -> None:
        """Make rows of those that could not be read as such."""
        mended = [one for one in chunk.broken if one.line in self._by_line]
        if not mended:
            return
        lines, rows = list(chunk.lines), list(chunk.rows)
        for one in mended:
            place = bisect_left(lines, one.line)
            lines.insert(place, one.line)
            rows.insert(place, self._row(one))
        chunk.lines, chunk.rows = lines, rows
        chunk.broken = [one for one in chunk.broken if one.line not in self._by_line]

    def _row(self, broken: Broken) -> list[Cell]:
        cells = as_read(broken.cells, guarded=False)
        return put(self.headers, cells, self._by_line[broken.line], guarded=self._guarded)


def put(headers: Sequence[str], row: Sequence[Cell], cells: Cells, *, guarded: bool) -> list[Cell]:
    """The row with these cells in it, as wide as the header."""
    whole = [*row[: len(headers)], *[""] * (len(headers) - len(row))]
    return [
        (guard(cells[header]) if guarded else cells[header]) if header in cells else cell
        for header, cell in zip(headers, whole, strict=True)
    ]


def as_read(cells: Sequence[Cell], *, guarded: bool) -> list[str]:
    """The cells as people read them, and as a database keeps them."""
    texts = [cell_text(cell) for cell in cells]
    if guarded:
        texts = [unguard(text) for text in texts]
    return [storable(text) for text in texts]


def storable(text: str) -> str:
    """Without what no database takes: bytes that are no text, and NUL."""
    readable = text.encode(errors="surrogateescape").decode(errors="replace")
    return readable.replace("\0", "\N{REPLACEMENT CHARACTER}")
