"""Reading CSV and TSV (RFC 4180, and what people make of it)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from imports.files.source import CHUNK_ROWS, Broken, Chunk, Unusable, check_headers
from imports.files.spreadsheet import unguard
from imports.files.text import DELIMITERS, Text, find_delimiter, read_delimiter

# A quote that nobody closed would swallow the rest of the file: no cell is longer than this.
MAX_CELL_CHARACTERS = 1_000_000
MAX_CELL_LINES = 2_000
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
_LONE = re.compile("[\udc80-\udcff]")


class DelimitedSource:
    """A CSV or TSV file. Memory does not grow with it.

    A row that is no row (a quote left open, too many or too few cells, a NUL, bytes that are not
    of the encoding) is given as `Broken`; the next line is read as if nothing had happened.
    """

    def __init__(self, text: Text, *, delimiter: str | None, preferred: str) -> None:
        self._text = text
        sample = text.sample()
        separator = _SEPARATOR_LINE.match(sample)
        # "sep=;" in the first line is how Excel is told the delimiter; it is no header.
        self._skip_lines = 1 if separator else 0
        if delimiter is not None:
            self._delimiter = read_delimiter(delimiter)
        elif separator:
            self._delimiter = separator[1]
        else:
            self._delimiter = find_delimiter(sample, preferred)
        csv.field_size_limit(MAX_CELL_CHARACTERS)
        self._header_lines = 0
        self.headers = self._read_headers()
        name = DELIMITERS.get(self._delimiter, repr(self._delimiter))
        kind = "TSV" if self._delimiter == "\t" else "CSV"
        self.about = max(text.lines - self._header_lines, 0)
        self.description = f"{kind}, {text.encoding_name}, {name}"

    def _lines(self) -> Iterator[str]:
        with self._text.path.open(
            encoding=self._text.encoding, errors=self._text.errors, newline=""
        ) as stream:
            yield from stream

    def _read_headers(self) -> list[str]:
        lines = self._lines()
        for _ in range(self._skip_lines):
            next(lines, None)
        reader = csv.reader(lines, delimiter=self._delimiter)
        try:
            row = next((row for row in reader if any(cell.strip() for cell in row)), None)
        except csv.Error as error:
            raise Unusable(f"The header line cannot be read: {error}.") from None
        self._header_lines = self._skip_lines + reader.line_num
        if row is None:
            raise Unusable("The file has no header line: its first row must name the columns.")
        while row and not row[-1].strip():
            row.pop()
        if any("\0" in header for header in row):
            raise Unusable("This is not a text file: its header line has NUL characters.")
        return check_headers([unguard(header) for header in row])

    def chunks(self) -> Iterator[Chunk]:
        lines = self._lines()
        number = self._header_lines + 1
        for _ in range(self._header_lines):
            next(lines, None)
        pending: list[str] = []
        while True:
            fresh = list(islice(lines, CHUNK_ROWS - len(pending) if pending else CHUNK_ROWS))
            if not fresh and not pending:
                return
            block = pending + fresh
            chunk, used = self._parse(block, number, last=not fresh)
            if not used and fresh:
                # One record longer than the block: read on.
                more = list(islice(lines, CHUNK_ROWS))
                chunk, used = self._parse(block + more, number, last=not more)
                block += more
            pending = block[used:]
            number += used
            if len(chunk):
                yield chunk

    def _parse(self, block: Sequence[str], number: int, *, last: bool) -> tuple[Chunk, int]:
        """The rows of `block`, whose first line has `number`, and how many lines they took.

        Unless it is the `last` block, a record that is not finished is left for the next one.
        """
        chunk = Chunk([], [], [])
        position = 0
        while position < len(block):
            reader = csv.reader(
                islice(block, position, None), delimiter=self._delimiter, strict=True
            )
            rows: list[list[str]] = []
            failure: csv.Error | None = None
            try:
                # What was read before an error stays in `rows`.
                rows.extend(reader)
            except csv.Error as error:
                failure = error
            start = number + position
            position += self._take(chunk, rows, start, whole=failure is None, read=reader.line_num)
            if failure is None:
                break
            unfinished = "unexpected end" in str(failure)
            if unfinished and not last and len(block) - position < MAX_CELL_LINES:
                return chunk, position
            chunk.broken.append(
                Broken(
                    number + position,
                    "A quote is not closed or not doubled."
                    if "limit" not in str(failure)
                    else "A cell is longer than 1,000,000 characters.",
                    self._split_roughly(block[position]),
                )
            )
            position += 1
        return chunk, position

    def _take(
        self, chunk: Chunk, rows: list[list[str]], start: int, *, whole: bool, read: int
    ) -> int:
        """Add the rows to the chunk; the number of lines that they came from."""
        width = len(self.headers)
        if whole and read == len(rows):
            spans = None
            used = read
        else:
            spans = [_span(row) for row in rows]
            used = sum(spans)
        careful = self._text.has_nul or self._text.has_broken_bytes
        line = start
        lines, good = chunk.lines, chunk.rows
        assert isinstance(lines, list)
        assert isinstance(good, list)
        for index, row in enumerate(rows):
            if any(row):
                if len(row) == width and not careful:
                    lines.append(line)
                    good.append(row)
                else:
                    problem = self._problem(row)
                    if problem:
                        chunk.broken.append(Broken(line, problem, [unguard(c) for c in row]))
                    else:
                        lines.append(line)
                        good.append(row[:width])
            line += spans[index] if spans else 1
        return used

    def _problem(self, row: list[str]) -> str | None:
        width = len(self.headers)
        if len(row) < width:
            return f"The row has {len(row)} cells, the header {width}."
        if any(row[width:]):
            return f"The row has {len(row)} cells, the header only {width}."
        if self._text.has_nul and any("\0" in cell for cell in row):
            return "The row has a NUL character."
        if self._text.has_broken_bytes and any(_LONE.search(cell) for cell in row):
            return f"The row has bytes that are not {self._text.encoding_name}."
        return None

    def _split_roughly(self, line: str) -> list[str]:
        return [cell.strip('"') for cell in line.rstrip("\r\n").split(self._delimiter)]


def _span(row: list[str]) -> int:
    """How many lines a row came from: one, and one for each line break in its cells."""
    text = "\0".join(row)
    return 1 + text.count("\n") + text.count("\r") - text.count("\r\n")
