"""A shop that is connected, and posting to it as Shopify does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from pytest_httpserver import HTTPServer

from activities.models import Activity
from contacts.models import Contact
from integrations import applying, services
from integrations.models import Connection, Delivery
from organisations.models import Organisation
from tests.admin.conftest import owner, staff_of  # noqa: F401  # fixtures

if TYPE_CHECKING:
    from tests.integrations.mews import Mews

SECRET = "hush-test-secret"
SHOP = "example-shop.myshopify.com"

_numbers = itertools.count(1)


def signed(raw: bytes, secret: str = SECRET) -> str:
    """Shopify's signature of a body."""
    return base64.b64encode(hmac.digest(secret.encode(), raw, hashlib.sha256)).decode()


class Shop:
    """A Shopify shop that calls us."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.organisation = connection.organisation
        self.client = Client()

    def post(
        self,
        topic: str,
        body: Mapping[str, Any] | bytes,
        *,
        webhook_id: str | None = None,
        secret: str = SECRET,
        headers: Mapping[str, str | None] | None = None,
    ) -> Any:
        """POST a delivery; a new one unless `webhook_id` says which."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        told: dict[str, str | None] = {
            "x-shopify-topic": topic,
            "x-shopify-shop-domain": SHOP,
            "x-shopify-webhook-id": webhook_id or f"webhook-{next(_numbers)}",
            "x-shopify-hmac-sha256": signed(raw, secret),
            **(headers or {}),
        }
        return self.client.post(
            self.connection.path,
            raw,
            content_type="application/json",
            headers={name: value for name, value in told.items() if value is not None},
        )

    def tell(self, topic: str, body: Mapping[str, Any] | bytes, **kwargs: Any) -> Delivery:
        """POST a delivery and let the worker apply it; answers what became of it."""
        response = self.post(topic, body, **kwargs)
        assert response.status_code == 200, response.content
        work()
        return self.deliveries().latest("pk")

    def deliveries(self) -> Any:
        return Delivery.objects.for_organisation(self.organisation)

    def contacts(self) -> Any:
        return Contact.objects.for_organisation(self.organisation)

    def activities(self) -> Any:
        return Activity.objects.for_organisation(self.organisation).order_by("pk")

    def total(self, **contact: Any) -> int:
        """The total spend of the one contact."""
        found = self.contacts().select_related("rollup").get(**contact)
        return int(found.rollup.total_spend)


def work() -> None:
    """Let the worker apply all that is due."""
    while applying.work():
        pass


@pytest.fixture
def shop(organisation: Organisation) -> Shop:
    """A connected Shopify shop."""
    return Shop(
        services.connect(
            organisation=organisation,
            source="shopify",
            credentials={"secret": SECRET, "shop_domain": SHOP},
        )
    )


@pytest.fixture
def connect(organisation: Organisation) -> Callable[..., Connection]:
    """`connect("mews", access_token="…")`: a connection of the organisation."""

    def make(source: str, options: Mapping[str, str] | None = None, **credentials: str) -> Any:
        return services.connect(
            organisation=organisation, source=source, credentials=credentials, options=options
        )

    return make


@pytest.fixture
def hotel(httpserver: HTTPServer, connect: Callable[..., Connection]) -> Mews:
    """A connected hotel, with the Mews that it uses."""
    from tests.integrations import mews

    return mews.Mews(httpserver, connect("mews", **mews.credentials(httpserver)))
