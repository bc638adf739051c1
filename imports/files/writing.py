"""Writing files: CSV, TSV, JSON Lines and XLSX, a row at a time."""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

import orjson
import xlsxwriter

from imports.files.source import Cell
from imports.files.spreadsheet import guard

XLSX_MAX_ROWS = 1_048_576
XLSX_MAX_CELL = 32_767


class Writer(Protocol):
    """Takes the headers, then rows of as many cells, and is closed at the end."""

    def write(self, rows: Iterable[Sequence[Cell]]) -> None: ...

    def close(self) -> None: ...


class DelimitedWriter:
    """CSV or TSV in UTF-8. Cells that a spreadsheet would run are guarded."""

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
        self._csv.writerows([guard(cell_text(cell)) for cell in row] for row in rows)

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
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for row in rows
        )

    def close(self) -> None:
        pass


class WorkbookWriter:
    """XLSX, written row by row (memory does not grow). Text stays text, never a formula."""

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
                text = guard(cell_text(cell))
                if len(text) > XLSX_MAX_CELL:
                    raise TooLarge(
                        f"Row {self._row + 1} has a cell of {len(text)} characters, "
                        f"a sheet takes {XLSX_MAX_CELL}: export to CSV instead."
                    )
                if text:
                    self._sheet.write_string(self._row, column, text)
            self._row += 1

    def close(self) -> None:
        self._book.close()


class TooLarge(Exception):
    """The rows do not fit into the format; the message says what to do."""


def cell_text(cell: Cell) -> str:
    """A cell as text: nothing for None, JSON for a list or an object."""
    if type(cell) is str:
        return cell
    if cell is None or cell == []:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, list | dict):
        return orjson.dumps(cell).decode()
    return str(cell)


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
