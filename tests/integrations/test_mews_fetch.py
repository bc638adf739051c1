"""Asking Mews for what happened: window by window, page by page, within its limits."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from werkzeug import Response

from integrations import polling
from integrations.client import Pace
from integrations.mews import Mews as Source
from integrations.sources.base import NotUnderstood
from tests.integrations import mews
from tests.integrations.mews import Mews, customer, item, payment, processed, reservation

pytestmark = pytest.mark.django_db

SINCE = datetime(2023, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits; how long they would have."""
    slept: list[float] = []
    monkeypatch.setattr("integrations.client.time.sleep", slept.append)
    return slept


def sync(hotel: Mews, since: datetime = SINCE) -> list[str]:
    """Fetch all since then; answers what could not be written."""
    return [text for page in polling.sync(hotel.connection, since) for text in page.problems]


def windows(hotel: Mews, path: str) -> list[tuple[datetime, datetime]]:
    """The times that were asked for, each once."""
    told = [body.get("UpdatedUtc") for asked, body in hotel.asked if asked == path]
    spelt = dict.fromkeys((one["StartUtc"], one["EndUtc"]) for one in told if one)
    return [(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in spelt]


def spread(hotel: Mews, count: int) -> None:
    """So many stays, each of somebody else, a month apart."""
    hotel.rows = {"Customers": [], "Reservations": [], "OrderItems": [], "Payments": []}
    for number in range(count):
        updated = (SINCE + timedelta(days=30 * number + 1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        hotel.rows["Customers"].append(
            customer(Id=f"c{number}", Email=f"{number}@example.com", Phone=None, UpdatedUtc=updated)
        )
        hotel.rows["Reservations"].append(
            processed(Id=f"r{number}", AccountId=f"c{number}", UpdatedUtc=updated)
        )
        hotel.rows["OrderItems"].append(
            {**item(10), "Id": f"i{number}", "ServiceOrderId": f"r{number}", "UpdatedUtc": updated}
        )


# History


def test_what_happened_before_is_fetched_as_history(hotel: Mews) -> None:
    spread(hotel, 12)
    assert sync(hotel) == []

    assert hotel.contacts().count() == 12
    stays = hotel.activities().filter(type="Checked out")
    assert [stay.spend for stay in stays] == [1000] * 12
    assert all(activity.backfill for activity in hotel.activities())
    assert hotel.connection.cursor == {}


def test_a_long_time_is_asked_for_in_windows_without_gaps(hotel: Mews) -> None:
    sync(hotel)

    for path in ("customers/getAll", "reservations/getAll/2023-06-06", "orderItems/getAll"):
        found = windows(hotel, path)
        assert found[0][0] == SINCE
        assert all(end - start <= timedelta(days=89) for start, end in found)
        assert all(before[1] == after[0] for before, after in itertools.pairwise(found))
        assert timezone.now() - found[-1][1] < timedelta(minutes=1)


def test_pages_are_followed_until_there_is_no_cursor(hotel: Mews) -> None:
    hotel.count = 2
    spread(hotel, 5)
    for rows in hotel.rows.values():
        for row in rows:
            row["UpdatedUtc"] = "2023-01-05T00:00:00Z"
    sync(hotel)

    assert hotel.contacts().count() == 5
    assert hotel.activities().filter(type="Checked out", spend=1000).count() == 5


def test_a_row_that_cannot_be_written_holds_up_no_other(hotel: Mews) -> None:
    spread(hotel, 3)
    hotel.rows["OrderItems"][1]["Amount"] = mews.amount(10**15)
    problems = sync(hotel)

    assert len(problems) >= 1
    assert hotel.contacts().count() == 3
    assert hotel.activities().filter(type="Checked out").count() == 2


def test_a_fetch_that_was_cut_off_goes_on_where_it_stopped(hotel: Mews) -> None:
    spread(hotel, 12)
    pages = polling.sync(hotel.connection, SINCE)
    for _ in range(7):
        next(pages)
    del pages
    known = hotel.contacts().count()
    hotel.asked.clear()

    assert sync(hotel) == []

    assert 0 < known < hotel.contacts().count() == 12
    assert windows(hotel, "reservations/getAll/2023-06-06")[0][0] > SINCE
    assert hotel.activities().filter(type="Checked out", spend=1000).count() == 12


def test_the_command_says_what_it_fetched(hotel: Mews, capsys: pytest.CaptureFixture[str]) -> None:
    spread(hotel, 2)
    call_command("sync_source", str(hotel.connection.pk), "--since", "2023-01-01")

    assert "6 rows fetched, 0 could not be written" in capsys.readouterr().out


# Reconciliation


def recent(**ago: int) -> str:
    return (timezone.now() - timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_poll_finds_what_no_webhook_told(hotel: Mews) -> None:
    hotel.rows["Reservations"] = [reservation(UpdatedUtc=recent(minutes=30))]
    polling.poll(hotel.connection)

    (activity,) = hotel.activities()
    assert (activity.type, activity.backfill) == ("Booking", False)
    assert hotel.contacts().get().email_address == "j.smith@example.com"

    hotel.asked.clear()
    polling.poll(hotel.connection)
    (window, *_none) = windows(hotel, "customers/getAll")
    assert window[1] - window[0] < timedelta(hours=2)


def test_a_poll_finds_what_was_put_on_a_bill(hotel: Mews) -> None:
    """It touches neither the reservation, nor does Mews call for it."""
    hotel.is_now(processed())
    hotel.rows["OrderItems"].append(item(20, UpdatedUtc=recent(minutes=10)))
    polling.poll(hotel.connection)
    assert hotel.spends()["Checked out"] == 21346

    hotel.asked.clear()
    polling.poll(hotel.connection)
    assert "reservations/getAll/2023-06-06" in hotel.paths()
    assert all("ReservationIds" not in body for _path, body in hotel.asked), "it is known"


def test_a_poll_finds_payments_where_they_count(hotel: Mews) -> None:
    hotel.choose(spend="paid")
    hotel.is_now(reservation())
    hotel.rows["Payments"] = [payment(-75, UpdatedUtc=recent(minutes=10))]
    polling.poll(hotel.connection)

    assert hotel.spends() == {"Booking": 7500}


def test_a_poll_that_was_cut_off_misses_nothing_of_what_came_meanwhile(hotel: Mews) -> None:
    spread(hotel, 2)
    for rows in hotel.rows.values():
        for row in rows:
            row["UpdatedUtc"] = recent(minutes=30)
    pages = iter(Source().fetch(hotel.connection, timezone.now() - timedelta(hours=1), {}))
    cursor = next(pages).cursor
    assert cursor["feed"] == "customers"

    late = customer(Id="late", Email="late@example.com", Phone=None, UpdatedUtc=recent(seconds=0))
    hotel.rows["Customers"].append(late)
    later = timezone.now() + timedelta(seconds=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("integrations.mews.hotel.timezone.now", lambda: later)
        rest = list(Source().fetch(hotel.connection, timezone.now(), cursor))

    told = [str(change) for page in rest for change in page.changes]
    assert any("late@example.com" in one for one in told)


# Limits and faults


def http_date(seconds: int) -> str:
    return format_datetime(timezone.now() + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("told", [str, http_date], ids=["seconds", "date"])
def test_a_short_wait_is_waited_for(hotel: Mews, impatient: list[float], told: Any) -> None:
    hotel.faults = [mews.busy(told(4))]
    sync(hotel)

    assert hotel.contacts().count() == 1
    assert [0 <= pause <= 4 for pause in impatient] == [True]


def test_a_long_wait_ends_a_sync_that_goes_on_later(hotel: Mews) -> None:
    hotel.faults = [mews.busy("120")]
    with pytest.raises(CommandError, match="429"):
        call_command("sync_source", str(hotel.connection.pk), "--since", "2023-01-01")

    call_command("sync_source", str(hotel.connection.pk), "--since", "2023-01-01")
    assert hotel.contacts().count() == 1


@pytest.mark.parametrize("fault", [mews.broken(), mews.broken(503), mews.broken(408), mews.busy()])
def test_a_fault_is_tried_again(hotel: Mews, fault: Response) -> None:
    hotel.faults = [fault, fault]
    sync(hotel)

    assert hotel.contacts().count() == 1


@pytest.mark.parametrize("body", ['{"Customers": [', "<html>", ""])
def test_an_answer_that_was_cut_off_is_no_answer(hotel: Mews, body: str) -> None:
    hotel.faults = [Response(body, 200, content_type="application/json")]
    with pytest.raises(CommandError):
        call_command("sync_source", str(hotel.connection.pk), "--since", "2023-01-01")

    assert not hotel.contacts().exists()


def test_no_more_is_asked_in_a_time_than_mews_allows() -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(3, 30, clock=lambda: now[0], sleep=sleep)
    made = []
    for _ in range(8):
        pace.wait()
        made.append(now[0])
        now[0] += 1

    assert made == [0, 1, 2, 30, 31, 32, 60, 61]
    assert [pause for pause in slept if pause] == [27, 27]


def test_each_request_keeps_to_the_pace_of_its_token(
    hotel: Mews, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[Pace] = []

    def wait(pace: Pace) -> None:
        waited.append(pace)

    monkeypatch.setattr(Pace, "wait", wait)
    hotel.faults = [mews.broken()]
    hotel.is_now(reservation())

    assert len(waited) == len(hotel.asked) + 1, "one that failed counts too"
    assert len(set(waited)) == 1


# Testing the connection


def test_the_test_names_the_hotel(hotel: Mews) -> None:
    assert Source().test(hotel.connection) == "Connected to Sample Hotel."


def test_the_test_tells_a_token_of_another_hotel(hotel: Mews) -> None:
    hotel.enterprise = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(NotUnderstood, match="another enterprise: Sample Hotel"):
        Source().test(hotel.connection)


def test_the_test_tells_a_wrong_token(hotel: Mews) -> None:
    hotel.access_token = "another"
    with pytest.raises(NotUnderstood, match="401"):
        Source().test(hotel.connection)
