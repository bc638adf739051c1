"""The lists behind the figures: each address narrows a list to exactly what was counted."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse


class Span:
    """The time that a list is narrowed to: whole days where it is some, so that people read days in
    the list's filters, else two moments of which the second is too late."""

    def __init__(self, first: date | datetime, last: date | datetime) -> None:
        self.first, self.last = _written(first), _written(last)

    def of(self, name: str) -> dict[str, str]:
        """As the parameters of a filter of days."""
        return {f"{name}_from": self.first, f"{name}_to": self.last}


def _written(day: date | datetime) -> str:
    if isinstance(day, datetime):
        return day.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    return day.isoformat()


def _list(screen: str, **narrow: Any) -> str:
    address = reverse(f"admin:{screen}_changelist")
    query = urlencode(narrow, doseq=True)
    return f"{address}?{query}" if query else address


def contacts(**narrow: Any) -> str:
    """Contacts; without anything to narrow by, all."""
    return _list("contacts_contact", **narrow)


def new_contacts(span: Span) -> str:
    return contacts(**span.of("created"))


def active_contacts(span: Span) -> str:
    return contacts(**span.of("active"))


def repeat_contacts(span: Span) -> str:
    """Who ordered more than once."""
    return contacts(**span.of("ordered"), ordered_times=2)


def cell(recency: int, frequency: int) -> str:
    """The contacts of a cell of the grid of RFM."""
    return contacts(rfm=f"{recency}-{frequency}")


def activities(span: Span, **narrow: Any) -> str:
    return _list("activities_activity", **span.of("happened"), **narrow)


def of_type(span: Span, name: str) -> str:
    return activities(span, of_type=name)


def orders(span: Span, currency: str = "") -> str:
    """Orders, or those in a currency."""
    return activities(span, counts="order", **({"currency": currency} if currency else {}))


def money(span: Span, currency: str, **narrow: Any) -> str:
    """What has an amount in a currency."""
    return activities(span, counts="money", currency=currency, **narrow)


def failed_runs(span: Span) -> str:
    return _list("workflows_run", status="failed", **span.of("started"))


def deliveries(connection: int, status: str, since: date) -> str:
    return _list("integrations_delivery", of=connection, how=status, received_from=since)
