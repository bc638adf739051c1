"""`make bench`: how fast it is, against floors measured in the same run (see README.md)."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.databases import ROOT, Database, PostgreSQL, SQLite, copy_of, population
from benchmarks.group import GROUPS
from benchmarks.measuring import SIZES, Row, Sizes, cells, from_json, notes, table, to_json

HERE = Path(__file__).parent
RESULTS = {"large": HERE / "RESULTS.md", "quick": HERE / "RESULTS-quick.md"}
PACKAGES = ("Django", "djangorestframework", "granian", "psycopg")


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


def inbox(_rows: int) -> None:
    from benchmarks import inbox

    inbox.inbox(SECONDS)


SECONDS = 60
BENCHMARKS: dict[str, Callable[[int], None]] = {
    "inbox": inbox,
}
"""Those that stand by themselves: they say what they find, and are run when they are named."""


def measure(database: Database, sizes: Sizes, groups: Sequence[str]) -> list[Row]:
    """The rows of these groups, each on a copy of the population."""
    _say(f"{database.title}, {sizes.name}: making ready")
    name = population(database, sizes)
    found: list[Row] = []
    for group in groups:
        began = time.perf_counter()
        with copy_of(database, name) as url, TemporaryDirectory() as folder:
            answer = Path(folder) / "rows.json"
            subprocess.run(
                [*_PYTHON, "-m", "benchmarks.group", group, _sizes(sizes), str(answer)],
                env={**os.environ, "DATABASE_URL": url},
                cwd=ROOT,
                check=True,
            )
            rows = from_json(answer.read_text())
        found += [replace(row, size=sizes.name, database=database.title) for row in rows]
        _say(f"{database.title}, {sizes.name}: {group}, {time.perf_counter() - began:.0f} s")
        for row in found[-len(rows) :]:
            _say("  " + "  ".join(cells(row)[:-2]))
    return found


_PYTHON = (sys.executable,)


def _sizes(sizes: Sizes) -> str:
    return json.dumps(asdict(sizes))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def results(rows: Sequence[Row], versions: Sequence[str], command: str, seconds: float) -> str:
    """RESULTS.md."""
    missed = sum(row.reached is False for row in rows)
    load = os.getloadavg()[0]
    said = notes(rows)
    return f"""# Results

`{command}` on {datetime.now(UTC):%Y-%m-%d}, in {seconds:,.0f} s; load at the end {load:.1f} on \
{os.cpu_count()} cores.
{", ".join(versions)}.

{table(rows)}

{missed or "None"} of {sum(row.goal is not None for row in rows)} goals missed. Ours and floor are \
medians, in the brackets stand the least and the
largest ratio of a turn. What each row is: [README.md](README.md).
{chr(10) + said + chr(10) if said else ""}"""


def databases(given: Sequence[str]) -> list[Database]:
    """SQLite, and PostgreSQL when DATABASE_URL names one; or only those that were asked for."""
    url = os.environ.get("DATABASE_URL", "")
    there: dict[str, Database] = {"sqlite": SQLite()}
    if url.startswith("postgres"):
        there = {"postgresql": PostgreSQL(url), **there}
    elif "postgresql" in given or not given:
        _say("PostgreSQL is not measured: DATABASE_URL=postgres://… names one.")
    return [one for name, one in there.items() if not given or name in given]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--size", choices=SIZES, default="quick")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=(*GROUPS, *BENCHMARKS),
        default=GROUPS,
        metavar="NAME",
        help=", ".join((*GROUPS, *BENCHMARKS)),
    )
    parser.add_argument("--on", nargs="+", choices=("postgresql", "sqlite"), default=())
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--rows", type=int, help="rows of a turn, other than the size's")
    options = parser.parse_args()
    sizes = SIZES[options.size]
    if options.rows:
        sizes = replace(sizes, rows=options.rows)
    for name in options.only:
        if name in BENCHMARKS:
            with throw_away_database() as vendor:
                print(f"{name} on {vendor}")
                BENCHMARKS[name](sizes.rows)
    groups = [name for name in options.only if name in GROUPS]
    if not groups:
        return
    began = time.perf_counter()
    found: list[Row] = []
    measured = databases(options.on)
    for database in measured:
        found += measure(database, sizes, groups)
    if options.json:
        print(to_json(found))
        return
    print(table(found))
    if tuple(groups) == GROUPS and len(measured) == 2:
        versions = [
            f"Python {platform.python_version()}",
            *(f"{name} {version(name)}" for name in PACKAGES),
            *(database.version() for database in measured),
        ]
        command = f"python -m benchmarks --size {options.size}"
        text = results(found, versions, command, time.perf_counter() - began)
        RESULTS[options.size].write_text(text)


main()
