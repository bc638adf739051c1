"""The Connector API: who asks, how often, how many at a time, and page by page.

github.com/MewsSystems/open-api-docs, `connector-api/guidelines`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from integrations import reading
from integrations.client import Client, Pace
from integrations.models import digest
from integrations.sources.base import NotUnderstood

if TYPE_CHECKING:
    from integrations.models import Connection

API_URL = "https://api.mews.com"
CLIENT = "Regulars 1.0.0"
MOST_REQUESTS, SECONDS = 200, 30
MOST_IDS = 1000
COUNT = 500
"""Rows to a page: Mews gives up (408) on what takes it long."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that can be asked for: where, under which key the answer has it, by which ids it
    is asked for, and what is always said with it."""

    path: str
    key: str
    ids: str
    always: Mapping[str, Any] = field(default_factory=dict)


CUSTOMERS = Operation(
    "customers/getAll",
    "Customers",
    "CustomerIds",
    {
        "Extent": {"Customers": True, "Addresses": True},
        "ActivityStates": ["Active", "Deleted"],
    },
)
RESERVATIONS = Operation("reservations/getAll/2023-06-06", "Reservations", "ReservationIds")
ORDER_ITEMS = Operation("orderItems/getAll", "OrderItems", "ServiceOrderIds")
PAYMENTS = Operation("payments/getAll", "Payments", "PaymentIds")
PAYMENTS_OF_STAYS = Operation("payments/getAll", "Payments", "ReservationIds")


@lru_cache(maxsize=256)
def _pace(token: str) -> Pace:
    """One for each access token, by its digest."""
    return Pace(MOST_REQUESTS, SECONDS)


class Api:
    """The API with a connection's tokens. Raises as `Client` does."""

    def __init__(self, connection: Connection) -> None:
        secrets = connection.secrets
        if not secrets.get("access_token"):
            raise NotUnderstood(_("There is no access token yet to ask Mews with."))
        self._tokens = {
            "ClientToken": secrets["client_token"],
            "AccessToken": secrets["access_token"],
            "Client": CLIENT,
        }
        base = (secrets.get("api_url") or API_URL).rstrip("/")
        pace = _pace(digest(secrets["access_token"]))
        self._client = Client(f"{base}/api/connector/v1/", pace=pace)

    def ask(self, path: str, body: Row) -> Row:
        """One call."""
        return reading.mapping(self._client.post(path, {**body, **self._tokens}).json())

    def pages(
        self, operation: Operation, filters: Row, after: str | None = None
    ) -> Iterator[tuple[list[Row], str | None]]:
        """All rows, page by page, each with the cursor of the next one; None with the last."""
        while True:
            limitation = {"Cursor": after, "Count": COUNT}
            answer = self.ask(
                operation.path, {**operation.always, **filters, "Limitation": limitation}
            )
            rows = reading.rows(answer.get(operation.key))
            # A full last page has a cursor too, which then leads to nothing.
            after = (reading.text(answer.get("Cursor")) or None) if rows else None
            if rows:
                yield rows, after
            if after is None:
                return

    def by_id(self, operation: Operation, ids: Iterable[str]) -> list[Row]:
        """The rows of these ids, each asked for once."""
        wanted = sorted(set(ids))
        return [
            row
            for start in range(0, len(wanted), MOST_IDS)
            for rows, _after in self.pages(
                operation, {operation.ids: wanted[start : start + MOST_IDS]}
            )
            for row in rows
        ]
