"""Stampede: its guests, asked for.

developer.stampede.ai/guests/guests. No webhooks are documented.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.consent import Channel, Status, Wanted
from integrations import reading
from integrations.changes import Change
from integrations.client import Client
from integrations.sources.base import (
    API_URL,
    Asleep,
    Credential,
    NotUnderstood,
    Page,
    Source,
    source,
)
from integrations.wifi.logins import Login, changes

if TYPE_CHECKING:
    from integrations.models import Connection


@source
class Stampede(Source):
    """An organisation at Stampede."""

    name = "stampede"
    label = "Stampede"
    credentials = (
        Credential("organisation_id", gettext_lazy("Organisation id"), secret=False),
        Credential("client_id", gettext_lazy("Client id"), secret=False),
        Credential("client_secret", gettext_lazy("Client secret")),
        API_URL,
    )
    hint = gettext_lazy("There is no address to enter: Regulars asks Stampede every ten minutes.")
    hooks = False
    poll_every = timedelta(minutes=10)

    def read(self, topic: str, body: Any, connection: Connection) -> Iterable[Change]:
        raise NotUnderstood(_("Stampede calls nobody."))

    def test(self, connection: Connection) -> str:
        self._client(connection).get("v1/guests", {"limit": "1"})
        return _("Connected.")

    def fetch(
        self, connection: Connection, since: datetime, cursor: Mapping[str, Any]
    ) -> Iterator[Page]:
        """All guests, page by page; those seen since then. Their order is not documented, so all
        pages are read."""
        client = self._client(connection)
        address, query = cursor.get("next") or "v1/guests", None
        if not cursor.get("next"):
            query = {"limit": "25"}
        seen = int(cursor.get("seen", 0))
        while address:
            answer = reading.mapping(client.get(address, query).json())
            guests = reading.rows(answer.get("data", answer.get("guests")))
            seen += len(guests)
            following = reading.text(reading.mapping(answer.get("links")).get("next"))
            address, query = ("" if following == address else following), None
            logins = [_login(one) for one in guests]
            recent = [one for one in logins if one is not None and one.at >= since]
            yield Page(changes(recent, connection), {"next": address, "seen": seen}, seen)

    def _client(self, connection: Connection) -> Client:
        secrets = connection.secrets
        base = secrets.get("api_url") or "https://global.stampede.ai"
        token = reading.mapping(
            Client(base)
            .form(
                "oauth/token",
                {
                    "grant_type": "client_credentials",
                    "client_id": secrets["client_id"],
                    "client_secret": secrets["client_secret"],
                },
            )
            .json()
        ).get("access_token")
        if not token:
            raise Asleep(_("Stampede gave no access token."))
        return Client(base, headers={"authorization": f"Bearer {reading.text(token)}"})


def _login(guest: Mapping[str, Any]) -> Login | None:
    """The last time that a guest was seen. A birthday without its year is none here."""
    at = reading.moment(guest.get("last_interacted_at"))
    if at is None:
        return None
    profile = reading.mapping(guest.get("user_profile"))
    names = {
        "email_address": "email",
        "phone_number": "phone",
        "first_name": "first",
        "last_name": "last",
    }
    permissions: dict[str, Wanted] = {}
    for channel, name in ((Channel.EMAIL, "email_opt_in_at"), (Channel.SMS, "sms_opt_in_at")):
        since = reading.moment(guest.get(name))
        if since is not None:
            permissions[channel] = Wanted(Status.SUBSCRIBED, Stampede.name, since)
    return Login(
        at=min(at, timezone.now()),
        values=reading.told(profile, names),
        guest=reading.first(reading.text(guest.get(name)) for name in ("profile_id", "id")) or "",
        permissions=permissions,
    )
