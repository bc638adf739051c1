"""On which day things happen: seasons and weekends over the two years up to a day.

A day is chosen with one number of the seeded random, by how busy each day is. So the same guests
do the same things for the same money whatever the last day is; only the dates differ.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import accumulate
from random import Random
from zoneinfo import ZoneInfo

LENGTH = 730
"""Days that the demo's history goes back."""


class Calendar:
    """The days from `LENGTH` before `last` up to `last`, each as busy as its month and weekday."""

    def __init__(self, last: date, months: Sequence[float], week: Sequence[float]) -> None:
        self.last = last
        self.first = last - timedelta(days=LENGTH)
        days = [self.first + timedelta(days=offset) for offset in range(LENGTH)]
        self._busy = list(accumulate(months[day.month - 1] * week[day.weekday()] for day in days))

    def day(self, random: Random, *, spare: int = 0, since: date | None = None) -> date:
        """A day, at least `spare` days before the last, and not before `since`."""
        start = self._busy[(since - self.first).days] if since else 0.0
        end = self._busy[LENGTH - 1 - spare]
        if start >= end:
            random.random()
            return self.last - timedelta(days=spare)
        return self.first + timedelta(days=bisect(self._busy, random.uniform(start, end)))

    def days(
        self, random: Random, count: int, *, spare: int = 0, since: date | None = None
    ) -> list[date]:
        """So many days, in their order; a busy one may come twice."""
        return sorted(self.day(random, spare=spare, since=since) for _ in range(count))


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def at(day: date, hour: int, minute: int = 0, zone: str = "Europe/London") -> datetime:
    """A moment by the clock on the wall, as UTC."""
    return datetime.combine(day, time(hour, minute), _zone(zone)).astimezone(UTC)
