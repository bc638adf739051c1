"""Pages that cost the same wherever they are.

A page is found by the last row of the page before it: its place in the order travels in an opaque
`cursor`. `page` is there for the first 10,000 rows, which is how far people leaf.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal, cast
from urllib.parse import urlencode

import orjson
from django.core.exceptions import ValidationError
from django.db import connections
from django.db.models import BooleanField, F, Field, Model, Q, QuerySet, Value
from django.db.models.expressions import Combinable, Func, OrderBy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.request import Request

from crm.api.errors import BadQuery
from crm.api.ordering import Ordering, Phase, Term
from crm.planner import by_index

DEFAULT_SIZE = 30
LARGEST_SIZE = 1000
REACHED_BY_PAGE = 10_000
CURSOR_VERSION = 1

PARAMETERS: Sequence[Mapping[str, Any]] = (
    {
        "name": "page",
        "description": gettext_lazy("From 1; reaches the first 10,000 rows. Further by `cursor`."),
        "schema": {"type": "integer", "minimum": 1, "default": 1},
    },
    {
        "name": "itemsPerPage",
        "description": gettext_lazy("Rows on a page."),
        "schema": {
            "type": "integer",
            "minimum": 1,
            "maximum": LARGEST_SIZE,
            "default": DEFAULT_SIZE,
        },
    },
    {
        "name": "cursor",
        "description": gettext_lazy("Where to go on: taken from the `Link` header, never made."),
        "schema": {"type": "string"},
    },
    {
        "name": "count",
        "description": gettext_lazy("`true` answers the number of rows in `X-Total-Count`."),
        "schema": {"type": "boolean", "default": False},
    },
)


NAMES = frozenset(parameter["name"] for parameter in PARAMETERS)


class _RowCompare(Func):
    """`(a, b) < (x, y)`, which both databases read from an index on (a, b)."""

    conditional = True
    output_field = BooleanField()
    template = "(%(left)s) %(sign)s (%(right)s)"

    def __init__(self, left: Sequence[Combinable], sign: str, right: Sequence[Value]) -> None:
        super().__init__(*left, *right)
        self.sign = sign

    def as_sql(  # type: ignore[override]  # the template is of no use here
        self, compiler: Any, connection: Any, **extra: Any
    ) -> tuple[str, tuple[Any, ...]]:
        parts, params = [], []
        for source in self.source_expressions:
            sql, values = compiler.compile(source)
            parts.append(sql)
            params.extend(values)
        half = len(parts) // 2
        left, right = ", ".join(parts[:half]), ", ".join(parts[half:])
        return f"({left}) {self.sign} ({right})", tuple(params)


class _Unindexed(Func):
    """A column that no index has in its order."""

    function = "GREATEST"

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="+%(expressions)s", **extra)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two rows of an ordering: after (`next`) or before (`prev`) the row whose
    values of the phase's terms and tie are `values`."""

    order: str
    direction: Literal["next", "prev"]
    phase: int
    values: Sequence[Any]

    def encode(self) -> str:
        """As it stands in a link."""
        raw = orjson.dumps(
            [CURSOR_VERSION, self.order, self.direction == "next", self.phase, list(self.values)]
        )
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Raises BadQuery for anything that `encode` did not make."""
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            version, order, forward, phase, values = orjson.loads(
                base64.b64decode(padded, altchars=b"-_", validate=True)
            )
        except (ValueError, TypeError, UnicodeEncodeError, binascii.Error):
            raise _bad_cursor() from None
        if (
            version != CURSOR_VERSION
            or not isinstance(order, str)
            or not isinstance(forward, bool)
            or type(phase) is not int
            or not isinstance(values, list)
            or not all(isinstance(value, str | int | bool) for value in values)
        ):
            raise _bad_cursor()
        return cls(order, "next" if forward else "prev", phase, values)


def _bad_cursor() -> BadQuery:
    return BadQuery("cursor", _("Take it from the Link header of a page, with the same order."))


class _Column:
    """One ordering column of a phase: how to select, compare, read and write it."""

    def __init__(self, rows: QuerySet[Any], term: Term, position: int) -> None:
        self.term = term
        local = "__" not in term.path and term.path not in rows.query.annotations
        self.name = term.path if local else f"_order_{position}"
        self.selected = None if local else F(term.path)
        self.field = _field(rows, term.path)

    def value(self, text: Any) -> Value:
        """A cursor's value, for a query. Raises BadQuery."""
        try:
            python = self.field.to_python(text)
        except ValidationError:
            raise _bad_cursor() from None
        if isinstance(python, int) and not -(2**63) <= python < 2**63:
            raise _bad_cursor()
        return Value(python, output_field=self.field)

    def text(self, row: Any) -> Any:
        """The row's value as a cursor holds it, exact."""
        value = getattr(row, self.name)
        if isinstance(value, bool | int | str):
            return value
        return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _field(rows: QuerySet[Any], path: str) -> Field[Any, Any]:
    annotation = rows.query.annotations.get(path)
    if annotation is not None:
        return annotation.output_field
    model: type[Model] = rows.model
    found: Any = None
    for name in path.split("__"):
        found = model._meta.pk if name == "pk" else model._meta.get_field(name)
        model = cast(type[Model], found.related_model or model)
    return cast("Field[Any, Any]", getattr(found, "target_field", found))


class Walk:
    """A phase made ready to be paged through; `whole` is the same phase of the list that its rows
    were picked from, where they are scattered in it."""

    def __init__(self, phase: Phase, whole: Phase | None = None) -> None:
        self.whole = Walk(whole) if whole is not None else None
        self.phase = phase
        terms = [*phase.terms]
        if not terms or terms[-1].path != phase.tie:
            terms.append(Term(phase.tie, terms[-1].descending if terms else True))
        rows = phase.queryset
        self.columns = [_Column(rows, term, position) for position, term in enumerate(terms)]
        selected = {c.name: c.selected for c in self.columns if c.selected is not None}
        self.rows = rows.annotate(**selected) if selected else rows

    @property
    def patience(self) -> int:
        """So many rows of this list are walked for a page of some of them."""
        return self.phase.patience

    def ordered(self, forward: bool) -> QuerySet[Any]:
        """All rows, in the order or against it."""
        return self.rows.order_by(
            *(
                f"-{column.name}" if column.term.descending == forward else column.name
                for column in self.columns
            )
        )

    def beyond(self, values: Sequence[Any], forward: bool) -> QuerySet[Any]:
        """The rows after (or before) the place `values`, in that direction."""
        return self.ordered(forward).filter(self._past(values, forward))

    def _past(self, values: Sequence[Any], forward: bool) -> Q | _RowCompare:
        """That a row stands after (or before) this place."""
        if len(values) != len(self.columns):
            raise _bad_cursor()
        ways = {column.term.descending for column in self.columns}
        pairs = [(c, c.value(v)) for c, v in zip(self.columns, values, strict=True)]
        if len(ways) == 1:
            sign = "<" if ways == {forward} else ">"
            return _RowCompare([F(c.name) for c, _v in pairs], sign, [v for _c, v in pairs])
        # Mixed directions: a < x or (a = x and b > y) …, which no row comparison says.
        anywhere, equal = Q(), Q()
        for column, value in pairs:
            comparison = "lt" if column.term.descending == forward else "gt"
            anywhere |= equal & Q(**{f"{column.name}__{comparison}": value})
            equal &= Q(**{column.name: value})
        return anywhere

    def some(
        self,
        number: int,
        *,
        start: int = 0,
        after: Sequence[Any] | None = None,
        forward: bool = True,
    ) -> list[Any]:
        """So many rows, fewer at the end: from the `start`-th on, of all or of those after the
        place `after`. One query; of scattered rows three, and four that read no table.

        Databases take what fits for spread evenly over the list. Where it is not, they would walk
        all of it for a page that stands at its end. So the list is walked a little way only; a page
        that is not there is of few rows, or of rows far off, and those are gathered and sorted.
        """
        rows = self._from(after, forward)
        end = start + number
        near = self.whole.milestone(after, forward) if self.whole is not None else None
        if near is None:
            return list(rows[start:end])
        # Those before the milestone, which is where one comes from the other side.
        found = list(rows.filter(self._past(near, not forward))[start:end])
        if len(found) == number:
            return found
        bare = self._unindexed(rows.select_related(None).prefetch_related(None), forward)
        with by_index(connections[rows.db]):
            pks = list(bare.values_list("pk", flat=True)[start:end])
        return list(self.ordered(forward).filter(pk__in=pks)) if pks else []

    def milestone(self, after: Sequence[Any] | None, forward: bool) -> list[Any] | None:
        """The place so many rows after `after` as one walks before giving up; None when there are
        not so many. One query."""
        bare = self._from(after, forward).select_related(None).prefetch_related(None)
        places = bare.values(*(column.name for column in self.columns))
        found = places[self.patience : self.patience + 1]
        return next((self.place(SimpleNamespace(**row)) for row in found), None)

    def _from(self, after: Sequence[Any] | None, forward: bool) -> QuerySet[Any]:
        return self.ordered(forward) if after is None else self.beyond(after, forward)

    def _unindexed(self, rows: QuerySet[Any], forward: bool) -> QuerySet[Any]:
        """The same rows in the same order, sorted."""
        return rows.order_by(
            *(
                OrderBy(
                    _Unindexed(F(column.name), output_field=column.field),
                    descending=column.term.descending == forward,
                )
                for column in self.columns
            )
        )

    def place(self, row: Any) -> list[Any]:
        """Where `row` stands, for a cursor."""
        return [column.text(row) for column in self.columns]


def walks_of(
    queryset: QuerySet[Any], ordering: Ordering, whole: QuerySet[Any] | None = None
) -> list[Walk]:
    """The phases of `queryset`, each with that of `whole` when its rows are scattered there."""
    phases = ordering.phases(queryset)
    # SQLite walks or gathers as the queryset tells it (`contacts.querysets.Likely`).
    here = connections[queryset.db].vendor == "postgresql"
    if whole is None or not here or not getattr(queryset, "is_scattered", False):
        return [Walk(phase) for phase in phases]
    return [Walk(*both) for both in zip(phases, ordering.phases(whole), strict=True)]


def in_chunks(queryset: QuerySet[Any], ordering: Ordering, size: int) -> Iterator[list[Any]]:
    """All rows in this order, `size` at a time: a query for each, at the end as cheap as at first.

    `queryset` gives models, or named values with the ordering's columns among them.
    """
    for phase in ordering.phases(queryset):
        walk = Walk(phase)
        rows = walk.ordered(forward=True)
        while chunk := list(rows[:size]):
            yield chunk
            if len(chunk) < size:
                break
            rows = walk.beyond(walk.place(chunk[-1]), forward=True)


def _number(request: Request, name: str, default: int, most: int) -> int:
    given = request.query_params.getlist(name)
    if not given:
        return default
    text = given[-1]
    if len(given) > 1:
        raise BadQuery(name, _("Give it once."))
    if not (text.isascii() and text.isdecimal()) or len(text) > 18 or not 1 <= int(text) <= most:
        raise BadQuery(
            name,
            _("Use a whole number from 1 to %(most)s.") % {"most": most}
            if most == LARGEST_SIZE
            else _("Use a whole number from 1."),
        )
    return int(text)


class KeysetPagination:
    """One page of an ordering: one query, one more where the page spans two phases, and one more
    when `count=true`.

    `page(queryset, ordering)` answers the rows; `headers` then are the answer's `Link` and
    `X-Total-Count`. Raises BadQuery.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.headers: dict[str, str] = {}
        self.size = _number(request, "itemsPerPage", DEFAULT_SIZE, LARGEST_SIZE)
        self.number = _number(request, "page", 1, 10**18)
        self.counts = self._wants_count()
        self.cursor: Cursor | None = None
        cursors = request.query_params.getlist("cursor")
        if cursors:
            if len(cursors) > 1:
                raise BadQuery("cursor", _("Give it once."))
            if "page" in request.query_params:
                raise BadQuery("page", _("Use page or cursor, not both."))
            self.cursor = Cursor.decode(cursors[0])
        if (self.number - 1) * self.size >= REACHED_BY_PAGE:
            raise BadQuery(
                "page",
                _("Pages reach the first 10,000 rows; go on with the cursor of the next link."),
            )

    def _wants_count(self) -> bool:
        given = self.request.query_params.get("count", "false").lower()
        if given not in {"true", "false", "1", "0"}:
            raise BadQuery("count", _("Use true or false."))
        return given in {"true", "1"}

    def page(
        self, queryset: QuerySet[Any], ordering: Ordering, whole: QuerySet[Any] | None = None
    ) -> list[Any]:
        """The rows of the page that was asked for; `whole` is the list that `queryset` may be a
        part of."""
        walks = walks_of(queryset, ordering, whole)
        if self.counts:
            self.headers["X-Total-Count"] = str(sum(walk.rows.count() for walk in walks))
        if self.cursor is None:
            found = self._by_number(walks)
            more_behind, more_ahead = self.number > 1, len(found) > self.size
            found = found[: self.size]
        else:
            found = self._by_cursor(walks, ordering, self.cursor)
            more = len(found) > self.size
            found = found[: self.size]
            forward = self.cursor.direction == "next"
            if not forward:
                found.reverse()
            # There is something on the side that the cursor came from: the row that it names.
            more_behind, more_ahead = (True, more) if forward else (more, True)
        self._link(ordering, walks, found, more_behind=more_behind, more_ahead=more_ahead)
        return [row for _phase, row in found]

    def page_of_few(self, rows: Sequence[Any]) -> Sequence[Any]:
        """The page of rows that are all in memory: by `page` alone, without cursors."""
        if self.cursor is not None:
            raise _bad_cursor()
        if self.counts:
            self.headers["X-Total-Count"] = str(len(rows))
        end = self.number * self.size
        links: list[tuple[str, dict[str, str]]] = [("first", {})]
        if self.number > 1:
            links.insert(0, ("prev", {"page": str(self.number - 1)}))
        if end < len(rows):
            links.insert(0, ("next", {"page": str(self.number + 1)}))
        self.headers["Link"] = ", ".join(
            f'<{self._address(change)}>; rel="{rel}"' for rel, change in links
        )
        return rows[end - self.size : end]

    def _by_number(self, walks: Sequence[Walk]) -> list[tuple[int, Any]]:
        found: list[tuple[int, Any]] = []
        offset, wanted = (self.number - 1) * self.size, self.size + 1
        for index, walk in enumerate(walks):
            part = walk.some(wanted - len(found), start=offset)
            found += [(index, row) for row in part]
            if len(found) == wanted:
                break
            if part or not offset:
                offset = 0
            elif index + 1 < len(walks):
                # The page begins past this phase: how far past is only known by counting it,
                # which the reach of `page` keeps short.
                offset -= walk.ordered(forward=True)[:offset].count()
        return found

    def _by_cursor(
        self, walks: Sequence[Walk], ordering: Ordering, cursor: Cursor
    ) -> list[tuple[int, Any]]:
        if cursor.order != ordering.name or not 0 <= cursor.phase < len(walks):
            raise _bad_cursor()
        forward = cursor.direction == "next"
        found: list[tuple[int, Any]] = []
        index = cursor.phase
        after: Sequence[Any] | None = cursor.values
        while True:
            wanted = self.size + 1 - len(found)
            found += [
                (index, row) for row in walks[index].some(wanted, after=after, forward=forward)
            ]
            index, after = index + (1 if forward else -1), None
            if len(found) > self.size or not 0 <= index < len(walks):
                return found

    def _link(
        self,
        ordering: Ordering,
        walks: Sequence[Walk],
        found: Sequence[tuple[int, Any]],
        *,
        more_behind: bool,
        more_ahead: bool,
    ) -> None:
        links = []
        if more_ahead and found:
            phase, row = found[-1]
            links.append(("next", {"cursor": self._at(ordering, walks, "next", phase, row)}))
        if more_behind and self.cursor is None:
            links.append(("prev", {"page": str(self.number - 1)}))
        elif more_behind and found:
            phase, row = found[0]
            links.append(("prev", {"cursor": self._at(ordering, walks, "prev", phase, row)}))
        links.append(("first", {}))
        self.headers["Link"] = ", ".join(
            f'<{self._address(change)}>; rel="{rel}"' for rel, change in links
        )

    @staticmethod
    def _at(
        ordering: Ordering,
        walks: Sequence[Walk],
        direction: Literal["next", "prev"],
        phase: int,
        row: Any,
    ) -> str:
        return Cursor(ordering.name, direction, phase, walks[phase].place(row)).encode()

    def _address(self, change: Mapping[str, str]) -> str:
        kept = [
            (name, value)
            for name, values in self.request.query_params.lists()
            if name not in {"page", "cursor"}
            for value in values
        ]
        query = urlencode([*kept, *change.items()])
        address = self.request.build_absolute_uri(self.request.path)
        return f"{address}?{query}" if query else address
