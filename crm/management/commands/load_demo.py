"""`manage.py load_demo`: a hotel and restaurant group to look at."""

from __future__ import annotations

import secrets
import time
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from crm.demo import house, load, staff
from crm.startup import require_migrated


def day(given: str) -> date:
    """A date such as 2026-03-31."""
    return date.fromisoformat(given)


def some(given: str) -> int:
    """A number of contacts."""
    number = int(given)
    if not 10 <= number <= 100_000:
        raise ValueError
    return number


class Command(BaseCommand):
    help = (
        f"Writes the organisation {house.NAME} with guests, what they did in two years, custom "
        "fields, tags, invites and a login for each role. The same every time; only the dates "
        "move, to end yesterday or on --until. Run again, it changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--contacts", type=some, default=2000, help="10 to 100000")
        parser.add_argument("--until", type=day, metavar="DATE", help="the last day; yesterday")
        parser.add_argument("--password", help="for the logins; made up and printed when not given")

    def handle(
        self, *, contacts: int, until: date | None, password: str | None, **options: Any
    ) -> None:
        require_migrated()
        there = staff.demo_organisation()
        if there is not None:
            self.stdout.write(f"{there.name} is there already (organisation {there.pk}): kept.")
            return
        self.stdout.write(f"Writing {house.NAME}, {contacts:,} contacts …")
        self.stdout.flush()
        started = time.monotonic()
        chosen = password or secrets.token_urlsafe(9)
        loaded = load.load(contacts=contacts, last_day=until or load.yesterday(), password=chosen)
        self.stdout.write(
            f"Wrote {loaded.organisation.name} (organisation {loaded.organisation.pk}): "
            f"{loaded.contacts:,} contacts, {loaded.activities:,} activities, in "
            f"{time.monotonic() - started:.0f} s."
        )
        if password is None:
            self.stdout.write(f"Logins: {', '.join(staff.LOGINS)}. Password: {chosen}")
