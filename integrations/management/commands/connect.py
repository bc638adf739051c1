"""`manage.py connect shopify --organisation 1 --credential secret=… --credential shop_domain=…`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm.errors import Conflict, in_words
from crm.startup import require_migrated
from integrations import services
from integrations.sources import SOURCES
from organisations.management.commands.create_api_key import Command as ForOrganisation


class Command(BaseCommand):
    requires_system_checks = []
    help = (
        "Connects another system to an organisation; the last line of what it prints is the path "
        "to enter there. A value of - is read from standard input, line by line, so that secrets "
        "need not stand on the command line."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", metavar="SOURCE", help=", ".join(sorted(SOURCES)))
        parser.add_argument("--organisation", required=True, metavar="ID")
        parser.add_argument("--name", default="", help="as the admin shows it")
        parser.add_argument(
            "--credential", action="append", default=[], metavar="NAME=VALUE", dest="credentials"
        )
        parser.add_argument(
            "--option", action="append", default=[], metavar="NAME=VALUE", dest="options"
        )

    def handle(
        self,
        *args: Any,
        source: str,
        organisation: str,
        name: str,
        credentials: Sequence[str],
        options: Sequence[str],
        **kwargs: Any,
    ) -> None:
        require_migrated()
        try:
            connection = services.connect(
                organisation=ForOrganisation.find(organisation),
                source=source,
                name=name,
                credentials=_pairs(credentials),
                options=_pairs(options),
            )
        except (ValidationError, Conflict) as error:
            raise CommandError(in_words(error)) from None
        self.stdout.write(f"Connected {connection} (connection {connection.pk}).")
        if SOURCES[source].hint:
            self.stdout.write(str(SOURCES[source].hint))
        self.stdout.write("The path to enter there, after the address of this site:")
        self.stdout.write(connection.path)


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise CommandError(f"{name or one} needs a value: NAME=VALUE.")
        if value == "-":
            value = sys.stdin.readline().rstrip("\n")
        pairs[name] = value
    return pairs
