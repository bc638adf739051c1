"""What the import commands share: their options, the progress, the report, the exit codes."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from tqdm import tqdm

from imports.files.opening import FORMATS, Opened, opened
from imports.files.source import Unusable
from imports.headers import read_map
from imports.options import Options
from imports.runs import Interrupted, Report
from imports.services import Door
from organisations.models import Organisation

ALL_IN, SOME_FAILED, UNUSABLE, STOPPED = 0, 1, 2, 130
_SECONDS_BETWEEN_LINES = 5.0

Import = Callable[..., Report]


def find_organisation(given: str | None) -> Organisation:
    """The organisation of this id; without one, the only one there is. Raises Unusable."""
    organisations = Organisation.objects.order_by("pk")
    if given is not None:
        found = organisations.filter(pk=int(given)).first() if given.isdecimal() else None
        if found is None:
            raise Unusable(f"There is no organisation {given}.")
        return found
    some = list(organisations[:2])
    if not some:
        raise Unusable('There is no organisation yet: make one with create_organisation "Name".')
    if len(some) > 1:
        raise Unusable("There are several organisations: say which with --organisation ID.")
    return some[0]


class Progress:
    """A bar with rate and time left on a terminal, a plain line now and then elsewhere."""

    def __init__(self, stream: Any, about: int) -> None:
        self._stream = stream
        self._about = about
        self._bar: Any = None
        self._done = 0
        self._latest = self._began = time.monotonic()

    def __call__(self, rows: int, report: Report) -> None:
        self.advance(rows, resumed_at=report.resumed_at, failed=report.failed)

    def advance(self, rows: int, *, resumed_at: int = 0, failed: int = 0) -> None:
        """So many rows more; an earlier run did `resumed_at` of them already."""
        if self._stream.isatty():
            if self._bar is None:
                self._bar = tqdm(
                    total=max(self._about, rows),
                    initial=resumed_at,
                    unit=" rows",
                    file=self._stream,
                    mininterval=0.2,
                )
            self._bar.update(rows)
            if failed:
                self._bar.set_postfix(failed=failed)
            return
        self._done += rows
        now = time.monotonic()
        if now - self._latest >= _SECONDS_BETWEEN_LINES:
            self._latest = now
            rate = self._done / (now - self._began)
            reached = resumed_at + self._done
            left = max(self._about - reached, 0) / rate
            self._stream.write(
                f"{reached:,} of about {self._about:,} rows, {rate:,.0f} rows/s, "
                f"{left:,.0f} s left\n"
            )
            self._stream.flush()

    def close(self) -> None:
        """Leave the terminal tidy."""
        if self._bar is not None:
            self._bar.close()


def add_reading_arguments(parser: ArgumentParser) -> None:
    """How the file is to be read."""
    parser.add_argument("file", metavar="FILE", help="the file, or - for standard input")
    parser.add_argument("--organisation", metavar="ID", help="needed when there are several")
    parser.add_argument("--format", choices=FORMATS, help="default: by the file's name")
    parser.add_argument("--encoding", help="such as utf-8 or windows-1252; default: detected")
    parser.add_argument("--delimiter", help="one character, or tab; default: detected")
    parser.add_argument("--sheet", metavar="NAME", help="of a workbook; default: the first")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="HEADER=FIELD",
        help="what a column is; without FIELD it is left out (may be given again)",
    )


def add_backfill_argument(parser: ArgumentParser) -> None:
    """Whether what the rows tell is news."""
    parser.add_argument(
        "--backfill",
        action="store_true",
        help="history: it counts, but starts no workflow and no webhook",
    )


def add_running_arguments(parser: ArgumentParser) -> None:
    """How the import is to be run and told of."""
    parser.add_argument(
        "--dry-run", action="store_true", help="do everything but write, and print the report"
    )
    parser.add_argument(
        "--errors", metavar="FILE", help="where failed rows go; default: FILE.errors.csv"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


class ImportCommand(BaseCommand):
    """A command that imports a file. Exits 0 when all rows are in, 1 when some failed, 2 when the
    file cannot be used at all."""

    requires_migrations_checks = False
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_reading_arguments(parser)
        self.add_own_arguments(parser)
        add_running_arguments(parser)

    def add_own_arguments(self, parser: CommandParser) -> None:
        """The options of this kind of file."""

    def read_options(self, given: dict[str, Any]) -> Options:
        """The options that change what the rows mean."""
        raise NotImplementedError

    def run_import(
        self, organisation: Organisation, file: Opened, options: Options, door: Door
    ) -> Report:
        """The service that does it."""
        raise NotImplementedError

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            code = self._import(given)
        except (Unusable, Interrupted) as error:
            self.stderr.write(str(error))
            code = UNUSABLE
        except KeyboardInterrupt:
            self.stderr.write("Stopped. The same command goes on where this one was.")
            code = STOPPED
        if code:
            sys.exit(code)

    def _import(self, given: dict[str, Any]) -> int:
        organisation = find_organisation(given["organisation"])
        options = self.read_options(given)
        with opened(
            given["file"],
            format=given["format"],
            encoding=given["encoding"],
            delimiter=given["delimiter"],
            sheet=given["sheet"],
        ) as file:
            self.stderr.write(f"{file.name}: {file.source.description}.")
            progress = Progress(self.stderr, file.source.about)
            door = Door(
                errors_path=Path(given["errors"]) if given["errors"] else None,
                dry_run=given["dry_run"],
                progress=progress,
                announce=self.stderr.write,
            )
            try:
                report = self.run_import(organisation, file, options, door)
            finally:
                progress.close()
        self._tell_failures(report)
        self.stdout.write(_as_json(report) if given["json"] else _as_lines(report))
        return SOME_FAILED if report.failed else ALL_IN

    def _tell_failures(self, report: Report) -> None:
        for failure in report.first_failures:
            field = f"{failure.field}: " if failure.field else ""
            self.stderr.write(f"line {failure.line}: {field}{failure.reason}")
        more = report.failed - len(report.first_failures)
        if report.first_failures and more > 0:
            self.stderr.write(f"and {more:,} more")


def reading(given: dict[str, Any]) -> dict[str, Any]:
    """The options of the file's reading, for `Options`."""
    return {name: given[name] for name in ("format", "encoding", "delimiter", "sheet")}


def mapping(given: dict[str, Any]) -> dict[str, str]:
    """The `--map` options."""
    return read_map(given["map"])


def _as_lines(report: Report) -> str:
    lines = [
        ("created", f"{report.created:,}"),
        ("updated", f"{report.updated:,}"),
        ("unchanged", f"{report.unchanged:,}"),
        ("failed", f"{report.failed:,}"),
        ("seconds", f"{report.seconds:,.1f}"),
    ]
    if report.import_id is not None:
        lines.append(("import", str(report.import_id)))
    if report.errors_file:
        lines.append(("errors", report.errors_file))
    told = "\n".join(f"{name:<10} {value}" for name, value in lines)
    return f"{told}\nDry run: nothing was written." if report.dry_run else told


def _as_json(report: Report) -> str:
    return json.dumps(
        {
            "created": report.created,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "failed": report.failed,
            "seconds": round(report.seconds, 3),
            "importId": report.import_id,
            "errorsFile": report.errors_file or None,
            "resumedAfter": report.resumed_at,
            "dryRun": report.dry_run,
        }
    )


def date_format(given: dict[str, Any]) -> str | None:
    """The `--date-format` option. Raises Unusable for one that nothing can be read with."""
    written: str | None = given["date_format"]
    if written is not None:
        try:
            moment = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
            good = datetime.strptime(moment.strftime(written), written).year == 2001  # noqa: DTZ007
        except ValueError:
            good = False
        if not good:
            raise Unusable(f'--date-format "{written}" is no format of a date, such as %d/%m/%Y.')
    return written
