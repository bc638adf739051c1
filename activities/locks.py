"""Shared row locks, which Django has no words for."""

from __future__ import annotations

from typing import Literal, TypeVar

from django.db import connection, models

from organisations.querysets import TenantQuerySet

Row = TypeVar("Row", bound=models.Model)


def hold(rows: TenantQuerySet[Row], strength: Literal["SHARE", "KEY SHARE"]) -> list[Row]:
    """Read these rows and keep them as they are until the transaction ends.

    Any number of transactions may hold a row at once. `SHARE` keeps others from changing it,
    `KEY SHARE` from locking it for update and from deleting it, which is what every foreign key
    check does anyway. SQLite lets one transaction write at a time and needs neither.
    """
    if not connection.features.has_select_for_update:
        return list(rows)
    rows._require_scope()
    sql, params = rows.query.sql_with_params()
    return list(rows.model._base_manager.raw(f"{sql} FOR {strength}", params))
