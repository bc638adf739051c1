"""Lightspeed R-Series: polled; everything is a text, and a list of one is an object."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from activities.models import Activity
from integrations import polling
from integrations.models import Connection

pytestmark = pytest.mark.django_db

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
PATH = "/API/V3/Account/77/Sale.json"


def sale(**values: Any) -> dict[str, Any]:
    return {
        "saleID": "277",
        "timeStamp": "2026-01-05T10:00:11+00:00",
        "completed": "true",
        "voided": "false",
        "createTime": "2026-01-05T09:58:00+00:00",
        "completeTime": "2026-01-05T10:00:10+00:00",
        "ticketNumber": "220000000277",
        "calcTotal": "34.48",
        "customerID": "42",
        "shopID": "1",
        "Customer": {
            "customerID": "42",
            "firstName": "Ann",
            "lastName": "Sample",
            "dob": "",
            "timeStamp": "2026-01-05T10:00:11+00:00",
            "Contact": {
                "noEmail": "false",
                "Emails": {"ContactEmail": {"address": "ann@example.com", "useType": "Primary"}},
                "Phones": "",
            },
        },
        "SaleLines": {"SaleLine": {"saleLineID": "501", "itemID": "12", "unitQuantity": "1"}},
        **values,
    }


@pytest.fixture
def till(connect: Callable[..., Connection], httpserver: HTTPServer) -> Connection:
    url = httpserver.url_for("").rstrip("/")
    return connect("lightspeed-r", account_id="77", access_token="token", api_url=url)


def fetch(till: Connection, httpserver: HTTPServer, sales: Any) -> Any:
    answer = {"@attributes": {"count": "1", "next": ""}, "Sale": sales}
    httpserver.expect_request(PATH).respond_with_json(answer)
    list(polling.sync(till, SINCE))
    return Activity.objects.for_organisation(till.organisation).order_by("pk")


def test_one_sale_is_an_object(till: Connection, httpserver: HTTPServer) -> None:
    (activity,) = fetch(till, httpserver, sale())

    assert (activity.type, activity.spend, activity.source) == (
        "Purchase",
        3448,
        "lightspeed-r:77",
    )
    assert activity.external_reference == "sale:77:277"
    assert activity.contact.email_address == "ann@example.com"
    assert not activity.contact.permissions.exists()


def test_several_sales_are_a_list(till: Connection, httpserver: HTTPServer) -> None:
    refund = sale(saleID="278", calcTotal="-10.00")

    found = fetch(till, httpserver, [sale(), refund])

    assert [(one.type, one.spend) for one in found] == [("Purchase", 3448), ("Refund", -1000)]


def test_contacts_may_be_lists_and_nothing_may_be_a_text(
    till: Connection, httpserver: HTTPServer
) -> None:
    customer = sale()["Customer"]
    emails = [
        {"address": "work@example.com", "useType": "Secondary"},
        {"address": "ann@example.com", "useType": "Primary"},
    ]
    phones = [
        {"number": "+447700900111", "useType": "Home"},
        {"number": "+447700900123", "useType": "Mobile"},
    ]
    told = {"Emails": {"ContactEmail": emails}, "Phones": {"ContactPhone": phones}}
    lists = sale(
        Customer={**customer, "Contact": {"noEmail": "true", **told}},
        SaleLines={"SaleLine": [{"itemID": "12"}, {"itemID": "13"}]},
    )
    texts = sale(saleID="278", customerID="43", Customer={"customerID": "43", "Contact": ""})

    one, other = fetch(till, httpserver, [lists, {**texts, "SaleLines": "", "SalePayments": ""}])

    assert (one.contact.email_address, one.contact.phone_number_e164) == (
        "ann@example.com",
        "+447700900123",
    )
    assert one.contact.permissions.get().status == "unsubscribed"
    assert [item["itemID"] for item in one.data["items"]] == ["12", "13"]
    assert (other.contact.name, other.data) == ("Lightspeed R-Series 43", {"shop": "1"})


@pytest.mark.parametrize("values", [{"completed": "false"}, {"customerID": "0"}])
def test_what_is_not_completed_or_nobodys_is_left_out(
    till: Connection, httpserver: HTTPServer, values: dict[str, str]
) -> None:
    assert not fetch(till, httpserver, sale(**values)).exists()


def test_a_voided_sale_counts_nothing(till: Connection, httpserver: HTTPServer) -> None:
    assert fetch(till, httpserver, sale(voided="true")).get().spend == 0


def test_pages_are_followed_and_a_full_bucket_is_waited_for(
    till: Connection, httpserver: HTTPServer
) -> None:
    following = httpserver.url_for(f"{PATH}?after=1")
    answers = iter(
        [
            Response(status=429, headers={"Retry-After": "0"}),
            Response(status=500),
        ]
    )

    def first(_request: Any) -> Response:
        found = next(answers, None)
        if found is not None:
            return found
        import json

        body = {"@attributes": {"next": following}, "Sale": sale()}
        return Response(json.dumps(body), content_type="application/json")

    httpserver.expect_request(PATH, query_string={"after": "1"}).respond_with_json(
        {"@attributes": {"next": ""}, "Sale": sale(saleID="300")}
    )
    httpserver.expect_request(PATH).respond_with_handler(first)

    told = list(polling.sync(till, SINCE))

    assert [one.seen for one in told] == [1, 2]
    assert Activity.objects.for_organisation(till.organisation).count() == 2
