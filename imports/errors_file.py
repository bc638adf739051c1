"""The file of the rows that were not taken, made so that it can be mended and imported again."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from imports.batches import Failure
from imports.files.source import Unusable
from imports.files.spreadsheet import guard
from imports.files.writing import cell_text
from imports.headers import ERROR_COLUMNS


class ErrorsFile:
    """A CSV with the line, field and reason before the original columns. Made with the first row.

    What is in it is only counted once the batch is committed: `size` is kept with the import, and
    a run that goes on cuts off what came after.
    """

    def __init__(self, path: Path, headers: Sequence[str], size: int = 0) -> None:
        self.path = path
        self._headers = headers
        self.size = size

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
        rows = [self._row(failure) for failure in failures]
        if not rows:
            return self.size
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\r\n")
        if self.size == 0:
            writer.writerow([*ERROR_COLUMNS, *map(guard, self._headers)])
        writer.writerows(rows)
        content = text.getvalue().encode()
        with self.path.open("r+b" if self.path.exists() else "w+b") as stream:
            stream.seek(self.size)
            stream.write(content)
            stream.truncate()
            stream.flush()
            os.fsync(stream.fileno())
        return self.size + len(content)

    def _row(self, failure: Failure) -> list[str]:
        cells = [guard(cell_text(cell)) for cell in failure.cells]
        cells += [""] * (len(self._headers) - len(cells))
        readable = [
            cell.encode(errors="surrogateescape").decode(errors="replace") for cell in cells
        ]
        return [str(failure.line), failure.field, guard(failure.reason), *readable]
