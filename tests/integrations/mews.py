"""A Mews that answers on loopback as the Connector API does (integrations.md, chapter 3; values
are made up), and that calls us."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.test import Client
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from activities.models import Activity
from contacts.models import Contact
from integrations import services
from integrations.models import Connection, Delivery
from integrations.sources.base import dump
from tests.integrations.conftest import work

ENTERPRISE = "851df8c8-90f2-4c4a-8e01-a4fc46b25178"
INTEGRATION = "c8bee838-7fb1-4f4e-8fac-ac87008b2f90"
CUSTOMER = "fadd5bb6-b428-45d5-94f8-fd0d89fece6d"
RESERVATION = "0f515589-99b4-423d-b83a-b237009f0509"
CLIENT_TOKEN = "client-token-0123456789"

IDS = {
    "Customers": {"CustomerIds": "Id"},
    "Reservations": {"ReservationIds": "Id"},
    "OrderItems": {"ServiceOrderIds": "ServiceOrderId"},
    "Payments": {"PaymentIds": "Id", "ReservationIds": "ReservationId"},
}
PATHS = {
    "customers/getAll": "Customers",
    "reservations/getAll/2023-06-06": "Reservations",
    "orderItems/getAll": "OrderItems",
    "payments/getAll": "Payments",
}


def customer(**values: Any) -> dict[str, Any]:
    return {
        "Id": CUSTOMER,
        "ChainId": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "Number": "12345",
        "Title": "Mister",
        "FirstName": "John",
        "LastName": "Smith",
        "SecondLastName": None,
        "BirthDate": "1983-12-31",
        "Email": "j.smith@example.com",
        "HasOtaEmail": False,
        "Phone": "00420601123456",
        "Notes": "",
        "CreatedUtc": "2018-01-01T00:00:00Z",
        "UpdatedUtc": "2023-01-02T00:00:00Z",
        "Address": {
            "Id": "f8495413-bf49-45dd-843c-44be7f365569",
            "Line1": "Somerford Road Hello House/135",
            "Line2": None,
            "City": "Christchurch",
            "PostalCode": "BH23 3PY",
            "CountryCode": "GB",
            "CountrySubdivisionCode": "GB-ENG",
        },
        "Classifications": ["Returning"],
        "Options": ["SendMarketingEmails"],
        "MergeTargetId": None,
        "ActivityState": "Active",
        "IsActive": True,
        **values,
    }


def reservation(**values: Any) -> dict[str, Any]:
    """A reservation that is confirmed."""
    return {
        "Id": RESERVATION,
        "ServiceId": "bd26d8db-86da-4f96-9efc-e5a4654a4a94",
        "AccountId": CUSTOMER,
        "AccountType": "Customer",
        "BookerId": None,
        "Number": "52",
        "State": "Confirmed",
        "Origin": "Connector",
        "CommanderOrigin": None,
        "CreatedUtc": "2023-03-23T16:00:00Z",
        "UpdatedUtc": "2023-04-22T17:00:00Z",
        "CancelledUtc": None,
        "CancellationReason": None,
        "ChannelNumber": "TW48ZP",
        "ChannelManagerNumber": "",
        "StartUtc": "2023-04-23T14:00:00Z",
        "EndUtc": "2023-04-25T12:00:00Z",
        "ScheduledStartUtc": "2023-04-23T14:00:00Z",
        "ActualStartUtc": None,
        "ScheduledEndUtc": "2023-04-25T12:00:00Z",
        "ActualEndUtc": None,
        "Purpose": "Leisure",
        "PersonCounts": [
            {"AgeCategoryId": "1f67644f-052d-4863-acdf-ae1600c60ca0", "Count": 2},
            {"AgeCategoryId": "2f67644f-052d-4863-acdf-ae1600c60ca0", "Count": 1},
        ],
        **values,
    }


def started(**values: Any) -> dict[str, Any]:
    return reservation(
        **{
            "State": "Started",
            "ActualStartUtc": "2023-04-23T15:10:00Z",
            "UpdatedUtc": "2023-04-23T15:10:01Z",
            **values,
        }
    )


def processed(**values: Any) -> dict[str, Any]:
    return started(
        **{
            "State": "Processed",
            "ActualEndUtc": "2023-04-25T10:30:00Z",
            "UpdatedUtc": "2023-04-25T10:30:01Z",
            **values,
        }
    )


def amount(value: Any, currency: str = "EUR") -> dict[str, Any]:
    return {"Currency": currency, "NetValue": value, "GrossValue": value, "TaxValues": []}


def item(value: Any, currency: str = "EUR", **values: Any) -> dict[str, Any]:
    return {
        "Id": f"item-{value}-{values.get('Type', '')}",
        "EnterpriseId": ENTERPRISE,
        "ServiceOrderId": RESERVATION,
        "Amount": amount(value, currency),
        "UpdatedUtc": "2023-03-28T07:28:04Z",
        "AccountingState": "Open",
        "Type": "SpaceOrder",
        **values,
    }


def payment(value: Any, **values: Any) -> dict[str, Any]:
    """A payment, whose amount is negative."""
    return {
        "Id": f"payment-{value}",
        "EnterpriseId": ENTERPRISE,
        "ReservationId": RESERVATION,
        "Amount": amount(value),
        "State": "Charged",
        "Type": "CreditCardPayment",
        "Kind": "Payment",
        "UpdatedUtc": "2023-04-20T07:28:04Z",
        **values,
    }


_tokens = itertools.count(1)


def credentials(server: HTTPServer) -> dict[str, str]:
    """What a connection to this Mews is made of. The token is each test's own, so that none has to
    wait for what others asked."""
    return {
        "enterprise_id": ENTERPRISE,
        "client_token": CLIENT_TOKEN,
        "access_token": f"access-token-{next(_tokens):010}",
        "api_url": server.url_for("/"),
    }


class Mews:
    """The API, with all that it has; and the one who calls us."""

    def __init__(self, server: HTTPServer, connection: Connection) -> None:
        self.connection = connection
        self.organisation = connection.organisation
        self.rows: dict[str, list[dict[str, Any]]] = {
            "Customers": [customer()],
            "Reservations": [reservation()],
            "OrderItems": [item(100), item("93.46", Type="ProductOrder")],
            "Payments": [],
        }
        self.faults: list[Response] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """What was asked for, without the faults."""
        self.access_token = connection.secrets["access_token"]
        self.count: int | None = None
        """Rows to a page, whatever is asked for."""
        self.always_a_cursor = True
        """Also with the last page, as the documentation shows it: then nothing follows."""
        self.enterprise = ENTERPRISE
        for path in (*PATHS, "configuration/get"):
            handler = server.expect_request(f"/api/connector/v1/{path}", method="POST")
            handler.respond_with_handler(self._answer)

    # Asked

    def _answer(self, request: Request) -> Response:
        if self.faults:
            return self.faults.pop(0)
        path = request.path.removeprefix("/api/connector/v1/")
        body = json.loads(request.get_data())
        tokens = (body.pop("ClientToken"), body.pop("AccessToken"), body.pop("Client"))
        if tokens != (CLIENT_TOKEN, self.access_token, "Regulars 1.0.0"):
            return _error(401, "Invalid AccessToken.")
        self.asked.append((path, body))
        if path == "configuration/get":
            return _json({"Enterprise": {"Id": self.enterprise, "Name": "Sample Hotel"}})
        return self._page(PATHS[path], body)

    def _page(self, key: str, body: dict[str, Any]) -> Response:
        """Newest first, a page of what is filtered; the cursor is the last one's id."""
        limitation = body.pop("Limitation", None)
        if not limitation or not 1 <= limitation.get("Count", 0) <= 1000:
            return _error(400, "Invalid Limitation.")
        if key == "Customers" and not body.get("Extent"):
            return _error(400, "Invalid Extent.")
        window, ids = body.get("UpdatedUtc"), {name: body.get(name) for name in IDS[key]}
        if window is None and not any(ids.values()):
            return _error(400, "At least one filter is required.")
        if any(len(values) > 1000 for values in ids.values() if values):
            return _error(400, "Too many ids.")
        if window and _days(window) > 89:
            return _error(400, "The interval is longer than 3 months.")
        states = body.get("ActivityStates", ["Active"])
        found = [
            row
            for row in reversed(self.rows[key])
            if all(row.get(IDS[key][name]) in values for name, values in ids.items() if values)
            and (not window or window["StartUtc"] <= row["UpdatedUtc"] < window["EndUtc"])
            and row.get("ActivityState", "Active") in states
        ]
        names = [row["Id"] for row in found]
        start = names.index(limitation["Cursor"]) + 1 if limitation["Cursor"] else 0
        page = found[start : start + (self.count or limitation["Count"])]
        more = page and (self.always_a_cursor or page[-1] is not found[-1])
        return _json({key: page, "Cursor": page[-1]["Id"] if more else None})

    def paths(self) -> list[str]:
        return [path for path, _body in self.asked]

    # Calling

    def post(self, body: Any) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Client().post(self.connection.path, raw, content_type="application/json")

    def tell(self, *events: tuple[str, str], **values: Any) -> Delivery:
        """Send a general webhook and let the worker apply it."""
        return self.send(message(*events, **values))

    def send(self, body: Any) -> Delivery:
        response = self.post(body)
        assert response.status_code == 200, response.content
        work()
        delivery: Delivery = self.deliveries().latest("pk")
        return delivery

    def is_now(self, *reservations: Mapping[str, Any]) -> Delivery:
        """These are the reservations now, which Mews tells us."""
        self.rows["Reservations"] = [dict(one) for one in reservations]
        return self.tell(*(("ServiceOrderUpdated", one["Id"]) for one in reservations))

    def customer_is_now(self, *customers: Mapping[str, Any]) -> Delivery:
        self.rows["Customers"] = [dict(one) for one in customers]
        return self.tell(*(("CustomerUpdated", one["Id"]) for one in customers))

    def choose(self, **options: str) -> None:
        """Have the connection work so."""
        self.connection = services.change(connection=self.connection, options=options)

    # Looking

    def deliveries(self) -> Any:
        return Delivery.objects.for_organisation(self.organisation)

    def contacts(self) -> Any:
        return Contact.objects.for_organisation(self.organisation)

    def activities(self) -> Any:
        return Activity.objects.for_organisation(self.organisation).order_by("pk")

    def spends(self) -> dict[str, int]:
        return {activity.type: activity.spend for activity in self.activities()}

    def total(self) -> int:
        """The total spend of the one contact."""
        return int(self.contacts().select_related("rollup").get().rollup.total_spend)

    def tags(self) -> set[str]:
        return set(self.contacts().get().tags.values_list("name", flat=True))


def message(*events: tuple[str, str], **values: Any) -> dict[str, Any]:
    return {
        "EnterpriseId": ENTERPRISE,
        "IntegrationId": INTEGRATION,
        "Events": [{"Discriminator": name, "Value": {"Id": id_}} for name, id_ in events],
        **values,
    }


def _days(window: Mapping[str, str]) -> float:
    start, end = (datetime.fromisoformat(window[name]) for name in ("StartUtc", "EndUtc"))
    return (end - start).total_seconds() / 86_400


def _json(body: Any) -> Response:
    return Response(_numbers(body), content_type="application/json")


def _numbers(body: Any) -> str:
    """Amounts as numbers, spelt as they are given."""

    def spelt(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: spelt(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [spelt(inner) for inner in value]
        if key in ("NetValue", "GrossValue") and isinstance(value, str):
            return Decimal(value)
        return value

    return dump(spelt(body))


def _error(status: int, text: str, **headers: str) -> Response:
    body = json.dumps({"Message": text, "RequestId": "r-1", "Details": None})
    return Response(body, status, headers, content_type="application/json")


def busy(retry_after: str | None = None) -> Response:
    """Too many requests."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return _error(429, "Too many requests.", **headers)


def broken(status: int = 500) -> Response:
    return _error(status, "Something went wrong.")
