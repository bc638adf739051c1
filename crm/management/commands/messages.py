"""Bring the translations up to what the code says (docs/translate.md)."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from crm import translations


class Command(BaseCommand):
    help = "Write the texts that the code marks into locale/, and compile what is translated."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="write nothing; fail when a text is missing"
        )

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        catalog = translations.found()
        missing = 0
        for language in translations.languages():
            if not check:
                translations.update(language, catalog)
            for line in translations.shortcomings(language, catalog):
                missing += 1
                self.stdout.write(f"{language}: {line}")
        if missing and check:
            raise CommandError(f"{missing} texts are not well translated.")
        self.stdout.write(f"{len(catalog)} texts, {missing} to be translated.")
