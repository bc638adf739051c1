"""In which order a list comes, said so that a page can be found again by its last row.

An `Ordering` turns a queryset into phases that follow one another. Most have one. A column that may
be null has two, those that have a value and then the others, because one query that sorts both
cannot be read from an index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

PATIENCE, IMPATIENCE = 10_000, 3_000
"""Where an index alone shows the way, and where each step reads a row."""


@dataclass(frozen=True, slots=True)
class Term:
    """A lookup path that is never null in its phase, such as `rollup__total_spend`."""

    path: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Phase:
    """Rows in the order of `terms`, then of `tie`, which is unique among them.

    `patience`: so many rows of the whole list are walked for a page of those that a filter left,
    before what it left is gathered (`crm.api.pagination`).

    `tie` goes the way of the last term. Name the column that the index ends with: for an index of
    the rollups `rollup__contact`, or the database cannot seek in it.
    """

    queryset: QuerySet[Any]
    terms: Sequence[Term]
    tie: str = "pk"
    patience: int = PATIENCE


@dataclass(frozen=True, slots=True)
class Ordering:
    """`name` tells orderings apart in a cursor: `-createdAt`. `phases` splits the filtered queryset
    of a request."""

    name: str
    phases: Callable[[QuerySet[Any]], Sequence[Phase]]


def by(*paths: str, tie: str = "pk") -> Ordering:
    """By columns that are never null: `by("-created_at")`; a minus is for descending."""
    terms = [Term(path.removeprefix("-"), path.startswith("-")) for path in paths]
    return Ordering(",".join(paths), lambda rows: [Phase(rows, terms, tie)])


def unset_last(path: str, *, tie: str = "pk") -> Ordering:
    """By a column that may be null: those that have it, then the others by id, newest first, in
    either direction."""
    bare = path.removeprefix("-")
    term = Term(bare, path.startswith("-"))

    def phases(rows: QuerySet[Any]) -> list[Phase]:
        return [
            Phase(rows.filter(**{f"{bare}__isnull": False}), [term], tie),
            Phase(rows.filter(**{f"{bare}__isnull": True}), [Term("pk", True)]),
        ]

    return Ordering(path, phases)


def unset_last_by(path: str, *, tie: str = "pk") -> Callable[[bool], Ordering]:
    """`unset_last` for either direction: what a viewset's `orderings` want."""
    return lambda descending: unset_last(f"-{path}" if descending else path, tie=tie)
