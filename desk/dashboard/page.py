"""The dashboard as its templates want it: what a member of staff may see, in words, with links.

Snapshots have numbers and ids; what people and fields are called is read when it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date

from contacts.models import Contact
from crm import money
from customfields.models import CustomField
from desk.dashboard import drawing, grid, links, periods, services, wording
from desk.dashboard.links import Span
from desk.dashboard.models import DashboardSnapshot
from desk.dashboard.periods import Period
from desk.dashboard.tiles import Spans, Tile, of_activities, of_people
from organisations.models import Organisation

FIELDS = 12
"""As many custom fields are shown."""


def asked_period(request: HttpRequest) -> Period:
    """The period that the address asks for."""
    given = request.GET
    key, first, last = (given.get(name, "") for name in ("period", "from", "to"))
    return periods.read(key or periods.STANDARD, first, last, timezone.localdate())


def body(request: HttpRequest, organisation: Organisation) -> dict[str, Any]:
    """All of the page that comes from snapshots. One query for them, one for the names of contacts
    and one for custom fields; more only when figures are computed now."""
    period = asked_period(request)
    found = services.look(organisation, [period.key, services.STANDING])
    of_period, standing = found[period.key], found[services.STANDING]
    rows = (of_period, standing)
    moments = [row.computed_at for row in rows if row.computed_at is not None]
    context: dict[str, Any] = {
        "chooser": _chooser(period),
        "version": version(rows),
        "pending": any(row.due_at is not None for row in rows),
        "as_of": min(moments) if moments else None,
        "poll": f"{reverse('admin:dashboard_body')}?{address_of(period)}",
    }
    may = request.user.has_perm
    named = _named(organisation, rows) if may("contacts.view_contact") else {}
    if of_period.figures is not None:
        context |= _of_period(request, organisation, of_period.figures, named)
    if standing.figures is not None:
        context |= _standing(request, organisation, standing.figures, named)
    return context


def version(rows: Sequence[DashboardSnapshot]) -> str:
    """Tells these snapshots from newer ones."""
    return "~".join(row.computed_at.isoformat() if row.computed_at else "" for row in rows)


def address_of(period: Period) -> str:
    """The period in an address, behind the question mark."""
    if period.key in periods.READY:
        return urlencode({"period": period.key})
    return urlencode({"period": periods.CUSTOM, "from": period.first, "to": period.last})


def _chooser(period: Period) -> dict[str, Any]:
    return {
        "ready": [
            (f"?period={key}", label, key == period.key)
            for key, (_days, label) in periods.READY.items()
        ],
        "is_custom": period.key not in periods.READY,
        "first": period.first.isoformat(),
        "last": period.last.isoformat(),
        "today": timezone.localdate().isoformat(),
        "longest": periods.LONGEST,
    }


def _named(organisation: Organisation, rows: Sequence[DashboardSnapshot]) -> dict[int, Contact]:
    """The contacts that snapshots name, with their totals. Those that are gone are left out."""
    ids = {
        pk
        for row in rows
        if row.figures is not None
        for pk in (
            *row.figures.get("lapsing", ()),
            *(pk for pk, _sum in row.figures.get("top", ())),
        )
    }
    contacts = Contact.objects.for_organisation(organisation).current().filter(pk__in=ids)
    return {
        contact.pk: contact for contact in contacts.select_related("rollup").defer("search_text")
    }


# What a period has


def _of_period(
    request: HttpRequest,
    organisation: Organisation,
    found: Mapping[str, Any],
    named: Mapping[int, Contact],
) -> dict[str, Any]:
    may = request.user.has_perm
    first, last = parse_date(found["first"]), parse_date(found["last"])
    assert first is not None
    assert last is not None
    now = Span(first, last)
    before_past = _moment(found["before_past"])
    spans = Spans(now, Span(_moment(found["before_first"]), before_past))
    own = organisation.currency_code
    edges = [_moment(edge) for edge in found["edges"]]
    context: dict[str, Any] = {
        "days": _days(first, last),
        "days_before": _days(_moment(found["before_first"]), before_past),
        "is_cut": before_past != edges[0],
        "span": now,
    }
    tiles: list[Tile] = []
    if may("contacts.view_contact"):
        tiles += of_people(found, spans)
        context["top"] = [
            (
                named[pk],
                money.show(amount, own),
                links.money(now, own, contact=pk),
            )
            for pk, amount in found["top"]
            if pk in named
        ]
    if may("activities.view_activity"):
        tiles += of_activities(found, spans, own, with_people=bool(tiles))
        context["charts"] = drawing.drawn(request, found, edges, now, own)
    return {**context, "tiles": tiles}


def _moment(text: str) -> datetime:
    return timezone.localtime(datetime.fromisoformat(text))


def _days(first: Any, last: Any) -> str:
    if first == last:
        return wording.long_day(first)
    return f"{wording.long_day(first)} – {wording.long_day(last)}"


# What has no period


def _standing(
    request: HttpRequest,
    organisation: Organisation,
    found: Mapping[str, Any],
    named: Mapping[int, Contact],
) -> dict[str, Any]:
    may = request.user.has_perm
    context: dict[str, Any] = {"is_new": not found["contacts"]}
    if may("contacts.view_contact"):
        context["heat"] = grid.heat(found, organisation.currency_code)
        context["lapsing"] = [
            (
                named[pk],
                named[pk].rollup.last_order_at,
                money.show(named[pk].rollup.total_spend, organisation.currency_code),
            )
            for pk in found["lapsing"]
            if pk in named
        ]
    if may("contacts.view_contact") and may("customfields.view_customfield"):
        context["fields"] = _fields(organisation, found)
    return context


def _fields(organisation: Organisation, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How full the custom fields are, in their order. One query."""
    everybody = found["contacts"]
    rows = CustomField.objects.for_organisation(organisation).active()
    shown = []
    for field in rows.order_by("position", "pk")[:FIELDS]:
        number = min(found["filled"].get(str(field.pk), 0), everybody)
        share = number / everybody if everybody else 0.0
        shown.append(
            {
                "label": field.label,
                "percent": wording.percent(share),
                "width": round(100 * share, 1),
                "has": wording.whole(number),
                "has_href": links.contacts(has=field.name),
                "lacks": wording.whole(everybody - number),
                "lacks_href": links.contacts(has_not=field.name),
            }
        )
    return shown
