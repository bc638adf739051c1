"""The file of the rows that were not taken, made so that it can be mended and imported again."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from imports.batches import Failure
from imports.files.source import Unusable
from imports.files.spreadsheet import guard
from imports.files.writing import cell_text
from imports.headers import ERROR_COLUMNS


class Refusals(Protocol):
    """Where rows go that were not taken. `append` is called in the transaction of their batch;
    `size` is what it answered when the last one was committed."""

    size: int

    @property
    def place(self) -> str:
        """Where people find them; empty where there is no file."""
        ...

    def append(self, failures: Iterable[Failure]) -> int: ...


class ErrorsFile:
    """A CSV with the line, field and reason before the original columns. Made with the first row.

    What is in it is only counted once the batch is committed: `size` is kept with the import, and
    a run that goes on cuts off what came after.
    """

    def __init__(self, path: Path, headers: Sequence[str], size: int = 0) -> None:
        self.path = path
        self._headers = headers
        self.size = size

    @property
    def place(self) -> str:
        return str(self.path)

    def check(self) -> None:
        """Raise Unusable when the file could not be written."""
        folder = self.path.parent
        target = self.path if self.path.exists() else folder
        if self.path.is_dir() or not folder.is_dir() or not os.access(target, os.W_OK):
            raise Unusable(
                f"The errors file {self.path} cannot be written: give another with --errors."
            )

    def take_over(self, earlier: Path) -> None:
        """Begin with what an earlier run wrote to another file."""
        if self.size and earlier != self.path and earlier.exists():
            self.path.write_bytes(earlier.read_bytes()[: self.size])

    def append(self, failures: Iterable[Failure]) -> int:
        """Write these rows after what is counted, and answer the new length. It is on the disk
        when this returns."""
        content = as_csv(self._headers, failures, with_headers=self.size == 0).encode()
        if not content:
            return self.size
        with self.path.open("r+b" if self.path.exists() else "w+b") as stream:
            stream.seek(self.size)
            stream.write(content)
            stream.truncate()
            stream.flush()
            os.fsync(stream.fileno())
        return self.size + len(content)


def as_csv(headers: Sequence[str], failures: Iterable[Failure], *, with_headers: bool) -> str:
    """The lines of an errors file; none, and no headers either, when nothing failed."""
    rows = [_row(headers, failure) for failure in failures]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    if rows and with_headers:
        writer.writerow([*ERROR_COLUMNS, *map(guard, headers)])
    writer.writerows(rows)
    return text.getvalue()


def _row(headers: Sequence[str], failure: Failure) -> list[str]:
    cells = [guard(cell_text(cell)) for cell in failure.cells]
    cells += [""] * (len(headers) - len(cells))
    readable = [cell.encode(errors="surrogateescape").decode(errors="replace") for cell in cells]
    return [str(failure.line), failure.field, guard(failure.reason), *readable]
