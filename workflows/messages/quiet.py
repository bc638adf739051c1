"""Quiet hours: when marketing messages wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` to `end` of the clock, past midnight when `end` is the earlier one."""

    start: time
    end: time

    def until(self, now: datetime, zone: str) -> datetime | None:
        """When they end for somebody in this time zone; None when it is not quiet there now.

        In the night in which clocks change, they end when the clock shows `end` or has passed it.
        """
        local = now.astimezone(ZoneInfo(zone))
        clock = local.time().replace(tzinfo=None)
        if self.start < self.end:
            quiet, days = self.start <= clock < self.end, 0
        else:
            quiet = clock >= self.start or clock < self.end
            days = 1 if clock >= self.start else 0
        if not quiet:
            return None
        ends = datetime.combine(local.date() + timedelta(days), self.end, local.tzinfo)
        if ends.astimezone(UTC) <= now:  # the clock was put back past `end`, and shows it again
            ends = ends.replace(fold=1)
        return ends.astimezone(UTC)


def parse(data: Any) -> QuietHours:
    """`{"from": "21:00", "to": "08:00"}`. Raises ValidationError."""
    if not isinstance(data, Mapping) or set(data) != {"from", "to"}:
        raise ValidationError(
            _('Give both ends, such as {"from": "21:00", "to": "08:00"}.'), code="invalid"
        )
    start, end = (_clock(data[name]) for name in ("from", "to"))
    if start == end:
        raise ValidationError(_("This ends when it begins."), code="same")
    return QuietHours(start, end)


def _clock(given: Any) -> time:
    try:
        if not isinstance(given, str) or len(given) not in (5, 8):
            raise ValueError
        clock = time.fromisoformat(given)
    except ValueError:
        raise ValidationError(_("Give a time of day such as 21:00."), code="invalid_time") from None
    return clock
