"""`manage.py import_custom_fields FILE`: definitions of custom fields from CSV, TSV, JSON Lines or
XLSX (docs/import.md)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from imports.command import ImportCommand, mapping, reading
from imports.files.opening import Opened
from imports.options import Options
from imports.runs import Report
from imports.services import Door, import_custom_fields
from organisations.models import Organisation


class Command(ImportCommand):
    help = "Create and change the definitions of custom fields from a file."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--mode",
            choices=("upsert", "create", "update"),
            default="upsert",
            help="upsert (default): both; create: known fields fail; update: unknown ones fail",
        )

    def read_options(self, given: dict[str, Any]) -> Options:
        return Options(mode=given["mode"], mapping=mapping(given), reading=reading(given))

    def run_import(
        self, organisation: Organisation, file: Opened, options: Options, door: Door
    ) -> Report:
        return import_custom_fields(
            organisation=organisation, file=file, options=options, door=door
        )
