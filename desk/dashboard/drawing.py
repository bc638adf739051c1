"""The two charts of the dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from crm import money
from desk.dashboard import charts, links, wording
from desk.dashboard.links import Span


def drawn(
    request: HttpRequest, found: Mapping[str, Any], edges: Sequence[datetime], now: Span, own: str
) -> list[dict[str, Any]]:
    """Spend and activities by bar. Of several currencies one is drawn, with links to the others."""
    spent: Mapping[str, Any] = found["money"]
    currencies = sorted(spent, key=lambda code: (code != own, code))
    currency = request.GET.get("currency", "")
    if currency not in spent:
        currency = currencies[0] if currencies else own
    money_of = spent.get(currency, {})
    colour_of = charts.colours(
        [
            {name: sum(its) for name, its in found["numbers"].items()},
            {name: sum(map(abs, its)) for name, its in spent.get(own, {}).items()},
        ]
    )
    bars = list(pairwise(edges))
    unit = found["unit"]

    def draw(values: Mapping[str, Any], value: Any, tick: Any, **narrow: Any) -> charts.Chart:
        return charts.stacked(
            values,
            colour_of,
            len(bars),
            charts.Writing(
                value=value,
                tick=tick,
                label=lambda index: _bar_name(*bars[index], unit),
                word=lambda index: _bar_word(bars[index][0], unit),
                others=_("Others"),
                bar_link=lambda index: links.activities(_span(*bars[index], unit), **narrow),
                series_link=lambda name: links.activities(now, of_type=name, **narrow),
            ),
        )

    by = {"hour": _("by hour"), "day": _("by day"), "week": _("by week")}[unit]
    spend = draw(
        money_of,
        partial(money.show, currency_code=currency),
        partial(wording.short_money, currency=currency),
        counts="money",
        currency=currency,
    )
    happened = draw(found["numbers"], wording.whole, wording.short)
    return [
        {
            "id": "spend",
            "title": _("Spend %(by)s") % {"by": by},
            "chart": spend,
            "rows": _rows(spend),
            "is_empty": not money_of,
            "empty": _("Nothing was spent in this period."),
            "currencies": [
                (code, _with(request, currency=code), code == currency) for code in currencies
            ]
            if len(currencies) > 1
            else [],
        },
        {
            "id": "activities",
            "title": _("Activities %(by)s") % {"by": by},
            "chart": happened,
            "rows": _rows(happened),
            "is_empty": not found["numbers"],
            "empty": _("Nothing happened in this period."),
            "currencies": [],
        },
    ]


def _rows(chart: charts.Chart) -> list[tuple[charts.Bar, list[str]]]:
    """The bars that have something in them, the newest first, and what each series has there."""
    lines = [
        (bar, [series.values[index] for series in chart.series])
        for index, bar in enumerate(chart.bars)
        if bar.parts
    ]
    return lines[::-1]


def _with(request: HttpRequest, **changed: str) -> str:
    query = {name: request.GET[name] for name in ("period", "from", "to") if name in request.GET}
    return f"{reverse('admin:index')}?{urlencode(query | changed)}#spend"


def _span(begin: datetime, end: datetime, unit: str) -> Span:
    if unit == "hour":
        return Span(begin, end)
    return Span(begin.date(), _last_of(end).date())


def _last_of(end: datetime) -> datetime:
    """A moment before the end, so of its last day."""
    return end - timedelta(microseconds=1)


def _bar_name(begin: datetime, end: datetime, unit: str) -> str:
    begin, end = timezone.localtime(begin), timezone.localtime(end)
    if unit == "hour":
        return f"{wording.day(begin)}, {wording.clock(begin)} – {wording.clock(end)}"
    last = _last_of(end)
    if unit == "day" or begin.date() == last.date():
        return wording.long_day(begin)
    return f"{wording.day(begin)} – {wording.long_day(last)}"


def _bar_word(begin: datetime, unit: str) -> str:
    begin = timezone.localtime(begin)
    return wording.clock(begin) if unit == "hour" else wording.day(begin)
