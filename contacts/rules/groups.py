"""Conditions that hold together: all of them, any of them, none of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from django.db.models import Q

from contacts.rules.fields import Clause
from contacts.rules.queries import EVERYBODY, NOBODY, Query
from contacts.rules.subjects import Subject

Kind = Literal["all", "any", "none"]


@dataclass(frozen=True)
class Group:
    """`all` of nothing holds for everybody, as does `none`; `any` of nothing for nobody."""

    kind: Kind
    members: tuple[Group | Clause, ...]

    def clauses(self) -> Iterator[Clause]:
        """Every condition in it, in the order written."""
        for member in self.members:
            if isinstance(member, Group):
                yield from member.clauses()
            else:
                yield member

    def holds(self, subject: Subject) -> bool:
        """Whether it holds for the subject."""
        answers = (member.holds(subject) for member in self.members)
        if self.kind == "all":
            return all(answers)
        return any(answers) == (self.kind == "any")

    def condition(self, query: Query) -> Q:
        """The contacts for which it holds."""
        if self.kind == "all":
            found = EVERYBODY
            for member in self.members:
                found &= member.condition(query)
            return found
        found = NOBODY
        for member in self.members:
            found |= member.condition(query.trying())
        return found if self.kind == "any" else ~found
