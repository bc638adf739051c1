"""Workflows that speak of a custom field."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import F
from django.urls import reverse
from django.utils.translation import gettext as _

from customfields import uses
from customfields.models import CustomField
from workflows.models import WorkflowVersion


@uses.register
def workflows(field: CustomField) -> Iterator[uses.Use]:
    """Those whose current version does. One query."""
    versions = WorkflowVersion.objects.for_organisation(field.organisation_id)
    current = versions.filter(number=F("workflow__version")).select_related("workflow")
    for version in current.order_by("workflow__name", "workflow_id"):
        if uses.speaks_of([version.trigger, version.steps], field):
            page = reverse("admin:workflows_workflow_change", args=[version.workflow_id])
            name = str(version.workflow)
            yield uses.Use(_("Workflow"), name, page, "workflows.view_workflow")
