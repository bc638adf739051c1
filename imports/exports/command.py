"""What the export commands share: their options, the progress, the report, the exit codes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.http import QueryDict

from imports.command import ALL_IN, STOPPED, UNUSABLE, Progress, find_organisation
from imports.exports.filters import read_filters
from imports.exports.plans import Plan, Report, check_size, export
from imports.files.opening import EXTENSIONS, FORMATS
from imports.files.source import Unusable
from imports.files.writing import TooLarge, whole_file
from organisations.models import Organisation


class ExportCommand(BaseCommand):
    """A command that exports to a file. Exits 0 when it is whole, 2 when it cannot be written, with
    nothing left of it."""

    requires_migrations_checks = False
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file",
            metavar="FILE",
            nargs="?",
            default="-",
            help="where to write; - (default) for standard output",
        )
        parser.add_argument("--organisation", metavar="ID", help="needed when there are several")
        parser.add_argument(
            "--format", choices=FORMATS, help="default: by the file's name; csv to standard output"
        )
        parser.add_argument(
            "--fields",
            metavar="NAME,NAME",
            help="these columns, in this order; default: all that an import takes",
        )
        parser.add_argument(
            "--filter",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="only rows that fit, as a query parameter of the API (may be given again)",
        )
        parser.add_argument(
            "--updated-after",
            metavar="TIME",
            help='as --filter "updatedAt[after]=TIME", such as 2026-04-07',
        )
        self.add_own_arguments(parser)
        parser.add_argument(
            "--without-ids",
            action="store_true",
            help="leave ids out: for an import into another organisation",
        )
        parser.add_argument(
            "--bom",
            action="store_true",
            help="begin CSV with a byte order mark, by which Excel knows UTF-8",
        )
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def add_own_arguments(self, parser: CommandParser) -> None:
        """The options of this kind of row."""

    def filters(self, given: dict[str, Any]) -> QueryDict:
        """The options that say which rows."""
        parameters = read_filters(given["filter"])
        if given["updated_after"]:
            parameters.appendlist("updatedAt[after]", given["updated_after"])
        return parameters

    def plan(self, organisation: Organisation, given: dict[str, Any]) -> Plan:
        """What these options ask for. Raises Unusable."""
        raise NotImplementedError

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            self._export(given)
            code = ALL_IN
        except (Unusable, TooLarge) as error:
            self.stderr.write(str(error))
            code = UNUSABLE
        except BrokenPipeError:
            # Whoever read the output has had enough. Python would complain again when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = UNUSABLE
        except OSError as error:
            self.stderr.write(f"{given['file']} cannot be written: {error.strerror or error}.")
            code = UNUSABLE
        except KeyboardInterrupt:
            self.stderr.write("Stopped; no file was written.")
            code = STOPPED
        if code:
            sys.exit(code)

    def _export(self, given: dict[str, Any]) -> None:
        name = given["file"]
        format = given["format"] or _format_of(name)
        if Path(name).is_dir():
            raise Unusable(f"{name} is a directory: give the name of a file in it.")
        plan = self.plan(find_organisation(given["organisation"]), given)
        rows = plan.rows.count()
        check_size(rows, format)
        progress = Progress(self.stderr, rows)
        try:
            with whole_file(name) as stream:
                report = export(
                    plan, stream, format=format, bom=given["bom"], progress=progress.advance
                )
        finally:
            progress.close()
        # Standard output is the file's own when it is written there.
        told = self.stderr if name == "-" else self.stdout
        told.write(_as_json(report, name) if given["json"] else _as_lines(report, name))


def fields(given: dict[str, Any]) -> list[str] | None:
    """The names of `--fields`."""
    listed: str | None = given["fields"]
    if listed is None:
        return None
    return [name.strip() for name in listed.split(",") if name.strip()]


def _format_of(name: str) -> str:
    if name == "-":
        return "csv"
    format = EXTENSIONS.get(Path(name).suffix.lower())
    if format is None:
        raise Unusable(
            f"The name {name} does not tell the format: end it with .csv, .tsv, .jsonl or .xlsx, "
            "or give --format."
        )
    return format


def _as_lines(report: Report, name: str) -> str:
    lines = [("rows", f"{report.rows:,}"), ("seconds", f"{report.seconds:,.1f}")]
    if name != "-":
        lines.append(("file", name))
    return "\n".join(f"{word:<10} {value}" for word, value in lines)


def _as_json(report: Report, name: str) -> str:
    return json.dumps(
        {
            "rows": report.rows,
            "seconds": round(report.seconds, 3),
            "file": name if name != "-" else None,
        }
    )
