"""Requests to addresses that others chose: workflows' `call_webhook`, webhook endpoints.

Whoever may name an address could name one of ours: a database's, a cloud's metadata service. So a
name is resolved once, an address that is not public is refused, and the connection is made to that
very address, whatever the name says a moment later. Redirects are not followed, proxies of the
environment not used. `WEBHOOKS_ALLOW_PRIVATE` lists networks that may be called all the same.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpcore2
import httpx2
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

SECONDS = 10.0
"""How long a request may take, from the first byte to the last."""
MAX_URL = 2_000
USER_AGENT = "Regulars-Webhooks/1"

_NAT64 = IPv6Network("64:ff9b::/96")

_NOT_ENCRYPTED = gettext_lazy("The address must begin with https://.")

Address = IPv4Address | IPv6Address


class Refused(Exception):
    """An address that must not be called. Trying again is of no use."""


class Unreachable(Exception):
    """No answer: the name is not known, nobody listens, it took too long. Says which."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and after how many seconds. `text` is the beginning of the body."""

    status: int
    text: str
    headers: Mapping[str, str]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether it was taken."""
        return 200 <= self.status < 300

    @property
    def worth_retrying(self) -> bool:
        """Whether the same request may be taken later."""
        return self.status in (408, 425, 429) or self.status >= 500

    @property
    def retry_after(self) -> int | None:
        """The seconds that the other side asks to be left alone for."""
        given = self.headers.get("retry-after", "")
        return min(int(given), 86_400) if given.isascii() and given.isdecimal() else None


# What may be called


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, in any spelling that the system knows (`2130706433` is 127.0.0.1).
    Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_rest, address in found))


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet, the one within it too (IPv4 in IPv6)."""
    return all(one.is_global and not one.is_multicast for one in _within(address))


def _within(address: Address) -> Iterator[Address]:
    yield address
    if isinstance(address, IPv6Address):
        teredo = address.teredo or ()
        for inner in (address.ipv4_mapped, address.sixtofour, *teredo):
            if inner is not None:
                yield inner
        if address in _NAT64:
            yield IPv4Address(int(address) & 0xFFFFFFFF)


def is_listed(address: Address) -> bool:
    """Whether `WEBHOOKS_ALLOW_PRIVATE` names a network that the address is in."""
    plain = getattr(address, "ipv4_mapped", None) or address
    return any(plain in ip_network(network) for network in settings.WEBHOOKS_ALLOW_PRIVATE)


def _allowed(host: str, port: int, *, encrypted: bool) -> list[Address]:
    """The addresses of a host that may be called; without encryption only listed ones. Raises
    Refused when there are others only, and OSError when there are none."""
    # A zone (`fe80::1%eth0`) says how to get there, not where.
    found = [ip_address(text.partition("%")[0]) for text in resolve(host, port)]
    allowed = [one for one in found if is_listed(one) or (encrypted and is_public(one))]
    if not allowed:
        if encrypted or not any(is_public(one) for one in found):
            raise Refused(
                _("%(host)s is a private address. An administrator can allow its network.")
                % {"host": host}
            )
        raise Refused(_NOT_ENCRYPTED)
    return allowed


def check_url(url: Any) -> str:
    """`url`, when it may be called, as far as can be told now: a name that nobody knows yet is
    taken. Raises ValidationError. `http` is for networks of `WEBHOOKS_ALLOW_PRIVATE` alone."""
    parsed = _parsed(url)
    encrypted = parsed.scheme == "https"
    try:
        _allowed(parsed.host, _port(parsed), encrypted=encrypted)
    except Refused as refused:
        raise ValidationError(str(refused), code="refused_address") from None
    except (OSError, UnicodeError):  # asked again when it is called
        if not encrypted:
            raise ValidationError(_NOT_ENCRYPTED, code="refused_address") from None
    return str(url).strip()


def _parsed(url: Any) -> httpx2.URL:
    wrong = ValidationError(
        _("Give an address such as https://example.com/hook."), code="invalid_url"
    )
    text = url.strip() if isinstance(url, str) else ""
    if not text.isprintable() or " " in text or len(text) > MAX_URL:
        raise wrong
    try:
        parsed = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError):
        raise wrong from None
    if parsed.scheme not in ("http", "https") or not parsed.host or _port(parsed) > 65_535:
        raise wrong
    if parsed.userinfo:
        raise ValidationError(
            _("Leave the user name and password out of the address."), code="credentials"
        )
    return parsed


def _port(url: httpx2.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


# Calling


def post(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    seconds: float = SECONDS,
    keep: int = 2_048,
) -> Answer:
    """POST `body` and tell what came back, the first `keep` bytes of it. Raises Refused and
    Unreachable; a status that says no is an answer."""
    started = time.monotonic()
    try:
        parsed = _parsed(url)
    except ValidationError as error:
        raise Refused(" ".join(error.messages)) from None
    transport = _Guarded(deadline=started + seconds, encrypted=parsed.scheme == "https")
    sent = {"user-agent": USER_AGENT, "accept-encoding": "identity", **headers}
    try:
        with (
            httpx2.Client(
                transport=transport, trust_env=False, follow_redirects=False, timeout=seconds
            ) as client,
            client.stream("POST", parsed, content=body, headers=sent) as response,
        ):
            begun = b""
            for chunk in response.iter_raw(1_024):
                begun += chunk
                if len(begun) >= keep:
                    break
            return Answer(
                response.status_code,
                # NUL is what PostgreSQL cannot keep.
                begun[:keep].decode("utf-8", "replace").replace("\0", "\ufffd"),
                dict(response.headers),
                round(time.monotonic() - started, 3),
            )
    except httpx2.TimeoutException:
        raise Unreachable(
            _("No answer within %(seconds)g seconds.") % {"seconds": seconds}
        ) from None
    except (httpx2.HTTPError, OSError, UnicodeError) as error:
        reason = str(error).strip() or type(error).__name__
        raise Unreachable(_("No answer: %(reason)s.") % {"reason": reason[:200]}) from None


@cache
def _tls() -> ssl.SSLContext:
    """Trusts whom the system trusts. Kept: making one takes 20 ms."""
    return httpx2.create_ssl_context(trust_env=False)


class _Guarded(httpx2.HTTPTransport):
    """Connects to allowed addresses only, for one request, until a deadline."""

    def __init__(self, *, deadline: float, encrypted: bool) -> None:
        super().__init__(verify=_tls(), trust_env=False)
        # The pool that it made has no connection yet; ours differs in how one is opened.
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_tls(), network_backend=_Backend(deadline, encrypted=encrypted)
        )


class _Backend(httpcore2.NetworkBackend):
    """Opens connections to the addresses that `_allowed` answered. TLS goes on asking for a
    certificate of the name."""

    def __init__(self, deadline: float, *, encrypted: bool) -> None:
        self.deadline = deadline
        self.encrypted = encrypted

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        error: Exception | None = None
        for address in _allowed(host, port, encrypted=self.encrypted):
            try:
                stream = httpcore2.SyncBackend().connect_tcp(
                    str(address), port, left(self.deadline), local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                error = failed
            else:
                return _Timed(stream, self.deadline)
        raise error or httpcore2.ConnectError(f"{host} has no address")


class _Timed(httpcore2.NetworkStream):
    """A connection whose every wait ends at the deadline: whoever sends a byte now and then would
    keep a worker for ever."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: float) -> None:
        self.stream = stream
        self.deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, left(self.deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, left(self.deadline))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        inner = self.stream.start_tls(ssl_context, server_hostname, left(self.deadline))
        return _Timed(inner, self.deadline)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)


def left(deadline: float) -> float:
    """The seconds until a deadline. Raises a timeout when it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise httpcore2.ReadTimeout("the time is over")
    return seconds


def new_secret() -> str:
    """A secret that requests are signed with (Standard Webhooks: `whsec_` and 24 to 64 bytes in
    base 64)."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def signed(
    *, secret: str, message_id: str, moment: datetime, body: bytes, former: str | None = None
) -> dict[str, str]:
    """The three headers by which a receiver knows who sent `body`, and when
    (https://www.standardwebhooks.com). While a secret is being changed there are two signatures:
    with it, and with the `former` one."""
    timestamp = str(int(moment.timestamp()))
    content = b".".join([message_id.encode(), timestamp.encode(), body])
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(one, content) for one in (secret, former) if one),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return f"v1,{digest}"
