"""Portals of which we do not know the JSON: where a value stands is said by a mapping.

Purple documents what it sends in a picture (support.purple.ai, "Webhooks"); its paths here are what
others read. Neither signs: the secret is in the address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations import reading
from integrations.changes import Change, Nothing
from integrations.sources.base import Credential, Hook, NotUnderstood, Option, Source, source
from integrations.wifi import paths
from integrations.wifi.logins import Login, changes

if TYPE_CHECKING:
    from integrations.models import Connection

USUAL = """\
email = user.email | email
phone = user.mobile | user.phone | mobile | phone
first_name = user.firstName | user.first_name | first_name
last_name = user.lastName | user.last_name | last_name
dob = user.dateOfBirth | user.date_of_birth | dob
guest = user.id | user_id
venue = user.venue.id | venue.id | venue_id
device = device.mac | user.mac | mac
at = authenticatedAt | timestamp
"""


@source
class Mapped(Source):
    """Any portal that posts JSON."""

    name = "wifi"
    label = "Wifi portal"
    credentials = (Credential("account", gettext_lazy("Name of the portal"), secret=False),)
    options = (
        Option(
            "mapping",
            gettext_lazy("Where the values stand"),
            USUAL,
            help=gettext_lazy(
                "A line for each: email = user.email | email. Deliveries that came before can be "
                "replayed."
            ),
        ),
    )
    hint = gettext_lazy("Enter this address as the portal's webhook, and log in once to try it.")

    def read(self, topic: str, body: Any, connection: Connection) -> Iterable[Change]:
        try:
            mapping = paths.parse(connection.options.get("mapping") or USUAL)
        except paths.WrongMapping as wrong:
            raise NotUnderstood(_("The mapping: %(reason)s") % {"reason": str(wrong)}) from None
        bodies = body if isinstance(body, list) else [body]
        logins = [login for one in bodies if (login := _login(one, mapping)) is not None]
        if not logins:
            raise NotUnderstood(
                _("No e-mail address, phone number or guest was found: change the mapping.")
            )
        return changes(logins)


@source
class Purple(Mapped):
    """Purple's portal. It must hear that it is listened to, also when it sends nothing."""

    name = "purple"
    label = "Purple"
    hint = gettext_lazy(
        "In Purple, under Venues, Webhooks, save this address, and place the webhook in the online "
        "part of a LogicFlow."
    )

    def body(self, hook: Hook) -> str:
        return super().body(hook) if hook.raw.strip() else "{}"

    def answer(self, hook: Hook, status: HTTPStatus) -> HttpResponse:
        return HttpResponse(status=status, headers={"wifiWebhookListener": "1"})

    def read(self, topic: str, body: Any, connection: Connection) -> Iterable[Change]:
        if body == {}:
            return [Nothing(_("Purple tried the address."))]
        return super().read(topic, body, connection)


def _login(body: Any, mapping: Mapping[str, list[str]]) -> Login | None:
    found = paths.pick(body, mapping)
    if not any(found.get(name) for name in ("email", "phone", "guest")):
        return None
    values: dict[str, Any] = {
        "email_address": found.get("email"),
        "phone_number": found.get("phone"),
        "first_name": found.get("first_name"),
        "last_name": found.get("last_name"),
        "name": found.get("name"),
        "dob": reading.day(found.get("dob")),
    }
    now = timezone.now()
    at = reading.epoch(found.get("at")) or reading.moment(found.get("at"))
    return Login(
        at=min(at or now, now),
        values=values,
        guest=found.get("guest", ""),
        session=found.get("session", ""),
        venue=found.get("venue", ""),
        device=found.get("device", ""),
    )
