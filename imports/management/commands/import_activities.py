"""`manage.py import_activities FILE`: activities from CSV, TSV, JSON Lines or XLSX
(docs/import.md)."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser

from imports.command import ImportCommand, add_backfill_argument, date_format, mapping, reading
from imports.files.opening import Opened
from imports.files.source import Unusable
from imports.options import Options
from imports.runs import Report
from imports.services import Door, import_activities
from organisations.models import Organisation, validate_timezone


class Command(ImportCommand):
    help = "Record activities from a file, and the contacts whose they are."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--type", help="of the rows that say none, such as Purchase")
        parser.add_argument("--source", help="of the rows that say none, such as till")
        parser.add_argument(
            "--spend-in",
            choices=("minor", "major"),
            default="minor",
            help="minor (default): 4500 is 45.00; major: amounts are written 45.00",
        )
        parser.add_argument(
            "--timezone",
            metavar="ZONE",
            help="of times without an offset, such as Europe/London; default: the organisation's",
        )
        parser.add_argument(
            "--date-format",
            metavar="FORMAT",
            help="of times, such as %%d/%%m/%%Y %%H:%%M beside ISO 8601",
        )
        add_backfill_argument(parser)

    def read_options(self, given: dict[str, Any]) -> Options:
        return Options(
            mapping=mapping(given),
            date_format=date_format(given),
            timezone=_zone(given["timezone"]),
            type=(given["type"] or "").strip() or None,
            source=(given["source"] or "").strip() or None,
            spend_in=given["spend_in"],
            backfill=given["backfill"],
            reading=reading(given),
        )

    def run_import(
        self, organisation: Organisation, file: Opened, options: Options, door: Door
    ) -> Report:
        return import_activities(organisation=organisation, file=file, options=options, door=door)


def _zone(given: str | None) -> str | None:
    if given is not None:
        try:
            validate_timezone(given)
        except ValidationError:
            raise Unusable(
                f'--timezone "{given}" is no time zone, such as Europe/London.'
            ) from None
    return given
