"""ISO 8601 durations: `P90D`, `P1M`, `P1Y6M`, `PT12H`, `P2W`."""

from __future__ import annotations

import calendar
import datetime
import re
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

LONGEST_YEARS = 100
_WRITTEN = re.compile(
    r"P(?:(\d{1,6})Y)?(?:(\d{1,6})M)?(?:(\d{1,6})W)?(?:(\d{1,6})D)?"
    r"(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Duration:
    """Months and days by the calendar, the rest by the clock.

    A month after 31 January is the last day of February. A day is from one wall clock time to the
    same on another day, whatever daylight saving does in between.
    """

    months: int = 0
    days: int = 0
    seconds: int = 0

    @property
    def whole_days(self) -> bool:
        """Whether it has no hours, minutes or seconds."""
        return self.seconds == 0

    def before(self, moment: datetime.datetime, zone: ZoneInfo) -> datetime.datetime:
        """The moment this long before `moment`, by the calendar of `zone`, in UTC."""
        return self._moved(moment, zone, -1)

    def after(self, moment: datetime.datetime, zone: ZoneInfo) -> datetime.datetime:
        """The moment this long after `moment`, by the calendar of `zone`, in UTC."""
        return self._moved(moment, zone, 1)

    def day_before(self, day: datetime.date) -> datetime.date:
        """The day this long before `day`; hours do not count."""
        return _add_days(_add_months(day, -self.months), -self.days)

    def day_after(self, day: datetime.date) -> datetime.date:
        """The day this long after `day`; hours do not count."""
        return _add_days(_add_months(day, self.months), self.days)

    def _moved(self, moment: datetime.datetime, zone: ZoneInfo, sign: int) -> datetime.datetime:
        moved = moment.astimezone(datetime.UTC)
        if self.months or self.days:
            local = moment.astimezone(zone)
            day = self.day_after(local.date()) if sign > 0 else self.day_before(local.date())
            there = datetime.datetime.combine(day, local.time(), zone)
            moved = there.replace(fold=local.fold).astimezone(datetime.UTC)
        return moved + datetime.timedelta(seconds=sign * self.seconds)


def parse(given: Any) -> Duration:
    """Raises ValidationError that says what was expected."""
    found = _WRITTEN.fullmatch(given.strip()) if isinstance(given, str) else None
    if found is None or not any(found.groups()) or given.strip().endswith("T"):
        raise ValidationError(
            _("Give a duration such as P90D, P3M, P1Y or PT12H."), code="invalid_duration"
        )
    years, months, weeks, days, hours, minutes, seconds = (
        int(part or 0) for part in found.groups()
    )
    duration = Duration(
        months=years * 12 + months,
        days=weeks * 7 + days,
        seconds=hours * 3600 + minutes * 60 + seconds,
    )
    length = duration.months / 12 * 366 + duration.days + duration.seconds / 86_400
    if length > LONGEST_YEARS * 366:
        raise ValidationError(
            _("A duration has at most %(years)d years."),
            code="too_long",
            params={"years": LONGEST_YEARS},
        )
    return duration


def _add_months(day: datetime.date, months: int) -> datetime.date:
    if not months:
        return day
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return day.replace(
        year=year, month=month + 1, day=min(day.day, calendar.monthrange(year, month + 1)[1])
    )


def _add_days(day: datetime.date, days: int) -> datetime.date:
    return day + datetime.timedelta(days=days)
