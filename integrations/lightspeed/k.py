"""Lightspeed Restaurant K-Series: orders, charges to rooms, table reservations, and its sales.

api-docs.lsk.lightspeed.app. Callbacks have no signature: HTTP Basic for webhooks, a key in the body
of a charge.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import Booking
from integrations import reading
from integrations.changes import Change, Fact, Nothing, ObjectIs, Person, moment_version
from integrations.client import Client
from integrations.sources.base import (
    API_URL,
    CURRENCY,
    Credential,
    Forged,
    Hook,
    NotUnderstood,
    Page,
    Source,
    source,
)

if TYPE_CHECKING:
    from integrations.models import Connection

SALE = "sale"
TABLE = "table"
CHARGE, ORDER, PAYMENT, RESERVATION = "charge", "order", "payment", "reservation"
PAGE = 100
SUBTRACTED = frozenset({"REFUND", "VOID", "CANCEL"})
CANCELLED = frozenset({"CANCELLED", "NO_SHOW", "ERROR"})

naive_utc = partial(reading.moment, naive=UTC)


@source
class KSeries(Source):
    """A business location."""

    name = "lightspeed-k"
    label = "Lightspeed K-Series"
    credentials = (
        Credential("business_location_id", gettext_lazy("Business location id"), secret=False),
        Credential("username", gettext_lazy("User name of the webhook"), secret=False),
        Credential("password", gettext_lazy("Password of the webhook")),
        Credential(
            "api_key",
            gettext_lazy("API key of PMS charges"),
            required=False,
            help=gettext_lazy("What Lightspeed sends as apiKey with each charge."),
        ),
        Credential("access_token", gettext_lazy("Access token"), required=False),
        API_URL,
    )
    options = (CURRENCY,)
    hint = gettext_lazy(
        "Subscribe this address with the user name and password, withBasicAuth and "
        "provideAccount. For PMS charges enter it with /charge at its end."
    )
    poll_every = timedelta(minutes=30)
    headers: ClassVar[frozenset[str]] = frozenset({"x-lightspeed-idempotency-key"})
    private: ClassVar[frozenset[str]] = frozenset({"apiKey", "paymentEntries"})

    def account(self, credentials: Mapping[str, str]) -> str:
        account = credentials.get("business_location_id", "").strip()
        if not account.isdecimal():
            raise ValidationError({"business_location_id": _("Give the location's number.")})
        return account

    # Being told

    def verify(self, hook: Hook, connection: Connection) -> str:
        secrets = connection.secrets
        if self.topic(hook) == CHARGE and secrets.get("api_key"):
            try:
                given = reading.text(reading.mapping(hook.json).get("apiKey"))
            except NotUnderstood:
                given = ""
            if hmac.compare_digest(given.encode(), secrets["api_key"].encode()):
                return _("by its API key")
            raise Forged(_("The API key is wrong."))
        scheme, _space, encoded = hook.header("authorization").partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            given = ""
        wanted = f"{secrets.get('username', '')}:{secrets.get('password', '')}"
        right = hmac.compare_digest(given.encode(), wanted.encode())
        if scheme.lower() != "basic" or not right:
            raise Forged(_("The user name or password is wrong."))
        return _("by its password")

    def delivery_key(self, hook: Hook) -> str:
        return hook.header("x-lightspeed-idempotency-key") or hook.digest

    def topic(self, hook: Hook) -> str:
        """By the end of the address, else by what the body says of itself."""
        if hook.rest.rstrip("/").rpartition("/")[2] == CHARGE:
            return CHARGE
        try:
            body = reading.mapping(hook.json)
        except NotUnderstood:
            return ""
        if "utcScheduledAt" in body:
            return RESERVATION
        return reading.text(body.get("type")).lower()

    def read(self, topic: str, body: Any, connection: Connection) -> Iterable[Change]:
        if not isinstance(body, dict):
            raise NotUnderstood(_("The body is not an object."))
        match topic:
            case "charge":
                return [charge(body, connection)]
            case "order":
                return [order(body, connection)]
            case "reservation":
                return [reservation(body)]
            case "payment":
                return [Nothing(_("What was paid comes with the order."))]
        return [Nothing(_("The topic %(topic)s says nothing to us.") % {"topic": topic or "–"})]

    # Asking

    def may_ask(self, credentials: Mapping[str, str]) -> bool:
        return bool(credentials.get("access_token"))

    def test(self, connection: Connection) -> str:
        day = datetime.now(UTC)
        query = {"from": (day - timedelta(days=1)).isoformat(), "to": day.isoformat()}
        self._client(connection).get("sales", {**query, "pageSize": "1"})
        return _("Connected.")

    def fetch(
        self, connection: Connection, since: datetime, cursor: Mapping[str, Any]
    ) -> Iterator[Page]:
        """Closed sales, at most a year of them in one question."""
        client = self._client(connection)
        end = datetime.now(UTC)
        begin = reading.moment(cursor.get("from")) or since
        token, seen = reading.text(cursor.get("token")), int(cursor.get("seen", 0))
        while begin < end:
            until = min(begin + timedelta(days=364), end)
            query = {
                "from": begin.isoformat(),
                "to": until.isoformat(),
                "include": "consumer,payments",
                "pageSize": str(PAGE),
                **({"nextPageToken": token} if token else {}),
            }
            answer = reading.mapping(client.get("sales", query).json())
            sales = reading.rows(answer.get("sales"))
            seen += len(sales)
            token = reading.text(answer.get("nextPageToken"))
            if not token:
                begin = until
            place = {"from": begin.isoformat(), "token": token, "seen": seen}
            yield Page([closed_sale(one, connection) for one in sales], place, seen)

    def _client(self, connection: Connection) -> Client:
        secrets = connection.secrets
        if not secrets.get("access_token"):
            raise NotUnderstood(_("Enter an access token to fetch from Lightspeed."))
        base = secrets.get("api_url") or "https://api.lsk.lightspeed.app"
        return Client(
            f"{base}/f/v2/business-location/{secrets['business_location_id']}/",
            headers={"authorization": f"Bearer {secrets['access_token']}"},
        )


def _currency(connection: Connection, *told: Any) -> str:
    code = reading.currency(*told, connection.options.get("currency"))
    return code or connection.organisation.currency_code


def charge(body: Mapping[str, Any], connection: Connection) -> Change:
    """A bill that was charged to a room, or any closed one where charges are mirrored."""
    pk = reading.first(reading.text(body.get(name)) for name in ("fiscId", "uuid"))
    happened = reading.moment(body.get("closeDate")) or reading.moment(body.get("openDate"))
    if pk is None or happened is None:
        raise NotUnderstood(_("The charge has no id, or no date."))
    code = _currency(connection)
    payments = reading.rows(body.get("payments"))
    spend = sum(reading.money(one.get("amount"), code) for one in payments)
    lines = reading.rows(body.get("transactions"))
    initial = reading.text(body.get("initialAccountId"))
    guest, booking = _guest(payments, connection)
    data = {
        "name": reading.text(body.get("name")),
        "covers": reading.text(body.get("covers")),
        "revenueCentre": reading.text(body.get("revenueCenterName")),
        "tips": reading.text(sum(reading.decimal(one.get("gratuity")) or 0 for one in payments)),
        "refundOf": initial,
        "items": [
            {
                "name": reading.text(line.get("description"))[:200],
                "quantity": reading.text(line.get("quantity")),
            }
            for line in lines[:100]
        ],
    }
    return ObjectIs(
        SALE,
        pk,
        None,
        person=guest,
        facts=[
            Fact(
                type="Refund" if initial or spend < 0 else "Purchase",
                reference=pk,
                happened_at=happened,
                spend=spend,
                currency_code=code,
                data={name: value for name, value in data.items() if value},
            )
        ],
        note="" if booking else _("No reservation here has the number that the charge names."),
    )


def _guest(
    payments: list[Mapping[str, Any]], connection: Connection
) -> tuple[Person | None, Booking | None]:
    """Whose bill it is: whoever has the reservation that it was charged to."""
    references = [ref for one in payments if (ref := reading.text(one.get("reservationId")))]
    bookings = Booking.objects.for_organisation(connection.organisation)
    found = bookings.filter(external_reference__in=references).order_by("pk").first()
    if found is None:
        return None, None
    # By the contact itself: a guest of the hotel may have neither e-mail address nor phone.
    return Person(contact=found.contact_id), found


def order(body: Mapping[str, Any], connection: Connection) -> Change:
    """An order of Order and Pay. It names nobody: kept for whoever looks into the inbox."""
    status = reading.text(body.get("status")).upper()
    reason = reading.text(body.get("reason"))[:200]
    if status == "FAILURE":
        return Nothing(_("The order failed there: %(reason)s") % {"reason": reason or "–"})
    return Nothing(_("The order names no guest; its sale is fetched."))


def reservation(body: Mapping[str, Any]) -> Change:
    """A table reservation: the one activity, with its state."""
    guest = reading.mapping(body.get("guest"))
    scheduled = naive_utc(body.get("utcScheduledAt"))
    updated = naive_utc(body.get("utcUpdatedAt"))
    pk = reading.first(
        reading.text(body.get(name))
        for name in ("platformReservationId", "reservationId", "externalReference", "id")
    )
    if scheduled is None or updated is None:
        raise NotUnderstood(_("The reservation has no time."))
    sequence = reading.decimal(body.get("sequenceId"))
    status = reading.text(body.get("status")).upper()
    reference = pk or f"{reading.text(guest.get('platformGuestId'))}:{scheduled:%Y%m%dT%H%M}"
    names = {
        "email_address": "email",
        "phone_number": "phone",
        "first_name": "firstName",
        "last_name": "lastName",
    }
    walk_in = reading.truth(guest.get("walkIn"))
    known_as = reading.text(guest.get("platformGuestId")) or None
    values = reading.told(guest, names)
    someone = None if walk_in else Person(known_as, values, moment_version(updated))
    party = reading.decimal(body.get("partySize"))
    return ObjectIs(
        TABLE,
        reference,
        int(sequence) if sequence is not None else moment_version(updated),
        person=someone,
        facts=[
            Fact(
                type="Table reservation",
                reference=f"table:{reference}",
                happened_at=min(updated, datetime.now(UTC)),
                data={
                    name: value
                    for name in ("specialOffer", "guestRequest", "tags", "tableNumbers")
                    if (value := body.get(name))
                },
                table_reservation={
                    "start_time": scheduled,
                    "party_size": int(party) if party is not None and party >= 0 else None,
                    "status": status,
                    "notes": reading.text(body.get("notes"))[:2000],
                    "origin": KSeries.name,
                    "origin_reference": reference,
                    **({"cancelled_at": updated} if status in CANCELLED else {}),
                },
            )
        ],
    )


def closed_sale(body: Mapping[str, Any], connection: Connection) -> Change:
    """A sale of the Financial API. One that takes another back is below zero."""
    pk = reading.first(reading.text(body.get(name)) for name in ("accountFiscId", "receiptId"))
    happened = reading.moment(body.get("timeClosed"))
    if pk is None or happened is None:
        raise NotUnderstood(_("The sale has no id, or no time."))
    kind = reading.text(body.get("type")).upper()
    if kind != "SALE" and kind not in SUBTRACTED:
        return Nothing(_("A %(kind)s is not counted.") % {"kind": kind or "–"})
    payments = reading.rows(body.get("payments"))
    code = _currency(connection, *(one.get("currency") for one in payments))
    spend = sum(reading.money(one.get("netAmountWithTax"), code) for one in payments)
    if kind in SUBTRACTED:
        spend = -abs(spend)
    return ObjectIs(
        SALE,
        pk,
        moment_version(happened),
        person=_consumer(payments),
        facts=[
            Fact(
                type="Purchase" if kind == "SALE" else "Refund",
                reference=pk,
                happened_at=happened,
                spend=spend,
                currency_code=code,
                data={
                    "covers": reading.text(body.get("nbCovers")),
                    "table": reading.text(body.get("tableNumber")),
                    "receipt": reading.text(body.get("receiptId")),
                },
            )
        ],
        counts=not reading.truth(body.get("cancelled")),
    )


def _consumer(payments: list[Mapping[str, Any]]) -> Person | None:
    for payment in payments:
        consumer = reading.mapping(payment.get("consumer"))
        values = reading.told(
            consumer,
            {"email_address": "email", "first_name": "firstName", "last_name": "lastName"},
        )
        phones = (reading.text(consumer.get(f"phoneNumber{number}")) for number in (1, 2))
        if phone := reading.first(phones):
            values["phone_number"] = phone
        known_as = reading.text(consumer.get("id")) or None
        if known_as or values.get("email_address") or values.get("phone_number"):
            return Person(known_as, values)
    return None
