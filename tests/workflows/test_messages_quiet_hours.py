"""Marketing waits in the quiet hours of each contact's own clock."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from workflows.messages import quiet

NIGHT = quiet.parse({"from": "21:00", "to": "08:00"})
LUNCH = quiet.parse({"from": "12:00", "to": "14:00"})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("hours", "now", "zone", "until"),
    [
        (NIGHT, "2026-01-10T20:59:00+00:00", "Europe/London", None),
        (NIGHT, "2026-01-10T21:00:00+00:00", "Europe/London", "2026-01-11T08:00:00+00:00"),
        (NIGHT, "2026-01-11T07:59:59+00:00", "Europe/London", "2026-01-11T08:00:00+00:00"),
        (NIGHT, "2026-01-11T08:00:00+00:00", "Europe/London", None),
        (NIGHT, "2026-01-10T20:59:00+00:00", "Europe/Paris", "2026-01-11T07:00:00+00:00"),
        (NIGHT, "2026-01-10T12:30:00+00:00", "Asia/Tokyo", "2026-01-10T23:00:00+00:00"),
        (LUNCH, "2026-07-10T11:30:00+00:00", "Europe/London", "2026-07-10T13:00:00+00:00"),
        (LUNCH, "2026-07-10T13:00:00+00:00", "Europe/London", None),
        # The clocks go forward in this night, and back in that one: eight o'clock is eight o'clock.
        (NIGHT, "2026-03-28T22:00:00+00:00", "Europe/London", "2026-03-29T07:00:00+00:00"),
        (NIGHT, "2026-10-24T22:00:00+00:00", "Europe/London", "2026-10-25T08:00:00+00:00"),
    ],
)
def test_they_end_when_the_contacts_clock_says(
    hours: quiet.QuietHours, now: str, zone: str, until: str | None
) -> None:
    assert hours.until(at(now), zone) == (at(until) if until else None)


ZONES = st.sampled_from(
    ["Europe/London", "Asia/Tokyo", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca"]
)
CLOCKS = st.times().map(lambda one: one.replace(second=0, microsecond=0))
MOMENTS = st.integers(1_577_836_800, 2_208_988_800).map(lambda n: datetime.fromtimestamp(n, UTC))


@given(start=CLOCKS, end=CLOCKS, now=MOMENTS, zone=ZONES)
def test_they_end_later_than_now_within_about_a_day_and_are_over_then(
    start: time, end: time, now: datetime, zone: str
) -> None:
    if start == end:
        return
    hours = quiet.QuietHours(start, end)
    until = hours.until(now, zone)
    clock = now.astimezone(ZoneInfo(zone)).time()
    inside = start <= clock < end if start < end else clock >= start or clock < end
    assert (until is not None) is inside
    if until is not None:
        assert now < until <= now + timedelta(hours=26)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"from": "21:00"},
        {"from": "21:00", "to": "21:00"},
        {"from": "25:00", "to": "08:00"},
        {"from": "nine", "to": "08:00"},
        {"from": 21, "to": 8},
        {"from": "21:00", "to": "08:00", "on": "Sunday"},
        "21:00-08:00",
        True,
    ],
)
def test_what_names_no_hours_is_refused(data: object) -> None:
    with pytest.raises(ValidationError):
        quiet.parse(data)
