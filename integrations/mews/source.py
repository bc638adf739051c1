"""How Mews calls and is asked.

github.com/MewsSystems/open-api-docs, `connector-api/events/wh-general.md`. It signs nothing: the
address is the secret. Its calls name ids only, and what they stand for is fetched.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations import reading
from integrations.changes import Change, Nothing
from integrations.mews import lifecycle
from integrations.mews.api import Api, Row
from integrations.mews.hotel import Hotel
from integrations.sources.base import (
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
)

if TYPE_CHECKING:
    from integrations.models import Connection

_COUNT = (("leave", gettext_lazy("Not counted")), ("count", gettext_lazy("Counted")))
_EVENTS = {
    "ServiceOrderUpdated": "reservations",
    "CustomerAdded": "customers",
    "CustomerUpdated": "customers",
    "PaymentUpdated": "payments",
}
"""What the ids of an event are of; of other events we know nothing to do."""


@source
class Mews(Source):
    """A hotel. One connection for each property."""

    name = "mews"
    label = "Mews"
    credentials = (
        Credential(
            "enterprise_id",
            gettext_lazy("Enterprise id"),
            secret=False,
            help=gettext_lazy("Of the property: 851df8c8-90f2-4c4a-8e01-a4fc46b25178, say."),
        ),
        Credential(
            "client_token",
            gettext_lazy("Client token"),
            help=gettext_lazy("What Mews knows your integration by, at every property."),
        ),
        Credential(
            "access_token",
            gettext_lazy("Access token"),
            required=False,
            help=gettext_lazy(
                "Of this property. Leave it out when the integration is connected in Mews after "
                "this: it comes by itself."
            ),
        ),
        Credential(
            "integration_id",
            gettext_lazy("Integration id"),
            secret=False,
            required=False,
            help=gettext_lazy("Comes with the access token."),
        ),
        Credential(
            "api_url",
            gettext_lazy("API address"),
            secret=False,
            required=False,
            help=gettext_lazy("Only for Mews's demo: https://api.mews-demo.com."),
        ),
    )
    options = (
        Option(
            "spend",
            gettext_lazy("Spend"),
            "stayed",
            (
                ("stayed", gettext_lazy("Value of the stay, from check-out on")),
                ("booked", gettext_lazy("Value of the stay, from the booking on")),
                ("paid", gettext_lazy("Money received")),
            ),
        ),
        Option("city_tax", gettext_lazy("City tax"), "leave", _COUNT),
        Option("deposit", gettext_lazy("Deposits"), "leave", _COUNT),
    )
    hint = gettext_lazy(
        "Send this address to Mews's support, for general webhooks (service order, customer, "
        "payment) and for integration webhooks. The secret is in it: nothing need be added."
    )
    poll_every = timedelta(hours=1)
    private: ClassVar[frozenset[str]] = frozenset({*lifecycle.TOKENS, "ClientToken"})

    def account(self, credentials: Mapping[str, str]) -> str:
        try:
            return str(uuid.UUID(credentials.get("enterprise_id", "").strip()))
        except ValueError:
            raise ValidationError(
                {"enterprise_id": _("Give the enterprise's id, which Mews shows as an UUID.")}
            ) from None

    # Being told

    def verify(self, hook: Hook, connection: Connection) -> str:
        """Its address was right; it must be about this hotel too. Mews has one address for all
        properties of an integration."""
        message = _message(hook)
        secrets = connection.secrets
        enterprise = reading.text(message.get("EnterpriseId")).lower()
        enterprise = enterprise or lifecycle.enterprise_id(message)
        if enterprise and enterprise != self.account(secrets):
            raise Forged(_("The delivery is of another enterprise."))
        known, integration = secrets.get("integration_id", ""), lifecycle.integration_id(message)
        if not enterprise and known and integration and integration != known.lower():
            raise Forged(_("The delivery is of another integration."))
        return super().verify(hook, connection)

    def delivery_key(self, hook: Hook) -> str:
        """Each delivery is one of its own. Mews has no ids for them, and the body does not tell
        them apart: a reservation that changes twice is named twice in the same words. Fetching
        once too often changes nothing."""
        return str(uuid.uuid4())

    def topic(self, hook: Hook) -> str:
        message = _message(hook)
        return "events" if "Events" in message else reading.text(message.get("Action"))

    def body(self, hook: Hook) -> str:
        stored = super().body(hook)
        message = _message(hook)
        if not lifecycle.is_one(message):
            return stored
        return dump(lifecycle.sealed(message, parse(stored)))

    def read(self, topic: str, body: Any, connection: Connection) -> Iterable[Change]:
        if not isinstance(body, dict):
            raise NotUnderstood(_("The body is not an object."))
        if lifecycle.is_one(body):
            return lifecycle.read(body)
        if not isinstance(body.get("Events"), list):
            raise NotUnderstood(_("There are no events in it."))
        if connection.status == connection.Status.DISABLED:
            return [Nothing(_("The connection is switched off."))]
        ids, others = _ids(body["Events"])
        unknown = [
            Nothing(_("The event %(name)s says nothing to us.") % {"name": name[:100] or "–"})
            for name in others
        ]
        return [*unknown, *(_named(Hotel(connection), ids) if ids else ())]

    # Asking

    def test(self, connection: Connection) -> str:
        answer = Api(connection).ask("configuration/get", {})
        enterprise = reading.mapping(answer.get("Enterprise"))
        if reading.text(enterprise.get("Id")).lower() != self.account(connection.secrets):
            raise NotUnderstood(
                _("The access token is of another enterprise: %(name)s, %(id)s.")
                % {
                    "name": reading.text(enterprise.get("Name")) or "–",
                    "id": reading.text(enterprise.get("Id")) or "–",
                }
            )
        return _("Connected to %(name)s.") % {"name": enterprise.get("Name") or "Mews"}

    def may_ask(self, credentials: Mapping[str, str]) -> bool:
        """The access token may still come, with the integration's webhook."""
        return bool(credentials.get("access_token"))

    def fetch(
        self, connection: Connection, since: datetime, cursor: Mapping[str, Any]
    ) -> Iterator[Page]:
        """Customers, reservations and what is on their bills, that changed since then."""
        return Hotel(connection).changed(since, cursor)


def _named(hotel: Hotel, ids: Mapping[str, Iterable[str]]) -> list[Change]:
    if ids.keys() == {"payments"} and not hotel.by_payments:
        return [Nothing(_("Payments do not count beside what is on the bill."))]
    return hotel.named(**ids) or [Nothing(_("Mews does not show what it speaks of."))]


def _message(hook: Hook) -> Row:
    """The body, where it is an object that can be read; else an empty one."""
    try:
        return reading.mapping(hook.json)
    except NotUnderstood:
        return {}


def _ids(events: Iterable[Any]) -> tuple[dict[str, set[str]], list[str]]:
    """The ids to fetch, each once, by what they are of; and the names of all other events."""
    ids: dict[str, set[str]] = {}
    others: dict[str, None] = {}
    for event in reading.rows(list(events)):
        name = reading.text(event.get("Discriminator"))
        id_ = reading.text(reading.mapping(event.get("Value")).get("Id"))
        if name in _EVENTS and id_:
            ids.setdefault(_EVENTS[name], set()).add(id_)
        else:
            others[name] = None
    return ids, list(others)
