"""What the palette is told: groups of hits for what was typed, or what was chosen lately."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from desk.search import hits, people, places
from desk.search.hits import Hit
from organisations.models import Organisation

LONGEST = 100
RECENT = 8
"""As many of what was chosen lately are shown."""


class Group(NamedTuple):
    """Hits of one kind."""

    label: str
    hits: list[Hit]


def answer(request: HttpRequest, organisation: Organisation, text: str) -> list[Group]:
    """What `text` may mean to this member of staff, in groups; those that are empty left out.

    Fifteen queries at most, and one more for each step of a contact that was merged.
    """
    text = text[:LONGEST].replace("\0", " ").strip()
    if not text:
        return []
    groups = []
    if request.user.has_perm("contacts.view_contact"):
        found, more = people.find(request, organisation, text)
        groups.append(Group(_("Contacts"), [*found, _all(text)] if more else found))
    named = {"name__icontains": text}
    segments = places.segments(request, organisation).filter(**named)[: places.MOST]
    workflows = places.workflows(request, organisation).filter(**named)[: places.MOST]
    groups += [
        Group(_("Segments"), [places.of_segment(one) for one in segments]),
        Group(_("Workflows"), [places.of_workflow(one) for one in workflows]),
        Group(_("Screens"), places.find_screens(request, text)),
    ]
    return [group for group in groups if group.hits]


def _all(text: str) -> Hit:
    """The list of contacts, searched for the same."""
    href = f"{reverse('admin:contacts_contact_changelist')}?{urlencode({'q': text})}"
    title = _("All contacts with “%(text)s”") % {"text": text}
    return Hit(key="", title=title, detail="", href=href, icon="search")


def recall(request: HttpRequest, organisation: Organisation, keys: Sequence[str]) -> list[Group]:
    """The hits of these keys, in their order, as they are now: what is gone, or not to be seen any
    more, is left out. Three queries at most."""
    ids: defaultdict[str, list[int]] = defaultdict(list)
    for key in keys[:RECENT]:
        kind, _dash, rest = key.partition("-")
        if rest.isascii() and rest.isdecimal() and len(rest) < 19:
            ids[kind].append(int(rest))
    found: list[Hit] = list(places.screens(request))
    if ids["contact"] and request.user.has_perm("contacts.view_contact"):
        contacts = people.recalled(organisation, ids["contact"]).values()
        found += [hits.of_contact(one) for one in contacts]
    if ids["segment"]:
        segments = places.segments(request, organisation).filter(pk__in=ids["segment"])
        found += [places.of_segment(one) for one in segments]
    if ids["workflow"]:
        workflows = places.workflows(request, organisation).filter(pk__in=ids["workflow"])
        found += [places.of_workflow(one) for one in workflows]
    by_key = {hit.key: hit for hit in found}
    lately = [by_key[key] for key in dict.fromkeys(keys[:RECENT]) if key in by_key]
    return [Group(_("Opened lately"), lately)] if lately else []


def as_json(groups: Iterable[Group]) -> list[dict[str, object]]:
    return [
        {"label": group.label, "hits": [hit.as_json() for hit in group.hits]} for group in groups
    ]
