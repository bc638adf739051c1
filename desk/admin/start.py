"""The guided start: what a new organisation does first, each step ticked off by what is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.admin.site import DASHBOARD, PAGES
from customfields.models import CustomField
from imports.models import Import
from integrations.models import Connection
from organisations.middleware import organisation_of
from organisations.models import Organisation
from workflows.models import Workflow

HIDDEN = "start_hidden"
"""In the session: the organisations whose start this member of staff has put away."""
NEW = timedelta(days=90)
"""So long an organisation is new, and its first page asks what it has."""


@dataclass(frozen=True)
class Step:
    """One thing to do first. `is_done` is one query that finds at most a row."""

    title: Any
    text: Any
    link: Any
    page: str
    permission: str
    is_done: Callable[[Organisation], bool]


def _has(model: Any) -> Callable[[Organisation], bool]:
    return lambda organisation: model.objects.for_organisation(organisation).exists()


STEPS = (
    Step(
        _("Say what you want to know"),
        _("Custom fields hold what is special to you: a diet, a card number, a favourite table."),
        _("Add a custom field"),
        "admin:customfields_customfield_add",
        "customfields.add_customfield",
        _has(CustomField),
    ),
    Step(
        _("Bring in the people you know"),
        _("A list from your old system or a spreadsheet: rehearsed first, and undone if wrong."),
        _("Import a file"),
        "admin:imports_import_changelist",
        "imports.add_import",
        _has(Import),
    ),
    Step(
        _("Connect the systems you use"),
        _("Shopify, Mews, Lightspeed or your wifi: customers and what they do come by themselves."),
        _("Connect a system"),
        "admin:integrations_connection_add",
        "integrations.add_connection",
        _has(Connection),
    ),
    Step(
        _("Let something happen by itself"),
        _("A workflow thanks, rewards or reminds. Begin with a ready-made one."),
        _("Make a workflow"),
        "admin:workflows_workflow_changelist",
        "workflows.add_workflow",
        _has(Workflow),
    ),
)


def start(request: HttpRequest) -> dict[str, Any]:
    """For the first page: the steps that this member of staff may take, as long as one is open.
    A query for each in a new organisation, none in others."""
    organisation = organisation_of(request)
    if (
        organisation is None
        or organisation.pk in request.session.get(HIDDEN, ())
        or organisation.created_at < timezone.now() - NEW
    ):
        return {}
    steps = [
        {"step": step, "done": step.is_done(organisation), "url": reverse(step.page)}
        for step in STEPS
        if request.user.has_perm(step.permission)
    ]
    if all(step["done"] for step in steps):
        return {}
    return {"start_steps": steps, "start_done": sum(bool(step["done"]) for step in steps)}


def hide(request: HttpRequest) -> HttpResponse:
    """Put the start away, for this member of staff."""
    organisation = organisation_of(request)
    if request.method != "POST" or organisation is None:
        raise Http404
    request.session[HIDDEN] = [*request.session.get(HIDDEN, ()), organisation.pk]
    return HttpResponseRedirect(reverse("admin:index"))


DASHBOARD.append(start)
PAGES.append(lambda site: [path("start/hide/", site.admin_view(hide), name="hide_start")])
