"""Lightspeed Retail X-Series, once Vend: sales and customers of a shop.

x-series-api.lightspeedhq.com/docs/webhooks. How the signature is spelt, and over what, is not
documented: four ways are tried, and an option pins one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urljoin

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.consent import Channel, Status, Wanted
from integrations import reading
from integrations.changes import (
    Change,
    Fact,
    Nothing,
    ObjectIs,
    Person,
    PersonGone,
    PersonIs,
    moment_version,
)
from integrations.client import Client
from integrations.lightspeed import tokens
from integrations.lightspeed.tokens import TokenClient
from integrations.sources.base import (
    API_URL,
    CURRENCY,
    PREVIOUS_SECRET,
    Credential,
    Forged,
    Hook,
    NotUnderstood,
    Option,
    Page,
    Source,
    dump,
    parse,
    source,
    without,
)
from integrations.sources.signing import signed_with

if TYPE_CHECKING:
    from integrations.models import Connection

SALE = "sale"
FINAL = frozenset({"CLOSED", "ONACCOUNT_CLOSED", "LAYBY_CLOSED", "DISPATCHED_CLOSED"})
VOIDED = "VOIDED"
WALK_IN = "WALKIN"
UNSIGNED = "none"
API_VERSION = "2.0"
PAGE = 200

_PREFIX = re.compile(r"[a-z0-9][a-z0-9-]*")
_SIGNATURE = re.compile(r"signature=([^,\s]+)")
_COLUMNS = {"email_address": "email", "first_name": "first_name", "last_name": "last_name"}

moment = partial(reading.moment, naive=UTC)
"""Its times are UTC, without saying so."""


@source
class XSeries(Source):
    """A retailer. Webhooks of an app are signed; those typed in by hand are not."""

    name = "lightspeed-x"
    label = "Lightspeed X-Series"
    credentials = (
        Credential(
            "domain_prefix",
            gettext_lazy("Domain prefix"),
            secret=False,
            help=gettext_lazy("The first part of your address at retail.lightspeed.app."),
        ),
        Credential(
            "client_secret",
            gettext_lazy("App's client secret"),
            required=False,
            help=gettext_lazy("Without one, webhooks are taken by their address alone."),
        ),
        PREVIOUS_SECRET,
        tokens.ACCESS_TOKEN,
        tokens.REFRESH_TOKEN,
        tokens.CLIENT_ID,
        tokens.RENEW_AT,
        API_URL,
    )
    options = (
        CURRENCY,
        Option(
            "signature",
            gettext_lazy("Signature"),
            "any",
            (
                ("any", gettext_lazy("Any of the four ways")),
                ("raw/hex", gettext_lazy("Whole body, hexadecimal")),
                ("raw/base64", gettext_lazy("Whole body, base 64")),
                ("payload/hex", gettext_lazy("Payload, hexadecimal")),
                ("payload/base64", gettext_lazy("Payload, base 64")),
                (UNSIGNED, gettext_lazy("None: the webhooks are typed in by hand")),
            ),
        ),
    )
    signed_by = "client_secret"
    hint = gettext_lazy(
        "In the X-Series, under Setup, Webhooks, make one for sale.update and one for "
        "customer.update with this address."
    )
    poll_every = timedelta(hours=1)
    headers: ClassVar[frozenset[str]] = frozenset({"x-signature"})
    private: ClassVar[frozenset[str]] = frozenset({"register_sale_payments"})

    def account(self, credentials: Mapping[str, str]) -> str:
        prefix = credentials.get("domain_prefix", "").strip().lower()
        if not _PREFIX.fullmatch(prefix):
            raise ValidationError({"domain_prefix": _("Give the prefix alone, such as demoshop.")})
        return prefix

    # Being told

    def verify(self, hook: Hook, connection: Connection) -> str:
        secrets = connection.secrets
        fields = _fields(hook)
        prefix = fields.get("domain_prefix", "").lower()
        if prefix and prefix != self.account(secrets):
            raise Forged(_("The delivery is of another retailer."))
        names = (self.signed_by, PREVIOUS_SECRET.name)
        pinned = connection.options.get("signature", "any")
        if pinned == UNSIGNED or not any(secrets.get(name) for name in names):
            return super().verify(hook, connection)
        match = _SIGNATURE.search(hook.header("x-signature"))
        if match is None:
            raise Forged(_("The signature is missing."))
        matched = ""
        for way, message in (("raw", hook.raw), ("payload", fields.get("payload", "").encode())):
            for encoding, spell in (("hex", binascii.hexlify), ("base64", base64.b64encode)):
                right = signed_with(
                    secrets, names, match[1].encode(), partial(_signature, message, spell)
                )
                if right and pinned in ("any", f"{way}/{encoding}"):
                    matched = matched or f"{way}/{encoding}"
        if not matched:
            raise Forged(_("The signature is wrong."))
        return _("signed (%(way)s)") % {"way": matched}

    def topic(self, hook: Hook) -> str:
        """Not always said: else it is seen from the payload."""
        return _fields(hook).get("type", "")

    def body(self, hook: Hook) -> str:
        payload = _fields(hook).get("payload")
        if not payload:
            raise NotUnderstood(_("There is no payload in it."))
        return dump(without(parse(payload), self.private))

    def read(self, topic: str, body: Any, connection: Connection) -> Iterable[Change]:
        if not isinstance(body, dict) or not reading.text(body.get("id")):
            raise NotUnderstood(_("The payload is no object with an id."))
        if topic == "sale.update" or (not topic and "register_sale_products" in body):
            return [sale(body, connection)]
        if not topic and "status" in body and "customer_code" not in body:
            return [sale(body, connection)]
        if topic == "customer.update" or (not topic and "customer_code" in body):
            return [customer(body)]
        return [Nothing(_("The topic %(topic)s says nothing to us.") % {"topic": topic or "–"})]

    # Asking

    def may_ask(self, credentials: Mapping[str, str]) -> bool:
        return tokens.may_ask(credentials)

    def test(self, connection: Connection) -> str:
        answer = reading.mapping(self._client(connection).get("retailer").json())
        name = reading.text(reading.mapping(answer.get("data")).get("name"))
        return _("Connected to %(name)s.") % {"name": name or self.account(connection.secrets)}

    def fetch(
        self, connection: Connection, since: datetime, cursor: Mapping[str, Any]
    ) -> Iterator[Page]:
        """Customers, then sales, by their version: a poll goes on after the last that was seen.

        The API pages by version alone, so the first time everything is read, and what is older
        than `since` is left out.
        """
        client = self._client(connection)
        after = dict(cursor.get("after") or {})
        seen = int(cursor.get("seen", 0))
        for resource in ("customers", "sales"):
            while True:
                query = {"after": str(after.get(resource, 0)), "page_size": str(PAGE)}
                answer = reading.mapping(client.get(resource, query).json())
                objects = reading.rows(answer.get("data"))
                latest = reading.decimal(reading.mapping(answer.get("version")).get("max"))
                if not objects or latest is None or int(latest) <= int(after.get(resource, 0)):
                    break
                after[resource] = int(latest)
                seen += len(objects)
                recent = [one for one in objects if _changed_since(one, since)]
                changes = [
                    customer(one) if resource == "customers" else sale(one, connection)
                    for one in recent
                ]
                yield Page(changes, {"after": after, "seen": seen}, seen)

    def _client(self, connection: Connection) -> Client:
        secrets = connection.secrets
        base = secrets.get("api_url")
        base = base or f"https://{self.account(secrets)}.retail.lightspeed.app/api/{API_VERSION}"
        return TokenClient(connection, base, urljoin(f"{base}/", "../1.0/token"))


def _signature(message: bytes, spell: Callable[[bytes], bytes], key: bytes) -> bytes:
    return spell(hmac.digest(key, message, hashlib.sha256))


def _fields(hook: Hook) -> dict[str, str]:
    """The form's fields. Read from the raw bytes, over which the signature goes."""
    try:
        found = parse_qs(hook.raw.decode(), max_num_fields=50)
    except (ValueError, UnicodeDecodeError):
        return {}
    return {name: values[-1] for name, values in found.items()}


def _changed_since(one: Mapping[str, Any], since: datetime) -> bool:
    changed = moment(one.get("updated_at"))
    return changed is None or changed >= since


def _version(one: Mapping[str, Any]) -> int | None:
    return moment_version(moment(one.get("updated_at")))


# What they say


def customer(body: Mapping[str, Any]) -> Change:
    """A customer; deleted when that has a time."""
    if reading.text(body.get("deleted_at")):
        return PersonGone(reading.text(body["id"]))
    if is_walk_in(body):
        return Nothing(_("A walk-in is nobody in particular."))
    return PersonIs(person(body))


def is_walk_in(body: Mapping[str, Any]) -> bool:
    """Whether this is the customer that stands for nobody."""
    return reading.text(body.get("customer_code")).upper() == WALK_IN


def person(body: Mapping[str, Any]) -> Person:
    """A customer, of a webhook or of the API."""
    values = reading.told(body, _COLUMNS)
    if "mobile" in body or "phone" in body:
        values["phone_number"] = reading.first(
            reading.text(body.get(name)) for name in ("mobile", "phone")
        )
    if reading.text(body.get("name")) and not (values.get("first_name") or values.get("last_name")):
        values["name"] = reading.text(body["name"])
    if "date_of_birth" in body:
        values["dob"] = reading.day(body["date_of_birth"])
    address = _address(body)
    if address:
        values["addresses"] = [address]
    return Person(
        external_id=reading.text(body.get("id")) or None,
        values=values,
        version=_version(body),
        permissions=_permissions(body),
    )


def _address(body: Mapping[str, Any]) -> dict[str, str]:
    names = {
        "line1": ("physical_address1", "physical_address_1"),
        "line2": ("physical_address2", "physical_address_2"),
        "city": ("physical_city",),
        "county": ("physical_state",),
        "postcode": ("physical_postcode",),
        "country": ("physical_country_id", "physical_country"),
    }
    address = {
        ours: reading.first(reading.text(body.get(name)) for name in theirs) or ""
        for ours, theirs in names.items()
    }
    street = any(address[name] for name in ("line1", "city", "postcode"))
    return address if street else {}


def _permissions(body: Mapping[str, Any]) -> dict[str, Wanted]:
    """What the API's objects say: who does not want e-mail. Webhooks say nothing of it."""
    since = moment(body.get("updated_at"))
    permissions: dict[str, Wanted] = {}
    if reading.truth(body.get("do_not_email")):
        permissions[Channel.EMAIL] = Wanted(Status.UNSUBSCRIBED, XSeries.name, since)
    if reading.truth(body.get("enable_promotional_sms")):
        permissions[Channel.SMS] = Wanted(Status.SUBSCRIBED, XSeries.name, since)
    return permissions


def sale(body: Mapping[str, Any], connection: Connection) -> Change:
    """A sale, or a return; counted once it is closed."""
    pk = reading.text(body["id"])
    happened = moment(body.get("sale_date")) or moment(body.get("created_at"))
    if happened is None:
        raise NotUnderstood(_("The sale has no date."))
    buyer = _buyer(body)
    status = reading.text(body.get("status") or body.get("state")).upper()
    original = _original(body)
    code = connection.options.get("currency") or connection.organisation.currency_code
    totals = reading.mapping(body.get("totals"))
    amount = reading.decimal(totals.get("total_price", body.get("total_price")))
    tax = reading.decimal(totals.get("total_tax", body.get("total_tax")))
    spend = reading.money((amount or 0) + (tax or 0), code)
    is_return = bool(original) or spend < 0
    return ObjectIs(
        SALE,
        pk,
        _version(body),
        person=buyer,
        facts=[
            Fact(
                type="Refund" if is_return else "Purchase",
                reference=f"sale:{pk}",
                happened_at=happened,
                spend=spend,
                currency_code=code,
                purchase=reading.text(body.get("invoice_number")) or None,
                data=_data(body, status, original),
            )
        ]
        if status in FINAL or status == VOIDED
        else [],
        counts=status in FINAL,
        note=""
        if status in FINAL
        else _("A sale that is %(status)s does not count.") % {"status": status.lower() or "–"},
    )


def _buyer(body: Mapping[str, Any]) -> Person | None:
    given = reading.mapping(body.get("customer"))
    if is_walk_in(given):
        return None
    if given:
        return person(given)
    known = reading.text(body.get("customer_id"))
    return Person(external_id=known) if known else None


def _original(body: Mapping[str, Any]) -> str:
    """The sale that a return is of."""
    returned = reading.mapping(body.get("return"))
    return reading.text(body.get("return_for")) or reading.text(returned.get("original_sale_id"))


def _data(body: Mapping[str, Any], status: str, original: str) -> dict[str, Any]:
    data: dict[str, Any] = {"status": status, "returnFor": f"sale:{original}" if original else ""}
    data["invoice"] = reading.text(body.get("invoice_number"))
    lines = reading.rows(body.get("register_sale_products") or body.get("line_items"))
    data["items"] = [
        {
            name: reading.text(line.get(name))[:200]
            for name in ("name", "sku", "quantity", "price")
            if reading.text(line.get(name))
        }
        for line in lines[:100]
    ]
    return {name: value for name, value in data.items() if value}
