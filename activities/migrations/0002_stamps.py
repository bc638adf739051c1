"""Indexes of a few pages by when activities were written, on PostgreSQL.

Rows are written about in the order of these columns, so what is newer than a moment is found by the
ranges of blocks; unlike a B-tree they cost a write next to nothing.
"""

from django.db import migrations

INDEXES = {"activity_created": "created_at", "activity_updated": "updated_at"}


def add_indexes(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name, column in INDEXES.items():
            schema_editor.execute(
                f"CREATE INDEX {name} ON activities_activity USING brin ({column})"
                " WITH (autosummarize = on)"
            )


def drop_indexes(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name in INDEXES:
            schema_editor.execute(f"DROP INDEX {name}")


class Migration(migrations.Migration):

    dependencies = [
        ("activities", "0001_initial"),
    ]

    operations = [migrations.RunPython(add_indexes, drop_indexes, elidable=False)]
