"""Values of filters as people type them: `Purchase, Refund, 12, true, "12"`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

_PIECE = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^,"][^,]*|)\s*(?:,|\Z)')
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NAMED = {"true": True, "false": False, "null": None}


def read(text: str) -> list[Any]:
    """The values of a line: what looks like a JSON number, true, false or null is one, anything
    else a text. Raises ValueError when what is in quotation marks cannot be read."""
    found: list[Any] = []
    at = 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            raise ValueError(text)
        at = piece.end()
        if written := piece[1].strip():
            found.append(_value(written))
    return found


def written(values: Sequence[Any]) -> str:
    """A line that `read` makes these values of."""
    return ", ".join(_typed(value) for value in values)


def _value(written: str) -> Any:
    if written.startswith('"'):
        return json.loads(written, strict=False)
    if written in _NAMED:
        return _NAMED[written]
    if not _NUMBER.fullmatch(written):
        return written
    number = json.loads(written)
    return number if math.isfinite(number) else written


def _typed(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    plain = value == value.strip() and not any(mark in value for mark in ',"')
    return value if value and plain and _value(value) == value else json.dumps(value)
