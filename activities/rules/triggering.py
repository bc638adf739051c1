"""The activity that started it: its columns, its booking or reservation, its data."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import Activity, Reservation
from activities.reservations import KINDS, Kind
from contacts.rules import ActivityField, Field, Fixed, Reading, Vocabulary, operators, types
from contacts.rules.checks import Check, JsonCheck
from contacts.rules.moments import At
from contacts.rules.operators import Operator, pick
from crm.api.names import camel
from organisations.models import Organisation, validate_currency

GROUP = gettext_lazy("The activity")
DATA_PREFIX = "activity.data."


class Column(ActivityField):
    """A column of the activity."""

    def __init__(self, name: str, label: Any, type: types.ValueType, column: str) -> None:
        super().__init__(f"activity.{name}", label, GROUP, type)
        self.column = column

    def of(self, activity: Activity) -> Sequence[Any]:
        value = getattr(activity, self.column)
        return [] if value is None or value == "" else [value]


class ReservationColumn(ActivityField):
    """A column of the booking or reservation that the activity speaks of."""

    def __init__(self, kind: Kind, column: models.Field[Any, Any]) -> None:
        label = kind.model._meta.verbose_name
        super().__init__(
            f"activity.{camel(kind.name)}.{camel(column.name)}",
            f"{label}: {column.verbose_name}",
            GROUP,
            _type_of(column),
        )
        self.kind = kind
        self.column = column.name

    def of(self, activity: Activity) -> Sequence[Any]:
        row: Reservation | None = getattr(activity, self.kind.name)
        value = None if row is None else getattr(row, self.column)
        return [] if value is None or value == "" else [value]


def _type_of(column: models.Field[Any, Any]) -> types.ValueType:
    if column.name == "currency_code":
        return types.Code(validate_currency)
    if column.name == "total":
        return types.Money()
    if isinstance(column, models.DateTimeField):
        return types.Moment()
    return types.Number() if isinstance(column, models.IntegerField) else types.Text()


TRIGGERING = Fixed(
    [
        Column("type", gettext_lazy("Type"), types.Text(), "type"),
        Column("source", gettext_lazy("Source"), types.Text(), "source"),
        Column("spend", gettext_lazy("Spend"), types.Money(), "spend"),
        Column(
            "currencyCode", gettext_lazy("Currency"), types.Code(validate_currency), "currency_code"
        ),
        Column("happenedAt", gettext_lazy("Happened"), types.Moment(), "happened_at"),
        Column(
            "externalReference",
            gettext_lazy("External reference"),
            types.Text(),
            "external_reference",
        ),
        Column("purchase", gettext_lazy("Purchase"), types.Text(), "purchase"),
        Column("giftCard", gettext_lazy("Gift card"), types.Text(), "gift_card"),
        *(
            ReservationColumn(kind, column)
            for kind in KINDS
            for column in kind.model._meta.concrete_fields
            if column.name in kind.columns
        ),
    ]
)


def _json(lookup: str) -> Callable[[types.ValueType, Any, At], Check]:
    def make(kind: types.ValueType, operand: Any, at: At) -> Check:
        return JsonCheck(lookup, operand if isinstance(operand, tuple) else (operand,))

    return make


class JsonType(types.ValueType):
    """Whatever a source wrote. A text is compared with texts, a number with numbers, true and
    false with themselves; what is of another type does not fit."""

    name = "text"
    operators = pick(
        Operator("eq", operators.EQ.label, "one", _json("exact")),
        Operator("ne", operators.NE.label, "one", _json("exact"), negated=True),
        Operator("gt", operators.GT.label, "one", _json("gt")),
        Operator("gte", operators.GTE.label, "one", _json("gte")),
        Operator("lt", operators.LT.label, "one", _json("lt")),
        Operator("lte", operators.LTE.label, "one", _json("lte")),
        Operator("in", operators.IN.label, "many", _json("exact")),
        Operator("not_in", operators.NOT_IN.label, "many", _json("exact"), negated=True),
        Operator("contains", operators.CONTAINS.label, "one", _json("part")),
        Operator("not_contains", operators.NOT_CONTAINS.label, "one", _json("part"), negated=True),
        Operator("starts_with", operators.STARTS_WITH.label, "one", _json("beginning")),
        operators.IS_SET,
        operators.IS_NOT_SET,
    )

    def read(self, given: Any, at: At) -> Any:
        if not isinstance(given, str | int | float):
            raise ValidationError(_("Give a text, a number, true or false."), code="invalid")
        if isinstance(given, str) and not given.strip():
            raise ValidationError(
                _("Give a text; is_not_set finds those without one."), code="required"
            )
        return given

    def operand(self, operator: Operator, given: Any, at: At) -> Any:
        operand = super().operand(operator, given, at)
        if operator.name in {"contains", "not_contains", "starts_with"}:
            return self.read_part(operand)
        return tuple(operand) if operator.shape == "many" else operand


_JSON = JsonType()
_PATH = re.compile(r"[^.\x00]{1,100}(\.[^.\x00]{1,100}){0,9}")


class DataPath(ActivityField):
    """`activity.data.room.number`: what is along the path, in lists at each of their items."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{DATA_PREFIX}{path}", path, GROUP, _JSON)
        self.keys = path.split(".")

    @property
    def head(self) -> str:
        return "activity.data"

    def of(self, activity: Activity) -> Sequence[Any]:
        found: list[Any] = [activity.data]
        for key in self.keys:
            objects = [one for one in _flat(found) if isinstance(one, Mapping)]
            found = [one[key] for one in objects if key in one]
        return [one for one in _flat(found) if one is not None and one != ""]


def _flat(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield value


class Data(Vocabulary):
    """`activity.data.PATH`, whatever the path."""

    def find(self, name: str, reading: Reading) -> Field | None:
        if not name.startswith(DATA_PREFIX):
            return None
        path = name.removeprefix(DATA_PREFIX)
        return DataPath(path) if _PATH.fullmatch(path) else None

    def describe(self, organisation: Organisation, about: Collection[str]) -> Mapping[str, Any]:
        if "activity" not in about:
            return {}
        from contacts.rules.catalogue import told_operator

        return {
            "activityData": {
                "prefix": DATA_PREFIX,
                "operators": [told_operator(one, _JSON) for one in _JSON.operators.values()],
            }
        }


DATA = Data()
