"""What rules may ask of custom fields: `contact.customFields.NAME`, by the field's type."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy

from contacts.rules import Field, Reading, Vocabulary
from contacts.rules import types as rule_types
from contacts.rules.checks import Check
from contacts.rules.queries import Query
from contacts.rules.subjects import Facts, Loader, Need, Subject
from customfields.definitions import Definitions
from customfields.models import CustomField, CustomFieldValue
from organisations.models import Organisation

PREFIX = "contact.customFields."
GROUP = gettext_lazy("Custom fields")


class Values:
    """Loads the cells that contacts have in fields; a need is a field's id and its column."""

    def load(self, ids: Sequence[int], needs: Collection[tuple[int, str]], at: Any) -> Facts:
        """See `contacts.rules.subjects.Loader`."""
        columns = sorted({_attribute(column) for _field, column in needs})
        wanted = dict(needs)
        rows = CustomFieldValue.objects.across_organisations().filter(
            contact__in=ids, field__in=wanted
        )
        found: dict[int, dict[Need, list[Any]]] = {}
        for pk, field, *cells in rows.order_by().values_list("contact_id", "field_id", *columns):
            cell = cells[columns.index(_attribute(wanted[field]))]
            found.setdefault(pk, {}).setdefault((field, wanted[field]), []).append(cell)
        return found


VALUES = Values()


def _attribute(column: str) -> str:
    return "value_option_id" if column == "value_option" else column


class CustomValue(Field):
    """The value, or the several values, of one custom field."""

    def __init__(self, field: CustomField) -> None:
        group = f"{GROUP}: {field.group}" if field.group else GROUP
        super().__init__(f"{PREFIX}{field.name}", field.label, group, type_of(field))
        self.field = field
        self.column = field.kind.column

    def needs(self) -> Mapping[Loader, Collection[Need]]:
        return {VALUES: [(self.field.pk, self.column)]}

    def values(self, subject: Subject) -> Sequence[Any]:
        return subject.fact(VALUES, (self.field.pk, self.column))

    def shown(self, subject: Subject) -> Sequence[Any]:
        cells = self.values(subject)
        if not self.field.kind.has_options:
            return cells
        values = {option.pk: value for value, option in self.field.choices.items()}
        return sorted(values[cell] for cell in cells if cell in values)

    def condition(self, check: Check, query: Query) -> Q:
        # The column is said to be filled, so that its partial index can answer.
        rows = CustomFieldValue.objects.across_organisations().filter(
            field=self.field, **{f"{self.column}__isnull": False}
        )
        return query.some(rows.filter(check.on(self.column)))


def _text(field: CustomField) -> rule_types.ValueType:
    if not field.kind.canonical:
        return rule_types.Text()
    return rule_types.Text(lambda text: str(field.kind.read(text, field)))


def _number(field: CustomField) -> rule_types.ValueType:
    return rule_types.Number(lambda given: field.kind.read(given, field))


def _choice(field: CustomField) -> rule_types.ValueType:
    labels = {value: option.label or value for value, option in field.choices.items()}
    kind = rule_types.Choices if field.kind.multiple else rule_types.Choice
    return kind(labels, stored=lambda value: field.choices[value].pk)


BY_COLUMN: Mapping[str, Callable[[CustomField], rule_types.ValueType]] = {
    "value_text": _text,
    "value_long": _text,
    "value_number": _number,
    "value_date": lambda _field: rule_types.Date(),
    "value_bool": lambda _field: rule_types.Boolean(),
    "value_option": _choice,
}
"""How rules see a value, by the column that keeps it: a new type of custom field is asked like
those that share its column."""


def type_of(field: CustomField) -> rule_types.ValueType:
    """The type that rules know the field by. No query when its options were read."""
    return BY_COLUMN[field.kind.column](field)


class CustomFields(Vocabulary):
    """The organisation's custom fields; archived ones are known, but no longer offered."""

    def find(self, name: str, reading: Reading) -> Field | None:
        if not name.startswith(PREFIX):
            return None
        definitions = reading.kept(CustomFields, lambda: Definitions.of(reading.organisation))
        field = definitions.named(name.removeprefix(PREFIX))
        return None if field is None else CustomValue(field)

    def fields(self, organisation: Organisation) -> Iterable[Field]:
        definitions = Definitions.of(organisation)
        return [CustomValue(field) for field in definitions.fields if field.archived_at is None]
