"""What an export is to have, and writing it out."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Protocol

from django.db.models import QuerySet

from crm import replicas
from imports.exports.columns import Column
from imports.files.source import Cell
from imports.files.writing import XLSX_MAX_ROWS, TooLarge, writer_for

CHUNK = 2_000
"""Rows read at a time."""

Progress = Callable[[int], None]
"""Told after each chunk: how many rows it had."""


class Plan(Protocol):
    """What an export is to have. `rows` are those of one organisation."""

    name: str
    columns: Sequence[Column]
    rows: QuerySet[Any]

    def chunks(self) -> Iterator[list[Any]]:
        """All rows in a fixed order, ready for the columns: the same few queries for each chunk,
        wherever it is. Rows that change meanwhile are told as they are when they are read."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """What was exported."""

    rows: int
    seconds: float


def export(
    plan: Plan,
    stream: IO[bytes],
    *,
    format: str,
    bom: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Write the plan's rows to `stream`. Memory does not grow with them.

    Raises TooLarge for rows or cells that no sheet can hold.
    """
    began = time.monotonic()
    writer = writer_for(format, stream, _headers(plan), bom=bom)
    rows = 0
    try:
        for chunk in replicas.read_chunks(plan.chunks()):
            writer.write(_cells(plan.columns, chunk))
            rows += len(chunk)
            if progress is not None:
                progress(len(chunk))
    except BaseException:
        # A workbook has temporary files to give back, whatever its stream says by now.
        with suppress(Exception):
            writer.close()
        raise
    writer.close()
    return Report(rows, time.monotonic() - began)


def streamed(plan: Plan, *, format: str, bom: bool = False) -> Iterator[bytes]:
    """The same a piece at a time, for a download. Not for workbooks, which come whole."""
    stream = io.BytesIO()
    writer = writer_for(format, stream, _headers(plan), bom=bom)
    for chunk in replicas.read_chunks(plan.chunks()):
        writer.write(_cells(plan.columns, chunk))
        writer.flush()
        yield stream.getvalue()
        stream.seek(0)
        stream.truncate()
    writer.close()
    yield stream.getvalue()


def check_size(rows: int, format: str) -> None:
    """Raise TooLarge for more rows than a sheet has, before any is written. They are not spread
    over several sheets: an import reads one, and would lose the others without a word."""
    most = XLSX_MAX_ROWS - 1
    if format == "xlsx" and rows > most:
        raise TooLarge(
            f"{rows:,} rows do not fit into one sheet, which takes {most:,}: "
            "export to CSV, or fewer of them."
        )


def _headers(plan: Plan) -> list[str]:
    return [column.header for column in plan.columns]


def _cells(columns: Sequence[Column], rows: Sequence[Any]) -> Iterator[list[Cell]]:
    makers = [column.cell for column in columns]
    return ([make(row) for make in makers] for row in rows)
