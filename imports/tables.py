"""Writing many rows of a table at once: COPY on PostgreSQL, executemany on SQLite.

Rows are given by column, as imports have them: a list with a value for each row, or one value in a
`Same` for all of them. No signals are sent; the callers do what those would have done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import orjson
from django.db import connection, models

COPY_ROWS = 5_000

_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPES = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
_NULL = r"\N"


class Same:
    """One value for every row."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


Columns = Mapping[str, Sequence[Any] | Same]


def on_postgresql() -> bool:
    """Whether the database is PostgreSQL; otherwise it is SQLite."""
    return connection.vendor == "postgresql"


def new_ids(model: type[models.Model], count: int) -> list[int]:
    """Ids for `count` new rows, nobody else's.

    On SQLite the caller's transaction must be a writing one, as all of ours are.
    """
    if not count:
        return []
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if on_postgresql():
            cursor.execute(
                "SELECT nextval(own.sequence) FROM generate_series(1, %s), "
                "(SELECT pg_get_serial_sequence(%s, 'id')::regclass AS sequence OFFSET 0) AS own",
                [count, table],
            )
            return [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        row = cursor.fetchone()
        first = (row[0] if row else 0) + 1
        return list(range(first, first + count))


def insert(model: type[models.Model], count: int, columns: Columns) -> None:
    """Insert `count` rows. Every column that may not be null must be among `columns` (by attname),
    also those for which Django has a default."""
    if not count:
        return
    fields = [model._meta.get_field(_field_name(model, name)) for name in columns]
    names = ", ".join(f'"{_concrete(field).column}"' for field in fields)
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if on_postgresql():
            _copy(cursor, f'COPY "{table}" ({names}) FROM STDIN', fields, columns, count)
        else:
            holes = ", ".join(["%s"] * len(columns))
            cursor.executemany(
                f'INSERT INTO "{table}" ({names}) VALUES ({holes})',  # noqa: S608  # own names
                _prepared(fields, columns, count),
            )


def update(model: type[models.Model], ids: Sequence[int], columns: Columns) -> None:
    """Write `columns` to the rows of these ids (of the primary key), each of which is there."""
    if not ids:
        return
    key = _concrete(model._meta.pk).column
    fields = [model._meta.get_field(_field_name(model, name)) for name in columns]
    targets = [_concrete(field).column for field in fields]
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if on_postgresql():
            picked = ", ".join(f'"{name}"' for name in [key, *targets])
            cursor.execute(
                f"CREATE TEMPORARY TABLE imported ON COMMIT DROP AS "  # noqa: S608  # own names
                f'SELECT {picked} FROM "{table}" WITH NO DATA'
            )
            _copy(
                cursor,
                f"COPY imported ({picked}) FROM STDIN",
                [model._meta.pk, *fields],
                {"": ids, **columns},
                len(ids),
            )
            assignments = ", ".join(f'"{name}" = imported."{name}"' for name in targets)
            cursor.execute(
                f'UPDATE "{table}" SET {assignments} FROM imported '  # noqa: S608  # own names
                f'WHERE "{table}"."{key}" = imported."{key}"'
            )
            cursor.execute("DROP TABLE imported")
        else:
            assignments = ", ".join(f'"{name}" = %s' for name in targets)
            cursor.executemany(
                f'UPDATE "{table}" SET {assignments} WHERE "{key}" = %s',  # noqa: S608
                _prepared([*fields, model._meta.pk], {**columns, "": ids}, len(ids)),
            )


_BETWEEN = "\x1f"


def among_texts(column: str) -> str:
    """SQL that says that `column` is among the texts of one parameter, made by `texts`.

    On PostgreSQL the planner must not see how many there are: it would take the whole table for
    quicker when it does not know yet how much that has grown.
    """
    if on_postgresql():
        return f"{column} = ANY(ARRAY(SELECT unnest(string_to_array(%s, '{_BETWEEN}'))))"
    return f"{column} IN (SELECT value FROM json_each(%s))"  # noqa: S608  # own names


def texts(values: Iterable[str]) -> str:
    """The parameter for `among_texts`: texts without control characters, any number of them."""
    return _BETWEEN.join(values) if on_postgresql() else orjson.dumps(list(values)).decode()


def among_ids(column: str) -> str:
    """As `among_texts`, for ids; the parameter is made by `ids`."""
    if on_postgresql():
        return f"{column} = ANY(ARRAY(SELECT unnest(string_to_array(%s, ','))::bigint))"
    return f"{column} IN (SELECT value FROM json_each(%s))"  # noqa: S608  # own names


def ids(values: Iterable[int]) -> str:
    """The parameter for `among_ids`."""
    listed = ",".join(map(str, values))
    return listed if on_postgresql() else f"[{listed}]"


def among_rows(column: str, query: str) -> str:
    """SQL that says that `column` is among the ids that `query` answers."""
    return f"{column} = ANY(ARRAY({query}))" if on_postgresql() else f"{column} IN ({query})"


def _field_name(model: type[models.Model], attname: str) -> str:
    """Django finds a foreign key by its name, not by its column's attribute."""
    for field in model._meta.concrete_fields:
        if attname in (field.attname, field.name):
            return field.name
    raise LookupError(attname)


def _concrete(field: Any) -> models.Field[Any, Any]:
    assert isinstance(field, models.Field)
    return field


def _values(column: Sequence[Any] | Same, count: int) -> Iterable[Any]:
    return repeat(column.value, count) if isinstance(column, Same) else column


def _prepared(fields: Sequence[Any], columns: Columns, count: int) -> list[tuple[Any, ...]]:
    """The rows as the SQLite driver takes them."""
    prepared: list[Iterable[Any]] = []
    for field, column in zip(fields, columns.values(), strict=True):
        if isinstance(column, Same):
            prepared.append(repeat(field.get_db_prep_save(column.value, connection), count))
        elif _is_text(field) or _is_number(field):
            prepared.append(column)
        else:
            prepare = field.get_db_prep_save
            prepared.append([None if v is None else prepare(v, connection) for v in column])
    return list(zip(*prepared, strict=True))


def _is_text(field: Any) -> bool:
    return isinstance(field, models.CharField | models.TextField)


def _is_number(field: Any) -> bool:
    return isinstance(field, models.IntegerField | models.ForeignKey | models.FloatField)


def _copy(cursor: Any, statement: str, fields: Sequence[Any], columns: Columns, count: int) -> None:
    """COPY in the text format (PostgreSQL, "COPY, File Formats"), some thousand rows at a time so
    that the server works on the first while the next are made ready.

    Raises Django's errors, as its cursors do for everything but COPY.
    """
    with connection.wrap_database_errors, cursor.copy(statement) as copy:
        for start in range(0, count, COPY_ROWS):
            stop = min(start + COPY_ROWS, count)
            written = [
                _encoded(field, column, start, stop)
                for field, column in zip(fields, columns.values(), strict=True)
            ]
            copy.write("\n".join(map("\t".join, zip(*written, strict=True))) + "\n")


def _encoded(field: Any, column: Sequence[Any] | Same, start: int, stop: int) -> Iterable[str]:
    if isinstance(column, Same):
        return repeat(_encode(field, [column.value])[0], stop - start)
    return _encode(field, column[start:stop])


def _encode(field: Any, values: Sequence[Any]) -> Sequence[str]:
    if _is_text(field):
        texts = [_NULL if value is None else value for value in values]
        joined = "".join([value for value in values if value is not None])
        if _SPECIAL.search(joined):
            return [_NULL if value is None else _escape(value) for value in values]
        return texts
    encode = _encoder(field)
    return [_NULL if value is None else encode(value) for value in values]


def _escape(text: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text)


def _encoder(field: Any) -> Callable[[Any], str]:
    if isinstance(field, models.BooleanField):
        return lambda value: "t" if value else "f"
    if isinstance(field, models.DateField):  # moments are a kind of these
        return lambda value: str(value.isoformat())
    if isinstance(field, models.JSONField):
        return lambda value: _escape(orjson.dumps(value, default=str).decode())
    return str


def refresh_statistics(models_written: Sequence[type[models.Model]]) -> None:
    """Have PostgreSQL look at these tables again when much of them is new to it.

    Before its autovacuum comes round it takes a table that has just grown from nothing for tiny,
    and reads all of it to find a few keys. Nothing to do on SQLite or inside a transaction.
    """
    if not on_postgresql() or connection.in_atomic_block:
        return
    with connection.cursor() as cursor:
        for model in models_written:
            table = model._meta.db_table
            cursor.execute(
                "SELECT n_mod_since_analyze > 5000 + 0.5 * n_live_tup "
                "FROM pg_stat_user_tables WHERE relid = %s::regclass",
                [table],
            )
            row = cursor.fetchone()
            if row and row[0]:
                cursor.execute(f'ANALYZE "{table}"')
