"""Which facts are known already: in the database, and in a dry run in the rows before."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.db import connection

from activities.models import Activity
from activities.querysets import Fact
from imports import tables
from organisations.models import Organisation

_CONTROL = "\x1f"


class Facts:
    """What the organisation's activities state. Two queries at most for any number of facts."""

    def __init__(self, organisation: Organisation) -> None:
        self._organisation = organisation

    def known(self, asked: Iterable[Fact]) -> set[Fact]:
        """Those of `asked` that an activity states."""
        references: set[str] = set()
        others: list[Fact] = []
        wanted = set(asked)
        for fact in wanted:
            column, _type, value = fact
            # `tables.texts` takes no text with a control character of its own.
            if column == "external_reference" and _CONTROL not in value:
                references.add(value)
            else:
                others.append(fact)
        found = set(self._with_references(references)) & wanted if references else set()
        if others:
            activities = Activity.objects.for_organisation(self._organisation).same_as(others)
            found |= {fact for row in activities for fact in row.facts()} & wanted
        return found

    def _with_references(self, references: Iterable[str]) -> Iterator[Fact]:
        among = tables.among_texts("external_reference")
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT type, external_reference FROM {Activity._meta.db_table} "  # noqa: S608
                f"WHERE organisation_id = %s AND external_reference IS NOT NULL AND {among}",
                [self._organisation.pk, tables.texts(references)],
            )
            for type_, reference in cursor.fetchall():
                yield "external_reference", type_, reference

    def keep(self, facts: Iterable[Fact]) -> None:
        """Take in facts that rows have just stated: the database has them already."""

    def close(self) -> None:
        """Nothing is left open."""


class DraftFacts(Facts):
    """As `Facts`, and with those that a dry run would have written, in a temporary file: memory
    does not grow with them."""

    def __init__(self, organisation: Organisation) -> None:
        super().__init__(organisation)
        self._file = tempfile.TemporaryDirectory(prefix="regulars-dry-run-")
        self._connection = sqlite3.connect(Path(self._file.name) / "facts.sqlite3")
        self._connection.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "CREATE TABLE facts (name TEXT, type TEXT, value TEXT, "
            "PRIMARY KEY (value, type, name)) WITHOUT ROWID;"
        )

    def known(self, asked: Iterable[Fact]) -> set[Fact]:
        wanted = set(asked)
        found = super().known(wanted)
        for fact in wanted - found:
            there = "SELECT 1 FROM facts WHERE name = ? AND type = ? AND value = ?"
            if self._connection.execute(there, fact).fetchone():
                found.add(fact)
        return found

    def keep(self, facts: Iterable[Fact]) -> None:
        self._connection.executemany("INSERT OR IGNORE INTO facts VALUES (?, ?, ?)", facts)

    def close(self) -> None:
        self._connection.close()
        self._file.cleanup()
