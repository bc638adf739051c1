"""Access tokens that run out, and getting new ones for them (RFC 6749, section 6).

A refresh token of Lightspeed is good for once: with the new access token comes another
(x-series-api.lightspeedhq.com, changelog of March 2025; R-Series alike). Spent by two workers at
once, or with an answer that is not kept, the connection would be lost. So one worker alone asks,
under a lease, holding no lock of the database while it does; the others come back later.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations import reading, renewing
from integrations.client import Answer, Client, Unauthorised
from integrations.sources.base import Asleep, Credential, NotUnderstood

if TYPE_CHECKING:
    from integrations.models import Connection

ACCESS_TOKEN = Credential("access_token", gettext_lazy("Access token"), required=False)
CLIENT_ID = Credential("client_id", gettext_lazy("App's client id"), secret=False, required=False)
CLIENT_SECRET = Credential("client_secret", gettext_lazy("App's client secret"), required=False)
REFRESH_TOKEN = Credential(
    "refresh_token",
    gettext_lazy("Refresh token"),
    required=False,
    help=gettext_lazy(
        "With it and the app's client id and secret the access token is renewed before it runs out."
    ),
)
RENEW_AT = Credential(
    "renew_at", gettext_lazy("Renew after"), secret=False, required=False, asked=False
)
NEEDED = (REFRESH_TOKEN.name, CLIENT_ID.name, CLIENT_SECRET.name)


def may_renew(secrets: Mapping[str, Any]) -> bool:
    """Whether all is there that renewing takes."""
    return all(secrets.get(name) for name in NEEDED)


def may_ask(secrets: Mapping[str, Any]) -> bool:
    """Whether there is a token, or a way to one."""
    return bool(secrets.get(ACCESS_TOKEN.name)) or may_renew(secrets)


class TokenClient(Client):
    """Asks with a connection's access token: renewed at `token_url` when its time is over, or once
    when it is refused."""

    def __init__(self, connection: Connection, base: str, token_url: str) -> None:
        super().__init__(base)
        self._connection, self._token_url = connection, token_url

    def _ask(self, method: str, path: str, **kwargs: Any) -> Answer:
        secrets = self._connection.secrets
        if not may_ask(secrets):
            raise NotUnderstood(_("Enter an access token, or what it is renewed with."))
        if may_renew(secrets) and _is_over(secrets):
            self._renew_early(secrets)
        try:
            return super()._ask(method, path, **self._authorised(kwargs))
        except Unauthorised:
            if not may_renew(secrets):
                raise
        renew(self._connection, self._token_url)
        return super()._ask(method, path, **self._authorised(kwargs))

    def _renew_early(self, secrets: Mapping[str, Any]) -> None:
        try:
            renew(self._connection, self._token_url)
        except (Asleep, NotUnderstood):
            if not secrets.get(ACCESS_TOKEN.name):
                raise
            # The one that is there is good for a little longer; if not, that is told then.

    def _authorised(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        token = self._connection.secrets[ACCESS_TOKEN.name]
        return {**kwargs, "headers": {"authorization": f"Bearer {token}"}}


def _is_over(secrets: Mapping[str, Any]) -> bool:
    if not secrets.get(ACCESS_TOKEN.name):
        return True
    until = reading.moment(secrets.get(RENEW_AT.name))
    return until is not None and until <= timezone.now()


def renew(connection: Connection, token_url: str) -> None:
    """Give `connection` a new access token: that of another worker, where one was quicker.

    Raises Asleep while another is at it, or when Lightspeed does not answer; NotUnderstood when it
    refuses, which staff are told once: new tokens have to be entered.
    """
    lease = uuid.uuid4().hex
    if not renewing.begin(connection=connection, spends=REFRESH_TOKEN.name, lease=lease):
        return
    try:
        answer = _ask_for_token(connection.secrets, token_url)
    except NotUnderstood as refused:
        renewing.fail(connection=connection, lease=lease, reason=str(refused))
        raise
    except BaseException:
        renewing.give_up(connection=connection, lease=lease)
        raise
    renewing.finish(connection=connection, lease=lease, credentials=answer)


def _ask_for_token(secrets: Mapping[str, Any], token_url: str) -> dict[str, str]:
    base, _slash, name = token_url.rpartition("/")
    # Asked once only: an answer that is lost on its way has spent the refresh token all the same.
    answer = reading.mapping(
        Client(base, attempts=1)
        .form(
            name,
            {
                "grant_type": "refresh_token",
                **{name: secrets[name] for name in NEEDED},
            },
        )
        .json()
    )
    token = reading.text(answer.get("access_token"))
    if not token:
        raise Asleep(_("Lightspeed gave no access token."))
    renewed = {ACCESS_TOKEN.name: token, RENEW_AT.name: _renew_at(answer)}
    if following := reading.text(answer.get("refresh_token")):
        renewed[REFRESH_TOKEN.name] = following
    return renewed


def _renew_at(answer: Mapping[str, Any]) -> str:
    """After nine tenths of the token's life; empty, which is never, when that is not told."""
    now = timezone.now()
    seconds = reading.decimal(answer.get("expires_in"))
    until = reading.epoch(answer.get("expires"))
    if seconds is None and until is not None:
        seconds = reading.decimal(round((until - now).total_seconds()))
    if seconds is None or not 0 < seconds < 10**9:
        return ""
    return (now + timedelta(seconds=int(seconds) * 9 // 10)).isoformat()
