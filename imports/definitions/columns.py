"""Reading the rows of a file of definitions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from contacts.services.values import Errors
from customfields.models import CustomField
from customfields.types import TYPES
from imports.cells import as_json
from imports.definitions.vocabulary import TYPE_SYNONYMS
from imports.files.source import Cell, Chunk
from imports.files.spreadsheet import CLEAR, unguard, unquote_marker
from imports.headers import IGNORE, plain

_LAST_POSITION = 2**31 - 1
_WHOLE = re.compile(r"\d{1,10}(?:\.0+)?", re.ASCII)
_SEPARATOR = re.compile(r"[;\r\n]")
_SHORT_WORDS = {"y": "yes", "n": "no", "x": "yes", "✓": "yes", "on": "yes", "off": "no"}


@dataclass(slots=True)
class DefinitionRow:
    """A row as read: the values for the service, or what is wrong with it."""

    line: int
    cells: Sequence[Cell]
    values: dict[str, Any]
    error: ValidationError | None = None


class DefinitionColumns:
    """Reads chunks of a file whose headers mean `targets`."""

    def __init__(self, targets: Sequence[str], *, guarded: bool) -> None:
        self._at = {target: i for i, target in enumerate(targets) if target != IGNORE}
        self._guarded = guarded

    def read(self, chunk: Chunk) -> list[DefinitionRow]:
        """Read a chunk. No query. An empty cell gives nothing, `\\N` clears."""
        return [
            self._read(line, cells) for line, cells in zip(chunk.lines, chunk.rows, strict=True)
        ]

    def _read(self, line: int, cells: Sequence[Cell]) -> DefinitionRow:
        row = DefinitionRow(line, cells, {})
        errors = Errors()
        for target, index in self._at.items():
            cell = cells[index]
            if isinstance(cell, str):
                cell = unguard(cell) if self._guarded else cell
                # Spaces may belong to a pattern.
                shown = cell if target == "pattern" else cell.strip()
                if not cell.strip():
                    continue
                cell = None if shown.strip() == CLEAR else unquote_marker(shown)
            try:
                row.values[target] = None if cell is None else _READERS.get(target, _text)(cell)
            except ValidationError as error:
                errors.add(error, target)
        try:
            errors.raise_any()
        except ValidationError as error:
            row.error = error
        return row


def _text(cell: Cell) -> str:
    if not isinstance(cell, str):
        raise ValidationError(_("This must be a text."), code="invalid")
    return cell


def _type(cell: Cell) -> str:
    name = TYPE_SYNONYMS.get(plain(_text(cell)))
    if name is None:
        raise ValidationError(
            _("%(value)s is no type; the types are %(types)s."),
            code="invalid_choice",
            params={"value": str(cell)[:40], "types": ", ".join(TYPES)},
        )
    return name


def _boolean(cell: Cell) -> bool:
    text = _text(cell)
    read: bool = TYPES["Boolean"].read(_SHORT_WORDS.get(text.lower(), text), CustomField())
    return read


def _position(cell: Cell) -> int:
    text = _text(cell)
    if not _WHOLE.fullmatch(text) or int(text.partition(".")[0]) > _LAST_POSITION:
        raise ValidationError(_("Give a whole number, 0 or more."), code="invalid")
    return int(text.partition(".")[0])


def _options(cell: Cell) -> Any:
    """`Gold;Silver`, a line for each, or a JSON array of texts or `{"value", "label"}`."""
    listed = as_json(cell)
    if not isinstance(listed, str):
        return listed
    return [part.strip() for part in _SEPARATOR.split(listed) if part.strip()]


def _as_given(cell: Cell) -> Any:
    return cell


def default_for(field_type: str | None, default: Any) -> Any:
    """The default as the type takes it: several options may be written as options are."""
    if field_type != "Multi select" or not isinstance(default, str):
        return default
    # With commas between them, too, as contacts have them.
    return _options(default.replace(",", ";") if default[:1] != "[" else default)


_READERS: dict[str, Callable[[Cell], Any]] = {
    "type": _type,
    "required": _boolean,
    "unique": _boolean,
    "position": _position,
    "options": _options,
    "default": _as_given,
}
