"""Writing rows of values, any number of contacts at once, in at most three statements.

Rows that are as they should be are left alone: their `updated_at` stays, and their contact is not
among those that changed. Rules are the callers' business (`customfields.services`); that a field
has one value and a unique value one contact is held by constraints.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, cast

from django.db import connection, models
from django.utils import timezone

from customfields.models import VALUE_COLUMNS, CustomField, CustomFieldValue
from organisations.models import Organisation


def column(name: str) -> models.Field[Any, Any]:
    """A column of the rows of values."""
    return cast("models.Field[Any, Any]", CustomFieldValue._meta.get_field(name))


_COLUMNS = tuple(str(column(name).column) for name in VALUE_COLUMNS)
_TABLE = CustomFieldValue._meta.db_table

# What is told of a row to be written.
_GIVEN = ("contact_id", "field_id", *_COLUMNS, "unique_key")


class Row(NamedTuple):
    """A value on its way into the database."""

    contact_id: int
    field_id: int
    cells: Sequence[Any]
    unique_key: str | None


def write(
    organisation: Organisation, values: Iterable[tuple[int, Mapping[CustomField, Any]]]
) -> dict[int, set[int]]:
    """Make these the values of these contacts, given by id; None clears. Other fields stay.

    Answers the contacts that changed, and in which fields, all by id. At most three statements,
    however many rows; rows are written in the order of contacts, so that two writers wait and do
    not deadlock. Raises
    IntegrityError when a unique value is another contact's, in a transaction that the caller began.
    """
    single: list[Row] = []
    multiple: list[Row] = []
    emptied: list[tuple[int, int]] = []
    for contact_id, by_field in sorted(values, key=lambda pair: pair[0]):
        for field, value in sorted(by_field.items(), key=lambda pair: pair[0].pk):
            if value is None or field.kind.multiple:
                emptied.append((contact_id, field.pk))
            if value is not None:
                rows = multiple if field.kind.multiple else single
                rows.extend(_rows(contact_id, field, value))
    pairs: list[tuple[int, int]] = []
    if emptied:
        pairs += _remove(emptied, multiple)
    if single:
        pairs += _insert(organisation, single, multiple=False)
    if multiple:
        pairs += _insert(organisation, multiple, multiple=True)
    changed: dict[int, set[int]] = {}
    for contact_id, field_id in pairs:
        changed.setdefault(contact_id, set()).add(field_id)
    return changed


def _rows(contact_id: int, field: CustomField, value: Any) -> Iterable[Row]:
    position = VALUE_COLUMNS.index(field.kind.column)
    for cell in field.kind.cells(value, field):
        prepared = column(field.kind.column).get_db_prep_save(cell, connection)
        cells = [None] * len(VALUE_COLUMNS)
        cells[position] = prepared
        yield Row(contact_id, field.pk, cells, _unique_key(prepared) if field.unique else None)


def _unique_key(prepared: Any) -> str:
    # The text that the database's own cast makes of the cell, so that `services.change` can fill
    # the keys of a million rows in one statement.
    return str(prepared)


def unique_keys(field: CustomField, value: Any) -> list[str]:
    """The unique keys that `value` would have in `field`, which is unique."""
    return [row.unique_key for row in _rows(0, field, value) if row.unique_key is not None]


def unique_key_of(row: CustomFieldValue) -> str:
    """The unique key that a row of a unique field is to have. No query when its field was read."""
    kept = column(row.field.kind.column)
    return _unique_key(kept.get_db_prep_save(getattr(row, kept.attname), connection))


def _remove(pairs: Sequence[tuple[int, int]], kept: Sequence[Row]) -> list[tuple[int, int]]:
    """Delete the rows of these (contact, field), but for the options in `kept`."""
    names = ("contact_id", "field_id")
    given, params = _given(names, [list(column) for column in zip(*pairs, strict=True)])
    sql = f"DELETE FROM {_TABLE} WHERE (contact_id, field_id) IN ({given})"  # noqa: S608
    if kept:
        option = _COLUMNS.index("value_option_id")
        columns = [
            [row.contact_id for row in kept],
            [row.field_id for row in kept],
            [row.cells[option] for row in kept],
        ]
        given, more = _given((*names, "value_option_id"), columns)
        sql += f" AND (contact_id, field_id, value_option_id) NOT IN ({given})"
        params += more
    return _run(f"{sql} RETURNING contact_id, field_id", params)


def _insert(
    organisation: Organisation, rows: Sequence[Row], *, multiple: bool
) -> list[tuple[int, int]]:
    columns = [
        [row.contact_id for row in rows],
        [row.field_id for row in rows],
        *([row.cells[position] for row in rows] for position in range(len(_COLUMNS))),
        [row.unique_key for row in rows],
    ]
    given, params = _given(_GIVEN, columns)
    names = ", ".join(_GIVEN)
    now = column("updated_at").get_db_prep_save(timezone.now(), connection)
    conflict = (
        "(contact_id, field_id, value_option_id) WHERE multiple DO NOTHING"
        if multiple
        else f"(contact_id, field_id) WHERE NOT multiple DO UPDATE SET {_assignments()} "
        f"WHERE {_differs()}"
    )
    sql = (
        f"INSERT INTO {_TABLE} (organisation_id, {names}, multiple, created_at, updated_at) "  # noqa: S608
        f"SELECT %s, {names}, %s, {_moment()}, {_moment()} FROM ({given}) AS given WHERE true "
        f"ON CONFLICT {conflict} RETURNING contact_id, field_id"
    )
    return _run(sql, [organisation.pk, multiple, now, now, *params])


def _moment() -> str:
    return "%s::timestamptz" if connection.vendor == "postgresql" else "%s"


def _assignments() -> str:
    written = (*_COLUMNS, "unique_key", "updated_at")
    return ", ".join(f"{column} = excluded.{column}" for column in written)


def _differs() -> str:
    # SQLite's IS NOT is the same thing, and older.
    unlike = "IS DISTINCT FROM" if connection.vendor == "postgresql" else "IS NOT"
    compared = (*_COLUMNS, "unique_key")
    return " OR ".join(f"{_TABLE}.{column} {unlike} excluded.{column}" for column in compared)


def _given(names: Sequence[str], columns: Sequence[list[Any]]) -> tuple[str, list[Any]]:
    """A query whose rows are those of `columns`, and its parameters: one or a few, however many
    rows there are."""
    if connection.vendor == "postgresql":
        arrays = ", ".join(f"%s::{_array_type(name)}[]" for name in names)
        return f"SELECT * FROM unnest({arrays}) AS given({', '.join(names)})", list(columns)  # noqa: S608
    selected = ", ".join(
        f"json_extract(value, '$[{index}]') AS {name}" for index, name in enumerate(names)
    )
    rows = json.dumps(list(zip(*columns, strict=True)))
    return f"SELECT {selected} FROM json_each(%s)", [rows]  # noqa: S608


@cache
def _array_type(name: str) -> str:
    (kept,) = (one for one in CustomFieldValue._meta.fields if one.column == name)
    # Without its length: a cast to that would cut a text, not refuse it.
    return (kept.db_type(connection) or "").partition("(")[0]


def _run(sql: str, params: Sequence[Any]) -> list[tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [(contact_id, field_id) for contact_id, field_id in cursor.fetchall()]
