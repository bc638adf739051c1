"""Filters of a list, declared once: read, checked, applied and documented.

    class ActivityFilterSet(FilterSet):
        type = TextFilter(repeatable=True)             # type=…, type[]=…
        external_reference = TextFilter()              # externalReference=…
        happened_at = DateRange()                      # happenedAt[before]=…, [after]=…, …
        spend = NumberRange()                          # spend=…, spend[gte]=…, [between]=1..5
        contact = ReferenceFilter("contacts")          # contact=1042, contact=/api/contacts/1042
        tag = TextFilter(repeatable=True, method="carrying")

Attribute names are snake_case and stand in the query as camelCase; they are the model's field too
unless `field_name` says otherwise. A value that cannot be read is a 400 that names the parameter.
"""

from __future__ import annotations

import copy
import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.api.errors import BadQuery
from crm.api.names import camel
from crm.api.references import parse_reference

if TYPE_CHECKING:
    from rest_framework.request import Request

BIGGEST, SMALLEST = 2**63 - 1, -(2**63)
TRUE, FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})
# An unescaped + of an offset reaches us as a space.
_LOST_PLUS = re.compile(r"(?<=\d) (?=\d{2}:?\d{2}$)")


class Filter(django_filters.Filter):
    """One query parameter. `parse` reads one value; `repeatable` takes several, any of which may
    fit, as `name=a&name=b` or `name[]=a&name[]=b`.

    With `method="name"` the FilterSet's method `name(queryset, parameter, value)` narrows; `value`
    is then a list when `repeatable`.
    """

    schema: ClassVar[Mapping[str, Any]] = {"type": "string"}

    def __init__(
        self,
        field_name: str | None = None,
        lookup_expr: str | None = None,
        *,
        repeatable: bool = False,
        description: Any = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(field_name, lookup_expr, **kwargs)  # type: ignore[no-untyped-call]
        self.repeatable = repeatable
        self.description = description
        if repeatable and lookup_expr is None:
            self.lookup_expr = "in"

    def parse(self, text: str) -> Any:
        """The value that `text` stands for. Raises ValidationError."""
        return text

    def read(self, name: str, texts: Sequence[str]) -> Any:
        """What all values of this parameter say. Raises BadQuery."""
        if len(texts) > 1 and not self.repeatable:
            raise BadQuery(name, _("Give it once."))
        values = []
        for text in texts:
            if not text.strip():
                raise BadQuery(name, _("It needs a value."), "blank")
            try:
                values.append(self.parse(text))
            except ValidationError as error:
                raise BadQuery(name, " ".join(error.messages), error.code or "invalid") from None
        return values if self.repeatable else values[0]

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return qs.filter(**{f"{self.field_name}__{self.lookup_expr}": value})

    def described(self) -> Mapping[str, Any]:
        """The value's schema, in OpenAPI's words."""
        return self.schema


class TextFilter(Filter):
    """Any text, matched exactly."""


class ChoiceFilter(Filter):
    """One of `choices`, Django's way: pairs, or a `TextChoices`' `choices`."""

    def __init__(self, *args: Any, choices: Sequence[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.values = [value for value, _label in choices]

    def parse(self, text: str) -> str:
        if text not in self.values:
            raise ValidationError(_("Use one of: %s.") % ", ".join(self.values), "invalid_choice")
        return text

    def described(self) -> Mapping[str, Any]:
        return {"type": "string", "enum": self.values}


class BooleanFilter(Filter):
    """`true` or `false`."""

    schema = {"type": "boolean"}

    def parse(self, text: str) -> bool:
        lowered = text.lower()
        if lowered not in TRUE | FALSE:
            raise ValidationError(_("Use true or false."), "invalid")
        return lowered in TRUE


class NumberFilter(Filter):
    """A whole number of at most 64 bits."""

    schema = {"type": "integer", "format": "int64"}

    def parse(self, text: str) -> int:
        return whole_number(text)


class BetweenFilter(Filter):
    """`min..max`, both included."""

    schema = {"type": "string", "pattern": r"^-?\d+\.\.-?\d+$"}

    def parse(self, text: str) -> tuple[int, int]:
        least, dots, most = text.partition("..")
        if not dots:
            raise ValidationError(_("Use min..max, such as 100..500."), "invalid")
        return whole_number(least), whole_number(most)

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return qs.filter(
            **{f"{self.field_name}__gte": value[0], f"{self.field_name}__lte": value[1]}
        )


class ReferenceFilter(Filter):
    """The id of a row of `resource`, or its IRI; one of another organisation finds nothing."""

    schema = {"type": "string", "description": gettext_lazy("An id or an IRI.")}

    def __init__(self, resource: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.resource = resource

    def parse(self, text: str) -> int:
        number = parse_reference(text, self.resource)
        return number if number <= BIGGEST else 0  # of no row


class MomentFilter(Filter):
    """One end of a range of times.

    A value stands for a span: a date for that day in UTC, a time to the second for that second,
    which is how the API tells times. `lookup_expr` is one of `_ENDS`.
    """

    schema = {"type": "string", "format": "date-time"}

    _ENDS = {
        "before": ("lt", 1),
        "after": ("gte", 0),
        "strictly_before": ("lt", 0),
        "strictly_after": ("gte", 1),
    }

    def parse(self, text: str) -> tuple[datetime.datetime, datetime.datetime]:
        return span(text)

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        lookup, end = self._ENDS[self.lookup_expr]
        return qs.filter(**{f"{self.field_name}__{lookup}": value[end]})

    def described(self) -> Mapping[str, Any]:
        return {"anyOf": [{"type": "string", "format": "date-time"}, _DATE]}


_DATE = {"type": "string", "format": "date"}


class DayFilter(Filter):
    """One end of a range of dates, for a column of dates."""

    schema = _DATE

    _ENDS = {"before": "lte", "after": "gte", "strictly_before": "lt", "strictly_after": "gt"}

    def parse(self, text: str) -> datetime.date:
        return day(text)

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return qs.filter(**{f"{self.field_name}__{self._ENDS[self.lookup_expr]}": value})


class Family(django_filters.Filter):
    """Several parameters declared in one line; `members` makes them, by what stands in brackets."""

    def __init__(self, field_name: str | None = None) -> None:
        super().__init__(field_name)  # type: ignore[no-untyped-call]

    def members(self) -> Iterator[tuple[str, Filter]]:
        """Suffix (`""`, or `before` for `[before]`) and filter."""
        raise NotImplementedError


class DateRange(Family):
    """`[before]`, `[after]` (inclusive), `[strictly_before]`, `[strictly_after]`.

    `days=True` for a column that holds dates.
    """

    _DESCRIPTIONS = {
        "before": gettext_lazy("At this time or before."),
        "after": gettext_lazy("At this time or after."),
        "strictly_before": gettext_lazy("Before this time."),
        "strictly_after": gettext_lazy("After this time."),
    }

    def __init__(self, field_name: str | None = None, *, days: bool = False) -> None:
        super().__init__(field_name)
        self.kind: type[Filter] = DayFilter if days else MomentFilter

    def members(self) -> Iterator[tuple[str, Filter]]:
        for end, description in self._DESCRIPTIONS.items():
            yield end, self.kind(self.field_name, end, description=description)


class NumberRange(Family):
    """`field=5`, `[gt]`, `[gte]`, `[lt]`, `[lte]`, `[between]=min..max`, for whole numbers."""

    def members(self) -> Iterator[tuple[str, Filter]]:
        yield "", NumberFilter(self.field_name)
        for operator in ("gt", "gte", "lt", "lte"):
            yield operator, NumberFilter(self.field_name, operator)
        yield "between", BetweenFilter(self.field_name)


def whole_number(text: str) -> int:
    """An integer that the database can hold. Raises ValidationError."""
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text.strip()):
        raise ValidationError(_("Use a whole number."), "invalid")
    number = int(text)
    if not SMALLEST <= number <= BIGGEST:
        raise ValidationError(_("This number is too large."), "out_of_range")
    return number


def day(text: str) -> datetime.date:
    """A date, `2026-04-07`. Raises ValidationError."""
    try:
        found = parse_date(text.strip()) if len(text.strip()) == len("2026-04-07") else None
    except ValueError:
        found = None
    if found is None:
        raise ValidationError(_("Use a date, such as 2026-04-07."), "invalid")
    return found


def span(text: str) -> tuple[datetime.datetime, datetime.datetime]:
    """The first moment of what `text` names and the first after it: a day in UTC for a date, a
    second, or a microsecond where fractions were given. Raises ValidationError."""
    text = _LOST_PLUS.sub("+", text.strip())
    length = datetime.timedelta(microseconds=1)
    try:
        if len(text) == len("2026-04-07"):
            date = day(text)
            start = datetime.datetime.combine(date, datetime.time(), datetime.UTC)
            length = datetime.timedelta(days=1)
        else:
            read = parse_datetime(text)
            if read is None or "T" not in text.upper().replace(" ", "T"):
                raise ValueError(text)
            if read.tzinfo is None:
                raise ValidationError(
                    _("Say the offset from UTC, such as 2026-04-07T14:30:00+00:00."),
                    "offset_missing",
                )
            start = read.astimezone(datetime.UTC)
            if "." not in text and "," not in text:
                length = datetime.timedelta(seconds=1)
        return start, start + length
    except (ValueError, OverflowError):
        raise ValidationError(
            _("Use a date or a time with offset, such as 2026-04-07T14:30:00+00:00."), "invalid"
        ) from None


class _Declared(django_filters.filterset.FilterSetMetaclass):
    """Families become their members, and snake_case attributes camelCase parameters."""

    @classmethod
    def get_declared_filters(cls, bases: Any, attrs: dict[str, Any]) -> dict[str, Any]:
        declared = super().get_declared_filters(bases, attrs)  # type: ignore[no-untyped-call]
        spread: dict[str, Any] = {}
        for name, one in declared.items():
            base, bracket, rest = name.partition("[")
            spelt = camel(base) + bracket + rest
            if isinstance(one, Family):
                for suffix, member in one.members():
                    spread[f"{spelt}[{suffix}]" if suffix else spelt] = member
            else:
                spread[spelt] = one
        return spread


class FilterSet(django_filters.filterset.BaseFilterSet, metaclass=_Declared):
    """The filters of a list. Only those whose parameters were sent are made and run: a list without
    filters pays nothing for those that it could have."""

    base_filters: ClassVar[dict[str, Any]]

    def __init__(
        self, data: Any = None, queryset: Any = None, *, request: Request | None = None
    ) -> None:
        self.is_bound = data is not None
        self.data = data
        self.queryset = queryset
        self.request = request
        self.form_prefix = None
        self.filters: dict[str, Any] = {}

    @classmethod
    def claims(cls, name: str) -> bool:
        """Whether this query parameter is one of these filters'."""
        return cls._named(name) is not None

    @classmethod
    def _named(cls, name: str) -> Filter | None:
        found: Filter | None = cls.base_filters.get(name)
        if found is None and name.endswith("[]"):
            found = cls.base_filters.get(name[:-2])
            return found if found is not None and found.repeatable else None
        return found

    @classmethod
    def parameters(cls) -> list[Mapping[str, Any]]:
        """These filters as OpenAPI parameter objects."""
        found: list[Mapping[str, Any]] = []
        for name, one in cls.base_filters.items():
            schema = dict(one.described())
            if one.repeatable:
                schema = {"type": "array", "items": schema}
            parameter: dict[str, Any] = {"name": name, "schema": schema}
            if one.description:
                parameter["description"] = one.description
            if one.repeatable:
                parameter.update(explode=True, style="form")
                found.append(parameter | {"name": f"{name}[]"})
            found.append(parameter)
        return found

    @property
    def qs(self) -> QuerySet[Any]:
        """The rows that fit. Raises BadQuery."""
        texts: dict[str, list[str]] = {}
        for name, values in self.data.lists() if self.data else ():
            if self._named(name) is not None:
                texts.setdefault(name if name in self.base_filters else name[:-2], []).extend(
                    values
                )
        rows: QuerySet[Any] = self.queryset
        for name, values in texts.items():
            # A copy of its own: with `method`, django-filter finds the set through the filter.
            one = copy.copy(self.base_filters[name])
            one.model, one.parent = rows.model, self
            if one.method is not None:
                one.method = one.method
            rows = one.filter(rows, one.read(name, values))
        return rows
