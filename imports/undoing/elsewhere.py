"""What others hang on a row, which would be lost with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

from django.db import connection, models
from django.db.models import Count
from django.utils.translation import gettext as _

from imports import tables
from imports.undoing.records import among


@cache
def relations(model: type[models.Model]) -> list[tuple[str, models.ForeignKey[Any, Any]]]:
    """Every foreign key of any app that points at `model`, with the name that `model` knows it by.

    From Django's registry: what an app adds later is seen, too. Without those that outlive what
    they point at.
    """
    found = []
    for relation in model._meta.get_fields(include_hidden=True):
        if relation.auto_created and (relation.one_to_many or relation.one_to_one):
            kept: Any = relation
            if kept.on_delete is not models.DO_NOTHING:
                found.append((kept.name, kept.field))
    return found


def rows_of_others(
    model: type[models.Model], ids: Collection[int], *, besides: Collection[str] = ()
) -> dict[int, str]:
    """What points at these rows, in words, for those that anything points at. A query for each
    foreign key, without those that `model` knows by the names in `besides`."""
    found: dict[int, str] = {}
    for name, key in relations(model):
        if name in besides:
            continue
        pointing = among(key.model._base_manager.order_by(), str(key.column), ids)
        for pk, number in pointing.values_list(key.attname).annotate(number=Count("pk")):
            meta = key.model._meta
            word = meta.verbose_name if number == 1 else meta.verbose_name_plural
            said = _("%(number)s %(rows)s") % {"number": f"{number:,}", "rows": word}
            found[pk] = f"{found[pk]}, {said}" if pk in found else said
    return found


def delete(model: type[models.Model], column: str, ids: Iterable[int]) -> int:
    """Delete the rows of `model` whose column is among the ids, in one statement; answers how many.

    No signals are sent. The caller knows that nothing points at them.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f'DELETE FROM "{model._meta.db_table}" WHERE {tables.among_ids(column)}',  # noqa: S608
            [tables.ids(ids)],
        )
        return int(cursor.rowcount)
