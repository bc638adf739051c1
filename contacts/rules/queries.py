"""What a rule is compiled in: at which moment, for whose contacts, in which place of the query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from contacts.rules.checks import Check
from contacts.rules.moments import At
from organisations.models import Organisation

NOBODY = Q(pk__in=[])
EVERYBODY = ~NOBODY


@dataclass(frozen=True)
class Query:
    """A place in a query on contacts.

    `among` narrows rows that hang on a contact to those of the contacts in question, as lookups
    that follow `contact`: `{"gte": 1, "lte": 5000}`. Subqueries then cost what that few do,
    whatever the planner thinks of them.

    `drives` says that contacts are found by this condition, rather than tried: it stands alone or
    with others, all of which hold. Then it is `pk IN (subquery)`, by which either database can
    start; else EXISTS, which each contact is tried with. (IN under OR or NOT is a hash of the whole
    subquery on PostgreSQL, or worse, when that does not fit in work_mem, a scan for each contact.)
    """

    organisation: Organisation
    at: At
    activity: Any = None
    among: Mapping[str, Any] = field(default_factory=dict)
    drives: bool = True

    def trying(self) -> Query:
        """The same place under an OR or a NOT."""
        return replace(self, drives=False)

    def some(self, rows: QuerySet[Any], contact: str = "contact") -> Q:
        """Contacts that have any of these rows, whose key to the contact is `contact`."""
        rows = self.bounded(rows, contact)
        if self.drives:
            return Q(pk__in=rows.values(contact))
        return Q(Exists(self.of_each(rows, contact)))

    def bounded(self, rows: QuerySet[Any], contact: str = "contact") -> QuerySet[Any]:
        """`rows` of the contacts in question."""
        return rows.filter(**{f"{contact}__{name}": value for name, value in self.among.items()})

    def of_each(self, rows: QuerySet[Any], contact: str = "contact") -> QuerySet[Any]:
        """`rows` of the contact that is tried."""
        return rows.filter(**{contact: OuterRef("pk")})

    def by_day(self, check: Callable[[At], Check], condition: Callable[[Check, Query], Q]) -> Q:
        """A condition that depends on the contact's own day: for each of the two or three days that
        it is somewhere on earth, those whose day it is."""
        others = self.at.elsewhere()
        query = self.trying()
        here = condition(check(self.at), query)
        away = Q()
        for day, zones in others.items():
            there = Q(timezone__in=zones)
            here &= ~there
            away |= there & condition(check(self.at.on(day)), query)
        return here | away
