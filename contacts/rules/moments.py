"""When a rule is asked: the moment, and which day that is for whom."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from zoneinfo import ZoneInfo

from organisations.models import Organisation, available_timezones

AHEAD = datetime.timedelta(minutes=5)
"""So much ahead of us a source's clock may be (api.md 4): what is "within the last hour" may have
happened in five minutes."""


@dataclass(frozen=True)
class At:
    """`now`, in the calendar of `zone`, on the day `today`."""

    now: datetime.datetime
    zone: ZoneInfo
    today: datetime.date = field(default=datetime.date.min)

    @classmethod
    def of(cls, organisation: Organisation, now: datetime.datetime) -> At:
        """With the organisation's calendar and day."""
        zone = ZoneInfo(organisation.timezone)
        return cls(now, zone, now.astimezone(zone).date())

    def on(self, today: datetime.date) -> At:
        """The same moment where it is another day."""
        return replace(self, today=today)

    def for_zone(self, name: str) -> At:
        """The same moment for a contact of this time zone: it may be another day there."""
        return self.on(days(self.now).get(name, self.today)) if name else self

    def elsewhere(self) -> Mapping[datetime.date, list[str]]:
        """The zones in which it is another day than `today`, by day. At most two days."""
        other: dict[datetime.date, list[str]] = {}
        for name, day in days(self.now).items():
            if day != self.today:
                other.setdefault(day, []).append(name)
        return other


@lru_cache(maxsize=64)
def days(now: datetime.datetime) -> Mapping[str, datetime.date]:
    """Which day it is in each time zone that a contact may have."""
    found = {}
    for name in sorted(available_timezones()):
        try:
            found[name] = now.astimezone(ZoneInfo(name)).date()
        except (ValueError, OSError, LookupError):
            continue  # the machine's list has a name that it has no zone for
    return found


def month_days(today: datetime.date, last: datetime.date) -> tuple[tuple[int, int], ...]:
    """The days of the year from `today` to `last` (at most a year later), both included, as ranges
    of month × 100 + day. 29 February is kept on the 28th where there is none."""
    if (last - today).days >= 365:
        return ((101, 1231),)
    start, end = _month_day(today), _month_day(last)
    if end == 228 and not _is_leap(last.year):
        end = 229
    return ((start, end),) if start <= end else ((start, 1231), (101, end))


def _month_day(day: datetime.date) -> int:
    return day.month * 100 + day.day


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
