"""`manage.py recompute_rfm [--organisation ID]`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from contacts import rfm
from contacts.management.commands.recompute_rollups import find_organisation


class Command(BaseCommand):
    help = "Scores every contact's recency, frequency and monetary value anew, 1 to 5."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organisation", type=int, metavar="ID", help="only this one")

    def handle(self, *args: Any, **options: Any) -> None:
        changed = rfm.recompute(find_organisation(options["organisation"]))
        self.stdout.write(f"The scores of {changed} contacts changed.")
