"""What the columns of a file probably are, and how its values are written. People decide."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from imports.headers import ERROR_COLUMNS, IGNORE, Vocabulary, plain
from imports.wizard.models import Upload
from imports.wizard.targets import KEPT, Fields

_DAYS = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%Y/%m/%d",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%y",
    "%d %b %Y",
    "%d %B %Y",
)
_TIMES = (" %H:%M", " %H:%M:%S", " %I:%M %p")
_AMERICAN = ("US",)
"""Countries that write the month first where either would do."""

# A surname's column is often called "Name" when the first name has one of its own.
_SURNAME_BESIDE = {plain(word) for word in ("Name", "Nom", "Naam", "Nome")}


def signature(headers: Sequence[str]) -> str:
    """By what files of the same columns are known again."""
    return hashlib.sha256("\0".join(sorted(headers)).encode()).hexdigest()


def columns(headers: Sequence[str], fields: Fields, kind: str) -> dict[str, str]:
    """A target for each header; none twice, and IGNORE for what nobody knows."""
    found = {header: _target(header, fields.vocabulary) for header in headers}
    first_name = "contact.first_name" if kind == Upload.Kind.ACTIVITIES else "first_name"
    last_name = first_name.replace("first", "last")
    if first_name in found.values() and last_name not in found.values():
        for header in headers:
            if plain(header) in _SURNAME_BESIDE:
                found[header] = last_name
                break
    taken: set[str] = set()
    for header, target in found.items():
        if target in taken:
            found[header] = IGNORE
        taken.add(target)
    return found


def _target(header: str, vocabulary: Vocabulary) -> str:
    if header in ERROR_COLUMNS or vocabulary.hint(header) is not None:
        return IGNORE
    target = vocabulary.find(header) or IGNORE
    # A column of its own of the data; one cell with all of it is `data` to the engine.
    return KEPT if target.startswith("data.") else target


def date_formats(kind: str) -> list[str]:
    """The ways of writing dates that are offered, beside ISO 8601."""
    if kind == Upload.Kind.CONTACTS:
        return list(_DAYS)
    return [*_DAYS, *(f"{day}{time}" for day in _DAYS for time in _TIMES)]


def example(date_format: str) -> str:
    """The last afternoon of a year in this format."""
    return datetime(2026, 12, 31, 14, 30).strftime(date_format)  # noqa: DTZ001  # only shown


def date_format(texts: Sequence[str], kind: str, country: str) -> str:
    """In which format most of these are; empty when ISO 8601 is, or none is by half of them: one
    30 February must not hide how the others are written."""
    most = sum(_fits(datetime.fromisoformat, text) for text in texts)
    best = ""
    candidates = date_formats(kind)
    if country in _AMERICAN:
        candidates.sort(key=lambda one: not one.startswith("%m"))
    for candidate in candidates:
        read = partial(_read_as, candidate)
        fitting = sum(_fits(read, text) for text in texts)
        if fitting > max(most, len(texts) / 2 - 0.5):
            best, most = candidate, fitting
    return best


def _read_as(date_format: str, text: str) -> datetime:
    return datetime.strptime(text, date_format)  # noqa: DTZ007  # only whether it can be read


def _fits(read: Any, text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def spend_in(texts: Sequence[str]) -> str:
    """Whether amounts are written in pounds or in pence."""
    return "major" if any("." in text or "," in text for text in texts) else "minor"


def dates_among(
    values: Mapping[str, Sequence[str]], chosen: Mapping[str, str], fields: Fields
) -> list[str]:
    """The values of the columns that hold dates."""
    dated = {"dob", "happened_at"}
    dated |= {f"custom_fields.{one.name}" for one in fields.custom if one.type == "Date"}
    return [text for header, target in chosen.items() if target in dated for text in values[header]]
