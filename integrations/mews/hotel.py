"""What a hotel has to tell: of ids that a webhook named, and of all that changed in a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from integrations import reading
from integrations.changes import Change, Person, moment_version
from integrations.mews import people, stays
from integrations.mews.api import (
    CUSTOMERS,
    ORDER_ITEMS,
    PAYMENTS,
    PAYMENTS_OF_STAYS,
    RESERVATIONS,
    Api,
    Operation,
    Row,
)
from integrations.mews.stays import ITEMS, PAID, PAID_FOR, RESERVATION, Stay
from integrations.models import ObjectState
from integrations.sources.base import Page

if TYPE_CHECKING:
    from integrations.models import Connection

WINDOW = timedelta(days=88)
"""Of what changed in more than three months Mews does not tell; the shortest have 89 days."""
MOST_MERGES = 10
"""So many merges of one customer after the other are followed."""


class Hotel:
    """The property of a connection. Raises as `Client` does."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.api = Api(connection)
        self.by_payments = connection.options.get("spend") == PAID

    # By id

    def named(
        self,
        *,
        reservations: Iterable[str] = (),
        customers: Iterable[str] = (),
        payments: Iterable[str] = (),
    ) -> list[Change]:
        """What these are now: whose payments these are too, where payments count."""
        wanted = set(reservations)
        if self.by_payments:
            paid = self.api.by_id(PAYMENTS, payments)
            wanted |= {reading.text(payment.get("ReservationId")) for payment in paid} - {""}
        return self._changes(self.api.by_id(RESERVATIONS, wanted), customers)

    def _changes(self, reservations: Iterable[Row], customers: Iterable[str] = ()) -> list[Change]:
        """The customers named, and the reservations with all that belongs to them."""
        found = self._stays(reservations)
        named = {account for stay in found for account in stay.accounts}
        profiles = self._profiles(named.union(customers))
        return [
            *people.changes(profiles),
            *(stays.change(stay, _person(stay, profiles), self.connection) for stay in found),
        ]

    def _stays(self, reservations: Iterable[Row]) -> list[Stay]:
        found = {stay.id: stay for stay in map(Stay, reservations) if stay.id}
        for item in self.api.by_id(ORDER_ITEMS, found):
            if stay := found.get(reading.text(item.get("ServiceOrderId"))):
                stay.items.append(item)
        for payment in self.api.by_id(PAYMENTS_OF_STAYS, found if self.by_payments else ()):
            if stay := found.get(reading.text(payment.get("ReservationId"))):
                stay.payments.append(payment)
        return [found[key] for key in sorted(found)]

    def _profiles(self, ids: Iterable[str], known: Iterable[Row] = ()) -> dict[str, Row]:
        """These customers, those that are known already, and whom they were merged into."""
        profiles = {reading.text(row.get("Id")): row for row in known}
        wanted = set(ids)
        for _round in range(MOST_MERGES):
            wanted |= set(map(people.target, profiles.values())) - {""}
            missing = wanted - profiles.keys()
            rows = self.api.by_id(CUSTOMERS, missing)
            profiles |= {reading.text(row.get("Id")): row for row in rows}
            wanted -= missing  # what Mews does not show is not asked for again
            if not rows:
                break
        profiles.pop("", None)
        return profiles

    # By time

    def changed(self, since: datetime, cursor: Mapping[str, Any]) -> Iterator[Page]:
        """All that changed since then, window by window; from `cursor` on.

        Each window has everything that was touched in it, so that what changes while a fetch is
        interrupted is in a later one.
        """
        seen = int(cursor.get("seen", 0))
        after = cursor.get("after")
        for start, end, name in self._legs(since, cursor):
            operation, read = self._feeds[name]
            window = {"UpdatedUtc": {"StartUtc": _spelt(start), "EndUtc": _spelt(end)}}
            for rows, following in self.api.pages(operation, window, after):
                seen += len(rows)
                place = {
                    "start": start.isoformat(),
                    "end": end.isoformat(),
                    "feed": name,
                    "after": following,
                    "seen": seen,
                }
                yield Page(read(rows), place, seen)
            after = None

    def _legs(
        self, since: datetime, cursor: Mapping[str, Any]
    ) -> Iterator[tuple[datetime, datetime, str]]:
        """Windows of time, each with every feed; first what is left of the one that was begun."""
        names, until = list(self._feeds), timezone.now()
        start, end = (reading.moment(cursor.get(name)) for name in ("start", "end"))
        if start is not None and end is not None and cursor.get("feed") in names:
            begun = names.index(cursor["feed"])
            for name in names[begun if cursor.get("after") else begun + 1 :]:
                yield start, end, name
            since = end
        while since < until:
            end = min(since + WINDOW, until)
            for name in names:
                yield since, end, name
            since = end

    @property
    def _feeds(self) -> dict[str, tuple[Operation, Callable[[list[Row]], list[Change]]]]:
        """What is asked for in each window, and how it is read. What is put on a bill does not
        touch the reservation, and Mews calls nobody for it."""
        feeds: dict[str, tuple[Operation, Callable[[list[Row]], list[Change]]]] = {
            "customers": (CUSTOMERS, self._read_customers),
            "reservations": (RESERVATIONS, self._changes),
            ITEMS: (ORDER_ITEMS, lambda rows: self._moved(ITEMS, rows, "ServiceOrderId")),
        }
        if self.by_payments:
            feeds[PAID_FOR] = (
                PAYMENTS,
                lambda rows: self._moved(PAID_FOR, rows, "ReservationId"),
            )
        return feeds

    def _read_customers(self, rows: list[Row]) -> list[Change]:
        return people.changes(self._profiles((), rows))

    def _moved(self, part: str, rows: list[Row], name: str) -> list[Change]:
        """The reservations of which this part is not known to be as new as these rows are."""
        newest: dict[str, int] = {}
        for row in rows:
            key = reading.text(row.get(name))
            version = moment_version(reading.moment(row.get("UpdatedUtc")))
            if key and version is not None:
                newest[key] = max(version, newest.get(key, version))
        states = ObjectState.objects.for_organisation(self.connection.organisation_id)
        known = dict(
            states.filter(
                connection=self.connection, kind=RESERVATION, external_id__in=newest
            ).values_list("external_id", "fields")
        )
        behind = [
            key for key, version in newest.items() if known.get(key, {}).get(part, 0) < version
        ]
        return self._changes(self.api.by_id(RESERVATIONS, behind))


def _person(stay: Stay, profiles: people.Profiles) -> Person | None:
    """Whose a stay is. What is known of them is told by itself."""
    everybody = (people.survivor(profiles, account) for account in stay.accounts)
    customer_id = next((one for one in everybody if not people.is_account(profiles, one)), "")
    return Person(external_id=customer_id) if people.is_there(profiles, customer_id) else None


def _spelt(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
