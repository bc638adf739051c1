"""`manage.py export_activities [FILE]`: activities as CSV, TSV, JSON Lines or XLSX
(docs/export.md)."""

from __future__ import annotations

from typing import Any

from activities.filtersets import ActivityFilterSet
from activities.models import Activity
from imports.exports.activities import ActivitiesExport
from imports.exports.command import ExportCommand, fields
from imports.exports.filters import narrowed
from organisations.models import Organisation


class Command(ExportCommand):
    help = "Write activities to a file that import_activities takes back."

    def plan(self, organisation: Organisation, given: dict[str, Any]) -> ActivitiesExport:
        activities = narrowed(
            Activity.objects.for_organisation(organisation),
            organisation,
            self.filters(given),
            filterset=ActivityFilterSet,
        )
        return ActivitiesExport(
            organisation, activities, fields=fields(given), without_ids=given["without_ids"]
        )
