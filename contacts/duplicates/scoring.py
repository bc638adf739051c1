"""How likely two contacts are one: a score out of 100, and the reasons.

Each thing that speaks for it is worth a likelihood of its own, and together they are worth as much
as independent witnesses: 1 − (1 − a)(1 − b). What speaks against it takes a share away.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _

from contacts.duplicates.keys import PHONE_END, SHORTEST_MISTYPED, Facts
from contacts.duplicates.likeness import alike, differ, errors_between

LEAST = 55
"""Below this a pair is not proposed."""


class Reason(models.TextChoices):
    """What speaks for two contacts being one, or against it."""

    MAILBOX = "mailbox", _("almost the same e-mail")
    EMAIL_NAME = "email_name", _("the same name before the @")
    PHONE = "phone", _("the same phone number, other calling code")
    PHONE_END = "phone_end", _("phone numbers end alike")
    NAME = "name", _("the same name")
    NAME_SWAPPED = "name_swapped", _("first and last name swapped")
    NAME_ALIKE = "name_alike", _("similar names")
    BIRTHDAY = "birthday", _("the same birthday")
    ADDRESS = "address", _("the same address")
    OTHER_NAME = "other_name", _("different names")
    OTHER_BIRTHDAY = "other_birthday", _("different birthdays")
    OTHER_KIND = "other_kind", _("a person and a business")


FOR = {
    Reason.MAILBOX: 0.75,
    Reason.EMAIL_NAME: 0.35,
    Reason.PHONE: 0.7,
    Reason.PHONE_END: 0.4,
    Reason.NAME: 0.5,
    Reason.NAME_SWAPPED: 0.5,
    Reason.NAME_ALIKE: 0.35,
    Reason.BIRTHDAY: 0.6,
    Reason.ADDRESS: 0.5,
}
AGAINST = {Reason.OTHER_NAME: 0.6, Reason.OTHER_BIRTHDAY: 0.5, Reason.OTHER_KIND: 0.3}
_NAMES = {Reason.NAME, Reason.NAME_SWAPPED, Reason.NAME_ALIKE}
_REACHED = {Reason.MAILBOX, Reason.EMAIL_NAME, Reason.PHONE, Reason.PHONE_END}


@dataclass(frozen=True, slots=True)
class Score:
    """0 to 100, and why: the strongest first, what speaks against it last."""

    points: int
    reasons: tuple[str, ...]


def score(one: Facts, other: Facts) -> Score:
    """How likely the two are one. The same the other way round."""
    reasons = {*_reached_alike(one, other), *_named_alike(one, other), *_known_alike(one, other)}
    unlikely, share = 1.0, 1.0
    for reason in reasons:
        unlikely *= 1 - FOR.get(reason, 0)
        share *= 1 - AGAINST.get(reason, 0)
    if not reasons & (_NAMES | _REACHED):
        share = 0  # of one household, or born on one day
    order = list(Reason)
    speaking = sorted(reasons, key=lambda one: (one in AGAINST, -FOR.get(one, 0), order.index(one)))
    return Score(round(100 * (1 - unlikely) * share), tuple(reason.value for reason in speaking))


def _reached_alike(one: Facts, other: Facts) -> set[Reason]:
    found = set()
    if one.local and one.local == other.local:
        if _may_be_one_domain(one.domain, other.domain):
            found.add(Reason.MAILBOX)
        elif one.local_tells and other.local_tells:
            found.add(Reason.EMAIL_NAME)
    if min(len(one.national), len(other.national)) >= PHONE_END:
        if one.national == other.national:
            found.add(Reason.PHONE)
        elif one.national[-PHONE_END:] == other.national[-PHONE_END:]:
            found.add(Reason.PHONE_END)
    return found


def _may_be_one_domain(one: str, other: str) -> bool:
    """Short ones are near each other by chance: `abc.de`, `abd.de`."""
    most = 1 if min(len(one), len(other)) >= SHORTEST_MISTYPED else 0
    return errors_between(one, other, most) <= most


def _named_alike(one: Facts, other: Facts) -> set[Reason]:
    if not one.name or not other.name:
        return set()
    if one.name == other.name:
        return {Reason.NAME}
    if sorted(one.name) == sorted(other.name):
        return {Reason.NAME_SWAPPED}
    if alike(one.name, other.name):
        return {Reason.NAME_ALIKE}
    if differ(one.name, other.name):
        return {Reason.OTHER_NAME}
    # A word in common, such as the family's: first names that differ say that they are two.
    both = one.first and other.first
    return {Reason.OTHER_NAME} if both and differ(one.first, other.first) else set()


def _known_alike(one: Facts, other: Facts) -> set[Reason]:
    found = set()
    if one.dob is not None and other.dob is not None:
        found.add(Reason.BIRTHDAY if one.dob == other.dob else Reason.OTHER_BIRTHDAY)
    if one.places & other.places:
        found.add(Reason.ADDRESS)
    if one.kind != other.kind:
        found.add(Reason.OTHER_KIND)
    return found
