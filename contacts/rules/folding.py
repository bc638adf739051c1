"""Comparing texts whatever their case and accents, alike in Python and in both databases.

`letters` takes one letter for one letter, by a table: A, á and Á are a; Я is я. What takes more
than that (ß for ss, ligatures, spaces) stays as it is, unlike in `identity.fold`, because there
PostgreSQL, SQLite and Python do not agree with each other. `Letters` is the same in a query.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import F, Func, TextField
from django.dispatch import receiver

from contacts import identity

_LETTERS = chain(
    range(0xC0, 0x250),  # Latin with accents
    range(0x370, 0x530),  # Greek, Cyrillic
    range(0x1E00, 0x2000),  # more of both
)
# Not the iota below Greek vowels, which folds to a letter.
_COMBINING = [code for code in range(0x300, 0x370) if not identity.fold(chr(code))]
_TABLE = {
    code: folded
    for code in _LETTERS
    if len(folded := identity.fold(chr(code))) == 1 and folded != chr(code)
} | {0x1E9E: "ß"}
# PostgreSQL's translate() looks through the letters one by one: the most frequent stand first,
# though nothing is made of them. Combining accents go: it drops what has no counterpart.
_FREQUENT = " etaoinsrhldcumfpgwybvkxjqz0123456789@.-_,'"
_FROM = "".join([_FREQUENT, *map(chr, _TABLE), *map(chr, _COMBINING)])
_TO = "".join([_FREQUENT, *_TABLE.values()])
_MAP: dict[int, str | None] = {
    **{code: chr(code).lower() for code in range(ord("A"), ord("Z") + 1)},
    **_TABLE,
    **dict.fromkeys(_COMBINING),
}
SQLITE_FUNCTION = "regulars_letters"


def letters(text: str) -> str:
    """`text` as rules compare it."""
    return text.lower() if text.isascii() else text.translate(_MAP)


class Letters(Func):
    """A column as `letters` has it. Plain ASCII, which most texts are, takes the short way."""

    arity = 1
    output_field = TextField()

    def __init__(self, column: str) -> None:
        super().__init__(F(column))

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function=SQLITE_FUNCTION, **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **_extra: Any) -> Any:
        (column,) = self.source_expressions
        sql, params = compiler.compile(column)
        ascii_lower = f'lower({sql} COLLATE "C")'  # of other letters nothing
        return (
            f"CASE WHEN octet_length({sql}) = char_length({sql}) THEN {ascii_lower}"
            f" ELSE translate({ascii_lower}, %s, %s) END",
            (*params, *params, *params, *params, _FROM, _TO),
        )


@receiver(connection_created, dispatch_uid="contacts.rules.folding")
def teach_sqlite(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Give a new connection to SQLite the function that `Letters` calls there."""
    if connection.vendor == "sqlite":
        connection.connection.create_function(
            SQLITE_FUNCTION,
            1,
            lambda text: None if text is None else letters(text),
            deterministic=True,
        )
