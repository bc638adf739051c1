"""What all portals tell: somebody logged in, somewhere, at some time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from contacts import consent, services
from contacts.consent import Wanted
from integrations import identity
from integrations.changes import Change, Fact, ObjectIs, OptInIs, Person, PersonIs, moment_version

if TYPE_CHECKING:
    from integrations.desk import Desk
    from integrations.models import Connection

LOGIN = "login"
CONNECTED = "Connected to wifi"
WIFI = "wifi"
LONGEST = 80
"""Characters of an id in a reference; a longer one is told by its digest."""
ROOM = 255
"""Characters of a reference."""


@dataclass(frozen=True)
class Login:
    """A login, or another `type` of activity that a mapped system tells.

    `guest` is the portal's id of them, `session` its id of the login; without one, the logins of a
    guest at a venue on a day are one. `opt_ins` says by channel whether their agreement stands.
    `scope` begins the references: ids are only unique within an account.
    """

    at: datetime
    values: Mapping[str, Any]
    guest: str = ""
    session: str = ""
    venue: str = ""
    device: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    permissions: Mapping[str, Wanted] = field(default_factory=dict)
    opt_ins: Mapping[str, bool] = field(default_factory=dict)
    type: str = CONNECTED
    spend: int = 0
    currency_code: str | None = None
    scope: str = ""

    def changes(self) -> list[Change]:
        """Who it is, as they say now; what they agree to; and the activity."""
        key = self._key()
        login = ObjectIs(
            LOGIN,
            key if self.type == CONNECTED else f"{self.type}:{key}",
            # Of a day's logins the first stays.
            None if self.session else -(moment_version(self.at) or 0),
            person=self.person(),
            facts=[self.fact()],
        )
        return [PersonIs(self.person()), *self._opt_ins(), login]

    def person(self) -> Person:
        """Who it is."""
        return Person(
            external_id=self.guest or None,
            values={name: value for name, value in self.values.items() if value},
            version=moment_version(self.at) if self.guest else None,
            permissions=self.permissions,
        )

    def fact(self) -> Fact:
        """The activity. Logins had references without the account: what is recorded keeps its."""
        told = {"venue": self.venue, "device": self.device, **self.data}
        key = self._key()
        return Fact(
            type=self.type,
            reference=f"{self.scope}:{key if len(self.scope) + len(key) < ROOM else _short(key)}",
            formerly=f"{WIFI}:{key}" if self.type == CONNECTED else "",
            happened_at=self.at,
            spend=self.spend,
            currency_code=self.currency_code,
            data={name: value for name, value in told.items() if value},
        )

    def _key(self) -> str:
        if self.session:
            return _short(self.session)
        who = self.guest or self.values.get("email_address") or self.values.get("phone_number")
        # A digest where the portal has no id: an address does not belong into a reference.
        known_as = _short(self.guest) or hashlib.sha256(str(who).lower().encode()).hexdigest()[:16]
        return f"{known_as}:{_short(self.venue)}:{self.at:%Y-%m-%d}"

    def _opt_ins(self) -> list[Change]:
        if self.guest:
            return [
                OptInIs(self.guest, channel, stands, self.at, self.at)
                for channel, stands in self.opt_ins.items()
            ]
        return [
            FirstConsent(self.person(), channel, self.at)
            for channel, stands in self.opt_ins.items()
            if stands
        ]


@dataclass(frozen=True)
class FirstConsent(Change):
    """Somebody of whom no id is known agrees to a channel. What was decided here stays: whether it
    is told anew, or simply stands there still, nobody can see."""

    alone: ClassVar[bool] = False

    person: Person
    channel: str
    at: datetime

    def people(self) -> Iterable[Person]:
        return (self.person,)

    def apply(self, desk: Desk) -> None:
        contact = identity.find(desk, self.person)
        if contact is None or contact.redacted_at is not None:
            return
        if consent.permission_of(contact, self.channel) == consent.UNKNOWN:
            wanted = Wanted(consent.SUBSCRIBED, desk.connection.source, self.at)
            services.update(contact=contact, values={consent.KEY: {self.channel: wanted}})


def _short(name: str) -> str:
    if len(name) <= LONGEST:
        return name
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def changes(logins: Iterable[Login], connection: Connection) -> list[Change]:
    """Those of several logins at a connection."""
    scope = connection.namespace
    return [change for login in logins for change in replace(login, scope=scope).changes()]
