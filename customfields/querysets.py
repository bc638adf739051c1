"""Reading custom fields and the values that contacts have in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self

from django.db import connections
from django.db.models import Count, F
from django.db.models.functions import Coalesce

from customfields import types
from organisations.querysets import TenantQuerySet

if TYPE_CHECKING:
    from contacts.models import Contact
    from customfields.models import CustomField, CustomFieldValue  # noqa: F401  named as text


class CustomFieldQuerySet(TenantQuerySet["CustomField"]):
    """Definitions, always of a named organisation."""

    def active(self) -> Self:
        """Without the archived ones."""
        return self.filter(archived_at=None)

    def held(self) -> Iterable[CustomField]:
        """These definitions, which nobody can change or remove before this transaction ends;
        others who write values are not kept waiting. One query."""
        self._require_scope()
        if connections[self.db].vendor != "postgresql":
            return self  # SQLite has one writer at a time, and that is us
        sql, params = self.query.sql_with_params()
        return self.raw(f"{sql} FOR KEY SHARE", params)


class CustomFieldValueQuerySet(TenantQuerySet["CustomFieldValue"]):
    """Rows of values, always of a named organisation or of contacts at hand."""

    def with_field(self) -> Self:
        """With what is told of the field and the option beside each row, in the fields' order.

        As columns of the row: a model instance for the field and the option of each would cost
        more than the query.
        """
        return (
            self.annotate(
                field_name=F("field__name"),
                field_label=F("field__label"),
                field_type=F("field__type"),
                option_value=F("value_option__value"),
                option_label=F("value_option__label"),
            )
            .defer("unique_key", "organisation")
            .order_by(
                "field__group",
                "field__position",
                "field_id",
                "value_option__position",
                "value_option_id",
            )
        )

    def of_current_contacts(self) -> Self:
        """Without those of contacts that were merged into another."""
        return self.filter(contact__merged_into=None)

    def count_contacts(self) -> int:
        """How many contacts have these; one that was merged counts as the one it is part of."""
        counted = self.aggregate(
            contacts=Count(Coalesce("contact__merged_into", "contact"), distinct=True)
        )
        return int(counted["contacts"])

    def shared(self, column: str) -> Self:
        """Those whose value another current contact has too."""
        twice = (
            self.of_current_contacts()
            .values(column)
            .annotate(times=Count("pk"))
            .filter(times__gt=1)
            .values(column)
        )
        return self.of_current_contacts().filter(**{f"{column}__in": twice})


class HeldValue:
    """What a contact has in one field, of however many rows: as the API tells it."""

    __slots__ = ("kind", "labels", "rows", "value")

    def __init__(self, rows: Sequence[Any]) -> None:
        self.rows = rows
        self.kind = types.TYPES[rows[0].field_type]
        self.value = self.kind.from_rows(rows)
        self.labels = {
            row.option_value: row.option_label for row in rows if row.option_value is not None
        }

    @property
    def name(self) -> str:
        """The field's name."""
        return str(self.rows[0].field_name)

    @property
    def typed(self) -> Any:
        """The value as JSON's own type."""
        return self.kind.typed(self.value)

    @property
    def text(self) -> str:
        """The value as a text, which a write takes back."""
        return self.kind.text(self.value)

    @property
    def display(self) -> str:
        """The value as a person reads it."""
        return self.kind.display(self.value, self.labels)


def held_by(contact: Contact) -> list[HeldValue]:
    """All that a contact has, in the fields' order. No query when `CustomFieldsPart.prefetch` was
    done, else one."""
    rows: Iterable[Any] = contact.custom_field_values.all()
    if "custom_field_values" not in getattr(contact, "_prefetched_objects_cache", {}):
        rows = contact.custom_field_values.with_field()
    return held_in(rows)


def held_in(rows: Iterable[Any]) -> list[HeldValue]:
    """What rows of one contact say, read `with_field`, in their order."""
    by_field: dict[int, list[Any]] = {}
    for row in rows:
        by_field.setdefault(row.field_id, []).append(row)
    return [HeldValue(rows) for rows in by_field.values()]
