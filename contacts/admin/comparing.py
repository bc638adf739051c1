"""Two contacts side by side: what each has, and which value is to stay."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest
from django.utils.translation import gettext as _

from contacts import identity, timeline
from contacts.admin.history import labels, shown
from contacts.admin.merging import preview
from contacts.history.reading import KIND as CHANGES
from contacts.models import Contact
from contacts.services.chosen import texts
from contacts.timeline import Entry

LATEST = 5
"""Entries of each one's timeline that are shown."""
FIELD = "value:"
"""Before a field's name in the form, whose value is the id of the contact that it is taken from."""
# Read with the phone number, and made of others.
_NOT_CHOSEN = frozenset({"phoneNumberCountryCode"})


@dataclass(frozen=True, slots=True)
class Line:
    """A field of both. Only where both have something, and not the same, is there a choice."""

    name: str
    label: str
    first: str
    second: str

    @property
    def is_choice(self) -> bool:
        return bool(self.first and self.second and self.first != self.second)

    @property
    def field(self) -> str:
        """Its name in the form."""
        return f"{FIELD}{self.name}"


@dataclass(frozen=True, slots=True)
class Cell:
    """What one of the two has of a line."""

    contact: int
    value: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two contacts: its totals, in words, and the latest of its timeline."""

    contact: Contact
    totals: str
    last_seen: datetime | None
    latest: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Kept:
    """What both keep: tags, addresses."""

    label: str
    first: str
    second: str


def lines(first: Contact, second: Contact) -> list[Line]:
    """The fields that either has, in the order in which people think of them. A few queries."""
    ours, theirs = texts(first), texts(second)
    names = [name for name in labels(first) if name in ours or name in theirs]
    left_out = set(_NOT_CHOSEN)
    if _is_made(first) and _is_made(second):
        left_out.add("name")
    known = labels(first)
    return [
        Line(name, known[name], _shown(name, ours), _shown(name, theirs))
        for name in names
        if name not in left_out
    ]


def _is_made(contact: Contact) -> bool:
    """Whether the name is only first and last in one."""
    return contact.name == identity.full_name(contact.first_name, contact.last_name)


def _shown(name: str, values: Mapping[str, str]) -> str:
    return shown(name, values[name]) if values.get(name) else ""


def kept(first: Contact, second: Contact) -> list[Kept]:
    """What is not chosen, since the merged contact has all of it."""
    wanted = {_("Tags"), _("Addresses")}
    return [
        Kept(line.label, line.survivor, line.absorbed)
        for line in preview(first, second)
        if line.label in wanted
    ]


def sides(request: HttpRequest, first: Contact, second: Contact) -> list[Side]:
    """The heads of the two columns."""
    totals = preview(first, second)[-1]
    # What changed of the fields stands above.
    kinds = [one.kind for one in timeline.sources(request) if one.kind != CHANGES]

    def latest(contact: Contact) -> Sequence[Entry]:
        return timeline.page(request, contact, kinds=kinds, limit=LATEST)[0] if kinds else ()

    return [
        Side(contact, told, contact.rollup.last_interacted_at, latest(contact))
        for contact, told in ((first, totals.survivor), (second, totals.absorbed))
    ]


def cells(
    line: Line, first: Contact, second: Contact, given: Mapping[str, str], stays: int
) -> list[Cell]:
    """Both values of a line: chosen is what was, in a form that is shown again, else the value of
    the contact that stays."""
    chosen = given.get(line.field) or str(stays)
    return [
        Cell(first.pk, line.first, chosen == str(first.pk)),
        Cell(second.pk, line.second, chosen == str(second.pk)),
    ]


def taken(given: Mapping[str, str], known: Collection[Line], absorbed: Contact) -> list[str]:
    """The names of the fields whose value is to be the absorbed contact's."""
    return [
        line.name for line in known if line.is_choice and given.get(line.field) == str(absorbed.pk)
    ]


def likelier(first: Contact, second: Contact) -> Contact:
    """The one that is proposed to stay: with more orders, else the older one."""
    return max(first, second, key=lambda one: (one.rollup.total_orders, -one.pk))


def version(first: Contact, second: Contact) -> str:
    """What the two were when they were shown."""
    return f"{first.updated_at.isoformat()} {second.updated_at.isoformat()}"
