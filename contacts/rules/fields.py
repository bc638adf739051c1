"""The fields of rules, and the registry by which each app brings its own.

docs/add-a-rule-field.md says how to add one.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from contacts.rules.checks import Check
from contacts.rules.moments import At
from contacts.rules.operators import Operator
from contacts.rules.queries import EVERYBODY, NOBODY, Query
from contacts.rules.subjects import Loader, Need, Subject
from contacts.rules.types import ValueType
from organisations.models import Organisation

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from contacts.rules.parsing import Reading

Label = str | Promise


class Field:
    """Something that rules may ask about a contact, or about the activity that started it.

    A contact has none, one or several values in it. An operator holds when any of them fits; a
    negated one when none does.
    """

    about = "contact"
    """`contact`, or `activity` for what is known only where an activity started it."""

    def __init__(self, name: str, label: Label, group: Label, type: ValueType) -> None:
        self.name = name
        self.label = label
        self.group = group
        self.type = type

    @property
    def head(self) -> str:
        """What `Rule.watches` calls it."""
        return self.name

    @property
    def operators(self) -> Mapping[str, Operator]:
        """What can be asked of it."""
        return self.type.operators

    def needs(self) -> Mapping[Loader, Collection[Need]]:
        """What `values` reads of a subject's facts."""
        return {}

    def values(self, subject: Subject) -> Sequence[Any]:
        """What the subject has, in memory."""
        raise NotImplementedError

    def shown(self, subject: Subject) -> Sequence[Any]:
        """The same for people and JSON to read."""
        return self.values(subject)

    def condition(self, check: Check, query: Query) -> Q:
        """The contacts of which any value passes `check`. Must be true or false, never null."""
        raise NotImplementedError

    def clause(self, reading: Reading, path: str, data: Mapping[str, Any]) -> Clause | None:
        """The clause that `data` says; None when something is wrong, which `reading` then knows."""
        reading.refuse_keys(path, data, {"field", "operator", "value"})
        operator = reading.operator(path, data, self)
        if operator is None:
            return None
        try:
            operand = self.type.operand(operator, data.get("value"), reading.at)
        except ValidationError as error:
            reading.refuse(f"{path}value", error)
            return None
        return FieldClause(path, self, operator, operand, data.get("value"))


class ContactColumn(Field):
    """A column of the contact's own row."""

    def __init__(
        self,
        name: str,
        label: Label,
        group: Label,
        type: ValueType,
        *,
        column: str,
        nullable: bool = False,
    ) -> None:
        super().__init__(name, label, group, type)
        self.column = column
        self.nullable = nullable

    def values(self, subject: Subject) -> Sequence[Any]:
        value = getattr(subject.contact, self.column)
        return [] if value is None or value == "" else [value]

    def condition(self, check: Check, query: Query) -> Q:
        wanted = check.on(self.column)
        return Q(**{f"{self.column}__isnull": False}) & wanted if self.nullable else wanted


class RowsColumn(Field):
    """A column of rows that hang on a contact.

    `loader` is a `Rows` of them. `default` is what a contact without a row has, where that is not
    nothing; there is then one row at most, and its column is never null.
    """

    def __init__(
        self,
        name: str,
        label: Label,
        group: Label,
        type: ValueType,
        *,
        loader: Any,
        column: str,
        default: Any = None,
    ) -> None:
        super().__init__(name, label, group, type)
        self.loader = loader
        self.column = column
        self.default = default

    def rows(self, query: Query) -> QuerySet[Any]:
        """The rows of this organisation's contacts, before any condition."""
        rows: QuerySet[Any] = self.loader.rows.across_organisations().filter(
            organisation=query.organisation
        )
        return rows

    def needs(self) -> Mapping[Loader, Collection[Need]]:
        return {self.loader: [self.column]}

    def values(self, subject: Subject) -> Sequence[Any]:
        found = subject.fact(self.loader, self.column)
        return found if found or self.default is None else [self.default]

    def condition(self, check: Check, query: Query) -> Q:
        rows, wanted = self.rows(query), check.on(self.column)
        if self.default is None or not check.holds(self.default):
            return query.some(rows.filter(wanted))
        return ~query.trying().some(rows.exclude(wanted))


class ActivityField(Field):
    """Something of the triggering activity: the same for every contact that is asked."""

    about = "activity"

    def of(self, activity: Any) -> Sequence[Any]:
        """What the activity has."""
        raise NotImplementedError

    def values(self, subject: Subject) -> Sequence[Any]:
        return [] if subject.activity is None else self.of(subject.activity)

    def condition(self, check: Check, query: Query) -> Q:
        found = [] if query.activity is None else self.of(query.activity)
        return EVERYBODY if any(check.holds(value) for value in found) else NOBODY


@dataclass(frozen=True)
class Clause:
    """One condition of a rule, read and checked.

    `path` is where it stands (`all.0.`), `value` what was written.
    """

    path: str
    field: Field
    operator: Operator
    operand: Any
    value: Any

    @property
    def watches(self) -> frozenset[str]:
        """The heads of the fields that it reads."""
        return frozenset([self.field.head])

    @property
    def moves_with_time(self) -> bool:
        """Whether time alone can change its answer."""
        return self.operator.timed

    @property
    def size(self) -> int:
        """How many conditions it comes to."""
        return 1

    def needs(self) -> Mapping[Loader, Collection[Need]]:
        """What it reads of a subject's facts."""
        return self.field.needs()

    def holds(self, subject: Subject) -> bool:
        """Whether it holds for the subject."""
        raise NotImplementedError

    def condition(self, query: Query) -> Q:
        """The contacts for which it holds. True or false, never null."""
        raise NotImplementedError

    def said(self, currency_code: str) -> str:
        """The condition in words, money without a currency of its own in `currency_code`."""
        from contacts.rules import words

        return words.clause(self, currency_code)

    def found(self, subject: Subject) -> Any:
        """What the subject has there, as JSON tells it."""
        shown = list(self.field.shown(subject))
        return shown if len(shown) > 1 else next(iter(shown), None)

    def found_said(self, subject: Subject, currency_code: str) -> str:
        """The same in words; empty for nothing."""
        from contacts.rules import words

        return words.found(self, self.found(subject), currency_code)


class FieldClause(Clause):
    """A field's values, compared."""

    def _check(self, at: At) -> Check:
        return self.operator.make(self.field.type, self.operand, at)

    def holds(self, subject: Subject) -> bool:
        check = self._check(subject.own() if self.operator.by_day else subject.at)
        fits = any(check.holds(value) for value in self.field.values(subject))
        return fits != self.operator.negated

    def condition(self, query: Query) -> Q:
        query = query.trying() if self.operator.negated else query
        if self.operator.by_day:
            fits = query.by_day(self._check, self.field.condition)
        else:
            fits = self.field.condition(self._check(query.at), query)
        return ~fits if self.operator.negated else fits


class Vocabulary:
    """One app's fields. Every method has a default that knows none."""

    def find(self, name: str, reading: Reading) -> Field | None:
        """The field of this name, or None. What it looks up of the organisation's it keeps with
        `reading.kept`. Raises ValidationError for a name of its own that cannot be used."""
        return None

    def fields(self, organisation: Organisation) -> Iterable[Field]:
        """All that people may choose from."""
        return ()

    def describe(self, organisation: Organisation, about: Collection[str]) -> Mapping[str, Any]:
        """More keys of the catalogue."""
        return {}


class Fixed(Vocabulary):
    """Fields that every organisation has."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self.by_name = {field.name: field for field in fields}

    def find(self, name: str, reading: Reading) -> Field | None:
        return self.by_name.get(name)

    def fields(self, organisation: Organisation) -> Iterable[Field]:
        return self.by_name.values()


class Registry:
    """All vocabularies there are."""

    def __init__(self) -> None:
        self.vocabularies: list[Vocabulary] = []

    def register(self, vocabulary: Vocabulary) -> None:
        """Let rules speak of these fields. Called once, from `AppConfig.ready`."""
        self.vocabularies.append(vocabulary)

    def find(self, name: str, reading: Reading) -> Field | None:
        """The field of this name."""
        for vocabulary in self.vocabularies:
            field = vocabulary.find(name, reading)
            if field is not None:
                return field
        return None

    def fields(self, organisation: Organisation, about: Collection[str]) -> list[Field]:
        """All fields that people may choose from."""
        return [
            field
            for vocabulary in self.vocabularies
            for field in vocabulary.fields(organisation)
            if field.about in about
        ]

    def unknown(self, name: str, organisation: Organisation, about: Collection[str]) -> str:
        """The sentence for a name that is no field here, with what is spelt like it."""
        known = [field.name for field in self.fields(organisation, about)]
        near = difflib.get_close_matches(name, known, 1, 0.75)
        sentence = _("There is no field %(name)s.") % {"name": name[:100]}
        if near:
            return f"{sentence} " + _("Did you mean %(near)s?") % {"near": near[0]}
        return sentence


registry = Registry()
register = registry.register
