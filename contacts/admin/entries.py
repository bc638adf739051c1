"""The timeline on a contact's page: days of entries, a filter by kind, page after page."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from contacts import timeline
from contacts.timeline import Cursor, Entry

if TYPE_CHECKING:
    from contacts.admin.contacts import ContactAdmin
    from contacts.models import Contact

MOST_AT_ONCE = 200


class Line(NamedTuple):
    """An entry as it is shown."""

    entry: Entry
    icon: str
    at: str
    """The time of its day."""
    alone: str
    """The address of this entry alone, to show it again when it has changed."""

    @property
    def id(self) -> str:
        """Tells it from every other entry of the page."""
        return f"entry-{self.entry.kind}-{self.entry.pk}"


class Day(NamedTuple):
    """The entries of one day."""

    day: date
    label: str
    lines: list[Line]


class Kind(NamedTuple):
    """A choice of the filter."""

    label: Any
    icon: str
    url: str
    chosen: bool


def clock(contact: Contact) -> ZoneInfo:
    """By which the contact's days begin: its own, or the organisation's."""
    return ZoneInfo(contact.timezone or contact.organisation.timezone)


def shown(screen: ContactAdmin, request: HttpRequest, contact: Contact) -> dict[str, Any]:
    """A page of the timeline, as the address asks for it (`kind`, `before`, `limit`).

    Raises Http404 for a kind that there is not or a place that is none.
    """
    kinds = _kinds(request)
    before, limit = _place(request), _limit(request)
    zone = clock(contact)
    with timezone.override(zone):
        found, further = timeline.page(
            request, contact, before=before, kinds=kinds, limit=limit or timeline.PAGE
        )
        days = _by_day(screen, contact, found)
    address, fragment = screen.url("change", contact.pk), screen.url("timeline", contact.pk)
    more = ""
    if further is not None and limit is None:
        more = urlencode([*(("kind", kind) for kind in kinds), ("before", str(further))])
    own = contact.organisation.timezone
    return {
        "contact": contact,
        "days": days,
        "kinds": _choices(request, address, kinds),
        "kind": kinds[0] if kinds else "",
        "timeline_url": fragment,
        "more_url": more and f"{address}?{more}",
        "more_fragment": more and f"{fragment}?{more}",
        "is_first_page": before is None,
        "first_url": address,
        # Said where it is not the clock that the reader lives by.
        "foreign_clock": zone.key.replace("_", " ") if zone.key != own else "",
    }


def _kinds(request: HttpRequest) -> list[str]:
    kinds = [kind for kind in request.GET.getlist("kind") if kind]
    known = {source.kind for source in timeline.sources(request)}
    if not known.issuperset(kinds):
        raise Http404
    return kinds


def _place(request: HttpRequest) -> Cursor | None:
    text = request.GET.get("before", "")
    try:
        return Cursor.read(text) if text else None
    except ValidationError as error:
        raise Http404 from error


def _limit(request: HttpRequest) -> int | None:
    """How many entries are asked for; None for a page."""
    text = request.GET.get("limit", "")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 4 or not 0 < int(text) <= MOST_AT_ONCE:
        raise Http404
    return int(text)


def _by_day(screen: ContactAdmin, contact: Contact, entries: list[Entry]) -> list[Day]:
    icons = {source.kind: source.icon for source in timeline.SOURCES}
    address = screen.url("timeline", contact.pk)
    days: list[Day] = []
    for entry in entries:
        moment = timezone.localtime(entry.at)
        if not days or days[-1].day != moment.date():
            days.append(Day(moment.date(), said(moment), []))
        days[-1].lines.append(
            Line(
                entry,
                entry.icon or icons[entry.kind],
                date_format(moment, "TIME_FORMAT"),
                f"{address}?{urlencode(_alone(entry))}",
            )
        )
    return days


def _alone(entry: Entry) -> dict[str, Any]:
    """A page of one entry: what comes first below the place right above it."""
    above = entry.cursor._replace(pk=entry.pk + 1)
    return {"kind": entry.kind, "before": str(above), "limit": 1}


def said(moment: datetime) -> str:
    """The day as people say it, by the clock of the moment."""
    today = timezone.localdate()
    if moment.date() == today:
        return _("Today")
    if moment.date() == today - timedelta(days=1):
        return _("Yesterday")
    if moment.date() == today + timedelta(days=1):
        return _("Tomorrow")
    return f"{date_format(moment, 'l')}, {date_format(moment, 'DATE_FORMAT')}"


def _choices(request: HttpRequest, address: str, kinds: list[str]) -> list[Kind]:
    every = Kind(_("Everything"), "", address, not kinds)
    sources = [
        Kind(source.label, source.icon, f"{address}?kind={source.kind}", kinds == [source.kind])
        for source in timeline.sources(request)
    ]
    return [every, *sources]
