"""By which keys contacts meet, so that each is compared with a few others and not with all.

Each kind of key says how many contacts may share one. A key of more (an office's e-mail name, a
birthday that stands for none) tells nothing; it is left out, and the page says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from django.db import models
from django.utils.translation import gettext_lazy as _

from contacts.duplicates.likeness import errors_between, initials

SHORTEST_LOCAL = 5
"""Characters that an e-mail's name has at least to tell anything at another domain."""
TELLING_DIGITS = 3
"""Digits with which a name tells something though it is made of the person's: `janesmith1984`."""
SHORTEST_MISTYPED = 8
"""Characters of the shortest domain that is taken for a mistyped one."""
PHONE_END = 8
"""Digits of a phone number that are the same however it is spelt."""

_ALIASES = {"googlemail.com": "gmail.com", "me.com": "icloud.com", "mac.com": "icloud.com"}
# Domains of many people, for which others are taken that are one typing error away.
_LARGE = [
    "gmail.com",
    "googlemail.com",
    "hotmail.com",
    "hotmail.co.uk",
    "hotmail.fr",
    "outlook.com",
    "yahoo.com",
    "yahoo.co.uk",
    "yahoo.fr",
    "icloud.com",
    "live.com",
    "live.co.uk",
    "btinternet.com",
    "t-online.de",
    "orange.fr",
    "wanadoo.fr",
    "laposte.net",
    "bluewin.ch",
    "free.fr",
    "web.de",
]
# One error away from one of them, and yet domains of their own.
_REAL = frozenset(
    ["mail.com", "email.com", "ymail.com", "rocketmail.com", "hotmail.de", "hotmail.es"]
)
_LETTERS = re.compile(r"[\W_]+")


class KeyKind(models.TextChoices):
    """What contacts that meet have in common."""

    PHONE = "phone", _("the end of the phone number")
    MAILBOX = "mailbox", _("the e-mail, but for dots, + and typing errors")
    EMAIL_NAME = "email_name", _("what stands before the @")
    BIRTHDAY = "birthday", _("birthday and initials")
    ADDRESS = "address", _("address and initials")


MOST = {
    KeyKind.PHONE: 20,
    KeyKind.MAILBOX: 20,
    KeyKind.EMAIL_NAME: 10,
    KeyKind.BIRTHDAY: 60,
    KeyKind.ADDRESS: 30,
}
"""How many contacts are compared that share a key."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What of a contact is compared."""

    pk: int
    kind: str
    first: tuple[str, ...]
    name: tuple[str, ...]
    local: str
    """What stands before the @, folded: no dots, nothing from a + on."""
    domain: str
    local_tells: bool
    """Whether that says more than the name does: `jane.smith` at two domains says nothing."""
    national: str
    """The phone number without its calling code and leading zeros."""
    dob: date | None
    places: frozenset[str]
    """Its addresses, folded: postcode or town, and house number or street."""


@dataclass(frozen=True, slots=True)
class Key:
    """A kind and a value; `number` is how it is stored."""

    kind: KeyKind
    value: str

    def number(self, organisation: int) -> int:
        """A signed number of 64 bits, which two organisations do not share."""
        said = f"{organisation}\0{self.kind.value}\0{self.value}".encode()
        return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), signed=True)


def keys_of(facts: Facts) -> Iterator[Key]:
    """The keys by which the contact meets others."""
    if len(facts.national) >= PHONE_END:
        yield Key(KeyKind.PHONE, facts.national[-PHONE_END:])
    if facts.local:
        yield Key(KeyKind.MAILBOX, f"{facts.local}@{facts.domain}")
        if facts.local_tells:
            yield Key(KeyKind.EMAIL_NAME, facts.local)
    begins = initials(facts.name)
    if begins:
        if facts.dob is not None:
            yield Key(KeyKind.BIRTHDAY, f"{facts.dob.isoformat()} {begins}")
        for place in sorted(facts.places):
            yield Key(KeyKind.ADDRESS, f"{place} {begins}")


def mailbox(email_key: str | None) -> tuple[str, str]:
    """The folded name and domain of an e-mail that identifies; empty without one."""
    if not email_key:
        return "", ""
    local, _at, domain = email_key.rpartition("@")
    local = local.partition("+")[0].replace(".", "") or local
    return local, usual_domain(domain)


def tells(local: str, name: Sequence[str]) -> bool:
    """Whether what stands before the @ says more than the name that it may be made of."""
    letters = _LETTERS.sub("", local).rstrip("0123456789")
    if len(local) < SHORTEST_LOCAL or len(local) - len(letters) >= TELLING_DIGITS:
        return len(local) >= SHORTEST_LOCAL
    for word in sorted(name, key=len, reverse=True):
        letters = letters.replace(word, "", 1)
    return len(letters) > 1  # an initial is left


@lru_cache(maxsize=4096)
def usual_domain(domain: str) -> str:
    """The domain that is meant: `gmial.com` and `googlemail.com` are `gmail.com`."""
    if domain not in _LARGE and domain not in _REAL:
        meant = (
            one
            for one in _LARGE
            if len(one) >= SHORTEST_MISTYPED and errors_between(domain, one, 1) == 1
        )
        domain = next(meant, domain)
    return _ALIASES.get(domain, domain)


def place(postcode: str, line1: str, city: str) -> str:
    """A folded address: where, and which house; empty when either is not known."""
    where = _LETTERS.sub("", postcode.lower()) or _LETTERS.sub("", city.lower())
    street = line1.lower()
    house = "".join(re.findall(r"\d+[a-z]?\b", street)[:1]) or _LETTERS.sub("", street)
    return f"{where}:{house}" if where and house else ""
