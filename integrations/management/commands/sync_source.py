"""`manage.py sync_source 3 --since 2025-01-01`: what happened before, as history."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from crm.startup import require_migrated
from integrations import polling
from integrations.models import Connection
from integrations.secrets import Unreadable
from integrations.sources import SOURCES
from integrations.sources.base import Asleep, NotUnderstood

SHOWN = 20


class Command(BaseCommand):
    requires_system_checks = []
    help = (
        "Fetches from a connected system all that happened since a time. It counts, and starts no "
        "workflow. Cut off, the same command goes on where it stopped."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("connection", metavar="CONNECTION", help="the id of the connection")
        parser.add_argument("--since", required=True, metavar="DATE", help="such as 2025-01-01")

    def handle(self, *args: Any, connection: str, since: str, **kwargs: Any) -> None:
        require_migrated()
        found = self._find(connection)
        problems = seen = 0
        try:
            with tqdm(unit=" rows", disable=None) as bar:
                for page in polling.sync(found, _moment(since)):
                    bar.total = page.total
                    bar.update(page.seen - seen)
                    seen = page.seen
                    for problem in page.problems:
                        problems += 1
                        if problems <= SHOWN:
                            self.stderr.write(problem)
        except (Asleep, NotUnderstood, Unreadable) as error:
            raise CommandError(
                f"{error} {seen} rows were fetched; run the same command again to go on."
            ) from None
        self.stdout.write(f"{seen} rows fetched, {problems} could not be written")

    @staticmethod
    def _find(given: str) -> Connection:
        rows = Connection.objects.across_organisations().select_related("organisation")
        found = rows.filter(pk=int(given)).first() if given.isdecimal() else None
        if found is None:
            raise CommandError(f"There is no connection with the id {given}; connect makes one.")
        if not SOURCES[found.source].can_fetch:
            raise CommandError(f"{SOURCES[found.source].label} cannot be asked for what happened.")
        return found


def _moment(given: str) -> datetime:
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise CommandError(f"{given} is not a date such as 2025-01-01.") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
