"""Cisco Spaces: its Firehose, a stream of events, of which a forwarder posts lines to us.

developer.cisco.com/docs/cisco-spaces-firehose. The events are very many: of a guest, one login for
a venue and a day is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations import reading
from integrations.changes import Change, Nothing
from integrations.sources.base import Credential, Hook, Source, dump, parse, source, without
from integrations.wifi.logins import Login, changes

if TYPE_CHECKING:
    from integrations.models import Connection


@source
class CiscoSpaces(Source):
    """A tenant. Nothing is signed: the secret is in the address."""

    name = "cisco-spaces"
    label = "Cisco Spaces"
    credentials = (Credential("tenant_id", gettext_lazy("Tenant id"), secret=False),)
    hint = gettext_lazy(
        "Have whatever reads the Firehose post its events to this address, one or several lines of "
        "JSON at a time."
    )

    def body(self, hook: Hook) -> str:
        """The lines as a list."""
        lines = [line for line in hook.raw.splitlines() if line.strip()]
        events = [parse(line) for line in lines] if len(lines) > 1 else [hook.json]
        return dump(without(events, self.private))

    def read(self, topic: str, body: Any, connection: Connection) -> Iterable[Change]:
        logins = {
            reading.text(event.get("recordUid")): login
            for event in reading.rows(body)
            if (login := _login(event)) is not None
        }
        if not logins:
            return [Nothing(_("Nobody is named."))]
        return changes(logins.values(), connection)


def _login(event: Mapping[str, Any]) -> Login | None:
    device = _device(event)
    values = {
        "email_address": reading.text(device.get("email")),
        "phone_number": reading.text(device.get("mobile")),
        "first_name": reading.text(device.get("firstName")),
        "last_name": reading.text(device.get("lastName")),
    }
    if not values["email_address"] and not values["phone_number"]:
        return None
    now = timezone.now()
    at = reading.epoch(event.get("recordTimestamp")) or now
    return Login(
        at=min(at, now),
        values=values,
        guest=reading.text(device.get("userId")),
        venue=reading.text(event.get("spacesTenantName")),
        device=reading.text(device.get("deviceId")),
    )


def _device(value: Any) -> Mapping[str, Any]:
    """The part that describes the device and who has it, wherever an event keeps it."""
    if not isinstance(value, Mapping):
        return {}
    if isinstance(value.get("device"), Mapping):
        return reading.mapping(value["device"])
    found = (_device(inner) for inner in value.values() if isinstance(inner, Mapping))
    return next((one for one in found if one), {})
