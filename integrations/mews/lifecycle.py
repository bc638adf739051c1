"""Integration webhooks: the hotel connects us, switches us off, gives a new access token.

github.com/MewsSystems/open-api-docs, `connector-api/events/wh-integration.md`.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations import reading
from integrations.changes import AccountIs, Change, Nothing, moment_version
from integrations.mews.api import Row
from integrations.secrets import decrypt, encrypt

TOKENS = ("AccessToken", "ApiKey")
"""Where a token stands, in the two messages that have one."""
SEALED = "Sealed"
RECEIVED = "Received"

OPENED = frozenset({"IntegrationCreated", "IntegrationEnabled", "IntegrationReinstated"})
CLOSED = {
    "IntegrationDisabled": gettext_lazy("The integration was disabled in Mews."),
    "IntegrationCanceled": gettext_lazy("The integration was cancelled in Mews."),
    "IntegrationDeleted": gettext_lazy("The integration was deleted in Mews."),
}


def is_one(message: Row) -> bool:
    """Whether a message is of this kind."""
    return "Action" in message


def sealed(message: Row, stored: dict[str, Any]) -> dict[str, Any]:
    """What is stored of a message: with its token encrypted, and when it came, since most have no
    time of their own to tell an older one by."""
    data = reading.mapping(message.get("Data"))
    token = reading.first(reading.text(data.get(name)) for name in TOKENS)
    received = {RECEIVED: timezone.now().isoformat()}
    return {**stored, **received, **({SEALED: encrypt(token)} if token else {})}


def read(message: Row) -> list[Change]:
    """What a stored message says of the connection."""
    action = reading.text(message.get("Action"))
    data = reading.mapping(message.get("Data"))
    token = reading.text(message.get(SEALED))
    if action not in OPENED and action not in CLOSED and not token:
        return [Nothing(_("The action %(action)s says nothing to us.") % {"action": action or "–"})]
    credentials = {"access_token": decrypt(token)} if token else {}
    integration = integration_id(message)
    if integration and token:
        credentials["integration_id"] = integration
    return [
        AccountIs(
            version=moment_version(reading.moment(message.get(RECEIVED))),
            opened=action in OPENED and data.get("IsEnabled") is not False,
            closed=str(CLOSED.get(action, "")),
            credentials=credentials,
        )
    ]


def integration_id(message: Row) -> str:
    """Which integration a message is about."""
    data = reading.mapping(message.get("Data"))
    return reading.text(reading.mapping(data.get("Integration")).get("Id")).lower()


def enterprise_id(message: Row) -> str:
    """Which hotel a message is about, where it says so."""
    data = reading.mapping(message.get("Data"))
    return reading.text(reading.mapping(data.get("Enterprise")).get("Id")).lower()
