"""`contact.segments`: whether the rule of another segment holds.

That rule is asked, not its tag: the answer is right at once, whatever waits to be refreshed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.rules import (
    Clause,
    Field,
    Reading,
    Rule,
    Vocabulary,
    operators,
    parse,
    types,
    words,
)
from contacts.rules.contact import TAG_FIELD, TAGS
from contacts.rules.moments import At
from contacts.rules.queries import NOBODY, Query
from contacts.rules.subjects import Loader, Need, Subject
from contacts.segments.models import Segment
from crm.api.references import parse_reference
from organisations.models import Organisation

NAME = "contact.segments"
DEEPEST = 5
"""How many segments may name each other in a row."""


class SegmentType(types.ValueType):
    """Segments by id, or by address."""

    name = "choices"
    operators = operators.pick(
        operators.HAS, operators.HAS_NOT, operators.HAS_ANY, operators.HAS_NONE
    )

    def __init__(self, choices: Mapping[str, str]) -> None:
        self.choices = choices

    def read(self, given: Any, at: At) -> int:
        return parse_reference(given, "segments")


class SegmentsField(Field):
    """The segments whose rules hold for a contact."""

    def __init__(self, choices: Mapping[str, str]) -> None:
        super().__init__(NAME, gettext_lazy("Segments"), TAGS, SegmentType(choices))

    def clause(self, reading: Reading, path: str, data: Mapping[str, Any]) -> Clause | None:
        read = super().clause(reading, path, data)
        if read is None:
            return None
        ids = read.operand if isinstance(read.operand, list) else [read.operand]
        try:
            named = tuple(_named(reading, pk) for pk in dict.fromkeys(ids))
        except ValidationError as error:
            reading.refuse(f"{path}value", error)
            return None
        return SegmentsClause(path, self, read.operator, ids, read.value, named)


@dataclass(frozen=True)
class Named:
    """A segment that a rule names, its rule read."""

    pk: int
    name: str
    rule: Rule


def _named(reading: Reading, pk: int) -> Named:
    segments = reading.kept(SegmentsField, lambda: _rules(reading.organisation))
    if pk not in segments:
        raise ValidationError(
            _("There is no segment %(id)d."), code="does_not_exist", params={"id": pk}
        )
    name, rules = segments[pk]
    if pk in reading.within:
        raise ValidationError(
            _("%(name)s refers back to this segment."), code="cycle", params={"name": name}
        )
    if len(reading.within) >= DEEPEST:
        raise ValidationError(
            _("Segments may name each other %(deepest)d deep."),
            code="too_deep",
            params={"deepest": DEEPEST},
        )
    inner = reading.again((*reading.within, pk))
    inner.about = frozenset({"contact"})
    try:
        rule = parse(rules, organisation=reading.organisation, reading=inner)
    except ValidationError as error:
        codes = {one.code for found in error.error_dict.values() for one in found}
        if "cycle" in codes:
            raise ValidationError(
                _("%(name)s refers back to this segment."), code="cycle", params={"name": name}
            ) from None
        raise ValidationError(
            _("The rule of %(name)s cannot be followed at the moment."),
            code="broken",
            params={"name": name},
        ) from None
    return Named(pk, name, rule)


def _rules(organisation: Organisation) -> Mapping[int, tuple[str, Any]]:
    rows = Segment.objects.for_organisation(organisation).values_list("pk", "name", "rules")
    return {pk: (name, rules) for pk, name, rules in rows}


@dataclass(frozen=True)
class SegmentsClause(Clause):
    """The rules of the segments that are named, asked."""

    named: Sequence[Named]

    @property
    def watches(self) -> frozenset[str]:
        return frozenset({NAME}).union(*(one.rule.watches for one in self.named))

    @property
    def moves_with_time(self) -> bool:
        return any(one.rule.moves_with_time for one in self.named)

    @property
    def size(self) -> int:
        return 1 + sum(one.rule.size for one in self.named)

    def needs(self) -> Mapping[Loader, Collection[Need]]:
        found: dict[Loader, set[Need]] = {}
        for one in self.named:
            for loader, wanted in one.rule.needs.items():
                found.setdefault(loader, set()).update(wanted)
        return found

    def holds(self, subject: Subject) -> bool:
        return any(one.rule.holds(subject) for one in self.named) != self.operator.negated

    def condition(self, query: Query) -> Q:
        if len(self.named) > 1 or self.operator.negated:
            query = query.trying()
        found = NOBODY
        for one in self.named:
            found |= one.rule.root.condition(query)
        return ~found if self.operator.negated else found

    def said(self, currency_code: str) -> str:
        names = words.several([one.name for one in self.named])
        return f"{self.field.label} {self.operator.label} {names}"

    def found(self, subject: Subject) -> list[str]:
        return sorted(one.name for one in self.named if one.rule.holds(subject))


class Segments(Vocabulary):
    """`contact.segments`."""

    def find(self, name: str, reading: Reading) -> Field | None:
        return SegmentsField({}) if name == NAME else None

    def fields(self, organisation: Organisation) -> Iterable[Field]:
        rows = Segment.objects.for_organisation(organisation).order_by("name")
        return [SegmentsField({str(pk): name for pk, name in rows.values_list("pk", "name")})]


def clauses_of(rule: Rule) -> Iterator[Clause]:
    """Every condition of a rule, those of the segments that it names included."""
    for clause in rule.clauses:
        yield clause
        if isinstance(clause, SegmentsClause):
            for one in clause.named:
                yield from clauses_of(one.rule)


def segments_named(rule: Rule) -> set[int]:
    """The segments that a rule names, directly or through others."""
    return {
        one.pk
        for clause in clauses_of(rule)
        if isinstance(clause, SegmentsClause)
        for one in clause.named
    }


def tags_named(rule: Rule) -> set[str]:
    """The tags that a rule names, directly or through segments, by their folded names."""
    found: set[str] = set()
    for clause in clauses_of(rule):
        if clause.field.name == TAG_FIELD and clause.operand is not None:
            found |= {clause.operand} if isinstance(clause.operand, str) else {*clause.operand}
    return found
