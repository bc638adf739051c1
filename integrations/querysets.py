"""Reading deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import connections, router
from django.db.models import Q
from django.db.models.expressions import RawSQL

from organisations.querysets import TenantQuerySet

if TYPE_CHECKING:
    from integrations.models import Connection, Delivery


class DeliveryQuerySet(TenantQuerySet["Delivery"]):
    """Deliveries, always of a named organisation."""

    def receive(self, delivery: Delivery, known: Connection | None = None) -> bool:
        """Store a delivery unless it is there already; whether it was stored. One insert, and no
        transaction around it.

        With a connection as it was `known`: only while that still has the same address and
        credentials.
        """
        database = connections[router.db_for_write(self.model)]
        name = database.ops.quote_name
        fields = [field for field in self.model._meta.concrete_fields if not field.primary_key]
        columns = ", ".join(name(str(field.column)) for field in fields)
        row = [
            field.get_db_prep_save(field.pre_save(delivery, add=True), database) for field in fields
        ]
        source = delivery._meta.get_field("connection").related_model
        same: dict[str, Any] = {"id": delivery.connection_id}
        if known is not None:
            same |= {"token_digest": known.token_digest, "credentials": known.credentials.text}
        with database.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {name(self.model._meta.db_table)} "  # noqa: S608 - our own names
                f"({columns}) "
                f"SELECT {', '.join(['%s'] * len(fields))} FROM {name(source._meta.db_table)} "
                f"WHERE {' AND '.join(f'{name(one)} = %s' for one in same)} "
                "ON CONFLICT DO NOTHING",
                [*row, *same.values()],
            )
            return bool(cursor.rowcount)

    def of_status(self, status: str) -> Self:
        """Those of this status; of one of `OPEN`, through the index of what is open.

        Its condition is written out: SQLite knows it by values that it can read, not by parameters.
        """
        from integrations.models import OPEN

        rows = self.filter(status=status)
        if status not in OPEN:
            return rows
        return rows.filter(status__in=[RawSQL(f"'{one}'", []) for one in OPEN])  # noqa: S611  # ours

    def claimable(self, now: datetime) -> Self:
        """Those that a worker may take now, if their connection is not paused."""
        unleased = Q(leased_until=None) | Q(leased_until__lte=now)
        return self.filter(unleased, due_at__lte=now)
