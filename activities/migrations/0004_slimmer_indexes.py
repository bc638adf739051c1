"""Indexes for filters that had none; and those of foreign keys that are mostly null made partial,
so that together an activity costs hardly more to write than before (benchmarks/README.md).

Nobody waits for it, and it can be run again when it was interrupted.
"""

import django.db.models.deletion
from django.db import migrations, models

from crm.indexes import AddIndexOnline

# As Django named them.
WHOLE = {
    "booking": "activities_activity_booking_id_4bb7f254",
    "golf_reservation": "activities_activity_golf_reservation_id_b046554a",
    "referral_invite": "activities_activity_referral_invite_id_4902decf",
    "table_reservation": "activities_activity_table_reservation_id_2f4d7383",
}


def drop_whole(apps, schema_editor):
    online = "CONCURRENTLY" if schema_editor.connection.vendor == "postgresql" else ""
    for name in WHOLE.values():
        schema_editor.execute(f"DROP INDEX {online} IF EXISTS {name}")


def make_whole(apps, schema_editor):
    online = "CONCURRENTLY" if schema_editor.connection.vendor == "postgresql" else ""
    for column, name in WHOLE.items():
        schema_editor.execute(
            f"CREATE INDEX {online} IF NOT EXISTS {name} ON activities_activity ({column}_id)"
        )


def partial(column, name):
    condition = models.Q((f"{column}__isnull", False))
    return AddIndexOnline(
        model_name="activity",
        index=models.Index(condition=condition, fields=[column], name=name),
    )


def without_index(column, to):
    return migrations.AlterField(
        model_name="activity",
        name=column,
        field=models.ForeignKey(
            blank=True,
            db_index=False,
            null=True,
            on_delete=django.db.models.deletion.SET_NULL,
            related_name="activities",
            to=to,
        ),
    )


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ("activities", "0003_reservations_of_a_contact"),
        ("contacts", "0008_begin_looking_for_duplicates"),
        ("organisations", "0002_listens_to"),
    ]

    operations = [
        partial("booking", "activity_booking"),
        partial("golf_reservation", "activity_golf"),
        partial("table_reservation", "activity_table"),
        partial("referral_invite", "activity_invite"),
        # Altered for real, SQLite would copy the table four times.
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(drop_whole, make_whole, elidable=False)],
            state_operations=[
                without_index("booking", "activities.booking"),
                without_index("golf_reservation", "activities.golfreservation"),
                without_index("referral_invite", "contacts.referralinvite"),
                without_index("table_reservation", "activities.tablereservation"),
            ],
        ),
        AddIndexOnline(
            model_name="activity",
            index=models.Index(fields=["organisation", "source"], name="activity_source"),
        ),
        AddIndexOnline(
            model_name="activity",
            index=models.Index(fields=["organisation", "currency_code"], name="activity_currency"),
        ),
        AddIndexOnline(
            model_name="activity",
            index=models.Index(fields=["organisation", "spend"], name="activity_spend"),
        ),
    ]
