"""Opening a file to import, whatever it is."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imports.files.delimited import DelimitedSource
from imports.files.json_lines import JsonLinesSource
from imports.files.source import Source, Unusable
from imports.files.text import examine
from imports.files.workbook import WorkbookSource

FORMATS = ("csv", "tsv", "jsonl", "xlsx")
EXTENSIONS = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}


@dataclass(frozen=True, slots=True)
class Opened:
    """A file ready to be imported. `guarded`: its cells may carry the mark of `guard`."""

    source: Source
    name: str
    digest: str
    path: Path | None
    guarded: bool


@contextmanager
def opened(
    name: str,
    *,
    format: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
) -> Iterator[Opened]:
    """Open the file called `name`, or standard input for `-`, as the format that it is.

    Standard input is first written to a temporary file: its digest must be known before a row is
    written, or a run that was killed could not be taken up again. Raises Unusable.
    """
    if name != "-":
        path = Path(name)
        _check(path)
        yield _open(path, path, format=format, encoding=encoding, delimiter=delimiter, sheet=sheet)
        return
    descriptor, spooled = tempfile.mkstemp(prefix="regulars-import-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            shutil.copyfileobj(sys.stdin.buffer, stream, 1 << 20)
        path = Path(spooled)
        yield _open(path, None, format=format, encoding=encoding, delimiter=delimiter, sheet=sheet)
    finally:
        os.unlink(spooled)


def _check(path: Path) -> None:
    if path.is_dir():
        raise Unusable(f"{path} is a directory: give the name of a file in it.")
    if not path.exists():
        raise Unusable(f"There is no file {path}.")
    if not os.access(path, os.R_OK):
        raise Unusable(f"{path} may not be read by this user: change its permissions.")


def _open(
    path: Path,
    shown: Path | None,
    *,
    format: str | None,
    encoding: str | None,
    delimiter: str | None,
    sheet: str | None,
) -> Opened:
    kind = format or (EXTENSIONS.get(shown.suffix.lower()) if shown else None) or _guess(path)
    name = shown.name if shown else "standard input"
    try:
        if path.stat().st_size == 0:
            raise Unusable("The file is empty.")
        if kind == "xlsx":
            book = WorkbookSource(path, sheet=sheet)
            return Opened(book, name, book.digest, shown, guarded=True)
        text = examine(path, encoding)
        if kind == "jsonl":
            return Opened(JsonLinesSource(text), name, text.digest, shown, guarded=False)
        preferred = "\t" if kind == "tsv" else ","
        source = DelimitedSource(text, delimiter=delimiter, preferred=preferred)
        return Opened(source, name, text.digest, shown, guarded=True)
    except OSError as error:
        raise Unusable(f"{name} cannot be read: {error.strerror or error}.") from None


def _guess(path: Path) -> str:
    """The format of a file whose name does not tell."""
    with path.open("rb") as stream:
        head = stream.read(16)
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    return "jsonl" if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"{", b"[")) else "csv"
