"""Mews's reservations become bookings and stays, worth what is on their bill."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from django.dispatch import receiver

from activities.models import Booking
from activities.signals import activities_recorded, booking_status_changed
from tests.integrations import mews
from tests.integrations.conftest import work
from tests.integrations.mews import Mews, item, payment, processed, reservation, started

pytestmark = pytest.mark.django_db

BOOKER = "ebd507c5-6bfd-4ca9-96aa-ffed6fa94f72"
OURS = "GBP"
"""The organisation's currency: totals are in it."""
OTHER = "b7a3f5cb-1e69-4a5f-a069-10f461996d7f"


# What becomes of a reservation


def test_a_confirmed_reservation_is_a_booking(hotel: Mews) -> None:
    delivery = hotel.is_now(reservation())

    assert (delivery.status, delivery.error, delivery.notes) == ("applied", "", [])
    (activity,) = hotel.activities()
    assert (activity.type, activity.source) == ("Booking", f"mews:{mews.ENTERPRISE}")
    assert activity.external_reference == f"{mews.RESERVATION}:booking"
    assert activity.happened_at == datetime(2023, 3, 23, 16, tzinfo=UTC)
    assert (activity.spend, activity.currency_code) == (0, "EUR")
    assert activity.data["number"] == "52"
    assert activity.contact.email_address == "j.smith@example.com"
    booking = activity.booking
    assert (booking.external_reference, booking.status) == (mews.RESERVATION, "Confirmed")
    assert booking.check_in == datetime(2023, 4, 23, 14, tzinfo=UTC)
    assert booking.check_out == datetime(2023, 4, 25, 12, tzinfo=UTC)
    assert (booking.total, booking.currency_code) == (19346, "EUR")
    assert (booking.number_of_guests, booking.channel_number) == (3, "TW48ZP")
    assert (booking.customer_reference, booking.origin) == ("52", "Connector")


def test_a_stay_is_booked_checked_in_and_checked_out(hotel: Mews) -> None:
    for state in (reservation(), started(), processed()):
        hotel.is_now(state)

    told = [(one.type, one.external_reference.partition(":")[2]) for one in hotel.activities()]
    assert told == [("Booking", "booking"), ("Checked in", "checkin"), ("Checked out", "checkout")]
    _booked, came, left = hotel.activities()
    assert came.happened_at == datetime(2023, 4, 23, 15, 10, tzinfo=UTC)
    assert left.happened_at == datetime(2023, 4, 25, 10, 30, tzinfo=UTC)
    assert hotel.spends() == {"Booking": 0, "Checked in": 0, "Checked out": 19346}
    booking = Booking.objects.for_organisation(hotel.organisation).get()
    assert (booking.status, booking.check_out) == ("Processed", left.happened_at)
    assert {one.booking_id for one in hotel.activities()} == {booking.pk}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_states_in_any_order_end_the_same(hotel: Mews, order: tuple[int, ...]) -> None:
    states = (reservation(), started(), processed())
    for number in order:
        hotel.is_now(states[number])

    assert hotel.spends() == {"Booking": 0, "Checked in": 0, "Checked out": 19346}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_states_in_the_same_second_the_later_stage_counts(
    hotel: Mews, order: tuple[int, ...]
) -> None:
    """Who comes without a booking is booked and checked in in one."""
    second = {"UpdatedUtc": "2023-04-23T15:10:01Z"}
    states = (reservation(**second), started(**second), processed(**second))
    for number in order:
        hotel.is_now(states[number])

    assert hotel.spends() == {"Booking": 0, "Checked in": 0, "Checked out": 19346}


def test_the_same_twice_changes_nothing(hotel: Mews) -> None:
    hotel.rows["OrderItems"] = [item("193.46", OURS)]
    for _ in range(2):
        hotel.is_now(processed())

    assert hotel.activities().count() == 3
    assert hotel.contacts().count() == 1
    assert hotel.total() == 19346


@pytest.mark.parametrize("state", ["Inquired", "Optional", "Requested", "Strange", None])
def test_an_offer_is_no_booking(hotel: Mews, state: str | None) -> None:
    delivery = hotel.is_now(reservation(State=state))

    assert not hotel.activities().exists()
    assert "nothing is recorded" in delivery.notes[0]


def test_a_booking_that_becomes_an_offer_again_is_taken_back(hotel: Mews) -> None:
    hotel.is_now(reservation())
    hotel.is_now(reservation(State="Optional", UpdatedUtc="2023-04-23T00:00:00Z"))

    assert not hotel.activities().exists()


def test_without_actual_times_the_planned_ones_are_taken_unless_they_are_to_come(
    hotel: Mews,
) -> None:
    hotel.is_now(
        processed(
            ActualStartUtc=None,
            ActualEndUtc=None,
            ScheduledEndUtc="2999-01-01T00:00:00Z",
        )
    )

    _booked, came, left = hotel.activities()
    assert came.happened_at == datetime(2023, 4, 23, 14, tzinfo=UTC)
    assert left.happened_at == datetime(2023, 4, 25, 10, 30, 1, tzinfo=UTC)


def test_a_reservation_without_any_date_is_left_out(hotel: Mews) -> None:
    delivery = hotel.is_now(reservation(CreatedUtc=None, UpdatedUtc=None))

    assert not hotel.activities().exists()
    assert "has no date" in " ".join(delivery.notes)


# Called off


def test_a_cancelled_booking_counts_nothing(hotel: Mews) -> None:
    hotel.choose(spend="booked")
    hotel.is_now(reservation())
    assert hotel.spends() == {"Booking": 19346}
    changed: list[str] = []

    @receiver(booking_status_changed)
    def note(booking: Booking, before: str, **kwargs: Any) -> None:
        changed.append(f"{before} → {booking.status}")

    cancelled = reservation(
        State="Canceled", CancellationReason="NoShow", UpdatedUtc="2023-04-23T18:00:00Z"
    )
    hotel.is_now(cancelled)

    (activity,) = hotel.activities()
    assert (activity.spend, activity.booking.status) == (0, "Canceled")
    assert activity.data["cancellationReason"] == "NoShow"
    assert changed == ["Confirmed → Canceled"]


def test_a_booking_that_is_known_only_once_it_was_called_off_starts_nothing(hotel: Mews) -> None:
    told: list[str] = []

    @receiver(activities_recorded)
    def note(activities: Any, **kwargs: Any) -> None:
        told.extend(one.type for one in activities if not one.backfill)

    hotel.is_now(reservation(State="Canceled"))

    assert hotel.activities().get().booking.status == "Canceled"
    assert told == []
    hotel.is_now(reservation(Id=OTHER))
    assert told == ["Booking"]


# What it is worth


@pytest.mark.parametrize(
    ("state", "counts"), [("Open", 1), ("Closed", 1), ("Canceled", 0), ("Inactive", 0), (None, 0)]
)
def test_only_open_and_closed_items_count(hotel: Mews, state: str | None, counts: int) -> None:
    hotel.rows["OrderItems"] = [item(50), item("12.5", AccountingState=state)]
    hotel.is_now(processed())

    assert hotel.spends()["Checked out"] == 5000 + 1250 * counts


def test_rebates_are_subtracted(hotel: Mews) -> None:
    hotel.rows["OrderItems"] = [item(50), item("-12.5", Type="NightRebate")]
    hotel.is_now(processed())

    assert hotel.spends()["Checked out"] == 3750


@pytest.mark.parametrize(
    ("options", "worth"),
    [
        ({}, 10000),
        ({"city_tax": "count"}, 10300),
        ({"deposit": "count"}, 13000),
        ({"city_tax": "count", "deposit": "count"}, 13300),
    ],
)
def test_city_tax_and_deposits_count_where_they_are_to(
    hotel: Mews, options: dict[str, str], worth: int
) -> None:
    hotel.choose(**options)
    hotel.rows["OrderItems"] = [
        item(100),
        item("3.5", Type="CityTax"),
        item("-0.5", Type="CityTaxDiscount"),
        item(30, Type="Deposit"),
    ]
    hotel.is_now(processed())

    assert hotel.spends()["Checked out"] == worth


@pytest.mark.parametrize(
    ("currency", "value", "worth"),
    [("EUR", "89.99", 8999), ("JPY", "1200", 1200), ("KWD", "1.234", 1234), ("EUR", "0.1", 10)],
)
def test_amounts_are_in_the_currencys_smallest_unit(
    hotel: Mews, currency: str, value: str, worth: int
) -> None:
    hotel.rows["OrderItems"] = [item(value, currency)]
    hotel.is_now(processed())

    left = hotel.activities().get(type="Checked out")
    assert (left.spend, left.currency_code) == (worth, currency)


def test_an_amount_without_a_currency_is_in_ours(hotel: Mews) -> None:
    hotel.rows["OrderItems"] = [item(5, "")]
    hotel.is_now(processed())

    left = hotel.activities().get(type="Checked out")
    assert (left.spend, left.currency_code) == (500, hotel.organisation.currency_code)


def test_of_several_currencies_the_larger_sum_counts(hotel: Mews) -> None:
    hotel.rows["OrderItems"] = [item(100), item(5, "USD")]
    delivery = hotel.is_now(processed())

    assert hotel.spends()["Checked out"] == 10000
    assert "USD" in " ".join(delivery.notes)


def test_what_is_put_on_the_bill_later_corrects_the_stay(hotel: Mews) -> None:
    for day, value, worth in ((26, 213, 21300), (27, 100, 10000)):
        hotel.rows["OrderItems"] = [item(value, OURS, UpdatedUtc=f"2023-04-{day}T00:00:00Z")]
        hotel.is_now(processed())
        assert (hotel.spends()["Checked out"], hotel.total()) == (worth, worth)


def test_older_items_do_not_come_over_newer_ones(hotel: Mews) -> None:
    """The reservation itself is the same, to the second."""
    hotel.rows["OrderItems"] = [item(120, UpdatedUtc="2023-04-27T00:00:00Z")]
    hotel.is_now(processed())
    hotel.rows["OrderItems"] = [item(100, UpdatedUtc="2023-04-26T00:00:00Z")]
    hotel.is_now(processed())

    assert hotel.spends()["Checked out"] == 12000


def test_a_bill_that_is_behind_its_reservation_does_not_come_over_a_newer_one(hotel: Mews) -> None:
    """A copy of Mews that is behind: both are as the reservation was, in the same second."""
    second = {"UpdatedUtc": processed()["UpdatedUtc"]}
    hotel.rows["OrderItems"] = [item(120, **second)]
    hotel.is_now(processed())
    for behind in ([], [item(120, AccountingState="Inactive")]):
        hotel.rows["OrderItems"] = behind
        hotel.is_now(processed())

    assert hotel.spends()["Checked out"] == 12000


def test_payments_count_where_money_received_does(hotel: Mews) -> None:
    hotel.choose(spend="paid")
    hotel.rows["Payments"] = [
        payment(-150),
        payment("-50.5", Type="CashPayment"),
        payment(20, Kind="Refund"),
        payment(-70, State="Failed"),
        payment(-80, Type="InvoicePayment"),
        payment(-90, ReservationId=OTHER),
    ]
    delivery = hotel.tell(("PaymentUpdated", "payment--150"))

    assert delivery.status == "applied"
    assert hotel.spends() == {"Booking": 18050}

    hotel.is_now(reservation(State="Canceled", UpdatedUtc="2023-05-01T00:00:00Z"))
    assert hotel.spends() == {"Booking": 18050}, "what was not given back was received"


def test_payments_do_not_count_beside_the_bill(hotel: Mews) -> None:
    hotel.rows["Payments"] = [payment(-150)]
    hotel.is_now(processed())
    delivery = hotel.tell(("PaymentUpdated", "payment--150"))

    assert delivery.status == "ignored"
    assert delivery.notes == ["Payments do not count beside what is on the bill."]
    assert hotel.spends()["Checked out"] == 19346
    assert "payments/getAll" not in hotel.paths()


# Whose it is


def test_a_companys_reservation_is_whose_who_booked_it(hotel: Mews) -> None:
    hotel.rows["Customers"].append(mews.customer(Id=BOOKER, Email="booker@example.com", Phone=None))
    hotel.is_now(reservation(AccountType="Company", AccountId=OTHER, BookerId=BOOKER))

    assert hotel.activities().get().contact.email_address == "booker@example.com"
    asked = [body.get("CustomerIds", ()) for _path, body in hotel.asked]
    assert not any(OTHER in ids for ids in asked), "a company is no customer"


def test_a_companys_reservation_that_nobody_booked_is_nobodys(hotel: Mews) -> None:
    delivery = hotel.is_now(reservation(AccountType="Company", AccountId=OTHER))

    assert "no customer is named" in " ".join(delivery.notes)
    assert not hotel.contacts().exists()


def test_a_paymaster_is_nobody(hotel: Mews) -> None:
    hotel.rows["Customers"] = [
        mews.customer(Classifications=["PaymasterAccount"], LastName="Paymaster 7"),
        mews.customer(Id=BOOKER, Email="booker@example.com", Phone=None),
    ]
    hotel.is_now(reservation(BookerId=BOOKER))

    assert hotel.activities().get().contact == hotel.contacts().get(
        email_address="booker@example.com"
    )
    assert hotel.contacts().count() == 1


def test_a_stay_of_who_was_deleted_meanwhile_stays_theirs(hotel: Mews) -> None:
    hotel.is_now(reservation())
    hotel.rows["Customers"] = [
        mews.customer(IsActive=False, ActivityState="Deleted"),
        mews.customer(Id=BOOKER, Email="booker@example.com", Phone=None),
    ]
    hotel.is_now(processed(BookerId=BOOKER))

    assert {one.contact.email_address for one in hotel.activities()} == {"j.smith@example.com"}
    assert hotel.activities().count() == 3


def test_a_reservation_of_somebody_whom_mews_does_not_show_is_nobodys(hotel: Mews) -> None:
    hotel.rows["Customers"] = []
    delivery = hotel.is_now(reservation())

    assert (delivery.status, hotel.activities().count()) == ("applied", 0)


def test_a_reservation_that_mews_does_not_show_changes_nothing(hotel: Mews) -> None:
    delivery = hotel.tell(("ServiceOrderUpdated", OTHER))

    assert (delivery.status, len(delivery.notes)) == ("ignored", 1)
    assert hotel.paths() == ["reservations/getAll/2023-06-06"]


# Many at once


def test_each_id_is_asked_for_once_and_at_most_a_thousand_at_a_time(hotel: Mews) -> None:
    ids = [f"00000000-0000-4000-8000-{number:012}" for number in range(1100)]
    events = [("ServiceOrderUpdated", one) for one in ids for _ in range(2)]
    hotel.post(mews.message(*events))
    work()

    asked = [body["ReservationIds"] for _path, body in hotel.asked]
    assert [len(one) for one in asked] == [1000, 100]
    assert sorted(itertools.chain(*asked)) == ids


def test_answers_are_read_to_the_last_page(hotel: Mews) -> None:
    hotel.count = 2
    hotel.rows["OrderItems"] = [{**item(10), "Id": f"item-{number}"} for number in range(5)]
    hotel.is_now(processed())

    assert hotel.spends()["Checked out"] == 5000
