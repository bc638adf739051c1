"""Whose activities are, where a file gives ids."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from contacts.models import Contact
from imports import tables
from organisations.models import Organisation


def survivors(organisation: Organisation, ids: Iterable[int], *, hold: bool) -> dict[int, int]:
    """For each of these ids, that of the contact that it is part of now; not for unknown ones.

    As `activities.services.recording.survivors`, for ten thousands. With `hold` none of them is
    merged or deleted until the transaction ends. One query, and one more for each step of the
    longest chain of merges.
    """
    asked = {pk for pk in ids if 0 < pk < 2**63}
    into: dict[int, int | None] = {}
    missing = asked
    while missing:
        into |= _read(organisation, missing, hold=hold)
        missing = {pk for pk in into.values() if pk is not None} - into.keys()
    found = {}
    for pk in asked & into.keys():
        at = pk
        while (further := into[at]) is not None:
            at = further
        found[pk] = at
    return found


def _read(organisation: Organisation, ids: Iterable[int], *, hold: bool) -> dict[int, int | None]:
    # In the order of ids, as everybody locks contacts.
    lock = " FOR KEY SHARE" if hold and tables.on_postgresql() else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, merged_into_id FROM {Contact._meta.db_table} "  # noqa: S608  # own names
            f"WHERE organisation_id = %s AND {tables.among_ids('id')} ORDER BY id{lock}",
            [organisation.pk, tables.ids(ids)],
        )
        return dict(cursor.fetchall())
