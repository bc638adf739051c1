"""Rows that the service records itself, and what undoing them takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError

from activities.models import Activity
from activities.reservations import KINDS, Kind
from activities.services import record_batch
from crm.errors import Conflict
from imports.activities.columns import CarefulRow
from imports.batches import Record
from imports.models import What
from imports.runs import OwnRows
from organisations.models import Organisation

_ROWS = 1000
WHATS: dict[str, str] = {
    "booking": What.BOOKING,
    "golf_reservation": What.GOLF_RESERVATION,
    "table_reservation": What.TABLE_RESERVATION,
}
"""What imports call each kind of reservation."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A row for the service: its index, what was read of it, and its contact."""

    index: int
    row: CarefulRow
    contact_id: int


@dataclass
class Recorded:
    """What the service did: errors by index, and the records for undoing the rest."""

    errors: dict[int, ValidationError | Conflict] = field(default_factory=dict)
    activities: Record = field(default_factory=lambda: Record(What.ACTIVITY, [], []))
    reservations: dict[str, Record] = field(default_factory=dict)

    @property
    def records(self) -> list[Record]:
        return [self.activities, *self.reservations.values()]


def record_all(
    organisation: Organisation, asked: Sequence[Asked], *, own: Mapping[str, OwnRows]
) -> Recorded:
    """Record these rows, none of which states a known fact."""
    recorded = Recorded()
    for start in range(0, len(asked), _ROWS):
        _record(organisation, asked[start : start + _ROWS], own, recorded)
    return recorded


def _record(
    organisation: Organisation,
    asked: Sequence[Asked],
    own: Mapping[str, OwnRows],
    recorded: Recorded,
) -> None:
    before = {kind: _of_references(organisation, kind, asked) for kind in KINDS}
    results = record_batch(
        organisation=organisation,
        rows=[{**one.row.values, "contact": one.contact_id} for one in asked],
    )
    for one, result in zip(asked, results, strict=True):
        if result.error is not None:
            recorded.errors[one.index] = result.error
    activities = Activity.objects.for_organisation(organisation).filter(
        pk__in=[result.id for result in results if result.created]
    )
    names = [f"{kind.name}_id" for kind in KINDS]
    touched: dict[str, set[int]] = {kind.name: set() for kind in KINDS}
    for pk, moment, *reservations in activities.values_list("pk", "updated_at", *names):
        _note_created(recorded.activities, pk, moment)
        for kind, reservation in zip(KINDS, reservations, strict=True):
            if reservation is not None:
                touched[kind.name].add(reservation)
    for kind in KINDS:
        if touched[kind.name]:
            rows = kind.model.objects.for_organisation(organisation).filter(
                pk__in=touched[kind.name]
            )
            _note_reservations(kind, _columns(kind, rows), before[kind], own, recorded)


def _note_created(record: Record, pk: int, moment: datetime) -> None:
    """A row that the service created has a moment of its own, not the batch's."""
    assert isinstance(record.created, list)
    assert isinstance(record.changed, list)
    record.created.append(pk)
    record.changed.append((pk, None, moment))


def _of_references(
    organisation: Organisation, kind: Kind, asked: Sequence[Asked]
) -> dict[int, dict[str, Any]]:
    """The reservations, as they are now, that the rows speak of by reference. Locked."""
    first: set[str] = set()
    for one in asked:
        assert one.row.draft is not None  # it has no error
        given = one.row.draft.reservations.get(kind)
        reference = kind.reference_of(given) if isinstance(given, dict) else None
        if reference is not None:
            first.add(str(reference[0]))
    if not first:
        return {}
    rows = kind.model.objects.for_organisation(organisation).order_by("pk").select_for_update()
    return _columns(kind, rows.filter(**{f"{kind.reference[0]}__in": sorted(first)}))


def _columns(kind: Kind, rows: Any) -> dict[int, dict[str, Any]]:
    return {row["pk"]: row for row in rows.values("pk", "updated_at", *sorted(kind.columns))}


def _note_reservations(
    kind: Kind,
    after: Mapping[int, dict[str, Any]],
    before: Mapping[int, dict[str, Any]],
    own: Mapping[str, OwnRows],
    recorded: Recorded,
) -> None:
    what = WHATS[kind.name]
    record = recorded.reservations.setdefault(what, Record(what, [], []))
    assert isinstance(record.changed, list)
    created_before = set(record.created)
    for pk, now in sorted(after.items()):
        was = before.get(pk)
        if was is None:
            _note_created(record, pk, now["updated_at"])
            continue
        changes = {
            name: [_json(was[name]), _json(now[name])]
            for name in sorted(kind.columns)
            if was[name] != now[name]
        }
        if changes:
            mine = pk in created_before or own[what](pk)
            kept = None if mine else {"columns": changes, "at": [_json(was["updated_at"])]}
            record.changed.append((pk, kept, now["updated_at"]))


def _json(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int) else value.isoformat()
