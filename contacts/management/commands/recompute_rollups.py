"""`manage.py recompute_rollups [--check] [--organisation ID]`."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from contacts import rollups
from organisations.models import Organisation


class Command(BaseCommand):
    help = (
        "Adds up every contact's activities and repairs the totals that differ. With --check it"
        " repairs nothing, prints what differs, and ends with 1 if anything does."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only look")
        parser.add_argument("--organisation", type=int, metavar="ID", help="only this one")

    def handle(self, *args: Any, **options: Any) -> None:
        organisation = find_organisation(options["organisation"])
        if not options["check"]:
            repaired = rollups.recompute(organisation=organisation)
            self.stdout.write(f"Repaired the totals of {repaired} contacts.")
            return
        found = 0
        for drift in rollups.drift(organisation):
            found += 1
            self.stdout.write(
                f"contact {drift.contact_id}: {drift.total} is {_shown(drift.stored)},"
                f" its activities add up to {_shown(drift.recomputed)}"
            )
        if found:
            raise CommandError(f"{found} totals have drifted.", returncode=1)
        self.stdout.write("All totals are what the activities add up to.")


def find_organisation(pk: int | None) -> Organisation | None:
    """The organisation of this id; None for None. Raises CommandError."""
    if pk is None:
        return None
    try:
        return Organisation.objects.get(pk=pk)
    except Organisation.DoesNotExist:
        raise CommandError(f"There is no organisation {pk}.", returncode=2) from None


def _shown(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
