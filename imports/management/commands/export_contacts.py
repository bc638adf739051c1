"""`manage.py export_contacts [FILE]`: contacts as CSV, TSV, JSON Lines or XLSX
(docs/export.md)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.http import QueryDict

from contacts.filtersets import ContactFilterSet
from contacts.models import Contact
from contacts.parts import PARTS
from imports.exports.command import ExportCommand, fields
from imports.exports.contacts import ContactsExport
from imports.exports.filters import narrowed
from organisations.models import Organisation


class Command(ExportCommand):
    help = "Write contacts to a file that import_contacts takes back."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--tag",
            action="append",
            default=[],
            metavar="NAME",
            help='as --filter "tag=NAME" (may be given again: all of them)',
        )
        parser.add_argument(
            "--with-totals",
            action="store_true",
            help="add the columns that only the system writes, such as totalSpend; an import "
            "refuses them",
        )

    def filters(self, given: dict[str, Any]) -> QueryDict:
        parameters = super().filters(given)
        for name in given["tag"]:
            parameters.appendlist("tag", name)
        return parameters

    def plan(self, organisation: Organisation, given: dict[str, Any]) -> ContactsExport:
        everyone = Contact.objects.for_organisation(organisation).current()
        contacts = narrowed(
            everyone, organisation, self.filters(given), filterset=ContactFilterSet, parts=PARTS
        )
        return ContactsExport(
            organisation,
            contacts,
            fields=fields(given),
            with_totals=given["with_totals"],
            without_ids=given["without_ids"],
        )
