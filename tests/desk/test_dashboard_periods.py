"""The time that the dashboard looks at."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from desk.dashboard import periods

TODAY = date(2026, 11, 25)
LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize(
    ("key", "first", "last", "expected"),
    [
        ("30", "", "", ("30", date(2026, 10, 27), TODAY)),
        ("today", "", "", ("today", TODAY, TODAY)),
        ("365", "", "", ("365", date(2025, 11, 26), TODAY)),
        ("nonsense", "", "", ("30", date(2026, 10, 27), TODAY)),
        (
            "custom",
            "2026-01-31",
            "2026-01-01",
            ("2026-01-01~2026-01-31", date(2026, 1, 1), date(2026, 1, 31)),
        ),
        (
            "custom",
            "2026-11-20",
            "2030-01-01",
            ("2026-11-20~2026-11-25", date(2026, 11, 20), TODAY),
        ),
        (
            "custom",
            "1999-01-01",
            "2026-01-01",
            ("2024-01-02~2026-01-01", date(2024, 1, 2), date(2026, 1, 1)),
        ),
        ("custom", "2027-01-01", "2027-02-01", ("30", date(2026, 10, 27), TODAY)),
        ("custom", "2026-02-31", "x", ("30", date(2026, 10, 27), TODAY)),
    ],
)
def test_what_an_address_asks_for(
    key: str, first: str, last: str, expected: tuple[str, date, date]
) -> None:
    period = periods.read(key, first, last, TODAY)
    assert (period.key, period.first, period.last) == expected
    assert periods.of_key(period.key, TODAY) == period


@pytest.mark.parametrize(
    ("key", "now"),
    [
        pytest.param(key, now, id=f"{key} {now:%m-%d %H}")
        for key in ("today", "7", "30", "365")
        for now in (
            datetime(2026, 11, 25, 0, 0, tzinfo=UTC),
            datetime(2026, 11, 25, 14, 2, tzinfo=UTC),
            datetime(2026, 10, 25, 12, 0, tzinfo=UTC),  # the day the clocks go back
            datetime(2026, 3, 29, 1, 30, tzinfo=UTC),  # and forward
        )
    ],
)
def test_both_periods_are_of_the_same_length_by_the_clock(key: str, now: datetime) -> None:
    today = now.astimezone(LONDON).date()
    period = periods.read(key, "", "", today)
    cut = periods.moments(period, LONDON, now)

    def wall(moment: datetime) -> datetime:
        return moment.astimezone(LONDON).replace(tzinfo=None)

    assert wall(cut.before_first) == wall(cut.first) - timedelta(days=period.days)
    so_far = wall(now) - wall(cut.first)
    assert wall(cut.before_past) - wall(cut.before_first) == so_far
    assert cut.before_past <= cut.first


def test_a_period_that_is_over_is_compared_with_all_of_the_one_before() -> None:
    period = periods.read("custom", "2026-10-01", "2026-10-10", TODAY)
    cut = periods.moments(period, LONDON, datetime(2026, 11, 25, 9, tzinfo=UTC))
    assert cut.before_past == cut.first == datetime(2026, 9, 30, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "last", "unit", "bars"),
    [
        ("2026-10-25", "2026-10-25", "hour", 25),
        ("2026-03-29", "2026-03-29", "hour", 23),
        ("2026-11-01", "2026-11-25", "day", 25),
        ("2026-08-01", "2026-11-25", "week", 18),
    ],
)
def test_bars_fill_the_period(first: str, last: str, unit: str, bars: int) -> None:
    period = periods.read("custom", first, last, TODAY)
    cut = periods.moments(period, LONDON, datetime(2026, 11, 25, 9, tzinfo=UTC))
    moments = [edge.astimezone(UTC) for edge in cut.edges]
    assert period.unit == unit
    assert len(moments) == bars + 1
    assert moments == sorted(set(moments))
    if unit == "week":
        assert {edge.weekday() for edge in cut.edges[1:-1]} == {0}
