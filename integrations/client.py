"""Asking other systems: one client with timeouts, retries with jitter, and `Retry-After`.

Addresses are a vendor's own or entered by whoever administers the site, so private ones are not
refused as in `crm.outbound`.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
from django.utils import timezone
from django.utils.translation import gettext as _

from integrations.changes import Change, NotRead
from integrations.models import Connection
from integrations.sources.base import Asleep, NotUnderstood

TIMEOUT = httpx2.Timeout(30, connect=5)
ATTEMPTS = 4
LONGEST_WAIT = 20.0
"""Seconds that a retry is waited for here; when the other side asks for more, the work is put off
and the worker goes on with something else."""
LARGEST = 64 * 1024 * 1024


class Unauthorised(NotUnderstood):
    """The credentials are refused (401)."""


_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Answer:
    """What came back, with headers by lower-case name."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """The body, decimals kept exactly. Raises Asleep: a cut or odd answer may be whole next
        time."""
        try:
            return json.loads(self.content, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise Asleep(_("The answer is not JSON.")) from None


class Pace:
    """Lets no more than `most` requests be made in any `seconds`, over all threads of this
    process: a vendor's limit. What other processes ask beside it, the vendor answers with 429."""

    def __init__(
        self,
        most: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seconds, self._clock, self._sleep = seconds, clock, sleep
        self._last: deque[float] = deque(maxlen=most)
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait until one more may be made, and count it."""
        with self._lock:  # while it sleeps too: the others would only have to wait longer
            if len(self._last) == self._last.maxlen:
                self._sleep(max(0.0, self._last[0] + self._seconds - self._clock()))
            self._last.append(self._clock())


class Client:
    """A system's API below `base`. Raises Asleep when it does not answer as it should, after
    retries; NotUnderstood when it refuses (401, 404, …), which trying again would not mend."""

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str] | None = None,
        pace: Pace | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.base = base if base.endswith("/") else f"{base}/"
        self._attempts = attempts
        self._pace = pace
        self._http = httpx2.Client(
            headers=dict(headers or {}), timeout=TIMEOUT, trust_env=False, follow_redirects=False
        )

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """GET below `base`, or of an absolute address of the same host, such as a next page's."""
        return self._ask("GET", path, params=query)

    def post(self, path: str, body: Any) -> Answer:
        """POST JSON. Only for requests that change nothing there, or may be made twice."""
        return self._ask("POST", path, json=body)

    def form(self, path: str, values: Mapping[str, str]) -> Answer:
        """POST a form."""
        return self._ask("POST", path, data=dict(values))

    def _ask(self, method: str, path: str, **kwargs: Any) -> Answer:
        url = urljoin(self.base, path)
        if urlsplit(url)[:2] != urlsplit(self.base)[:2]:
            raise NotUnderstood(
                _("The next page is on another host: %(url)s.") % {"url": url[:200]}
            )
        kwargs = {name: value for name, value in kwargs.items() if value is not None}
        for attempt in range(self._attempts):
            wait, reason = self._try(method, url, kwargs)
            if isinstance(reason, Answer):
                return reason
            pause = wait if wait is not None else 0.5 * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311 - not a secret
            if attempt == self._attempts - 1 or pause > LONGEST_WAIT:
                raise Asleep(reason, timedelta(seconds=wait) if wait is not None else None)
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _try(
        self, method: str, url: str, kwargs: Mapping[str, Any]
    ) -> tuple[float | None, str | Answer]:
        """An answer; or how long to wait, if that was said, and why."""
        if self._pace is not None:
            self._pace.wait()
        try:
            response = self._http.request(method, url, **kwargs)
        except httpx2.HTTPError as error:
            host = urlsplit(url).hostname
            return None, _("%(host)s does not answer: %(error)s.") % {
                "host": host,
                "error": str(error) or type(error).__name__,
            }
        if response.status_code in _AGAIN:
            return retry_after(response.headers.get("retry-after")), _status(url, response)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            raise Unauthorised(_status(url, response))
        if not response.is_success:
            raise NotUnderstood(_status(url, response))
        headers = {name.lower(): value for name, value in response.headers.items()}
        return None, Answer(response.status_code, headers, response.content)


def _status(url: str, response: httpx2.Response) -> str:
    return _("%(host)s answered %(status)d: %(text)s") % {
        "host": urlsplit(url).hostname,
        "status": response.status_code,
        "text": response.text[:200],
    }


def retry_after(value: str | None) -> float | None:
    """The seconds that `Retry-After` says, in either form (RFC 9110, 10.2.3)."""
    given = (value or "").strip()
    if given.replace(".", "", 1).isdecimal():
        return min(float(given), 86_400.0)
    try:
        until = parsedate_to_datetime(given)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, min((until - timezone.now()).total_seconds(), 86_400.0))


def each(
    rows: Iterable[Any],
    read: Callable[[Any, Connection], Iterable[Change]],
    connection: Connection,
) -> list[Change]:
    """What the rows of a page change; one that makes no sense does not hold up the others."""
    changes: list[Change] = []
    for row in rows:
        try:
            changes += read(row, connection)
        except NotUnderstood as error:
            changes.append(NotRead(str(error)))
    return changes
