"""What the dashboard counts. Sets, not rows: a few statements over a period's activities.

Money is in the smallest unit of its currency, and never added across currencies. What is counted is
what the lists behind the figures show (`desk.dashboard.links`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, Expression, IntegerField, Q, Sum, Value, When

from activities.models import Activity
from activities.querysets import ActivityQuerySet
from activities.types import SILENT, Ledger
from contacts import rfm
from contacts.models import Contact, ContactRollup
from customfields.models import CustomField, CustomFieldValue
from desk.dashboard.periods import Moments, Period, moments
from organisations.models import Organisation

BEST = 5
"""So many contacts are named."""
LAPSING = ("risk", "precious")
"""The segments of RFM (`contacts.rfm`) whose contacts came often and stay away."""
_BEFORE, _BETWEEN, _FIRST_BAR = 0, 1, 2

Figures = dict[str, Any]


def of_period(organisation: Organisation, period: Period, now: datetime) -> Figures:
    """The period and the one before. Six statements; each reads the activities of both once."""
    cut = moments(period, ZoneInfo(organisation.timezone), now)
    orders = Ledger().order_types(organisation.pk)
    activities = Activity.objects.for_organisation(organisation).order_by()
    figures = _by_bar(activities, cut, orders)
    people = _people(activities, cut, orders)
    for name, its in (("now", figures["now"]), ("before", figures["before"])):
        its |= {figure: people[f"{figure}_{name}"] for figure in ("active", "buyers", "repeat")}
    figures["now"]["new"] = _new(organisation, cut.first, cut.past)
    figures["before"]["new"] = _new(organisation, cut.before_first, cut.before_past)
    return figures | {
        "first": period.first.isoformat(),
        "last": period.last.isoformat(),
        "unit": period.unit,
        "before_first": cut.before_first.isoformat(),
        "before_past": cut.before_past.isoformat(),
        "edges": [edge.isoformat() for edge in cut.edges],
        "top": _top(organisation, activities, cut),
    }


def _by_bar(activities: ActivityQuerySet, cut: Moments, orders: Collection[str]) -> Figures:
    """Numbers and money by bar, type and currency, and their sums: those of the whole period are
    the sums of its bars."""
    edges = [cut.before_first, cut.before_past, *cut.edges]
    rows = (
        activities.filter(happened_at__gte=cut.before_first, happened_at__lt=cut.past)
        .annotate(bar=_bar(edges, 0, len(edges) - 2))
        .values_list("bar", "type", "currency_code")
        .annotate(number=Count("pk"), amount=Sum("spend"))
    )
    bars = len(cut.edges) - 1
    numbers: dict[str, list[int]] = defaultdict(lambda: [0] * bars)
    money: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0] * bars))
    sums: dict[str, dict[str, Any]] = {
        name: {"activities": 0, "orders": 0, "spend": {}, "ordered": {}}
        for name in ("now", "before")
    }
    for bar, type_, currency, number, amount in rows:
        if bar == _BETWEEN:
            continue
        its = sums["before" if bar == _BEFORE else "now"]
        its["activities"] += number
        its["spend"][currency] = its["spend"].get(currency, 0) + amount
        if type_ in orders:
            its["orders"] += number
            count, total = its["ordered"].get(currency, (0, 0))
            its["ordered"][currency] = (count + number, total + amount)
        if bar >= _FIRST_BAR:
            numbers[type_][bar - _FIRST_BAR] += number
            money[currency][type_][bar - _FIRST_BAR] += amount
    spent = {
        currency: {type_: its for type_, its in by_type.items() if any(its)}
        for currency, by_type in money.items()
    }
    return {
        **sums,
        "numbers": dict(numbers),
        "money": {currency: by_type for currency, by_type in spent.items() if by_type},
    }


def _bar(edges: Sequence[datetime], low: int, high: int) -> Expression:
    """Into which of the bars `low` to `high` an activity falls: a search by halves, the same on
    every database and right on days on which clocks change."""
    if low == high:
        return Value(low, output_field=IntegerField())
    middle = (low + high + 1) // 2
    return Case(
        When(happened_at__lt=edges[middle], then=_bar(edges, low, middle - 1)),
        default=_bar(edges, middle, high),
        output_field=IntegerField(),
    )


def _people(activities: ActivityQuerySet, cut: Moments, orders: Collection[str]) -> dict[str, int]:
    """How many contacts were active, ordered, and ordered more than once; now and before."""
    spans = {
        "now": Q(happened_at__gte=cut.first),
        "before": Q(happened_at__lt=cut.before_past),
    }
    each: dict[str, Any] = {}
    counts: dict[str, Any] = {}
    for name, span in spans.items():
        each[f"acts_{name}"] = Count("pk", filter=span & ~Q(type__in=SILENT))
        each[f"orders_{name}"] = Count("pk", filter=span & Q(type__in=orders))
        counts[f"active_{name}"] = Count("contact", filter=Q(**{f"acts_{name}__gt": 0}))
        counts[f"buyers_{name}"] = Count("contact", filter=Q(**{f"orders_{name}__gt": 0}))
        counts[f"repeat_{name}"] = Count("contact", filter=Q(**{f"orders_{name}__gt": 1}))
    both = activities.filter(happened_at__gte=cut.before_first, happened_at__lt=cut.past)
    return both.values("contact").annotate(**each).aggregate(**counts)


def _new(organisation: Organisation, first: datetime, past: datetime) -> int:
    contacts = Contact.objects.for_organisation(organisation).current()
    return contacts.filter(created_at__gte=first, created_at__lt=past).count()


def _top(
    organisation: Organisation, activities: ActivityQuerySet, cut: Moments
) -> list[tuple[int, int]]:
    """Who spent the most in the organisation's own currency: contacts' ids, and how much."""
    rows = (
        activities.filter(
            happened_at__gte=cut.first,
            happened_at__lt=cut.past,
            currency_code=organisation.currency_code,
        )
        .values("contact")
        .annotate(amount=Sum("spend"))
        .filter(amount__gt=0)
        .order_by("-amount", "contact")
    )
    return list(rows.values_list("contact", "amount")[:BEST])


def standing(organisation: Organisation) -> Figures:
    """What has no period: the grid of RFM, who is about to be lost, how full custom fields are.
    Five statements."""
    totals = ContactRollup.objects.for_organisation(organisation).filter(contact__merged_into=None)
    grid = (
        totals.filter(recency__isnull=False)
        .order_by()
        .values_list("recency", "frequency")
        .annotate(number=Count("pk"), spend=Sum("total_spend"), scores=Sum("monetary"))
    )
    away = Q()
    for recency, frequency in lapsing_cells():
        away |= Q(recency=recency, frequency=frequency)
    lapsing = totals.filter(away).order_by("-total_spend", "-pk")
    fields = CustomField.objects.for_organisation(organisation).filter(archived_at=None)
    values = CustomFieldValue.objects.for_organisation(organisation).order_by()
    filled = values.filter(contact__merged_into=None, field__in=fields.values("pk"))
    return {
        "contacts": Contact.objects.for_organisation(organisation).current().count(),
        "grid": list(grid),
        "lapsing": list(lapsing.values_list("pk", flat=True)[:BEST]),
        "filled": {
            str(field): number
            for field, number in filled.values_list("field").annotate(
                number=Count("contact", distinct=True)
            )
        },
    }


def lapsing_cells() -> list[tuple[int, int]]:
    """(recency, frequency) of the contacts in `LAPSING`."""
    return sorted(cell for one in rfm.SEGMENTS if one.key in LAPSING for cell in one.cells)


MANY = 5_000
"""With more contacts, or activities in both periods, figures are the worker's to compute."""


def is_quick(organisation: Organisation, period: Period | None, now: datetime) -> bool:
    """Whether the figures can be computed while somebody waits for the page. Two queries along
    indexes that end at `MANY`."""
    contacts = Contact.objects.for_organisation(organisation).current()
    if contacts.order_by()[: MANY + 1].count() > MANY:
        return False
    if period is None:
        return True
    cut = moments(period, ZoneInfo(organisation.timezone), now)
    activities = Activity.objects.for_organisation(organisation).order_by()
    both = activities.filter(happened_at__gte=cut.before_first, happened_at__lt=cut.past)
    return both[: MANY + 1].count() <= MANY
