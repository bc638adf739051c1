from django.db import migrations


def begin(apps, schema_editor):
    """Have the worker look through the contacts of every organisation that is there."""
    scans = apps.get_model("contacts", "DuplicateScan")
    organisations = apps.get_model("organisations", "Organisation").objects
    scans.objects.bulk_create(
        scans(organisation_id=pk) for pk in organisations.values_list("pk", flat=True)
    )


class Migration(migrations.Migration):
    """By itself: PostgreSQL does not change a table whose new rows it has yet to check."""

    dependencies = [("contacts", "0007_duplicates")]

    operations = [migrations.RunPython(begin, migrations.RunPython.noop, elidable=True)]
