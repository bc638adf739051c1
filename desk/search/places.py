"""Finding screens of the menu, segments and workflows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from contacts import identity
from contacts.segments.models import Segment
from crm.admin.navigation import sidebar
from desk.search.hits import Hit
from organisations.models import Organisation
from workflows.models import Workflow

MOST = 5


def screens(request: HttpRequest) -> Iterator[Hit]:
    """The screens that this member of staff may open. No query."""
    for group in sidebar(request):
        for item in group["items"]:
            allowed = item.get("permission")
            if allowed is None or allowed(request):
                yield Hit(
                    key=f"screen-{item['link']}",
                    title=str(item["title"]),
                    detail=str(group["title"] or ""),
                    href=str(item["link"]),
                    icon=str(item.get("icon", "arrow_forward")),
                )


def find_screens(request: HttpRequest, text: str) -> list[Hit]:
    """Those whose name has words that begin so."""
    words = identity.fold(text).split()
    found = []
    for hit in screens(request):
        theirs = identity.fold(hit.title).split()
        if all(any(its.startswith(word) for its in theirs) for word in words):
            found.append(hit)
    return found[:MOST]


def of_segment(segment: Segment) -> Hit:
    return Hit(
        key=f"segment-{segment.pk}",
        title=segment.name,
        detail=_("Segment"),
        href=f"{reverse('admin:contacts_contact_changelist')}?segment={segment.pk}",
        icon="target",
    )


def of_workflow(workflow: Workflow) -> Hit:
    return Hit(
        key=f"workflow-{workflow.pk}",
        title=workflow.name,
        detail=_("Workflow, %(status)s") % {"status": workflow.get_status_display()},
        href=reverse("admin:workflows_workflow_change", args=[workflow.pk]),
        icon="account_tree",
    )


def segments(request: HttpRequest, organisation: Organisation) -> Any:
    """Those that this member of staff may see."""
    rows = Segment.objects.for_organisation(organisation)
    may = request.user.has_perm("contacts.view_segment")
    return rows.order_by("name") if may else rows.none()


def workflows(request: HttpRequest, organisation: Organisation) -> Any:
    """Those that this member of staff may see."""
    rows = Workflow.objects.for_organisation(organisation)
    may = request.user.has_perm("workflows.view_workflow")
    return rows.order_by("name") if may else rows.none()
