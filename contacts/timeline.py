"""All that happened with a contact, newest first, from every app that knows something of it.

Each app registers a `TimelineSource`: its activities, its messages, its notes. `page` merges them;
it reads from each source no more than a page.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from django.http import HttpRequest

    from contacts.models import Contact

M = TypeVar("M", bound=Model)

PAGE = 30


class Cursor(NamedTuple):
    """Where a page ends: the next one holds what sorts below it."""

    at: datetime
    kind: str
    pk: int

    def __str__(self) -> str:
        return f"{self.at.isoformat()}~{self.kind}~{self.pk}"

    @classmethod
    def read(cls, text: str) -> Cursor:
        """What `str` wrote. Raises ValidationError for anything else."""
        moment, _tilde, rest = text.partition("~")
        kind, _tilde, pk = rest.partition("~")
        try:
            at = parse_datetime(moment)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None or not pk.isdecimal() or len(pk) > 18:
            raise ValidationError({"before": [_("This is not a place in the timeline.")]})
        return cls(at, kind, int(pk))


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of the timeline. Texts are plain; `detail` may be SafeString."""

    at: datetime
    kind: str
    """The `kind` of its source."""
    pk: int
    """The row's id: with `at` and `kind` it says where the entry stands."""
    title: str
    icon: str = ""
    """A Material symbol; the source's when empty."""
    url: str = ""
    """The page of the row itself."""
    detail: str = ""
    """What there is to read below the title."""
    amount: str = ""
    """Money, formatted."""
    by: str = ""
    """Who or what did it."""
    actions: Sequence[tuple[str, str]] = ()
    """Links beside it: (label, address)."""

    @property
    def cursor(self) -> Cursor:
        """Its place."""
        return Cursor(self.at, self.kind, self.pk)


class TimelineSource:
    """What one app knows of a contact's past."""

    kind: str
    """Stable and short, such as `activity`: it is in addresses."""
    label: Any
    """What the filter calls it, plural, translated lazily."""
    icon: str
    permission: str
    """Who may see it, such as `activities.view_activity`."""
    position: int = 100
    """Its place in the filter."""

    def entries(
        self, request: HttpRequest, contact: Contact, before: Cursor | None, limit: int
    ) -> list[Entry]:
        """The `limit` newest entries of `contact` below `before`, newest first, by an index: the
        cost must not grow with the contact's past (`below` makes the condition)."""
        raise NotImplementedError

    def below(
        self, rows: QuerySet[M], before: Cursor | None, at: str, pk: str = "pk"
    ) -> QuerySet[M]:
        """`rows` below `before`, newest first, where the column `at` says when."""
        rows = rows.order_by(f"-{at}", f"-{pk}")
        if before is None:
            return rows
        older = Q(**{f"{at}__lt": before.at})
        if self.kind == before.kind:
            older |= Q(**{at: before.at, f"{pk}__lt": before.pk})
        elif self.kind < before.kind:
            return rows.filter(**{f"{at}__lte": before.at})
        return rows.filter(older, **{f"{at}__lte": before.at})


SOURCES: list[TimelineSource] = []


def register(source: TimelineSource) -> None:
    """Show what `source` knows in every contact's timeline. Called when an app's `admin` module is
    read."""
    if all(known.kind != source.kind for known in SOURCES):
        SOURCES.append(source)
        SOURCES.sort(key=lambda one: one.position)


def sources(request: HttpRequest, kinds: Collection[str] = ()) -> list[TimelineSource]:
    """Those that this member of staff may see; of `kinds` only, when there are any."""
    user = request.user
    return [
        source
        for source in SOURCES
        if user.has_perm(source.permission) and (not kinds or source.kind in kinds)
    ]


def page(
    request: HttpRequest,
    contact: Contact,
    *,
    before: Cursor | None = None,
    kinds: Collection[str] = (),
    limit: int = PAGE,
) -> tuple[list[Entry], Cursor | None]:
    """The next `limit` entries below `before`, and where the page after it begins; None at the end.

    The queries of each source once.
    """
    found: Iterable[list[Entry]] = [
        source.entries(request, contact, before, limit + 1) for source in sources(request, kinds)
    ]
    merged = heapq.merge(*found, key=lambda entry: entry.cursor, reverse=True)
    lines = [entry for entry, _n in zip(merged, range(limit + 1), strict=False)]
    more = len(lines) > limit
    lines = lines[:limit]
    return lines, lines[-1].cursor if more else None
