"""What a long-running process makes sure of before it starts."""

from __future__ import annotations

from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor


def require_migrated() -> None:
    """Stop with one sentence when the database does not answer or lacks tables that this version
    needs."""
    if not is_migrated():
        raise CommandError("the database is not up to date: run `python manage.py migrate` first.")


def is_migrated() -> bool:
    """Whether the database has all tables that this version needs. Reads all migrations: tens of
    milliseconds. Raises CommandError when the database does not answer."""
    try:
        executor = MigrationExecutor(connection)
    except DatabaseError as error:
        raise CommandError(
            f"the database that DATABASE_URL names does not answer: {str(error).strip()}"
        ) from error
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
