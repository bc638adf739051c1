"""The rehearsal that people look at: what would become of the rows, some of each, those that fail
all of them, and again after a row was corrected."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from contacts.models import Contact
from imports.batches import Failure, Outcome, Seen
from imports.files.opening import Opened
from imports.files.source import Chunk
from imports.runs import Progress, Report
from imports.services import Door
from imports.wizard.corrections import as_read, put, storable
from imports.wizard.models import Correction, PreviewRow, Upload
from imports.wizard.running import bring_in

SHOWN: dict[str, int] = {"created": 20, "updated": 20, "unchanged": 10}
"""Rows that are kept to be looked at."""
MOST_FAILED = 5_000
"""Rows that can be corrected here: whoever has more mends the file."""

OUTCOMES: tuple[Outcome, ...] = ("created", "updated", "unchanged")


class Collector:
    """Keeps some rows of a rehearsal, and those that fail. A `Watcher` and `Refusals`."""

    size = 0
    place = ""

    def __init__(self, upload: Upload, *, guarded: bool) -> None:
        self._upload = upload
        self._guarded = guarded
        self._seen: dict[str, list[PreviewRow]] = defaultdict(list)
        self.fields: Counter[str] = Counter()

    def wants(self, outcome: Outcome) -> bool:
        return len(self._seen[outcome]) < SHOWN[outcome]

    def see(self, row: Seen) -> None:
        self._keep(
            row.outcome,
            row.line,
            row.cells,
            who=storable(row.who)[:310],
            contact=row.contact,
            changes=row.changes,
        )

    def append(self, failures: Iterable[Failure]) -> int:
        for failure in failures:
            self.fields.update({field for field, _reason in failure.reasons} or {""})
            if len(self._seen["failed"]) < MOST_FAILED:
                reasons = failure.reasons or [("", failure.reason)]
                self._keep(
                    "failed",
                    failure.line,
                    failure.cells,
                    reasons=[[field, storable(reason)] for field, reason in reasons],
                )
        return 0

    def _keep(self, outcome: str, line: int, cells: Any, **values: Any) -> None:
        self._seen[outcome].append(
            PreviewRow(
                upload=self._upload,
                place=outcome,
                outcome=outcome,
                line=line,
                cells=as_read(cells, guarded=self._guarded),
                **values,
            )
        )

    @property
    def rows(self) -> list[PreviewRow]:
        """All that was kept, those of contacts known by an id only with their names."""
        rows = [row for kept in self._seen.values() for row in kept]
        unnamed = [row for row in rows if row.contact is not None and not row.who]
        contacts = Contact.objects.for_organisation(self._upload.organisation_id)
        names = contacts.in_bulk({row.contact for row in unnamed}) if unnamed else {}
        for row in unnamed:
            row.who = str(names.get(row.contact, ""))[:310]
        return rows


@dataclasses.dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal found. `counts` is as `Upload.counts` keeps it."""

    counts: dict[str, Any]
    rows: list[PreviewRow]


def rehearse(upload: Upload, file: Opened, progress: Progress | None = None) -> Rehearsed:
    """Do everything but write. Raises Unusable."""
    collector = Collector(upload, guarded=file.guarded)
    report = bring_in(
        upload,
        file,
        Door(dry_run=True, errors=collector, watcher=collector, progress=progress),
    )
    return Rehearsed(_counts(report, collector), collector.rows)


def _counts(report: Report, collector: Collector) -> dict[str, Any]:
    return {
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "failed": report.failed,
        "seconds": report.seconds,
        "fields": dict(collector.fields.most_common(20)),
    }


class _OneRow:
    """A source of a single row."""

    about = 1
    description = ""

    def __init__(self, headers: list[str], line: int, row: list[str]) -> None:
        self.headers = headers
        self._line, self._row = line, row

    def chunks(self) -> Iterator[Chunk]:
        yield Chunk([self._line], [self._row])


def check_row(upload: Upload, row: PreviewRow, correction: Correction) -> PreviewRow:
    """The row as it would fare now, alone: what rows before it do is not known here. Not saved.
    Raises Unusable."""
    # Cells are kept as people read them; the mark of a spreadsheet's guard is off already.
    cells = put(upload.headers, row.cells, correction.cells, guarded=False)
    source = _OneRow(upload.headers, row.line, cells)
    file = Opened(source, upload.file_name, upload.digest, None, guarded=False)
    found = rehearse(upload, file)
    [fared] = found.rows or [PreviewRow(outcome=_outcome(found.counts))]
    row.outcome = fared.outcome
    row.who, row.contact = fared.who, fared.contact
    row.changes, row.reasons = fared.changes, fared.reasons
    return row


def _outcome(counts: dict[str, Any]) -> str:
    return next((name for name in (*OUTCOMES, "failed") if counts[name]), "unchanged")
