"""The periods that the dashboard can be asked for, and how their time is cut into bars.

Days are those of the organisation's time zone. The period before is as long as the period, and ends
where it begins; while the period's last day is not over, the one before is looked at up to the same
time of day, so that a morning is not held against a whole day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

READY = {
    "today": (1, _("Today")),
    "7": (7, _("7 days")),
    "30": (30, _("30 days")),
    "90": (90, _("90 days")),
    "365": (365, _("12 months")),
}
"""The periods that end today: their days, and what they are called."""
STANDARD = "30"
CUSTOM = "custom"
LONGEST = 731
"""Days: two years, one of them a leap year."""
_BETWEEN = "~"
_HOURS_UP_TO, _DAYS_UP_TO = 2, 62


@dataclass(frozen=True)
class Period:
    """Whole days, `last` included. `key` tells it from others in addresses and in the database."""

    key: str
    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def unit(self) -> str:
        """How long a bar is: `hour`, `day` or `week`."""
        if self.days <= _HOURS_UP_TO:
            return "hour"
        return "day" if self.days <= _DAYS_UP_TO else "week"


def read(key: str, first: str, last: str, today: date) -> Period:
    """What an address asks for; the standard period where it cannot be read.

    Of `CUSTOM` the days are `first` to `last`, in either order: none after today, and no more than
    `LONGEST`, the latest ones.
    """
    if key == CUSTOM:
        days = sorted(day for day in (_day(first), _day(last)) if day is not None)
        if len(days) == 2 and days[0] <= today:
            end = min(days[1], today)
            begin = max(days[0], end - timedelta(days=LONGEST - 1))
            return Period(f"{begin}{_BETWEEN}{end}", begin, end)
    if key not in READY:
        key = STANDARD
    return Period(key, today - timedelta(days=READY[key][0] - 1), today)


def of_key(key: str, today: date) -> Period:
    """The period of a `Period.key`, as it is today."""
    first, _between, last = key.partition(_BETWEEN)
    return read(CUSTOM if last else key, first, last, today)


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class Moments:
    """Where a period and the one before begin and end; the ends are the first moments too late."""

    before_first: datetime
    before_past: datetime
    edges: tuple[datetime, ...]
    """Where each bar begins, and the end of the last."""

    @property
    def first(self) -> datetime:
        return self.edges[0]

    @property
    def past(self) -> datetime:
        return self.edges[-1]


def moments(period: Period, zone: tzinfo, now: datetime) -> Moments:
    """The period in time."""
    past = start_of(period.last + timedelta(days=1), zone)
    before = timedelta(days=period.days)
    first = start_of(period.first, zone)
    here = now.astimezone(zone)
    # By the clock on the wall: a day on which clocks change is as long as any other.
    so_far = (here.replace(tzinfo=None) - before).replace(tzinfo=zone)
    return Moments(
        before_first=start_of(period.first - before, zone),
        before_past=so_far if now < past else first,
        edges=tuple(_edges(period, zone, past)),
    )


def _edges(period: Period, zone: tzinfo, past: datetime) -> Iterator[datetime]:
    if period.unit == "hour":
        step = timedelta(hours=1)
        moment = start_of(period.first, zone).astimezone(ZoneInfo("UTC"))
        while moment < past:
            yield moment.astimezone(zone)
            moment += step
    else:
        for index in range(period.days):
            day = period.first + timedelta(days=index)
            if period.unit == "day" or not index or not day.weekday():
                yield start_of(day, zone)
    yield past


def start_of(day: date, zone: tzinfo) -> datetime:
    """Its first moment there."""
    return datetime.combine(day, time.min, zone)
