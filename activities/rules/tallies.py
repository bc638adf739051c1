"""Counting a contact's activities and adding up their spend:

{"field": "activities", "operator": "count_gte", "value": 2,
 "where": {"type": "Checked in", "within": "P90D"}}
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Count, Exists, Q, QuerySet, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import Activity, ActivityType
from activities.types import BUILT_IN, SILENT, unknown_type
from contacts.rules import Clause, Field, Reading, Vocabulary, types, words
from contacts.rules.checks import COMPARISONS, SameText
from contacts.rules.durations import Duration, parse
from contacts.rules.moments import At
from contacts.rules.operators import Make, Operator
from contacts.rules.queries import EVERYBODY, Query
from contacts.rules.subjects import Facts, Loader, Need, Subject
from crm import money
from organisations.models import Organisation, validate_currency

WHERE = ("type", "source", "within", "currencyCode", "spend")
SPEND = {"eq": "exact", **{name: name for name in COMPARISONS if name != "exact"}}


def _nothing(*_args: Any) -> Any:
    raise NotImplementedError("A tally is compared by its own clause.")


def _operator(name: str, label: str | Promise) -> Operator:
    make: Make = _nothing
    return Operator(name, label, "one", make)


OPERATORS = {
    operator.name: operator
    for operator in (
        _operator("count_gte", gettext_lazy("at least so many")),
        _operator("count_lte", gettext_lazy("at most so many")),
        _operator("sum_gte", gettext_lazy("at least so much spent")),
        _operator("sum_lte", gettext_lazy("at most so much spent")),
    )
}

_SAID = {
    "count_gte": gettext_lazy("at least %(value)s times"),
    "count_lte": gettext_lazy("at most %(value)s times"),
    "sum_gte": gettext_lazy("at least %(value)s spent"),
    "sum_lte": gettext_lazy("at most %(value)s spent"),
}
_SIGNS = {"exact": "=", "gt": ">", "gte": "≥", "lt": "<", "lte": "≤"}


@dataclass(frozen=True)
class Tally:
    """Which activities are counted, or with `sums` added up."""

    sums: bool = False
    types: tuple[str, ...] = ()
    sources: frozenset[str] = frozenset()
    currency_code: str | None = None
    within: Duration | None = None
    spend: tuple[tuple[str, int], ...] = ()

    def condition(self, at: At) -> Q:
        """On activities."""
        found = Q(type__in=self.types) if self.types else ~Q(type__in=sorted(SILENT))
        if self.within is not None:
            found &= Q(happened_at__gte=self.within.before(at.now, at.zone))
        if self.currency_code is not None:
            found &= Q(currency_code=self.currency_code)
        for lookup, amount in self.spend:
            found &= Q(**{f"spend__{lookup}": amount})
        if self.sources:
            found &= SameText(self.sources).on("source")
        return found

    def aggregate(self, condition: Q | None = None) -> Any:
        """The number or the sum, of those that fit `condition`."""
        if self.sums:
            return Sum("spend", filter=condition, default=0)
        return Count("pk", filter=condition)


class Tallies:
    """Loads tallies: all that are asked for in one query over the contacts' activities."""

    def load(self, ids: Sequence[int], needs: Collection[Tally], at: At) -> Facts:
        """See `contacts.rules.subjects.Loader`."""
        tallies = list(needs)
        conditions = [tally.condition(at) for tally in tallies]
        either = Q(*conditions, _connector=Q.OR)
        rows = Activity.objects.across_organisations().filter(either, contact__in=ids)
        sums = {
            f"tally_{index}": tally.aggregate(condition)
            for index, (tally, condition) in enumerate(zip(tallies, conditions, strict=True))
        }
        told = (
            rows.order_by().values("contact_id").annotate(**sums).values_list("contact_id", *sums)
        )
        return {
            pk: {tally: [int(sum_)] for tally, sum_ in zip(tallies, found, strict=True)}
            for pk, *found in told
        }


TALLIES = Tallies()


@dataclass(frozen=True)
class TallyClause(Clause):
    """`operand` is what the tally must reach, or stay under."""

    tally: Tally
    where: Mapping[str, Any]

    @property
    def moves_with_time(self) -> bool:
        return self.tally.within is not None

    def needs(self) -> Mapping[Loader, Collection[Need]]:
        return {TALLIES: [self.tally]}

    def said(self, currency_code: str) -> str:
        """`Purchase: at least 2 times within the last 90 days`."""
        tally, code = self.tally, self.tally.currency_code or currency_code
        operand = money.show(self.operand, code) if tally.sums else str(self.operand)
        parts = [_SAID[self.operator.name] % {"value": operand}]
        for lookup, amount in tally.spend:
            parts.append(f"{_SIGNS[lookup]} {money.show(amount, code)}")
        if tally.sources:
            parts.append(_("from %(sources)s") % {"sources": words.several(sorted(tally.sources))})
        if tally.within is not None:
            length = words.duration(self.where["within"])
            parts.append(_("within the last %(duration)s") % {"duration": length})
        return f"{words.several(list(tally.types)) or self.field.label}: {' '.join(parts)}"

    def found(self, subject: Subject) -> int:
        return next(iter(subject.fact(TALLIES, self.tally)), 0)

    def found_said(self, subject: Subject, currency_code: str) -> str:
        found, tally = self.found(subject), self.tally
        return money.show(found, tally.currency_code or currency_code) if tally.sums else str(found)

    def holds(self, subject: Subject) -> bool:
        found = self.found(subject)
        wanted: int = self.operand
        return found >= wanted if self.operator.name.endswith("_gte") else found <= wanted

    def condition(self, query: Query) -> Q:
        rows = Activity.objects.across_organisations().filter(self.tally.condition(query.at))
        wanted: int = self.operand
        if self.operator.name.endswith("_lte"):
            return self._at_most(rows, wanted, query)
        if wanted <= 0:  # which holds where there is no activity at all
            return ~self._at_most(rows, wanted - 1, query.trying())
        return self._at_least(rows, wanted, query)

    def _at_most(self, rows: QuerySet[Any], most: int, query: Query) -> Q:
        if most >= 0:
            return ~self._at_least(rows, most + 1, query.trying())
        # Less than nothing: only a sum can be, of activities that are there.
        if not self.tally.sums:
            return ~EVERYBODY
        return self._summed(rows, Q(tally__lte=most), query)

    def _at_least(self, rows: QuerySet[Any], least: int, query: Query) -> Q:
        if self.tally.sums:
            return self._summed(rows, Q(tally__gte=least), query)
        if least == 1:
            return query.some(rows)
        if query.drives:
            return self._summed(rows, Q(tally__gte=least), query)
        # Whether there is a third, rather than how many there are.
        return Q(Exists(query.of_each(query.bounded(rows))[least - 1 : least]))

    def _summed(self, rows: QuerySet[Any], fits: Q, query: Query) -> Q:
        rows = query.bounded(rows)
        if not query.drives:
            rows = query.of_each(rows)
        summed = rows.order_by().values("contact").annotate(tally=self.tally.aggregate())
        found = summed.filter(fits).values("contact")
        return Q(pk__in=found) if query.drives else Q(Exists(found))


class ActivitiesField(Field):
    """All of a contact's activities."""

    def __init__(self) -> None:
        super().__init__(
            "activities", gettext_lazy("Activities"), gettext_lazy("Activities"), types.Number()
        )

    @property
    def operators(self) -> Mapping[str, Operator]:
        return OPERATORS

    def clause(self, reading: Reading, path: str, data: Mapping[str, Any]) -> Clause | None:
        reading.refuse_keys(path, data, {"field", "operator", "value", "where"})
        operator = reading.operator(path, data, self)
        if operator is None:
            return None
        sums = operator.name.startswith("sum_")
        tally = _tally(reading, f"{path}where", data.get("where"), sums=sums)
        try:
            operand = self._operand(data.get("value"), sums=sums)
        except ValidationError as error:
            reading.refuse(f"{path}value", error)
            return None
        if tally is None:
            return None
        return TallyClause(
            path, self, operator, operand, data.get("value"), tally, data.get("where") or {}
        )

    def _operand(self, given: Any, *, sums: bool) -> int:
        if given is None:
            raise ValidationError(_("This operator needs a value."), code="required")
        number = types.whole_number(given)
        if not sums and number < 0:
            raise ValidationError(_("A count is not negative."), code="out_of_range")
        if abs(number) > 2**62 or (not sums and number > 10**6):
            raise ValidationError(_("This number is too large."), code="out_of_range")
        return number


def _tally(reading: Reading, path: str, given: Any, *, sums: bool) -> Tally | None:
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        reading.refuse(path, _('Give an object, such as {"type": "Purchase"}.'), "not_an_object")
        return None
    before = len(reading.errors)
    reading.refuse_keys(f"{path}.", given, WHERE)
    found: dict[str, Any] = {}
    readers: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "type": ("types", lambda value: _types(reading, value)),
        "source": ("sources", _sources),
        "within": ("within", parse),
        "currencyCode": ("currency_code", _currency),
        "spend": ("spend", _spend),
    }
    for key, (name, read) in readers.items():
        if given.get(key) is None:
            continue
        try:
            found[name] = read(given[key])
        except ValidationError as error:
            reading.refuse(f"{path}.{key}", error)
    if len(reading.errors) > before:
        return None
    if (sums or "spend" in found) and "currency_code" not in found:
        # Money of different currencies is neither added nor compared.
        found["currency_code"] = reading.organisation.currency_code
    return Tally(sums=sums, **found)


def _one_or_many(given: Any) -> list[str]:
    values = given if isinstance(given, list) else [given]
    if not values or not all(isinstance(value, str) and value.strip() for value in values):
        raise ValidationError(_("Give a text or a list of texts."), code="invalid_text")
    if len(values) > types.MOST_VALUES:
        raise ValidationError(
            _("At most %(most)d values."), code="too_many", params={"most": types.MOST_VALUES}
        )
    return values


def _types(reading: Reading, given: Any) -> tuple[str, ...]:
    names = _one_or_many(given)
    known = own_types(reading)
    for name in names:
        if name not in BUILT_IN and name not in known:
            raise unknown_type(reading.organisation, name)
    return tuple(sorted(set(names)))


def own_types(reading: Reading) -> Collection[str]:
    """The types that the organisation defined. One query for all rules read together."""
    return reading.kept(
        ActivitiesField,
        lambda: frozenset(
            ActivityType.objects.for_organisation(reading.organisation).values_list(
                "name", flat=True
            )
        ),
    )


_SOURCE = types.Text()


def _sources(given: Any) -> frozenset[str]:
    return frozenset(_SOURCE.read_part(value) for value in _one_or_many(given))


def _currency(given: Any) -> str:
    if not isinstance(given, str):
        raise ValidationError(_("Give a currency, such as GBP."), code="invalid_currency")
    code = given.strip().upper()
    validate_currency(code)
    return code


def _spend(given: Any) -> tuple[tuple[str, int], ...]:
    if not isinstance(given, Mapping):
        return (("exact", types.whole_number(given)),)
    unknown = [str(key)[:40] for key in given if key not in SPEND]
    if unknown or not given:
        raise ValidationError(
            _("Compare with %(comparisons)s."),
            code="unknown_operator",
            params={"comparisons": ", ".join(SPEND)},
        )
    return tuple((SPEND[name], types.whole_number(value)) for name, value in sorted(given.items()))


class Activities(Vocabulary):
    """`activities`."""

    field = ActivitiesField()

    def find(self, name: str, reading: Reading) -> Field | None:
        return self.field if name == self.field.name else None

    def describe(self, organisation: Organisation, about: Collection[str]) -> Mapping[str, Any]:
        own = ActivityType.objects.for_organisation(organisation).order_by("name")
        names = [*BUILT_IN, *own.values_list("name", flat=True)]
        return {
            "activities": {
                "field": self.field.name,
                "label": str(self.field.label),
                "operators": [
                    {
                        "operator": operator.name,
                        "label": str(operator.label),
                        "value": "money" if operator.name.startswith("sum_") else "number",
                    }
                    for operator in OPERATORS.values()
                ],
                "where": {
                    "type": [{"value": name, "label": name} for name in names],
                    "source": "texts",
                    "within": "duration",
                    "currencyCode": "text",
                    "spend": list(SPEND),
                },
            }
        }
