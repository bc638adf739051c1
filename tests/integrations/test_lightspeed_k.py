"""Lightspeed K-Series: Basic authentication, charges to rooms, table reservations, sales."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_httpserver import HTTPServer

from activities import services as activities_services
from activities.models import Activity, TableReservation
from contacts import services as contacts
from contacts.models import Contact
from integrations import polling
from integrations.models import Connection, Delivery
from organisations.models import Organisation
from tests.integrations.conftest import work

pytestmark = pytest.mark.django_db

BASIC = {"authorization": "Basic bXljcm06czNjcmV0"}  # mycrm:s3cret
CHARGE = {
    "name": "Table 12",
    "openDate": "2021-01-01T18:04:00Z",
    "closeDate": "2021-01-01T20:11:00Z",
    "covers": 2,
    "apiKey": "the-key",
    "receiptId": "R51.3",
    "fiscId": "A1234.5",
    "initialAccountId": None,
    "transactions": [{"amount": 60.0, "quantity": 2.0, "description": "Menu", "type": "Sale"}],
    "payments": [{"gratuity": 1.0, "amount": 66.0, "methodName": "MEWS", "reservationId": "001"}],
}
RESERVATION = {
    "reservationId": "R-9",
    "utcUpdatedAt": "2024-01-01T12:00:00",
    "utcScheduledAt": "2024-01-02T20:00:00",
    "partySize": 4,
    "status": "SCHEDULED",
    "guest": {
        "platformGuestId": "G-1",
        "firstName": "Ann",
        "email": "ann@example.com",
        "phone": "+447700900123",
        "walkIn": False,
    },
    "sequenceId": 5,
}


@pytest.fixture
def till(connect: Callable[..., Connection], httpserver: HTTPServer) -> Connection:
    return connect(
        "lightspeed-k",
        {"currency": "EUR"},
        business_location_id="247158188015618",
        username="mycrm",
        password="s3cret",
        api_key="the-key",
        access_token="token",
        api_url=httpserver.url_for("").rstrip("/"),
    )


def post(till: Connection, body: Any, rest: str = "", headers: Any = BASIC) -> Any:
    return Client().post(
        till.path + rest, body, content_type="application/json", headers=headers or {}
    )


def tell(till: Connection, body: Any, rest: str = "", headers: Any = BASIC) -> Delivery:
    assert post(till, body, rest, headers).status_code == 200
    work()
    found: Delivery = Delivery.objects.for_organisation(till.organisation).latest("pk")
    return found


def activities(till: Connection) -> Any:
    return Activity.objects.for_organisation(till.organisation).order_by("pk")


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Basic bm86bm8="}, {"authorization": "x"}]
)
def test_a_wrong_password_is_refused(till: Connection, headers: dict[str, str]) -> None:
    assert post(till, RESERVATION, headers=headers).status_code == 401


def test_the_same_idempotency_key_is_the_same_delivery(till: Connection) -> None:
    key = {"x-lightspeed-idempotency-key": "LS1_123e4567"}
    for _time in range(2):
        assert post(till, RESERVATION, headers=BASIC | key).status_code == 200

    assert Delivery.objects.for_organisation(till.organisation).count() == 1


def test_a_charge_is_the_guests_purchase(organisation: Organisation, till: Connection) -> None:
    activities_services.record(
        organisation=organisation,
        contact={"email_address": "guest@example.com"},
        type="Booking",
        source="mews",
        happened_at=datetime(2020, 12, 1, tzinfo=UTC),
        booking={"external_reference": "001"},
    )

    delivery = tell(till, CHARGE, "/charge", headers={})

    assert delivery.status == "applied"
    purchase = activities(till).get(type="Purchase")
    assert (purchase.spend, purchase.currency_code) == (6600, "EUR")
    assert purchase.external_reference == "A1234.5"
    assert purchase.contact.email_address == "guest@example.com"
    assert purchase.data["tips"] == "1.0"
    assert "the-key" not in delivery.body


def test_a_charge_finds_a_guest_who_has_neither_address_nor_phone(
    organisation: Organisation, till: Connection
) -> None:
    guest = contacts.introduce(organisation=organisation, values={"name": "Room 12"})
    activities_services.record(
        organisation=organisation,
        contact=guest,
        type="Booking",
        source="mews",
        happened_at=datetime(2020, 12, 1, tzinfo=UTC),
        booking={"external_reference": "001"},
    )

    for fiscal_id in ("A1234.5", "A1234.6", "A1234.5"):
        assert tell(till, {**CHARGE, "fiscId": fiscal_id}, "/charge").status == "applied"

    bought = activities(till).filter(type="Purchase")
    assert [(one.contact_id, one.spend) for one in bought] == [(guest.pk, 6600)] * 2
    assert Contact.objects.for_organisation(organisation).count() == 1


def test_a_charge_follows_a_guest_who_was_merged(
    organisation: Organisation, till: Connection
) -> None:
    guest = contacts.introduce(organisation=organisation, values={"name": "Room 12"})
    activities_services.record(
        organisation=organisation,
        contact=guest,
        type="Booking",
        source="mews",
        happened_at=datetime(2020, 12, 1, tzinfo=UTC),
        booking={"external_reference": "001"},
    )
    ann, _new = contacts.upsert(
        organisation=organisation, values={"email_address": "ann@example.com"}
    )
    contacts.merge(survivor=ann, absorbed=guest)

    tell(till, CHARGE, "/charge")

    assert activities(till).get(type="Purchase").contact_id == ann.pk


def test_what_is_taken_back_names_the_bill_that_it_was(
    organisation: Organisation, till: Connection
) -> None:
    activities_services.record(
        organisation=organisation,
        contact={"email_address": "guest@example.com"},
        type="Booking",
        source="mews",
        happened_at=datetime(2020, 12, 1, tzinfo=UTC),
        booking={"external_reference": "001"},
    )
    back = {
        "fiscId": "A1234.6",
        "initialAccountId": "A1234.5",
        "transactions": [{"amount": -60.0, "quantity": -2.0, "description": "Menu"}],
        "payments": [{"amount": -66.0, "reservationId": "001"}],
    }

    tell(till, CHARGE, "/charge")
    tell(till, {**CHARGE, **back}, "/charge")

    refund = activities(till).get(type="Refund")
    assert (refund.spend, refund.data["refundOf"]) == (-6600, "A1234.5")
    assert refund.contact.rollup.total_spend == 0


def test_means_of_payment_are_not_stored(till: Connection) -> None:
    account = {
        "uuid": "5a81c7f4",
        "paymentEntries": [{"paymentMethodCode": "APM", "externalReference": "1234567890"}],
    }

    delivery = tell(till, {"type": "ORDER", "status": "CLOSED", "account": account})

    assert "5a81c7f4" in delivery.body
    assert "1234567890" not in delivery.body


def test_a_charge_with_a_wrong_key_is_refused(till: Connection) -> None:
    assert post(till, {**CHARGE, "apiKey": "no"}, "/charge", headers={}).status_code == 401


def test_a_charge_of_nobody_is_noted(till: Connection) -> None:
    delivery = tell(till, CHARGE, "/charge", headers={})

    assert not activities(till).exists()
    assert "No reservation here has the number" in " ".join(delivery.notes)


def test_a_table_reservation_follows_its_status(till: Connection) -> None:
    tell(till, RESERVATION)
    later = {**RESERVATION, "sequenceId": 7, "status": "CANCELLED"}
    tell(till, later)
    tell(till, {**RESERVATION, "sequenceId": 6, "status": "SEATED"})

    (activity,) = activities(till)
    table = TableReservation.objects.for_organisation(till.organisation).get()
    assert (activity.type, activity.table_reservation) == ("Table reservation", table)
    assert (table.status, table.party_size) == ("CANCELLED", 4)
    assert table.start_time == datetime(2024, 1, 2, 20, tzinfo=UTC)
    assert table.cancelled_at is not None
    assert activity.contact.email_address == "ann@example.com"


def test_a_number_that_no_column_holds_ends_no_worker(till: Connection) -> None:
    delivery = tell(till, {**RESERVATION, "sequenceId": 10**25})

    assert delivery.status == "waiting"
    assert "Error" in delivery.error


def test_sales_are_fetched_and_what_takes_them_back(
    till: Connection, httpserver: HTTPServer
) -> None:
    consumer = {"id": "c-1", "firstName": "Ann", "email": "ann@example.com"}

    def sale(number: int, kind: str, amount: str) -> dict[str, Any]:
        return {
            "accountFiscId": f"A65315.{number}",
            "type": kind,
            "timeClosed": "2026-01-05T10:00:00Z",
            "cancelled": False,
            "payments": [{"netAmountWithTax": amount, "currency": "EUR", "consumer": consumer}],
        }

    answers = [
        {"sales": [sale(1, "SALE", "11.00"), sale(2, "TRANSFER", "9")], "nextPageToken": "n"},
        {"sales": [sale(3, "REFUND", "4.00")]},
    ]
    for answer in answers:
        httpserver.expect_ordered_request(
            "/f/v2/business-location/247158188015618/sales"
        ).respond_with_json(answer)

    list(polling.sync(till, datetime.now(UTC) - timedelta(days=30)))

    assert [(one.type, one.spend) for one in activities(till)] == [
        ("Purchase", 1100),
        ("Refund", -400),
    ]


def test_an_order_names_nobody(till: Connection) -> None:
    delivery = tell(till, {"type": "ORDER", "status": "CLOSED", "businessLocationId": 1})

    assert (delivery.topic, delivery.status) == ("order", "ignored")
