"""Workbooks that would fill the memory: they are zip archives, which may hold far more than they
weigh."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from imports.files.source import Unusable

MOST_BYTES = 1 << 30
"""Unpacked. A sheet of a million rows of ten columns has half as much."""
_MOST_PARTS = 10_000
_BLOCK = 1 << 20


def refuse_bombs(path: Path) -> None:
    """Raise Unusable when the archive holds more than a workbook should. Unpacks all of it, without
    keeping any: what it says of its own size need not be true."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > MOST_BYTES:
                raise _too_large()
            for part in parts:
                with archive.open(part) as stream:
                    # It ends where the archive says, and complains when there is more.
                    while stream.read(_BLOCK):
                        pass
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
    ) as error:
        raise Unusable(f"The file cannot be read as a workbook: {error}.") from None


def _too_large() -> Unusable:
    return Unusable(
        "The workbook holds more than can be read at once (1 GB unpacked): save the sheet as CSV."
    )
