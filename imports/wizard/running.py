"""The engine, asked on behalf of an upload."""

from __future__ import annotations

from collections.abc import Iterable

from imports import services, tables
from imports.batches import Failure
from imports.files.opening import Opened
from imports.options import NewField, Options
from imports.runs import Report
from imports.services import Door
from imports.wizard.corrections import as_read
from imports.wizard.models import FailedRow, Upload
from imports.wizard.targets import NEW, Fields


def bring_in(upload: Upload, file: Opened, door: Door) -> Report:
    """Import the file, or rehearse it, as was chosen. Raises Unusable."""
    ask = (
        services.import_activities
        if upload.kind == Upload.Kind.ACTIVITIES
        else services.import_contacts
    )
    return ask(organisation=upload.organisation, file=file, options=options(upload), door=door)


def options(upload: Upload) -> Options:
    """The choices as the engine takes them. One query."""
    fields = Fields.of(upload.organisation, upload.kind)
    given = upload.choices.get("options", {})
    columns: dict[str, str] = upload.choices["columns"]
    return Options(
        mode=given.get("mode") or "upsert",
        mapping=fields.mapping(columns),
        clear_empty=bool(given.get("clear_empty")),
        date_format=given.get("date_format") or None,
        timezone=given.get("timezone") or None,
        type=given.get("type") or None,
        source=given.get("source") or None,
        spend_in=given.get("spend_in") or "minor",
        backfill=bool(given.get("backfill")),
        # The upload stands for how it was read and what was corrected: this import is of no other.
        reading={"upload": upload.pk},
        country=given.get("country") or None,
        add_tags=tuple(given.get("add_tags", ())),
        new_fields={
            header: NewField(new["label"], new["type"])
            for header, new in upload.choices.get("new", {}).items()
            if columns.get(header) == NEW
        },
    )


class FailedRows:
    """Keeps what the import refuses as rows, where the web finds them whichever machine imported.

    They are written in the transaction of their batch, so there is nothing to cut off after a
    kill.
    """

    size = 0
    place = ""

    def __init__(self, upload: Upload, *, guarded: bool) -> None:
        self._upload = upload
        self._guarded = guarded

    def append(self, failures: Iterable[Failure]) -> int:
        rows = list(failures)
        tables.insert(
            FailedRow,
            len(rows),
            {
                "upload_id": tables.Same(self._upload.pk),
                "line": [row.line for row in rows],
                "field": [row.field for row in rows],
                "reason": [row.reason.replace("\0", "") for row in rows],
                "cells": [as_read(row.cells, guarded=self._guarded) for row in rows],
            },
        )
        return self.size
