"""Of what a contact's totals are made, line by line: by month, type and currency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Count, Sum
from django.db.models.functions import TruncMonth

from contacts import rollups
from contacts.models import Contact

MOST = 50_000
"""As many activities are added up while somebody waits, unless they ask for all."""


class Line(NamedTuple):
    """The activities of one month, type and currency. `amount` is in its smallest unit."""

    month: date
    type: str
    currency_code: str
    amount: int
    activities: int


@dataclass(frozen=True)
class Breakdown:
    """The lines, newest month first. `since` is the first moment that they tell of, None when that
    is everything."""

    lines: Sequence[Line]
    since: datetime | None
    order_types: frozenset[str]

    @property
    def orders(self) -> int:
        """How many of the activities are orders."""
        return sum(line.activities for line in self.lines if line.type in self.order_types)

    def spend(self) -> dict[str, int]:
        """What the lines come to, by currency."""
        sums: dict[str, int] = {}
        for line in self.lines:
            sums[line.currency_code] = sums.get(line.currency_code, 0) + line.amount
        return sums


def of(contact: Contact, zone: ZoneInfo, *, everything: bool = False) -> Breakdown:
    """The contact's activities by month (in `zone`), type and currency.

    Three queries. Of a contact with more than `MOST` activities only the latest whole months with
    fewer, unless `everything` is asked for, which reads them all.
    """
    ledger = rollups.ledger()
    activities = ledger.activities().filter(contact=contact)
    since = None
    if not everything:
        newest = activities.order_by("-happened_at", "-pk").values_list("happened_at", flat=True)
        further = list(newest[MOST : MOST + 1])
        if further:
            since = _next_month(further[0], zone)
            activities = activities.filter(happened_at__gte=since)
    rows = (
        activities.annotate(month=TruncMonth("happened_at", tzinfo=zone))
        .order_by("-month", "type", "currency_code")
        .values_list("month", "type", "currency_code")
        .annotate(amount=Sum("spend"), number=Count("pk"))
    )
    return Breakdown(
        [Line(month.date(), *rest) for month, *rest in rows],
        since,
        frozenset(ledger.order_types(contact.organisation_id)),
    )


def _next_month(moment: datetime, zone: ZoneInfo) -> datetime:
    """When the month after that of the moment begins."""
    first = moment.astimezone(zone).date().replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return datetime(following.year, following.month, 1, tzinfo=zone)
