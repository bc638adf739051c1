"""The databases that a run works on: the population is made once and kept, and what is measured
works on copies that are thrown away.

Whatever the size, a change of the tables or of `data.py` makes it anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from benchmarks.measuring import Sizes

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / ".bench"


class Database(Protocol):
    """Where populations are kept and copied. `url` is DATABASE_URL's."""

    title: str

    def url(self, name: str) -> str: ...

    def has(self, name: str) -> bool: ...

    def make(self, name: str) -> None: ...

    def copy(self, name: str, to: str) -> None: ...

    def drop(self, name: str) -> None: ...

    def version(self) -> str: ...


class PostgreSQL:
    """Databases beside the one that DATABASE_URL names."""

    title = "PostgreSQL"

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    def url(self, name: str) -> str:
        return urlunsplit(self._url._replace(path=f"/{name}"))

    def has(self, name: str) -> bool:
        return bool(self._ask("SELECT 1 FROM pg_database WHERE datname = %s", name))

    def make(self, name: str) -> None:
        self._do("CREATE DATABASE {}", name)

    def copy(self, name: str, to: str) -> None:
        self._do("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", to, name)

    def drop(self, name: str) -> None:
        self._do("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def version(self) -> str:
        return f"PostgreSQL {self._ask('SHOW server_version')[0][0].split()[0]}"

    def _ask(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with closing(psycopg.connect(urlunsplit(self._url))) as connection:
            return connection.execute(query, values).fetchall()  # type: ignore[arg-type]

    def _do(self, statement: str, *names: str) -> None:
        with closing(psycopg.connect(urlunsplit(self._url), autocommit=True)) as connection:
            named = map(sql.Identifier, names)
            connection.execute(sql.SQL(statement).format(*named))  # type: ignore[arg-type]


class SQLite:
    """Files in `.bench`."""

    title = "SQLite"

    def _path(self, name: str) -> Path:
        KEPT.mkdir(exist_ok=True)
        return KEPT / f"{name}.sqlite3"

    def url(self, name: str) -> str:
        return f"sqlite:///{self._path(name)}"

    def has(self, name: str) -> bool:
        return self._path(name).exists()

    def make(self, name: str) -> None:
        """It is made when it is opened."""

    def copy(self, name: str, to: str) -> None:
        shutil.copyfile(self._path(name), self._path(to))

    def drop(self, name: str) -> None:
        for path in KEPT.glob(f"{name}.sqlite3*"):
            path.unlink()

    def version(self) -> str:
        import sqlite3

        return f"SQLite {sqlite3.sqlite_version}"


def population(database: Database, sizes: Sizes) -> str:
    """The name of the database with so many people and activities, which is made when it is not
    there."""
    name = f"regulars_bench_{sizes.people}_{_digest()}"
    if not database.has(name):
        half = f"{name}_half"
        database.drop(half)
        database.make(half)
        run(database.url(half), str(ROOT / "manage.py"), "migrate", "--verbosity", "0")
        counts = ("--contacts", str(sizes.people), "--activities", str(sizes.told))
        run(database.url(half), "-m", "benchmarks.data", *counts)
        database.copy(half, name)  # whole, or not there
        database.drop(half)
    return name


@contextmanager
def copy_of(database: Database, name: str) -> Iterator[str]:
    """The address of a copy, which is gone at the end."""
    copied = f"{name}_run"
    database.drop(copied)
    database.copy(name, copied)
    try:
        yield database.url(copied)
    finally:
        database.drop(copied)


def run(url: str, *arguments: str) -> None:
    """Python in a process of its own, on this database. Its output is not ours."""
    environment = {**os.environ, "DATABASE_URL": url}
    subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _digest() -> str:
    """Of all that decides what is in a population."""
    migrations = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("*/migrations/[0-9]*.py"))
    content = "\n".join([*migrations, (ROOT / "benchmarks" / "data.py").read_text()])
    return hashlib.sha256(content.encode()).hexdigest()[:8]
