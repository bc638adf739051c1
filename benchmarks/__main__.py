"""`make bench`: how fast it is, against floors measured in the same run (see README.md)."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


@contextmanager
def throw_away_database() -> Iterator[str]:
    """Django's own test database: made, migrated, and gone at the end."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")
    django.setup()
    from django.db import connection
    from django.test.utils import setup_test_environment

    setup_test_environment()
    with TemporaryDirectory() as folder:
        if connection.vendor == "sqlite":  # one in memory would write nothing
            connection.settings_dict["TEST"]["NAME"] = str(Path(folder) / "bench.sqlite3")
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        try:
            yield connection.vendor
        finally:
            connection.creation.destroy_test_db(str(connection.settings_dict["NAME"]), verbosity=0)


def rate(rows: int, work: Callable[[], object]) -> float:
    """Rows a second."""
    began = time.perf_counter()
    work()
    return rows / (time.perf_counter() - began)


def activities(rows: int) -> None:
    from activities import services
    from activities.models import Activity
    from contacts import services as contact_services
    from contacts.models import Contact
    from organisations import services as organisation_services

    organisation = organisation_services.create_organisation(name="Bench")
    people = [{"email_address": f"guest.{n}@example.com"} for n in range(1000)]
    contact_services.upsert_batch(organisation=organisation, rows=people)
    ids = list(Contact.objects.for_organisation(organisation).values_list("pk", flat=True))
    moment = datetime(2026, 1, 1, tzinfo=UTC)

    def purchases(prefix: str, count: int) -> list[dict[str, Any]]:
        return [
            {
                "contact": ids[n % len(ids)],
                "type": "Purchase",
                "source": "bench",
                "happened_at": moment + timedelta(seconds=n),
                "spend": 100 + n % 900,
                "currency_code": "GBP",
                "external_reference": f"{prefix}-{n}",
            }
            for n in range(count)
        ]

    def floor() -> None:
        bare = [
            Activity(
                organisation=organisation,
                **{key: value for key, value in row.items() if key != "contact"},
                contact_id=row["contact"],
            )
            for row in purchases("floor", rows)
        ]
        Activity.objects.bulk_create(bare, batch_size=1000)

    def batches() -> None:
        told = purchases("batch", rows)
        for start in range(0, rows, 1000):
            services.record_batch(organisation=organisation, rows=told[start : start + 1000])

    single = min(rows, 1000)

    def one_by_one() -> None:
        for row in purchases("single", single):
            services.record(organisation=organisation, **row)

    bare = rate(rows, floor)
    batched = rate(rows, batches)
    alone = rate(single, one_by_one)
    print(f"  floor: bulk_create of bare rows   {bare:>10,.0f} activities/s")
    print(
        f"  record_batch of 1,000             {batched:>10,.0f} activities/s  {batched / bare:.2f}"
    )
    print(f"  record, one by one                {alone:>10,.0f} activities/s  {alone / bare:.2f}")


def workflows(rows: int) -> None:
    from benchmarks import workflows

    workflows.runs(rows)
    workflows.posting()


def inbox(_rows: int) -> None:
    from benchmarks import inbox

    inbox.inbox(SECONDS)


SECONDS = 60
BENCHMARKS: dict[str, Callable[[int], None]] = {
    "activities": activities,
    "workflows": workflows,
    "inbox": inbox,
}
USUAL = ("activities", "workflows")
"""What is run when nothing is named."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=USUAL, metavar="NAME")
    options = parser.parse_args()
    for name in options.only:
        with throw_away_database() as vendor:
            print(f"{name}, {options.rows:,} rows on {vendor}")
            BENCHMARKS[name](options.rows)


main()
