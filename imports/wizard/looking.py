"""Looking at an uploaded file: what it is, its columns with samples, and what they may be."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

import python_calamine
from django.utils.translation import gettext as _

from customfields import types
from imports.files.archives import refuse_bombs
from imports.files.opening import EXTENSIONS, Opened, opened
from imports.files.source import Chunk, Unusable
from imports.files.spreadsheet import CLEAR, unguard
from imports.files.writing import cell_text
from imports.wizard import guessing
from imports.wizard.models import SavedMapping, Upload
from imports.wizard.storage import spooled
from imports.wizard.targets import Fields

ROWS_LOOKED_AT = 1000
SAMPLES = 3
_FIRST_ROWS = 5
_LONGEST_SAMPLE = 80
_DATES_LOOKED_AT = 200


@contextmanager
def content(upload: Upload) -> Iterator[Opened]:
    """The uploaded file, opened as people said. Raises Unusable."""
    with spooled(upload) as path:
        yield open_as(path, upload)


def open_as(path: Path, upload: Upload) -> Opened:
    """The file at `path`, as what the upload's name and its own first bytes say it is."""
    kind = _format(path, upload.file_name)
    if kind == "xlsx":
        refuse_bombs(path)
    reading = upload.reading
    try:
        with opened(
            str(path),
            format=kind,
            encoding=reading.get("encoding") or None,
            delimiter=reading.get("delimiter") or None,
            sheet=reading.get("sheet") or None,
        ) as file:
            # It has no path that means anything to people.
            return dataclasses.replace(file, name=upload.file_name, path=None)
    except Unusable:
        if reading.get("encoding"):
            raise Unusable(
                _("The file cannot be read in the encoding that was chosen. Have it found instead.")
            ) from None
        raise


def _format(path: Path, name: str) -> str | None:
    with path.open("rb") as stream:
        if stream.read(4) == b"PK\x03\x04":
            return "xlsx"
    kind = EXTENSIONS.get(PurePath(name).suffix.lower())
    return None if kind == "xlsx" else kind


def look(upload: Upload) -> dict[str, Any]:
    """What the file is, for `Upload.found`, and `Upload.choices` where nobody chose yet. Raises
    Unusable."""
    with spooled(upload) as path:
        file = open_as(path, upload)
        is_text = not file.source.description.startswith("XLSX")
        sheets = [] if is_text else python_calamine.CalamineWorkbook.from_path(path).sheet_names
        first = _first_rows(file)
    if not first.rows and not first.broken:
        raise Unusable(_("The file has a header line and no rows below it."))
    headers = file.source.headers
    values = _values(file, first)
    country = upload.organisation.country
    return {
        "headers": headers,
        "description": file.source.description,
        "about": file.source.about - (0 if is_text else 1),
        "is_text": is_text,
        "sheets": sheets,
        "samples": {
            header: [text[:_LONGEST_SAMPLE] for text in texts[:SAMPLES]]
            for header, texts in values.items()
        },
        "types": {header: types.infer(texts, country) for header, texts in values.items()},
        "rows": [
            [cell_text(cell)[:_LONGEST_SAMPLE] for cell in row] for row in first.rows[:_FIRST_ROWS]
        ],
        "dates": {header: texts[:_DATES_LOOKED_AT] for header, texts in _dated(values).items()},
    }


def _first_rows(file: Opened) -> Chunk:
    chunk = next(iter(file.source.chunks()), Chunk())
    return Chunk(chunk.lines[:ROWS_LOOKED_AT], chunk.rows[:ROWS_LOOKED_AT], chunk.broken)


def _values(file: Opened, first: Chunk) -> dict[str, list[str]]:
    """The different texts of each column among the first rows."""
    found: dict[str, list[str]] = {}
    for place, header in enumerate(file.source.headers):
        texts: dict[str, None] = {}
        for row in first.rows:
            text = cell_text(row[place])
            text = (unguard(text) if file.guarded else text).strip()
            if text and text != CLEAR:
                texts.setdefault(text)
        found[header] = list(texts)
    return found


def _dated(values: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Columns that may hold dates or amounts, by which their way of writing is told."""
    return {
        header: texts
        for header, texts in values.items()
        if texts and all(len(text) <= 32 and any(map(str.isdigit, text)) for text in texts)
    }


def guess(upload: Upload, found: Mapping[str, Any]) -> dict[str, Any]:
    """What to propose for the columns and options: what files with these headers were the last
    time, else what the headers and samples say. Two queries."""
    organisation = upload.organisation
    fields = Fields.of(organisation, upload.kind)
    headers: list[str] = found["headers"]
    saved = _saved(upload, headers)
    proposed: dict[str, Any] = (
        _as_saved(saved, headers, fields)
        if saved is not None
        else {
            "columns": guessing.columns(headers, fields, upload.kind),
            "new": {},
            "options": {},
            "saved": False,
        }
    )
    # What this file's own values say counts where nothing, or only the usual, was said before.
    chosen, options = proposed["columns"], proposed["options"]
    values: dict[str, list[str]] = {header: found["dates"].get(header, []) for header in headers}
    if not options.get("date_format"):
        dates = guessing.dates_among(values, chosen, fields)
        options["date_format"] = guessing.date_format(dates, upload.kind, organisation.country)
    amounts = next((header for header, target in chosen.items() if target == "spend"), None)
    if amounts is not None and "spend_in" not in options:
        options["spend_in"] = guessing.spend_in(values[amounts])
    return proposed


def _saved(upload: Upload, headers: list[str]) -> dict[str, Any] | None:
    rows = SavedMapping.objects.for_organisation(upload.organisation_id)
    known = rows.filter(kind=upload.kind, signature=guessing.signature(headers)).first()
    return known.choices if known is not None else None


def _as_saved(saved: Mapping[str, Any], headers: list[str], fields: Fields) -> dict[str, Any]:
    """The choices of the last time, as far as they can be made again: the custom fields that were
    new are there now."""
    labels = fields.labels()
    chosen = {header: saved["columns"].get(header, "") for header in headers}
    by_label = {one.label: f"custom_fields.{one.name}" for one in fields.custom}
    for header, new in saved.get("new", {}).items():
        if chosen.get(header) == "new" and new["label"] in by_label:
            chosen[header] = by_label[new["label"]]
    columns = {
        header: target if target in labels or target.startswith("addresses.") else ""
        for header, target in chosen.items()
    }
    new = {header: one for header, one in saved.get("new", {}).items() if columns[header] == "new"}
    return {
        "columns": columns,
        "new": new,
        "options": dict(saved.get("options", {})),
        "saved": True,
    }
