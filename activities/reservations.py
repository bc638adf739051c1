"""The kinds of reservation that an activity can speak of. Adding one is adding a model, a foreign
key of `Activity`, and a line here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from activities.models import Booking, GolfReservation, Reservation, TableReservation

Reference = tuple[str | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """`name` is the activity's foreign key. `reference` names the columns by which a source knows
    its reservation, the first of which must be there for it to be known at all."""

    name: str
    model: type[Reservation]
    reference: tuple[str, ...]
    free_text: dict[str, Any]
    """What a redaction leaves in the columns that may hold personal data."""

    @property
    def columns(self) -> frozenset[str]:
        """The columns that can be given."""
        return _COLUMNS[self.model]

    def reference_of(self, values: Any) -> Reference | None:
        """By what the source knows it: of a row, or of a mapping of columns. None: by nothing."""
        get = values.get if isinstance(values, dict) else lambda name: getattr(values, name)
        first, *others = (get(name) for name in self.reference)
        return (first, *((other or "") for other in others)) if first else None


_OURS = {"id", "organisation", "contact", "created_at", "updated_at"}
_COLUMNS: dict[type[Reservation], frozenset[str]] = {
    model: frozenset(column.name for column in model._meta.concrete_fields) - _OURS
    for model in (Booking, GolfReservation, TableReservation)
}

BOOKING = Kind(
    "booking",
    Booking,
    ("external_reference",),
    {"customer_reference": None, "purpose": None},
)
GOLF = Kind(
    "golf_reservation",
    GolfReservation,
    ("origin_reference", "origin"),
    {"customer_booking_reference": None},
)
TABLE = Kind(
    "table_reservation",
    TableReservation,
    ("origin_reference", "origin"),
    {"customer_booking_reference": None, "notes": ""},
)
KINDS = (BOOKING, GOLF, TABLE)
