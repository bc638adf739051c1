"""What the dashboard reads anew each time: what just happened, and what is in trouble.

Each is a query along an index that ends after a page.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db.models import Prefetch
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from activities.admin import amount_of
from activities.models import Activity
from contacts.models import Contact
from desk.dashboard import links, periods, wording
from desk.dashboard.links import Span
from desk.dashboard.periods import Period
from integrations.models import Connection, Delivery
from integrations.outgoing.models import WebhookEndpoint
from integrations.sources import SOURCES
from organisations.models import Organisation
from workflows.models import Run, Workflow

LATEST = 10
MANY = 1_000
"""So many of what is in trouble are counted."""
CONNECTIONS = 20
"""As many are shown."""
SINCE = timedelta(days=7)
"""How far back deliveries are looked at."""

_CONTACT = Prefetch("contact", Contact.objects.across_organisations().defer("search_text"))


def latest(request: HttpRequest, organisation: Organisation) -> list[tuple[Activity, Any]] | None:
    """The newest activities and their amounts; None for who may not see any. Two queries."""
    if not request.user.has_perm("activities.view_activity"):
        return None
    activities = Activity.objects.for_organisation(organisation).order_by("-happened_at", "-id")
    rows = activities.filter(happened_at__lte=timezone.now()).prefetch_related(_CONTACT)[:LATEST]
    return [(activity, amount_of(activity.spend, activity.currency_code)) for activity in rows]


class Trouble(NamedTuple):
    """Something that went wrong so many times, and the list of it."""

    text: str
    href: str


def failed_runs(request: HttpRequest, organisation: Organisation, period: Period) -> Trouble | None:
    """The runs of workflows that failed, of those started in the period; None for who may not see
    them. One query; without text when there are none."""
    if not request.user.has_perm("workflows.view_run"):
        return None
    now = timezone.now()
    cut = periods.moments(period, timezone.get_current_timezone(), now)
    # The index by status is each workflow's.
    workflows = Workflow.objects.for_organisation(organisation).order_by()
    failed = Run.objects.for_organisation(organisation).filter(
        status=Run.Status.FAILED,
        workflow__in=workflows.values("pk"),
        created_at__gte=cut.first,
        created_at__lt=cut.past,
    )
    number = failed.order_by()[: MANY + 1].count()
    said = ngettext("%(number)s run failed", "%(number)s runs failed", number)
    href = links.failed_runs(Span(period.first, period.last))
    return Trouble(said % {"number": up_to(number)} if number else "", href)


def up_to(number: int) -> str:
    """`1,000+` for what was not counted to its end."""
    return f"{wording.whole(MANY)}+" if number > MANY else wording.whole(number)


@dataclass(frozen=True)
class Health:
    """How a connection does: `fine`, `idle` or `bad`, and why."""

    name: str
    source: str
    href: str
    state: str
    text: str
    troubles: list[Trouble]


def integrations(request: HttpRequest, organisation: Organisation) -> list[Health] | None:
    """The connections and webhooks, those in trouble first; None for who may not see them. Three
    queries."""
    may = request.user.has_perm
    if not may("integrations.view_connection"):
        return None
    found = _connections(organisation, may("integrations.view_delivery"))
    if may("integrations.view_webhookendpoint"):
        found += _webhooks(organisation)
    order = {"bad": 0, "idle": 1, "fine": 2}
    return sorted(found, key=lambda one: (order[one.state], one.name.casefold()))


def _connections(organisation: Organisation, may_see_deliveries: bool) -> list[Health]:
    rows = Connection.objects.for_organisation(organisation).order_by("name", "pk")[:CONNECTIONS]
    since = timezone.localdate() - SINCE
    failed: Counter[tuple[int, str]] = Counter()
    if may_see_deliveries:
        first = periods.start_of(since, timezone.get_current_timezone())
        statuses = [Delivery.Status.FAILED, Delivery.Status.REFUSED]
        deliveries = Delivery.objects.for_organisation(organisation).filter(
            status__in=statuses, received_at__gte=first
        )
        failed.update(deliveries.order_by().values_list("connection", "status")[:MANY])
    return [_health(row, failed, since) for row in rows]


def _health(row: Connection, failed: Counter[tuple[int, str]], since: date) -> Health:
    troubles = []
    for status, text in (
        (Delivery.Status.FAILED, _("%(number)s failed")),
        (Delivery.Status.REFUSED, _("%(number)s refused")),
    ):
        if number := failed[row.pk, status]:
            said = text % {"number": wording.whole(number)}
            troubles.append(Trouble(said, links.deliveries(row.pk, status, since)))
    state, text = "fine", _("Works")
    if row.status != Connection.Status.ACTIVE:
        state = "bad" if row.status == Connection.Status.DISABLED else "idle"
        text = row.status_reason or str(row.get_status_display())
    elif row.poll_error:
        state, text = "bad", row.poll_error
    elif troubles:
        state, text = "bad", _("In the last 7 days:")
    source = SOURCES.get(row.source)
    return Health(
        name=row.name,
        source=str(source.label) if source else row.source,
        href=reverse("admin:integrations_connection_change", args=[row.pk]),
        state=state,
        text=text,
        troubles=troubles,
    )


def _webhooks(organisation: Organisation) -> list[Health]:
    """Those that are not told anything any more."""
    rows = WebhookEndpoint.objects.for_organisation(organisation).exclude(
        status=WebhookEndpoint.Status.ACTIVE
    )
    return [
        Health(
            name=row.url,
            source=_("Webhook"),
            href=reverse("admin:integrations_webhookendpoint_change", args=[row.pk]),
            state="bad" if row.status == WebhookEndpoint.Status.DISABLED else "idle",
            text=str(row.get_status_display()),
            troubles=[],
        )
        for row in rows.order_by("pk")[:CONNECTIONS]
    ]
