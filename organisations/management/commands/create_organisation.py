"""`manage.py create_organisation NAME`: a new organisation; its id is the last line printed."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from organisations import services
from organisations.management import sentence


class Command(BaseCommand):
    help = "Make an organisation and print its id."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--currency", default="GBP", help="ISO 4217, default GBP")
        parser.add_argument("--country", default="GB", help="ISO 3166-1, default GB")
        parser.add_argument(
            "--timezone", default="Europe/London", help="IANA name, default Europe/London"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organisation = services.create_organisation(
                name=options["name"],
                currency_code=options["currency"],
                country=options["country"],
                timezone=options["timezone"],
            )
        except ValidationError as error:
            raise CommandError(sentence(error)) from None
        self.stdout.write(f"Made {organisation.name}. Its id:")
        self.stdout.write(str(organisation.pk))
