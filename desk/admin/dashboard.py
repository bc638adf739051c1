"""The dashboard on the admin's first page, and the two parts of it that are fetched again: the
figures when newer ones are there, and what happened last."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.views.decorators.http import require_GET

from crm.admin import site
from desk.dashboard import live, page, services
from desk.dashboard.models import DashboardSnapshot
from organisations.middleware import organisation_of
from organisations.models import Organisation

SOON = 2
"""Seconds after which a page asks again for figures that are on their way."""


def dashboard(request: HttpRequest) -> dict[str, Any]:
    """The first page's share. Nine queries, and those that figures take that are not kept."""
    organisation = _organisation(request)
    context = {
        **page.body(request, organisation),
        "latest": live.latest(request, organisation),
        "runs": live.failed_runs(request, organisation, page.asked_period(request)),
        "health": live.integrations(request, organisation),
    }
    return {"dashboard": context}


@require_GET
def body(request: HttpRequest) -> HttpResponse:
    """The figures, when they are newer than `after`; else 204, which says when to ask again if some
    are on their way. Where no worker runs, they are computed here."""
    organisation = _organisation(request)
    context = page.body(request, organisation)
    if context["version"] == request.GET.get("after") and context["pending"]:
        rows = DashboardSnapshot.objects.for_organisation(organisation).filter(
            period__in=[page.asked_period(request).key, services.STANDING]
        )
        for row in rows.select_related("organisation"):
            if services.is_neglected(row) and services.take(row):
                services.compute(row)
        context = page.body(request, organisation)
    if context["version"] == request.GET.get("after"):
        soon = {"Retry-After": str(SOON)} if context["pending"] else {}
        return HttpResponse(status=204, headers=soon)
    context["latest"] = live.latest(request, organisation)
    context["runs"] = live.failed_runs(request, organisation, page.asked_period(request))
    context["health"] = live.integrations(request, organisation)
    return render(request, "admin/desk/dashboard/body.html", {"dashboard": context})


@require_GET
def latest(request: HttpRequest) -> HttpResponse:
    """The newest activities. Two queries."""
    lines = live.latest(request, _organisation(request))
    if lines is None:
        raise Http404
    return render(request, "admin/desk/dashboard/latest.html", {"lines": lines})


def _organisation(request: HttpRequest) -> Organisation:
    organisation = organisation_of(request)
    if organisation is None:
        raise Http404
    return organisation


def _pages(admin_site: site.RegularsAdminSite) -> list[URLPattern]:
    return [
        path("dashboard/figures/", admin_site.admin_view(body), name="dashboard_body"),
        path("dashboard/latest/", admin_site.admin_view(latest), name="dashboard_latest"),
    ]


site.PAGES.append(_pages)
site.DASHBOARD.append(dashboard)
