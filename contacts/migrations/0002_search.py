"""The trigram index that search uses on PostgreSQL (on SQLite: `search.keep_on_sqlite`)."""

from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations


def add_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "CREATE INDEX contact_search ON contacts_contact"
            " USING gin (search_text gin_trgm_ops) WHERE merged_into_id IS NULL"
        )


def drop_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX contact_search")


class Migration(migrations.Migration):

    dependencies = [
        ("contacts", "0001_initial"),
    ]

    operations = [
        TrigramExtension(),
        migrations.RunPython(add_index, drop_index, elidable=False),
    ]
