"""Cells that a spreadsheet would run, made harmless and brought back whole.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and some strip a
leading tab or carriage return first (OWASP, "CSV Injection"). Such a cell gets a leading `'`. One
that has `'` before such a sign gets one more, so that taking one off always gives what was there:
`unguard(guard(text)) == text` for any text.
"""

from __future__ import annotations

import re

_RUNS = re.compile(r"'*[=+\-@\t\r\n]")
_GUARDED = re.compile(r"'+[=+\-@\t\r\n]")

CLEAR = r"\N"
"""A cell with this clears the field; PostgreSQL's COPY and MySQL write null so."""
_BACKSLASHES_N = re.compile(r"\\+N")


def guard(text: str) -> str:
    """`text`, harmless in a spreadsheet."""
    return "'" + text if _RUNS.match(text) else text


def unguard(text: str) -> str:
    """What `guard` was given."""
    return text[1:] if text[:1] == "'" and _GUARDED.match(text) else text


def quote_marker(text: str) -> str:
    r"""`text` so that it is not taken for the marker that clears: `\N` is written `\\N`."""
    return "\\" + text if text[:1] == "\\" and _BACKSLASHES_N.fullmatch(text) else text


def unquote_marker(text: str) -> str:
    r"""What `quote_marker` was given; not to be called with the marker itself."""
    return text[1:] if text[:2] == "\\\\" and _BACKSLASHES_N.fullmatch(text) else text
