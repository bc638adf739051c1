"""Lightspeed Retail R-Series: asked for sales, as it calls nobody.

developers.lightspeedhq.com/retail. All its scalars are texts (`"false"`), and a list of one is an
object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.consent import Channel, Status, Wanted
from integrations import reading
from integrations.changes import Change, Fact, ObjectIs, Person, moment_version
from integrations.client import Client
from integrations.lightspeed import tokens
from integrations.lightspeed.tokens import TokenClient
from integrations.sources.base import (
    API_URL,
    CURRENCY,
    Credential,
    NotUnderstood,
    Page,
    Source,
    source,
)

if TYPE_CHECKING:
    from integrations.models import Connection

SALE = "sale"
NOBODY = "0"
PAGE = 100
RELATIONS = '["Customer","Customer.Contact","SaleLines","SalePayments"]'


@source
class RSeries(Source):
    """An account. Ids are only unique within it, so references name it too."""

    name = "lightspeed-r"
    label = "Lightspeed R-Series"
    credentials = (
        Credential("account_id", gettext_lazy("Account id"), secret=False),
        tokens.ACCESS_TOKEN,
        tokens.REFRESH_TOKEN,
        tokens.CLIENT_ID,
        tokens.CLIENT_SECRET,
        tokens.RENEW_AT,
        API_URL,
    )
    options = (CURRENCY,)
    hint = gettext_lazy(
        "There is no address to enter: Regulars asks Lightspeed every quarter hour."
    )
    hooks = False
    poll_every = timedelta(minutes=15)

    def account(self, credentials: Mapping[str, str]) -> str:
        account = credentials.get("account_id", "").strip()
        if not account.isdecimal():
            raise ValidationError({"account_id": _("Give the account's number.")})
        return account

    def check(self, credentials: Mapping[str, str]) -> None:
        if not tokens.may_ask(credentials):
            raise ValidationError(
                {"access_token": _("Enter an access token, or what it is renewed with.")}
            )

    def read(self, topic: str, body: Any, connection: Connection) -> Iterable[Change]:
        raise NotUnderstood(_("Lightspeed R-Series calls nobody."))

    def test(self, connection: Connection) -> str:
        answer = reading.mapping(self._client(connection).get("Sale.json", {"limit": "1"}).json())
        count = reading.text(reading.mapping(answer.get("@attributes")).get("count"))
        return _("Connected; %(count)s sales.") % {"count": count or "0"}

    def fetch(
        self, connection: Connection, since: datetime, cursor: Mapping[str, Any]
    ) -> Iterator[Page]:
        client = self._client(connection)
        address = cursor.get("next") or "Sale.json"
        query = None
        if not cursor.get("next"):
            query = {
                "timeStamp": f">,{since.isoformat()}",
                "load_relations": RELATIONS,
                "limit": str(PAGE),
                "sort": "timeStamp",
            }
        seen = int(cursor.get("seen", 0))
        while address:
            answer = reading.mapping(client.get(address, query).json())
            sales = reading.rows(answer.get("Sale"))
            seen += len(sales)
            attributes = reading.mapping(answer.get("@attributes"))
            address, query = reading.text(attributes.get("next")), None
            changes = [sale(one, connection) for one in sales]
            yield Page(changes, {"next": address, "seen": seen}, seen)

    def _client(self, connection: Connection) -> Client:
        secrets = connection.secrets
        own = secrets.get("api_url")
        return TokenClient(
            connection,
            f"{own or 'https://api.lightspeedapp.com'}/API/V3/Account/{secrets['account_id']}/",
            f"{own or 'https://cloud.lightspeedapp.com'}/auth/oauth/token",
        )


def sale(body: Mapping[str, Any], connection: Connection) -> Change:
    """A sale, counted when it is completed and not voided; a refund is one below zero."""
    pk = reading.text(body.get("saleID"))
    if not pk:
        raise NotUnderstood(_("The sale has no id."))
    code = connection.options.get("currency") or connection.organisation.currency_code
    spend = reading.money(reading.first((body.get("calcTotal"), body.get("total"))), code)
    happened = reading.moment(body.get("completeTime")) or reading.moment(body.get("createTime"))
    completed = reading.truth(body.get("completed")) and happened is not None
    facts = []
    if completed and happened is not None:
        facts.append(
            Fact(
                type="Refund" if spend < 0 else "Purchase",
                # An id of a sale is another sale's in another account.
                reference=f"sale:{connection.secrets['account_id']}:{pk}",
                happened_at=happened,
                spend=spend,
                currency_code=code,
                purchase=reading.text(body.get("ticketNumber")) or None,
                data=_data(body),
            )
        )
    return ObjectIs(
        SALE,
        pk,
        moment_version(reading.moment(body.get("timeStamp") or body.get("updateTime"))),
        person=_buyer(body),
        facts=facts,
        counts=not reading.truth(body.get("voided")),
        note="" if completed else _("A sale that is not completed does not count."),
    )


def _buyer(body: Mapping[str, Any]) -> Person | None:
    pk = reading.text(body.get("customerID"))
    if pk in ("", NOBODY):
        return None
    customer = reading.mapping(body.get("Customer"))
    contact = reading.mapping(customer.get("Contact"))
    values = reading.told(customer, {"first_name": "firstName", "last_name": "lastName"})
    emails = reading.rows(reading.mapping(contact.get("Emails")).get("ContactEmail"))
    phones = reading.rows(reading.mapping(contact.get("Phones")).get("ContactPhone"))
    if emails:
        values["email_address"] = _preferred(emails, "address", ("Primary",))
    if phones:
        values["phone_number"] = _preferred(phones, "number", ("Mobile", "Home", "Work"))
    if reading.day(customer.get("dob")) is not None:
        values["dob"] = reading.day(customer.get("dob"))
    version = moment_version(reading.moment(customer.get("timeStamp")))
    permissions: dict[str, Wanted] = {}
    if reading.truth(contact.get("noEmail")):
        since = reading.moment(customer.get("timeStamp"))
        permissions[Channel.EMAIL] = Wanted(Status.UNSUBSCRIBED, RSeries.name, since)
    return Person(pk, values, version, permissions=permissions)


def _preferred(rows: list[Mapping[str, Any]], name: str, uses: tuple[str, ...]) -> str | None:
    by_use = {reading.text(row.get("useType")): reading.text(row.get(name)) for row in rows}
    found: str | None = reading.first([*(by_use.get(use) for use in uses), *by_use.values()])
    return found


def _data(body: Mapping[str, Any]) -> dict[str, Any]:
    lines = reading.rows(reading.mapping(body.get("SaleLines")).get("SaleLine"))
    items = [
        {
            name: reading.text(line.get(name))
            for name in ("itemID", "unitQuantity", "unitPrice")
            if reading.text(line.get(name))
        }
        for line in lines[:100]
    ]
    data = {"shop": reading.text(body.get("shopID")), "items": items}
    return {name: value for name, value in data.items() if value}
