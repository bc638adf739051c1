"""Reading a file a column at a time: what readers of contacts and of activities share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.core.exceptions import ValidationError

from imports.files.source import Cell
from imports.files.spreadsheet import unguard

T = TypeVar("T")

MOST_REMEMBERED = 50_000


class ColumnReader:
    """Reads columns fast as far as their cells are plainly fine. Rows with others become doubtful:
    they are read with care."""

    def __init__(self, *, guarded: bool) -> None:
        self._guarded = guarded
        self._remembered: dict[str, dict[str, Any]] = {}

    def _tidy(self, column: Sequence[Cell], doubtful: set[int]) -> list[str]:
        """The cells as text without spaces around; rows with anything else become doubtful."""
        try:
            joined = "\0".join(column)
        except TypeError:  # JSON Lines may have lists and objects
            doubtful.update(i for i, cell in enumerate(column) if type(cell) is not str and cell)
            column = [cell if type(cell) is str else "" for cell in column]
            joined = "\0".join(column)
        if self._guarded and "'" in joined:
            tidy = [unguard(cell).strip() for cell in column]
        else:
            tidy = list(map(str.strip, column))
        if "\\" in joined:
            doubtful.update(i for i, text in enumerate(tidy) if text[:1] == "\\")
        return tidy

    def _each(
        self, name: str, texts: list[str], parse: Callable[[str], T | None], doubtful: set[int]
    ) -> list[T | None]:
        """`parse` of each, once for each different text. Where it answers None or raises, the row
        is doubtful."""
        known: dict[str, T | None] = self._remembered.setdefault(name, {})
        if len(known) > MOST_REMEMBERED:
            known.clear()
        known[""] = None
        for text in set(texts) - known.keys():
            try:
                known[text] = parse(text)
            except ValidationError:
                known[text] = None
        values = [known[text] for text in texts]
        doubtful.update(i for i, value in enumerate(values) if value is None and texts[i])
        return values
