"""What all portals tell: somebody logged in, somewhere, at some time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contacts.consent import Wanted
from integrations.changes import Change, Fact, ObjectIs, Person, PersonIs, moment_version

LOGIN = "login"


@dataclass(frozen=True)
class Login:
    """A login. `guest` is the portal's id of them, `session` its id of the login; without one, the
    logins of a guest at a venue on a day are one."""

    at: datetime
    values: Mapping[str, Any]
    guest: str = ""
    session: str = ""
    venue: str = ""
    device: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    permissions: Mapping[str, Wanted] = field(default_factory=dict)

    def changes(self) -> list[Change]:
        """Who it is, as they say now; and the activity `Connected to wifi`."""
        who = self.guest or self.values.get("email_address") or self.values.get("phone_number")
        # A digest where the portal has no id: an address does not belong into a reference.
        known_as = self.guest or hashlib.sha256(str(who).lower().encode()).hexdigest()[:16]
        reference = self.session or f"{known_as}:{self.venue}:{self.at:%Y-%m-%d}"
        told = {"venue": self.venue, "device": self.device, **self.data}
        person = Person(
            external_id=self.guest or None,
            values={name: value for name, value in self.values.items() if value},
            version=moment_version(self.at) if self.guest else None,
            permissions=self.permissions,
        )
        login = ObjectIs(
            LOGIN,
            reference,
            # Of a day's logins the first stays.
            None if self.session else -(moment_version(self.at) or 0),
            person=person,
            facts=[
                Fact(
                    type="Connected to wifi",
                    reference=f"wifi:{reference}",
                    happened_at=self.at,
                    data={name: value for name, value in told.items() if value},
                )
            ],
        )
        return [PersonIs(person), login]


def changes(logins: Iterable[Login]) -> list[Change]:
    """Those of several logins."""
    return [change for login in logins for change in login.changes()]
