"""The content of uploads: kept, and had as a file again (docs/decisions/0013-uploads.md)."""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.core.files.uploadedfile import UploadedFile

from imports.wizard.models import Upload, UploadPiece

PIECE_BYTES = 1 << 20
_LEVEL = 1
"""Of compression: the quickest makes a quarter of a table of names already."""


def digest_of(file: UploadedFile[bytes]) -> str:
    """SHA-256 of the content, as imports know files by."""
    digest = hashlib.sha256()
    for block in file.chunks(PIECE_BYTES):
        digest.update(block)
    return digest.hexdigest()


def keep(upload: Upload, file: UploadedFile[bytes]) -> None:
    """Store the content, a piece at a time. Memory does not grow with it."""
    for number, block in enumerate(file.chunks(PIECE_BYTES)):
        UploadPiece.objects.create(
            upload=upload, number=number, content=zlib.compress(block, _LEVEL)
        )


def forget(upload: Upload) -> None:
    """Delete the content, which is personal data, once it is not needed any more."""
    UploadPiece.objects.filter(upload=upload).delete()


@contextmanager
def spooled(upload: Upload) -> Iterator[Path]:
    """The content as a file, as long as it is needed. Only this user may read it."""
    with tempfile.TemporaryDirectory(prefix="regulars-upload-") as folder:
        path = Path(folder) / "upload"
        with path.open("wb") as stream:
            _write(upload, stream)
        yield path


def _write(upload: Upload, stream: IO[bytes]) -> None:
    pieces = UploadPiece.objects.filter(upload=upload).order_by("number")
    number = 0
    # One at a time: SQLite's driver would fetch all that a query answers.
    while (
        content := pieces.filter(number=number).values_list("content", flat=True).first()
    ) is not None:
        stream.write(zlib.decompress(bytes(content)))
        number += 1
