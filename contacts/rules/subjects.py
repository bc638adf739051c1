"""Who is asked a rule in memory, and what is known of them.

A subject reads what a rule needs when it is needed, in one query for each `Loader`; `gather` reads
it for many contacts at once, in as many queries as for one.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

from django.utils import timezone

from contacts.rules.moments import At
from organisations.models import Organisation

if TYPE_CHECKING:
    from contacts.models import Contact
    from organisations.querysets import TenantQuerySet

Need = Hashable
"""What of a loader's a clause wants to know: a column, a custom field's id, a tally."""

Facts = Mapping[int, Mapping[Need, Sequence[Any]]]
"""By contact and need: the values found, in no order that matters; left out when there are none."""


class Loader(Protocol):
    """Reads one kind of fact. There is one instance of each, by which facts are kept."""

    def load(self, ids: Sequence[int], needs: Collection[Any], at: At) -> Facts:
        """What these contacts have. One query."""


class Rows:
    """Facts that are columns of rows which hang on a contact; a need is the path of a column."""

    def __init__(self, rows: TenantQuerySet[Any], contact: str = "contact_id") -> None:
        self.rows = rows
        self.contact = contact

    def load(self, ids: Sequence[int], needs: Collection[str], at: At) -> Facts:
        """See `Loader`. Null and empty texts are no values."""
        columns = sorted(needs)
        rows = self.rows.across_organisations().filter(**{f"{self.contact}__in": ids}).order_by()
        found: dict[int, dict[Need, list[Any]]] = {}
        for pk, *cells in rows.values_list(self.contact, *columns):
            facts = found.setdefault(pk, {column: [] for column in columns})
            for column, cell in zip(columns, cells, strict=True):
                if cell is not None and cell != "":
                    facts[column].append(cell)
        return found


class Subject:
    """A contact, and the activity that started it where there is one, at a moment (by default now).

    The contact's own columns are read from the instance at hand; everything else from the database
    as it is at the first question.
    """

    def __init__(
        self, contact: Contact, activity: Any = None, *, now: datetime.datetime | None = None
    ) -> None:
        self.contact = contact
        self.activity = activity
        self.organisation: Organisation = contact.organisation
        self.now = now or timezone.now()
        self.at = At.of(self.organisation, self.now)
        self._zone = contact.timezone
        self._facts: dict[Loader, dict[Need, Sequence[Any]]] = {}
        self._expected: dict[Loader, set[Need]] = {}

    def own(self) -> At:
        """The moment with the contact's own day."""
        return self.at.for_zone(self._zone)

    @property
    def zone(self) -> ZoneInfo:
        """The contact's time zone."""
        return ZoneInfo(self._zone or self.organisation.timezone)

    def expect(self, needs: Mapping[Loader, Collection[Need]]) -> None:
        """Say what will be asked for, so that one query reads it all when the first is."""
        for loader, wanted in needs.items():
            self._expected.setdefault(loader, set()).update(wanted)

    def missing(self) -> dict[Loader, set[Need]]:
        """What is expected and not known yet."""
        found = {
            loader: wanted - self._facts.get(loader, {}).keys()
            for loader, wanted in self._expected.items()
        }
        return {loader: wanted for loader, wanted in found.items() if wanted}

    def know(self, loader: Loader, facts: Mapping[Need, Sequence[Any]]) -> None:
        """Take note of what was loaded."""
        self._facts.setdefault(loader, {}).update(facts)

    def fact(self, loader: Loader, need: Need) -> Sequence[Any]:
        """The values found; loaded, with all else that is expected of this loader, at need."""
        known = self._facts.setdefault(loader, {})
        if need not in known:
            wanted = {need} | (self._expected.get(loader, set()) - known.keys())
            loaded = loader.load([self.contact.pk], wanted, self.at).get(self.contact.pk, {})
            known.update({one: loaded.get(one, ()) for one in wanted})
        return known[need]


def gather(subjects: Iterable[Subject]) -> None:
    """Load what these subjects, all of one moment, are expected to be asked. One query for each
    loader, however many they are."""
    waiting: dict[Loader, dict[int, tuple[Subject, set[Need]]]] = {}
    for subject in subjects:
        for loader, wanted in subject.missing().items():
            waiting.setdefault(loader, {})[subject.contact.pk] = (subject, wanted)
    for loader, asked in waiting.items():
        needs = set().union(*(wanted for _subject, wanted in asked.values()))
        at = next(subject.at for subject, _wanted in asked.values())
        loaded = loader.load(list(asked), needs, at)
        for pk, (subject, wanted) in asked.items():
            facts = loaded.get(pk, {})
            subject.know(loader, {need: facts.get(need, ()) for need in wanted})
