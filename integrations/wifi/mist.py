"""Juniper Mist: guests that a portal lets in.

juniper.net/documentation, "Webhook messages". Several events come in a call, none with an id.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations import reading
from integrations.changes import Change, Nothing
from integrations.sources.base import (
    PREVIOUS_SECRET,
    Credential,
    Forged,
    Hook,
    NotUnderstood,
    Source,
    source,
)
from integrations.sources.signing import signed_with
from integrations.wifi.logins import Login, changes

if TYPE_CHECKING:
    from integrations.models import Connection

GUESTS = "guest-authorizations"


@source
class Mist(Source):
    """An organisation at Mist."""

    name = "mist"
    label = "Juniper Mist"
    credentials = (
        Credential("account", gettext_lazy("Organisation or site"), secret=False),
        Credential("secret", gettext_lazy("Secret of the webhook")),
        PREVIOUS_SECRET,
    )
    hint = gettext_lazy(
        "In Mist, under Organization, Settings, Webhooks, add this address with a secret and the "
        "topic guest-authorizations."
    )
    headers: ClassVar[frozenset[str]] = frozenset({"x-mist-signature", "x-mist-signature-v2"})

    def verify(self, hook: Hook, connection: Connection) -> str:
        """Hexadecimal HMAC of the raw body: SHA-256, or of old SHA-1."""
        for header, algorithm in (
            ("x-mist-signature-v2", hashlib.sha256),
            ("x-mist-signature", hashlib.sha1),
        ):
            given = hook.header(header).strip().lower()
            if not given:
                continue
            if signed_with(
                connection.secrets,
                ("secret", "previous_secret"),
                given.encode(),
                partial(_signature, hook.raw, algorithm),
            ):
                return _("signed")
            raise Forged(_("The signature is wrong."))
        raise Forged(_("The signature is missing."))

    def topic(self, hook: Hook) -> str:
        try:
            return reading.text(reading.mapping(hook.json).get("topic"))
        except NotUnderstood:
            return ""

    def read(self, topic: str, body: Any, connection: Connection) -> Iterable[Change]:
        if topic != GUESTS:
            return [Nothing(_("The topic %(topic)s says nothing to us.") % {"topic": topic or "–"})]
        events = reading.rows(reading.mapping(body).get("events"))
        logins = [login for one in events if (login := _login(one)) is not None]
        return changes(logins, connection)


def _signature(raw: bytes, algorithm: Callable[..., Any], key: bytes) -> bytes:
    return hmac.new(key, raw, algorithm).hexdigest().encode()


def _login(event: Mapping[str, Any]) -> Login | None:
    def told(*names: str) -> str:
        return reading.first(reading.text(event.get(name)) for name in names) or ""

    values = {
        "email_address": told("guest_email", "email"),
        "phone_number": told("guest_phone", "phone", "mobile"),
        "first_name": told("guest_first_name", "first_name"),
        "last_name": told("guest_last_name", "last_name"),
        "name": told("guest_name", "name"),
    }
    if not values["email_address"] and not values["phone_number"]:
        return None
    now = timezone.now()
    at = reading.epoch(told("authorized_time", "timestamp")) or now
    return Login(
        at=min(at, now),
        values=values,
        venue=told("site_id", "site_name"),
        device=told("guest_mac", "mac"),
    )
