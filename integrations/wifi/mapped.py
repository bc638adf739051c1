"""Systems of which we do not know the JSON: what a value means is said by a mapping.

Purple documents what it sends in a picture (support.purple.ai, "Webhooks"); its paths here are what
others read. Neither signs: the secret is in the address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations import reading
from integrations.changes import Change, Nothing
from integrations.sources.base import (
    CURRENCY,
    Credential,
    Hook,
    NotUnderstood,
    Option,
    Source,
    source,
)
from integrations.wifi import meanings, paths
from integrations.wifi.logins import CONNECTED, Login
from integrations.wifi.meanings import CUSTOM, DATA, Found, Meanings

if TYPE_CHECKING:
    from integrations.models import Connection

MAPPING = "mapping"
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


@dataclass(frozen=True)
class Told:
    """One thing that a body tells: what was found for each meaning, and the login that it is, None
    when nothing says of whom."""

    found: Mapping[str, Found]
    login: Login | None

    @property
    def changes(self) -> list[Change]:
        """What it changes here, and what was left out of it."""
        left_out: list[Change] = [
            Nothing(
                _("Left out: %(what)s: %(reason)s")
                % {"what": one.meaning.label, "reason": one.problem}
            )
            for one in self.found.values()
            if one.problem and one.meaning.name not in _SAID_LATER
        ]
        return [*left_out, *(self.login.changes() if self.login is not None else [])]


_SAID_LATER = frozenset({"email", "phone"})
"""Whoever looks for the contact says what is wrong with these."""


@source
class Mapped(Source):
    """Any system that posts JSON about people."""

    name = "wifi"
    label = "Other wifi portal or system"
    credentials = (Credential("account", gettext_lazy("Name of the system"), secret=False),)
    options = (
        Option(
            MAPPING,
            gettext_lazy("What the values mean"),
            USUAL,
            help=gettext_lazy(
                "A line for each meaning: email = user.email | email. Once something came, it is "
                "chosen by clicking."
            ),
            lines=True,
        ),
        CURRENCY,
    )
    hint = gettext_lazy("Enter this address there as a webhook, and log in once to try it.")

    def check_options(self, options: Mapping[str, str]) -> None:
        try:
            paths.parse(options.get(MAPPING, ""))
        except paths.WrongMapping as wrong:
            raise ValidationError({MAPPING: str(wrong)}) from None

    def read(self, topic: str, body: Any, connection: Connection) -> Iterable[Change]:
        try:
            told = self.tell(body, mapping_of(connection), connection)
        except paths.WrongMapping as wrong:
            raise NotUnderstood(_("The mapping: %(reason)s") % {"reason": str(wrong)}) from None
        if not any(one.login for one in told):
            raise NotUnderstood(nobody())
        return [change for one in told for change in one.changes]

    def tell(self, body: Any, text: str, connection: Connection) -> list[Told]:
        """What a body tells by a mapping: one thing, or one for each that a list has. Two queries
        more where custom fields are mapped. Raises WrongMapping."""
        mapping = paths.parse(text)
        known = Meanings(connection.organisation, mapping)
        return [self._one(body, mapping, known, connection) for body in bodies(body)]

    def _one(
        self,
        body: Any,
        mapping: Mapping[str, Sequence[str]],
        known: Meanings,
        connection: Connection,
    ) -> Told:
        found = meanings.look(body, mapping, known, paths.find)
        if not any(name in found for name in ("email", "phone", "guest")):
            return Told(found, None)
        return Told(found, _login(found, connection))


def bodies(body: Any) -> list[Any]:
    """What one delivery has: several things as a list, or one."""
    return body if isinstance(body, list) else [body]


def mapping_of(connection: Connection) -> str:
    """The mapping as text."""
    return connection.options.get(MAPPING) or USUAL


def nobody() -> str:
    """Why nothing can be made of a delivery that names nobody."""
    return _("No e-mail address, phone number or guest was found: change the mapping.")


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


def _login(found: Mapping[str, Found], connection: Connection) -> Login:
    good = {name: one.value for name, one in found.items() if not one.problem}
    # As they came: that they cannot be read is said where the contact is looked for.
    told = {name: reading.text(found[name].raw) for name in ("email", "phone") if name in found}
    now = timezone.now()
    currency = good.get("currency") or connection.options.get("currency")
    currency = currency or connection.organisation.currency_code
    custom = {
        name.removeprefix(CUSTOM): value for name, value in good.items() if name.startswith(CUSTOM)
    }
    return Login(
        at=min(good.get("at") or now, now),
        values={
            "email_address": told.get("email"),
            "phone_number": told.get("phone"),
            **{name: good.get(name) for name in ("first_name", "last_name", "name", "dob")},
            "customFields": custom,
        },
        guest=good.get("guest", ""),
        session=good.get("session", ""),
        venue=good.get("venue", ""),
        device=good.get("device", ""),
        data={
            name.removeprefix(DATA): value for name, value in good.items() if name.startswith(DATA)
        },
        opt_ins={
            name.removeprefix(meanings.CONSENTED): value
            for name, value in good.items()
            if name.startswith(meanings.CONSENTED)
        },
        type=_type(found),
        spend=reading.money(good.get("amount"), currency),
        currency_code=currency,
        scope=connection.namespace,
    )


def _type(found: Mapping[str, Found]) -> str:
    """A type that is not known here is kept, so that recording it fails and can be done again when
    it was made: as a login it would be wrong."""
    return reading.text(found["type"].raw) if "type" in found else CONNECTED
