"""How Shopify calls, signs, and is asked.

Payloads: shopify.dev/docs/api/webhooks, API 2026-04; signature:
shopify.dev/docs/apps/build/webhooks/verify-deliveries. What could not be confirmed is tolerated.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations import reading
from integrations.changes import Change, Nothing
from integrations.client import Client, each
from integrations.shopify import topics
from integrations.sources.base import (
    PREVIOUS_SECRET,
    Credential,
    Forged,
    Hook,
    NotUnderstood,
    Option,
    Page,
    Source,
    source,
)
from integrations.sources.signing import signed_with

if TYPE_CHECKING:
    from integrations.models import Connection

API_VERSION = "2026-04"
PAGE = 250
FETCHED = {"customers": ("customers/update", "orders"), "orders": ("orders/updated", "")}
"""What is fetched: by the reader of which topic it is read, and what is fetched next."""

_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
_NEXT = re.compile(r"<([^>]+)>;\s*rel=\"?next\"?")


@source
class Shopify(Source):
    """A shop. Signed with the app's client secret, or that of the shop's own webhooks."""

    name = "shopify"
    label = "Shopify"
    credentials = (
        Credential(
            "shop_domain",
            gettext_lazy("Shop domain"),
            secret=False,
            help=gettext_lazy("Such as example-shop.myshopify.com."),
        ),
        Credential(
            "secret",
            gettext_lazy("Secret"),
            help=gettext_lazy(
                "The app's client secret; or, for webhooks made in the shop's "
                "settings, the secret that is shown there."
            ),
        ),
        PREVIOUS_SECRET,
        Credential(
            "access_token",
            gettext_lazy("Admin API access token"),
            required=False,
            help=gettext_lazy("To fetch what webhooks missed, and past orders."),
        ),
        Credential(
            "api_url",
            gettext_lazy("API address"),
            secret=False,
            required=False,
            help=gettext_lazy("Only for a shop that is reached another way."),
        ),
    )
    options = (
        Option(
            "spend",
            gettext_lazy("Spend"),
            "received",
            (
                ("received", gettext_lazy("Money received: an order counts once it is paid")),
                ("ordered", gettext_lazy("Order value: an order counts when it is placed")),
            ),
        ),
    )
    hint = gettext_lazy(
        "In Shopify, under Settings, Notifications, Webhooks, make a webhook for each of: order "
        "creation, payment, update, cancellation, deletion; refund create; customer creation, "
        "update, deletion. Format JSON, and this address."
    )
    poll_every = timedelta(hours=1)
    headers: ClassVar[frozenset[str]] = frozenset(
        f"{prefix}shopify-{name}"
        for prefix in ("x-", "")
        for name in (
            "topic",
            "shop-domain",
            "api-version",
            "webhook-id",
            "event-id",
            "triggered-at",
            "name",
            "sub-topic",
            "test",
        )
    )
    private: ClassVar[frozenset[str]] = frozenset(
        {
            "payment_details",
            "receipt",
            "browser_ip",
            "client_details",
            "order_status_url",
            "authorization",
            "payment_id",
        }
    )

    def account(self, credentials: Mapping[str, str]) -> str:
        domain = credentials.get("shop_domain", "").strip().lower()
        domain = domain.removeprefix("https://").rstrip("/")
        if not _DOMAIN.fullmatch(domain):
            raise ValidationError(
                {"shop_domain": _("Give the shop's domain, such as example-shop.myshopify.com.")}
            )
        return domain

    # Being told

    def verify(self, hook: Hook, connection: Connection) -> str:
        """HMAC-SHA256 of the raw body, base 64; the current secret, or the previous one."""
        given = _header(hook, "hmac-sha256")
        if not given:
            raise Forged(_("The signature is missing."))
        try:
            signature = base64.b64decode(given, validate=True)
        except ValueError:
            raise Forged(_("The signature is not base 64.")) from None
        secrets = connection.secrets
        matched = signed_with(
            secrets,
            ("secret", "previous_secret"),
            signature,
            lambda key: hmac.digest(key, hook.raw, hashlib.sha256),
        )
        if not matched:
            raise Forged(_("The signature is wrong."))
        domain = _header(hook, "shop-domain").lower()
        if domain and domain != self.account(secrets):
            raise Forged(_("The delivery is of another shop."))
        return _("signed") if matched == "secret" else _("signed with the previous secret")

    def delivery_key(self, hook: Hook) -> str:
        """Shopify's two pages name two headers; the webhook's id tells a delivery, one event may
        have several."""
        known = _header(hook, "webhook-id") or _header(hook, "event-id") or hook.digest
        return f"{self.topic(hook)}:{known}"

    def topic(self, hook: Hook) -> str:
        return _header(hook, "topic").strip().lower()

    def read(self, topic: str, body: Any, connection: Connection) -> Iterable[Change]:
        if not isinstance(body, dict):
            raise NotUnderstood(_("The body is not an object."))
        reader = topics.READERS.get(topic)
        if reader is None:
            return [Nothing(_("The topic %(topic)s says nothing to us.") % {"topic": topic or "–"})]
        return reader(body, connection)

    # Asking

    def test(self, connection: Connection) -> str:
        answer = self._client(connection).get("shop.json").json()
        shop = answer.get("shop", {}) if isinstance(answer, dict) else {}
        return _("Connected to %(name)s.") % {"name": shop.get("name") or "Shopify"}

    def fetch(
        self, connection: Connection, since: datetime, cursor: Mapping[str, Any]
    ) -> Iterator[Page]:
        """Customers, then orders with their refunds, that changed since then."""
        client = self._client(connection)
        place = {"resource": "customers", "next": "", "seen": 0, **cursor}
        while resource := place["resource"]:
            topic, following = FETCHED[resource]
            answer = (
                client.get(place["next"])
                if place["next"]
                else client.get(f"{resource}.json", _query(resource, since))
            )
            objects = reading.rows(reading.mapping(answer.json()).get(resource))
            more = _NEXT.search(answer.headers.get("link", ""))
            place = {
                "resource": resource if more else following,
                "next": more[1] if more else "",
                "seen": place["seen"] + len(objects),
            }
            changes = each(objects, topics.READERS[topic], connection)
            yield Page(changes, place, place["seen"])

    def may_ask(self, credentials: Mapping[str, str]) -> bool:
        return bool(credentials.get("access_token"))

    def _client(self, connection: Connection) -> Client:
        secrets = connection.secrets
        if not secrets.get("access_token"):
            raise NotUnderstood(_("Enter an Admin API access token to fetch from Shopify."))
        base = secrets.get("api_url") or f"https://{self.account(secrets)}"
        return Client(
            f"{base}/admin/api/{API_VERSION}/",
            headers={"x-shopify-access-token": secrets["access_token"]},
        )


def _query(resource: str, since: datetime) -> dict[str, str]:
    query = {"updated_at_min": since.isoformat(), "limit": str(PAGE), "order": "updated_at asc"}
    return query | ({"status": "any"} if resource == "orders" else {})


def _header(hook: Hook, name: str) -> str:
    """A header of Shopify's; the newer events have theirs without `X-`."""
    return hook.header(f"x-shopify-{name}", f"shopify-{name}")
