"""Why a contact's totals are what they are, line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from contacts import breakdown, rollups
from contacts.breakdown import Breakdown, Line
from contacts.models import Contact
from crm import money

if TYPE_CHECKING:
    from contacts.admin.contacts import ContactAdmin


class Row(NamedTuple):
    """A line of the page: some activities, and what they come to."""

    label: str
    amounts: Sequence[str]
    orders: int
    activities: int | None
    """None: they were not counted."""
    url: str = ""
    """The list of these."""
    counts: bool = False
    """Whether they are orders."""


def page(screen: ContactAdmin, request: HttpRequest, contact: Contact) -> HttpResponse:
    """The totals, and the activities that make them up. With `all=yes` however many there are."""
    everything = request.GET.get("all") == "yes"
    zone = ZoneInfo(contact.organisation.timezone)
    found = breakdown.of(contact, zone, everything=everything)
    links = _Links(contact, found, request.user.has_perm("activities.view_activity"))
    own = contact.organisation.currency_code
    return TemplateResponse(
        request,
        "admin/contacts/explanation.html",
        {
            **screen.admin_site.each_context(request),
            "opts": screen.opts,
            "original": contact,
            "title": _("Why these totals? %(name)s") % {"name": contact},
            "back": screen.url("change", contact.pk),
            "checks": explained(contact) if found.since is None else [],
            "by_type": sorted(
                _by(found, own, lambda line: line.type, links.of_type),
                key=lambda row: (not row.counts, not row.amounts, row.label),
            ),
            "by_month": _by(found, own, lambda line: line.month, links.of_month),
            "rest": _rest(contact, found, own),
            "since": found.since,
            "most": breakdown.MOST,
            "all_url": f"{screen.url('explain', contact.pk)}?all=yes",
            "order_types": sorted(found.order_types),
        },
    )


class _Links:
    """Into the list of activities, of this contact alone."""

    def __init__(self, contact: Contact, found: Breakdown, allowed: bool) -> None:
        self.contact, self.allowed = contact, allowed
        self.since = found.since.date() if found.since is not None else None

    def _list(self, **query: Any) -> str:
        if not self.allowed:
            return ""
        if self.since is not None:
            query = {"happened_from": self.since, **query}
        address = reverse("admin:activities_activity_changelist")
        return f"{address}?{urlencode({'contact': self.contact.pk, **query})}"

    def of_type(self, type_: str) -> tuple[str, str]:
        return type_, self._list(of_type=type_)

    def of_month(self, month: date) -> tuple[str, str]:
        last = (month + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        label = date_format(month, "YEAR_MONTH_FORMAT")
        return label, self._list(happened_from=month, happened_to=last)


def _by(
    found: Breakdown,
    own: str,
    key: Callable[[Line], Any],
    told: Callable[[Any], tuple[str, str]],
) -> list[Row]:
    """The lines summed up by `key`, in the order in which those come."""
    groups: dict[Any, list[Line]] = {}
    for line in found.lines:
        groups.setdefault(key(line), []).append(line)
    rows = []
    for one, lines in groups.items():
        label, url = told(one)
        part = Breakdown(lines, None, found.order_types)
        rows.append(
            Row(
                label,
                _amounts(part.spend(), own),
                part.orders,
                sum(line.activities for line in lines),
                url,
                all(line.type in found.order_types for line in lines),
            )
        )
    return rows


def _amounts(spend: Mapping[str, int], own: str) -> list[str]:
    """Each currency on its own, the organisation's first; without those of nothing."""
    codes: Iterable[str] = sorted(spend, key=lambda code: (code != own, code))
    return [money.show(spend[code], code) for code in codes if spend[code]]


def _rest(contact: Contact, found: Breakdown, own: str) -> Row | None:
    """What the totals hold beyond the lines: of the activities that were not added up."""
    if found.since is None:
        return None
    stored = {own: contact.rollup.total_spend}
    stored |= dict(contact.foreign_spend.values_list("currency_code", "amount"))
    shown = found.spend()
    spend = {code: stored.get(code, 0) - shown.get(code, 0) for code in stored.keys() | shown}
    return Row(
        _("Before %(month)s") % {"month": date_format(found.since, "YEAR_MONTH_FORMAT")},
        _amounts(spend, own),
        contact.rollup.total_orders - found.orders,
        None,
    )


def _money(amount: int, *, currency_code: str) -> str:
    return money.show(amount, currency_code)


def explained(contact: Contact) -> list[Mapping[str, Any]]:
    """The totals, stored and added up again, and of how many activities each is made."""
    explanation = rollups.explain(contact)
    lines: list[Mapping[str, Any]] = []

    def add(label: str, total: Any, show: Callable[[Any], Any]) -> None:
        lines.append(
            {
                "label": label,
                "stored": show(total.stored),
                "recomputed": show(total.recomputed),
                "activities": total.activities,
                "right": total.stored == total.recomputed,
            }
        )

    own = contact.organisation.currency_code
    add(_("Total spend"), explanation.total_spend, partial(_money, currency_code=own))
    for currency, total in explanation.spend_by_currency.items():
        if currency != own:
            add(
                _("Spend in %(currency)s") % {"currency": currency},
                total,
                partial(_money, currency_code=currency),
            )
    add(_("Orders"), explanation.total_orders, str)
    add(_("Last interaction"), explanation.last_interacted_at, lambda moment: moment)
    add(_("Last order"), explanation.last_order_at, lambda moment: moment)
    return lines
