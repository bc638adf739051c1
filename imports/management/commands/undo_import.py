"""`manage.py undo_import ID`: take back what an import did (docs/import.md)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from tqdm import tqdm

from crm.errors import Conflict
from imports.command import SOME_FAILED, STOPPED, UNUSABLE, find_organisation
from imports.files.source import Unusable
from imports.models import Import, KeptRow
from imports.undoing.service import Undone, ahead, undo
from imports.undoing.words import counted, row_of

_SECONDS_BETWEEN_LINES = 5.0
_NAMED_IN_JSON = 1000


class Command(BaseCommand):
    help = (
        "Take back what an import created and changed. Rows that were changed since are kept and"
        " named. Exits 0 when all is undone, 1 when rows were kept, 2 when it cannot be undone."
    )
    requires_migrations_checks = False
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", metavar="ID", help="the import, as its report said")
        parser.add_argument("--organisation", metavar="ID", help="whose the import must be")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="do everything, print the report, and take it back; others wait meanwhile",
        )
        parser.add_argument(
            "--unfinished",
            action="store_true",
            help="also an import that was stopped on its way and is not to go on",
        )
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            code = self._undo(given)
        except Unusable as error:
            self.stderr.write(str(error))
            code = UNUSABLE
        except Conflict as error:
            self.stderr.write(error.detail)
            code = UNUSABLE
        except KeyboardInterrupt:
            self.stderr.write("Stopped. The same command goes on where this one was.")
            code = STOPPED
        if code:
            sys.exit(code)

    def _undo(self, given: dict[str, Any]) -> int:
        run = _find(given["id"], given["organisation"])
        self.stderr.write(f"Import {run.pk}: {run.get_kind_display()} from {run.file_name}.")
        teller = Teller(self.stderr, sum(map(sum, ahead(run).values())), keep=given["json"])
        try:
            report = undo(
                run=run, dry_run=given["dry_run"], unfinished=given["unfinished"], told=teller
            )
        finally:
            teller.close()
        self.stdout.write(
            as_json(report, teller.kept) if given["json"] else "\n".join(as_lines(report))
        )
        return SOME_FAILED if report.kept else 0


def _find(given: str, organisation: str | None) -> Import:
    runs = Import.objects.across_organisations()
    if organisation is not None:
        runs = runs.for_organisation(find_organisation(organisation))
    usable = given.isascii() and given.isdecimal() and len(given) < 19
    run = runs.filter(pk=int(given)).first() if usable else None
    if run is None:
        raise Unusable(f"There is no import {given}.")
    return run


class Teller:
    """Says how far it is, and names each row that is kept."""

    def __init__(self, stream: Any, total: int, *, keep: bool) -> None:
        self._stream = stream
        self._total = total
        self._done = 0
        self._began = self._latest = time.monotonic()
        self._bar: Any = None
        self._keep = keep
        self.kept: list[KeptRow] = []
        """The first of them, where they are to be printed as JSON."""

    def __call__(self, rows: int, kept: Sequence[KeptRow]) -> None:
        self._done += rows
        if self._keep:
            self.kept += kept[: _NAMED_IN_JSON - len(self.kept)]
        lines = [f"{row_of(row.what, row.row_id, row.name)} is kept: {row.reason}" for row in kept]
        if self._stream.isatty():
            if self._bar is None:
                self._bar = tqdm(total=self._total, unit=" rows", file=self._stream)
            self._bar.update(rows)
            for line in lines:
                self._bar.write(line, file=self._stream)
            return
        for line in lines:
            self._stream.write(line)
        now = time.monotonic()
        if now - self._latest >= _SECONDS_BETWEEN_LINES:
            self._latest = now
            rate = self._done / (now - self._began)
            left = max(self._total - self._done, 0) / rate
            self._stream.write(
                f"{self._done:,} of {self._total:,} rows, {rate:,.0f} rows/s, {left:,.0f} s left"
            )

    def close(self) -> None:
        """Leave the terminal tidy."""
        if self._bar is not None:
            self._bar.close()


def as_lines(report: Undone) -> list[str]:
    """The report for people, a line each."""
    lines = [
        *(f"deleted    {counted(what, number)}" for what, number in report.deleted.items()),
        *(f"restored   {counted(what, number)}" for what, number in report.restored.items()),
        f"kept       {report.kept:,}",
        f"seconds    {report.seconds:,.1f}",
        f"import     {report.import_id}",
    ]
    return [*lines, "Dry run: nothing was written."] if report.dry_run else lines


def as_json(report: Undone, kept: Sequence[KeptRow]) -> str:
    """The report for programs, with the first thousand rows that were kept."""
    return json.dumps(
        {
            "importId": report.import_id,
            "deleted": report.deleted,
            "restored": report.restored,
            "kept": report.kept,
            "keptRows": [
                {"what": row.what, "id": row.row_id, "name": row.name, "reason": row.reason}
                for row in kept
            ],
            "seconds": round(report.seconds, 3),
            "dryRun": report.dry_run,
        }
    )
