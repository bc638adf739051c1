"""Running an import: batch after batch, each of them whole or not at all.

A batch is one transaction with everything that it did: the rows, the counts, how far the file is
read, what undoing needs, and the length of the errors file. A run that is killed loses the batch
it was at and nothing else; the same command goes on after the last one.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.db import DataError, IntegrityError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Address
from imports import tables
from imports.batches import Batch, Failure, Importer, Record, ranges
from imports.errors_file import Refusals
from imports.files.source import Chunk, Source, after
from imports.models import CreatedRange, Import, ImportedRow, What

T = TypeVar("T")

_ATTEMPTS = 4
_FIRST_FAILURES = 10

Progress = Callable[[int, "Report"], None]
"""Told after each batch: how many rows it had, and how things stand."""


class Interrupted(Exception):
    """Another process is at this very import."""


@dataclass
class Report:
    """What an import did. `first_failures` are the first of those in `errors_file`."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    seconds: float = 0.0
    import_id: int | None = None
    errors_file: str = ""
    resumed_at: int = 0
    dry_run: bool = False
    first_failures: list[Failure] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """All rows of the file."""
        return self.created + self.updated + self.unchanged + self.failed

    def add(self, batch: Batch) -> None:
        """Count a batch."""
        self.created += batch.created
        self.updated += batch.updated
        self.unchanged += batch.unchanged
        self.failed += len(batch.failures)
        room = _FIRST_FAILURES - len(self.first_failures)
        self.first_failures += batch.failures[: max(room, 0)]


class OwnRows:
    """The ids of rows of one kind (contacts, bookings) that this import created, as ranges: a
    million are a hundred of them."""

    def __init__(self, run: Import | None, what: str = What.CONTACT) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        if run is not None:
            created = CreatedRange.objects.filter(run=run, what=what)
            self.add(created.order_by("first_id").values_list("first_id", "last_id"))

    def add(self, found: Iterable[tuple[int, int]]) -> None:
        """Take in more ranges."""
        pairs = sorted([*zip(self._starts, self._ends, strict=True), *found])
        self._starts = [first for first, _last in pairs]
        self._ends = [last for _first, last in pairs]

    def __call__(self, pk: int) -> bool:
        place = bisect_right(self._starts, pk) - 1
        return place >= 0 and pk <= self._ends[place]


@dataclass
class Running:
    """An import on its way through a file. Without `run`, a dry run, nothing is written."""

    source: Source
    importer: Importer
    run: Import | None
    errors: Refusals | None
    own: Mapping[str, OwnRows]
    progress: Progress | None = None

    def to_end(self) -> Report:
        """Import all that is left of the file.

        The next chunk is read in another thread while the database writes this one.
        """
        run = self.run
        report = Report(dry_run=run is None)
        if run is not None:
            report.import_id = run.pk
            report.created, report.updated = run.created_rows, run.updated_rows
            report.unchanged, report.failed = run.unchanged_rows, run.failed_rows
            report.resumed_at = run.rows_done
        before = run.seconds if run is not None else 0.0
        began = time.monotonic()
        prepare = self.importer.prepare
        chunks = ((chunk, prepare(chunk)) for chunk in after(self.source, report.resumed_at))
        try:
            if run is not None:
                tables.refresh_statistics(self.importer.writes)
            for chunk, prepared in _ahead(chunks):
                batch = self._take(chunk, prepared, before + time.monotonic() - began)
                report.add(batch)
                if run is not None:
                    tables.refresh_statistics(self.importer.writes)
                if self.progress is not None:
                    self.progress(len(chunk), report)
            report.seconds = before + time.monotonic() - began
            if run is not None:
                run.status = Import.Status.COMPLETED
                run.seconds = report.seconds
                run.save(update_fields=["status", "seconds", "updated_at"])
        finally:
            self.importer.close()
        if self.errors is not None and report.failed:
            report.errors_file = self.errors.place
        return report

    def _take(self, chunk: Chunk, prepared: Any, seconds: float) -> Batch:
        """Write one batch, and again when others were at the same contacts; at last row by row,
        when the database refuses one that no rule of ours had foreseen."""
        now = timezone.now()
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1
            try:
                if self.run is None:
                    return self._take_dry(chunk, prepared, now)
                return self._take_whole(chunk, None if last else prepared, now, seconds)
            except (IntegrityError, DataError, OperationalError):
                # OperationalError: a deadlock, or SQLite's writer took longer than the timeout.
                if last:
                    raise
        raise AssertionError("unreachable")

    def _take_dry(self, chunk: Chunk, prepared: Any, now: datetime) -> Batch:
        batch = _with_broken(self.importer.write(prepared, now), chunk)
        if self.errors is not None:
            self.errors.size = self.errors.append(batch.failures)
        return batch

    def _take_whole(self, chunk: Chunk, prepared: Any, now: datetime, seconds: float) -> Batch:
        run, errors = self.run, self.errors
        assert run is not None
        with transaction.atomic():
            _claim(run, len(chunk))
            # A workflow that was switched on since hears of what is left of the file.
            run.organisation.refresh_from_db(fields=["listens_to"])
            written = (
                self.importer.write(prepared, now)
                if prepared is not None
                else _by_halves(self.importer, chunk, now)
            )
            batch = _with_broken(written, chunk)
            size = errors.append(batch.failures) if errors is not None else 0
            counts = {
                "created_rows": run.created_rows + batch.created,
                "updated_rows": run.updated_rows + batch.updated,
                "unchanged_rows": run.unchanged_rows + batch.unchanged,
                "failed_rows": run.failed_rows + len(batch.failures),
                "errors_bytes": size,
                "seconds": seconds,
                "updated_at": timezone.now(),
            }
            for record in batch.records:
                _keep_record(run, record, now)
            _of(run).update(**counts)
        # Only what is committed counts.
        for name, value in {**counts, "rows_done": run.rows_done + len(chunk)}.items():
            setattr(run, name, value)
        if errors is not None:
            errors.size = size
        for record in batch.records:
            if record.what in self.own:
                self.own[record.what].add(ranges(record.created))
        return batch


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """The items, of which the next is made in another thread while the caller is at this one."""
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="reading") as pool:
        coming = pool.submit(next, items, end)
        while True:
            item: Any = coming.result()
            if item is end:
                return
            coming = pool.submit(next, items, end)
            yield item


def _of(run: Import) -> Any:
    return Import.objects.filter(organisation=run.organisation_id, pk=run.pk)


def _claim(run: Import, rows: int) -> None:
    """Say how far this batch goes. Whoever else runs the same import waits here, and then finds
    that these rows are done."""
    mine = _of(run).filter(rows_done=run.rows_done, status=Import.Status.RUNNING)
    claimed = mine.update(rows_done=run.rows_done + rows)
    if not claimed:
        raise Interrupted(
            _("Another process is importing this very file (import %(id)d), or undid it.")
            % {"id": run.pk}
        )


def _by_halves(importer: Importer, chunk: Chunk, now: datetime) -> Batch:
    try:
        with transaction.atomic():
            return importer.write(importer.prepare(chunk), now)
    except (IntegrityError, DataError) as error:
        if len(chunk.rows) <= 1:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else "?"
            return Batch(
                failures=[
                    Failure(chunk.lines[0], "", _("The database refused it: ") + reason, row)
                    for row in chunk.rows
                ]
            )
        middle = len(chunk.rows) // 2
        batch = Batch()
        for part in (slice(None, middle), slice(middle, None)):
            half = Chunk(chunk.lines[part], chunk.rows[part])
            batch.add(_by_halves(importer, half, now))
        return batch


def _with_broken(batch: Batch, chunk: Chunk) -> Batch:
    batch.failures += [Failure.broken(row) for row in chunk.broken]
    batch.failures.sort(key=lambda failure: failure.line)
    return batch


def _keep_record(run: Import, record: Record, now: datetime) -> None:
    """Write down what undoing needs. All that the batch wrote is written by now."""
    settled = timezone.now()
    newest = _newest_address() if record.what == What.CONTACT else 0
    CreatedRange.objects.bulk_create(
        CreatedRange(
            run=run,
            what=record.what,
            first_id=first,
            last_id=last,
            written_at=now,
            settled_at=settled,
            newest_address=newest,
        )
        for first, last in ranges(record.created)
    )
    changed = record.changed
    tables.insert(
        ImportedRow,
        len(changed),
        {
            "run_id": tables.Same(run.pk),
            "what": tables.Same(str(record.what)),
            "row_id": [pk for pk, _before, _at in changed],
            "before": [before for _pk, before, _at in changed],
            "written_at": [at for _pk, _before, at in changed],
            "settled_at": tables.Same(settled),
            "newest_address": tables.Same(newest),
        },
    )


def _newest_address() -> int:
    newest = Address.objects.across_organisations().order_by("-pk").values_list("pk", flat=True)
    return newest.first() or 0
