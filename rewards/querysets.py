"""Reading the ledger: what is left of which grant, and what that comes to."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Self

from django.db.models import Q, Sum

from organisations.querysets import TenantQuerySet

if TYPE_CHECKING:
    from rewards.models import CreditEntry, CreditMovement  # noqa: F401  # in quotes below


class Unchangeable(TypeError):
    """Somebody tried to change or delete an entry of the ledger."""

    def __init__(self) -> None:
        super().__init__("An entry of the ledger never changes: write one that corrects it.")


class EntryQuerySet(TenantQuerySet["CreditEntry"]):
    """Entries, which can be read and added to."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise Unchangeable

    def delete(self) -> NoReturn:
        raise Unchangeable


class Lot(NamedTuple):
    """A grant, and what a contact has left of it."""

    lot: int
    currency_code: str
    expires_at: datetime | None
    left: int

    def is_over(self, now: datetime) -> bool:
        """Whether it has expired."""
        return self.expires_at is not None and self.expires_at <= now


class MovementQuerySet(TenantQuerySet["CreditMovement"]):
    """Movements."""

    def spendable(self, now: datetime) -> Self:
        """In grants that have not expired."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now))

    def lots(self) -> list[Lot]:
        """The grants, first to expire first, those that are used up included. One query, of one
        contact."""
        rows = (
            self.order_by()
            .values_list("lot_id", "currency_code", "expires_at")
            .annotate(left=Sum("amount"))
        )
        found = [Lot(lot, code, expires, int(left)) for lot, code, expires, left in rows]
        return sorted(found, key=_first_to_expire)


def _first_to_expire(lot: Lot) -> tuple[bool, float, int]:
    if lot.expires_at is None:
        return True, 0.0, lot.lot
    return False, lot.expires_at.timestamp(), lot.lot
