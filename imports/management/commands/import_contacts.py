"""`manage.py import_contacts FILE`: contacts from CSV, TSV, JSON Lines or XLSX (docs/import.md)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from imports.command import ImportCommand, add_backfill_argument, date_format, mapping, reading
from imports.files.opening import Opened
from imports.options import Options
from imports.runs import Report
from imports.services import Door, import_contacts
from organisations.models import Organisation


class Command(ImportCommand):
    help = "Create and update contacts from a file."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--mode",
            choices=("upsert", "create", "update"),
            default="upsert",
            help="upsert (default): both; create: known contacts fail; update: unknown ones fail",
        )
        parser.add_argument(
            "--create-fields",
            action="store_true",
            help="make custom fields of the columns that are not known",
        )
        parser.add_argument(
            "--clear-empty",
            action="store_true",
            help=r"empty cells clear the field (else they leave it, and \N clears)",
        )
        parser.add_argument(
            "--date-format", metavar="FORMAT", help="of dates, such as %%d/%%m/%%Y beside ISO 8601"
        )
        add_backfill_argument(parser)

    def read_options(self, given: dict[str, Any]) -> Options:
        return Options(
            mode=given["mode"],
            mapping=mapping(given),
            create_fields=given["create_fields"],
            clear_empty=given["clear_empty"],
            date_format=date_format(given),
            backfill=given["backfill"],
            reading=reading(given),
        )

    def run_import(
        self, organisation: Organisation, file: Opened, options: Options, door: Door
    ) -> Report:
        return import_contacts(organisation=organisation, file=file, options=options, door=door)
