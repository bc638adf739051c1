"""Reading JSON Lines: one object per line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson

from imports.files.source import CHUNK_ROWS, Broken, Cell, Chunk, Unusable, check_headers
from imports.files.text import Text


class JsonLinesSource:
    """A JSON Lines file. Memory does not grow with it.

    Its columns are all keys that any line has, in the order in which they first come; the keys of
    an object inside (`customFields`, `booking`) are `customFields.diet` and so on, save those of
    `data`, which is taken as it is. null and a key that is not there are both an empty cell.
    """

    def __init__(self, text: Text) -> None:
        self._text = text
        self.headers = self._read_headers()
        self.about = text.lines
        self.description = f"JSON Lines, {text.encoding_name}"

    def _lines(self) -> Iterator[str]:
        with self._text.path.open(
            encoding=self._text.encoding, errors=self._text.errors, newline="\n"
        ) as stream:
            yield from stream

    def _read_headers(self) -> list[str]:
        keys: dict[str, None] = {}
        shapes: set[tuple[str, ...]] = set()
        for line in self._lines():
            row = _read(line)
            if isinstance(row, list) and not keys:
                raise Unusable(
                    "This is one JSON array; JSON Lines has an object on each line "
                    "(jq -c '.[]' makes them)."
                )
            if not isinstance(row, dict):
                continue
            shape = tuple(row)
            if shape not in shapes or dict in map(type, row.values()):
                shapes.add(shape)
                keys.update(dict.fromkeys(_flat(row)))
        if not keys:
            raise Unusable("There is no JSON object in the file: each line must be one.")
        return check_headers(list(keys))

    def chunks(self) -> Iterator[Chunk]:
        numbered = enumerate(self._lines(), start=1)
        while block := list(islice(numbered, CHUNK_ROWS)):
            lines: list[int] = []
            rows: list[list[Cell]] = []
            broken: list[Broken] = []
            for number, line in block:
                if not line.strip():
                    continue
                row = _read(line)
                if isinstance(row, dict):
                    if dict in map(type, row.values()):
                        row = _flat(row)
                    cells = [_cell(row.get(header)) for header in self.headers]
                    if self._text.has_nul or "\\u0000" in line:
                        broken_cell = any("\0" in cell for cell in cells if type(cell) is str)
                        if broken_cell:
                            broken.append(Broken(number, "The row has a NUL character.", cells))
                            continue
                    lines.append(number)
                    rows.append(cells)
                else:
                    broken.append(Broken(number, "The line is not a JSON object.", [line.strip()]))
            if rows or broken:
                yield Chunk(lines, rows, broken)


def _read(line: str) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        return None


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict) and key != "data":
            flat.update({f"{key}.{inner}": item for inner, item in value.items()})
        else:
            flat[key] = value
    return flat


def _cell(value: Any) -> Cell:
    """As the cell of a table would be written; lists and objects stay as they are."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    return value
