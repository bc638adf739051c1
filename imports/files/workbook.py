"""Reading XLSX."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import python_calamine

from imports.files.source import CHUNK_ROWS, Broken, Chunk, Unusable, check_headers
from imports.files.spreadsheet import unguard
from imports.files.text import digest_of

_MIDNIGHT = datetime.time()


class WorkbookSource:
    """A sheet of a workbook: the one named, else the first that has rows.

    Calamine holds the sheet in memory: 300 MB for a million rows of four columns
    (docs/import.md, "How much memory").
    """

    def __init__(self, path: Path, *, sheet: str | None = None) -> None:
        self.digest = digest_of(path)
        self._path = path
        try:
            book = python_calamine.CalamineWorkbook.from_path(path)
            self._sheet, self.headers, self._first_row = _find_sheet(book, sheet)
        except (python_calamine.CalamineError, OSError, ValueError) as error:
            raise Unusable(f"The file cannot be read as a workbook: {error}.") from None
        self.about = self._sheet.total_height
        self.description = f'XLSX, sheet "{self._sheet.name}"'

    def chunks(self) -> Iterator[Chunk]:
        width = len(self.headers)
        numbered = enumerate(self._sheet.iter_rows(), start=1)
        for _ in range(self._first_row):
            next(numbered, None)
        while block := list(islice(numbered, CHUNK_ROWS)):
            chunk = Chunk([], [], [])
            assert isinstance(chunk.lines, list)
            assert isinstance(chunk.rows, list)
            for number, row in block:
                cells = [value if type(value) is str else as_text(value) for value in row]
                if not any(cells):
                    continue
                if any(cells[width:]):
                    reason = "The row has a cell in a column that has no header."
                    chunk.broken.append(Broken(number, reason, [unguard(c) for c in cells]))
                elif any("\0" in cell for cell in cells):
                    chunk.broken.append(Broken(number, "The row has a NUL character.", cells))
                else:
                    chunk.lines.append(number)
                    chunk.rows.append(cells[:width])
            if len(chunk):
                yield chunk


def _find_sheet(
    book: python_calamine.CalamineWorkbook, name: str | None
) -> tuple[python_calamine.CalamineSheet, list[str], int]:
    """The sheet, its headers, and the number of the row that they stand in (from 1)."""
    names = book.sheet_names
    if name is not None and name not in names:
        raise Unusable(f'There is no sheet "{name}" in the workbook, only {", ".join(names)}.')
    for candidate in [name] if name is not None else names:
        sheet = book.get_sheet_by_name(candidate)
        for number, row in enumerate(sheet.iter_rows(), start=1):
            headers = [as_text(value).strip() for value in row]
            if any(headers):
                while not headers[-1]:
                    headers.pop()
                return sheet, check_headers([unguard(header) for header in headers]), number
    raise Unusable("The workbook is empty.")


def as_text(value: Any) -> str:
    """A cell's value as a CSV would have it.

    A whole number has no decimals and no exponent, as Excel shows phone numbers in its own cells
    as 1.23E+10; a day is ISO 8601, a moment too. Other numbers have the 15 digits that Excel keeps.
    """
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else format(value, ".15g")
    if isinstance(value, datetime.datetime):
        return (value.date() if value.time() == _MIDNIGHT else value).isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return "" if value is None else str(value)
