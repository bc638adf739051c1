"""Writing files: CSV, TSV, JSON Lines and XLSX, a row at a time."""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, Protocol

import orjson
import xlsxwriter

from imports.files.source import Cell
from imports.files.spreadsheet import guard

XLSX_MAX_ROWS = 1_048_576
"""Of a sheet, its headers included."""
XLSX_MAX_CELL = 32_767
_EXACT_IN_A_SHEET = 10**15
"""Excel keeps 15 digits of a number."""


class Writer(Protocol):
    """Takes the headers, then rows of as many cells, and is closed at the end."""

    def write(self, rows: Iterable[Sequence[Cell]]) -> None: ...

    def flush(self) -> None:
        """Hand on to the stream what was written, as far as the format can."""

    def close(self) -> None: ...


class Listed(list[str]):
    """Names of several things in one cell. In JSON an array; in a table with commas between, and
    an array there too where that could not be taken apart again."""

    @property
    def text(self) -> str:
        """As the cell of a table has it."""
        joined = ", ".join(self)
        unclear = joined[:1] in {"[", "{", "\\"} or any("," in one or ";" in one for one in self)
        return orjson.dumps(self).decode() if unclear else joined


class DelimitedWriter:
    """CSV or TSV in UTF-8. Texts that a spreadsheet would run are guarded; numbers are none."""

    def __init__(
        self, stream: IO[bytes], headers: Sequence[str], *, delimiter: str = ",", bom: bool = False
    ) -> None:
        self._text = io.TextIOWrapper(
            stream, encoding="utf-8-sig" if bom else "utf-8", newline="", write_through=False
        )
        # RFC 4180 ends lines with CR LF; it also makes the writer quote a lone CR in a cell.
        self._csv = csv.writer(self._text, delimiter=delimiter, lineterminator="\r\n")
        self.write([headers])

    def write(self, rows: Iterable[Sequence[Cell]]) -> None:
        self._csv.writerows([_guarded(cell) for cell in row] for row in rows)

    def flush(self) -> None:
        self._text.flush()

    def close(self) -> None:
        self._text.flush()
        self._text.detach()


class JsonLinesWriter:
    """JSON Lines: an object a row, without the cells that are empty."""

    def __init__(self, stream: IO[bytes], headers: Sequence[str]) -> None:
        self._stream = stream
        self._headers = headers

    def write(self, rows: Iterable[Sequence[Cell]]) -> None:
        headers = self._headers
        self._stream.writelines(
            orjson.dumps(
                {
                    header: cell
                    for header, cell in zip(headers, row, strict=True)
                    if cell is not None and cell not in ("", [])
                },
                _json_number,
                orjson.OPT_APPEND_NEWLINE,
            )
            for row in rows
        )

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


class WorkbookWriter:
    """XLSX, written row by row (memory does not grow). Text stays text, never a formula; a phone
    number keeps its plus and its zeros."""

    def __init__(self, stream: IO[bytes], headers: Sequence[str]) -> None:
        self._book = xlsxwriter.Workbook(
            stream,
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
            },
        )
        self._sheet = self._book.add_worksheet()
        self._row = 0
        self.write([headers])

    def write(self, rows: Iterable[Sequence[Cell]]) -> None:
        for row in rows:
            if self._row >= XLSX_MAX_ROWS:
                raise TooLarge("A sheet ends at row 1,048,576: export to CSV instead.")
            for column, cell in enumerate(row):
                if cell is None:
                    continue
                if type(cell) is not str and _is_number(cell) and _fits_a_sheet(cell):
                    self._sheet.write_number(self._row, column, cell)
                    continue
                text = _guarded(cell)
                if len(text) > XLSX_MAX_CELL:
                    raise TooLarge(
                        f"Row {self._row + 1} has a cell of {len(text)} characters, "
                        f"a sheet takes {XLSX_MAX_CELL}: export to CSV instead."
                    )
                if text:
                    self._sheet.write_string(self._row, column, text)
            self._row += 1

    def flush(self) -> None:
        pass  # a workbook is put together at its end

    def close(self) -> None:
        self._book.close()


class TooLarge(Exception):
    """The rows do not fit into the format; the message says what to do."""


def cell_text(cell: Cell) -> str:
    """A cell as text: nothing for None, JSON for an object or a list that is not `Listed`."""
    if type(cell) is str:
        return cell
    if cell is None or cell == []:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, Listed):
        return cell.text
    if isinstance(cell, list | dict):
        return orjson.dumps(cell).decode()
    return str(cell)


def _guarded(cell: Cell) -> str:
    if type(cell) is str:
        return guard(cell)
    if cell is None:
        return ""
    return cell_text(cell) if _is_number(cell) else guard(cell_text(cell))


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float | Decimal) and not isinstance(cell, bool)


def _fits_a_sheet(number: float | Decimal) -> bool:
    """Whether a sheet, which keeps 15 digits, holds it exactly."""
    if isinstance(number, Decimal):
        return len(number.as_tuple().digits) <= 15
    return abs(number) < _EXACT_IN_A_SHEET


def _json_number(cell: Cell) -> float | str:
    """A decimal as a number of JSON where that is exact, else as text."""
    if not isinstance(cell, Decimal):
        raise TypeError(f"{type(cell).__name__} cannot be a cell.")
    number = float(cell)
    return number if Decimal(repr(number)) == cell else format(cell, "f")


def writer_for(format: str, stream: IO[bytes], headers: Sequence[str], *, bom: bool) -> Writer:
    """The writer of a format; it has written the headers already."""
    if format == "jsonl":
        return JsonLinesWriter(stream, headers)
    if format == "xlsx":
        return WorkbookWriter(stream, headers)
    return DelimitedWriter(stream, headers, delimiter="\t" if format == "tsv" else ",", bom=bom)


@contextmanager
def whole_file(name: str) -> Iterator[IO[bytes]]:
    """A stream to the file called `name` (`-` is standard output), there only once it is whole.

    It is written beside its final name and moved there at the end; after an error nothing is left
    and what was there before stays.
    """
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
