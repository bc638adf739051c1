"""Bookings and reservations: written with the activities that speak of them, and corrected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from activities.models import Booking, Reservation
from activities.reservations import KINDS, Kind, Reference
from activities.services.values import Draft, Errors, clean_reservation, not_found
from activities.signals import booking_status_changed
from contacts.services.locks import settling
from crm import causes
from organisations.models import Organisation


def attach(organisation: Organisation, drafts: Sequence[Draft]) -> None:
    """Give the drafts their reservations: found by id, or updated by reference, else created.

    A known reservation stays its contact's, whoever the activity is of: a guest may check in on
    another's booking. An id that is not there is the draft's error. A few queries for each kind.
    """
    for kind in KINDS:
        asked = {draft: draft.reservations[kind] for draft in drafts if kind in draft.reservations}
        _find(organisation, kind, {d: _id(given) for d, given in asked.items()})
    for kind in KINDS:
        given = [
            (draft, draft.reservations[kind])
            for draft in drafts
            if draft.open and isinstance(draft.reservations.get(kind), Mapping)
        ]
        if given:
            _upsert(organisation, kind, given)


AnyReservation = TypeVar("AnyReservation", bound=Reservation)


@settling
def amend_reservation(*, reservation: AnyReservation, values: Mapping[str, Any]) -> AnyReservation:
    """Change a reservation; sends `booking_status_changed` when that is what changed of a booking.

    Raises ValidationError by column, also for a reference that another one has.
    """
    kind = next(kind for kind in KINDS if isinstance(reservation, kind.model))
    errors: Errors = {}
    columns = clean_reservation(kind, values, errors)
    if errors:
        raise ValidationError(errors)
    rows = type(reservation)._default_manager.filter(organisation=reservation.organisation_id)
    current: AnyReservation = rows.select_for_update().get(pk=reservation.pk)  # type: ignore[assignment]  # the manager's type is lost
    was, known_by = current.status, kind.reference_of(current)
    changed = _assign(current, columns)
    if kind.reference_of(current) not in (known_by, None):
        others = rows.exclude(pk=current.pk).filter(
            **{name: columns[name] for name in kind.reference if name in columns}
        )
        if any(kind.reference_of(other) == kind.reference_of(current) for other in others):
            raise ValidationError(
                {
                    kind.reference[0]: ValidationError(
                        _("Another one has this reference."), code="unique"
                    )
                }
            )
    if "organisation" in reservation._state.fields_cache:
        current.organisation = reservation.organisation  # for whoever is told
    if changed:
        current.save()
        _tell(current, was)
    return current


def _id(given: Reservation | int | Mapping[str, Any]) -> int | None:
    if isinstance(given, Mapping):
        return None
    return given if isinstance(given, int) else given.pk


def _find(organisation: Organisation, kind: Kind, asked: Mapping[Draft, int | None]) -> None:
    pks = {pk for pk in asked.values() if pk is not None and 0 < pk < 2**63}
    rows = kind.model.objects.for_organisation(organisation).in_bulk(pks) if pks else {}
    for draft, pk in asked.items():
        if pk in rows:
            setattr(draft.activity, kind.name, rows[pk])
        elif pk is not None:
            draft.error = ValidationError({kind.name: not_found(pk)})


def _upsert(organisation: Organisation, kind: Kind, given: Sequence[tuple[Draft, Any]]) -> None:
    """Write the reservations that are given as mappings, as if one after the other."""
    there = _known(organisation, kind, (kind.reference_of(values) for _draft, values in given))
    new: list[Reservation] = []
    changed: dict[int, tuple[Reservation, str, bool]] = {}
    for draft, values in given:
        reference = kind.reference_of(values)
        row = there.get(reference) if reference else None
        if row is None:
            row = kind.model(organisation=organisation, contact_id=draft.activity.contact_id)
            _assign(row, values)
            new.append(row)
            if reference:
                there[reference] = row
            else:
                draft.anonymous.append(row)
        else:
            row.organisation = organisation
            was = row.status
            if _assign(row, values) and row.pk is not None:
                changed.setdefault(row.pk, (row, was, draft.activity.backfill))
        setattr(draft.activity, kind.name, row)
    # Two at once that create the same reference: the caller begins anew and finds the other's.
    new.sort(key=lambda row: kind.reference_of(row) or ())
    kind.model.objects.bulk_create(new)
    for draft, _values in given:
        setattr(draft.activity, kind.name, getattr(draft.activity, kind.name))  # now with its id
    moment = timezone.now()
    for row, _was, _history in changed.values():
        row.updated_at = moment
    if changed:
        rows = [row for row, _was, _history in changed.values()]
        kind.model.objects.for_organisation(organisation).bulk_update(
            rows, [*kind.columns, "updated_at"]
        )
    for row, was, history in changed.values():
        with causes.quiet(history):
            _tell(row, was)


def _known(
    organisation: Organisation, kind: Kind, references: Iterable[Reference | None]
) -> dict[Reference | None, Reservation]:
    """The reservations of these references, locked."""
    first = sorted({str(reference[0]) for reference in references if reference})
    if not first:
        return {}
    rows = kind.model.objects.for_organisation(organisation)
    found = rows.filter(**{f"{kind.reference[0]}__in": first}).order_by("pk").select_for_update()
    return {kind.reference_of(row): row for row in found}


def _assign(row: Reservation, columns: Mapping[str, Any]) -> bool:
    """Set the columns; True when any differs from before."""
    differs = False
    for name, value in columns.items():
        if getattr(row, name) != value:
            setattr(row, name, value)
            differs = True
    return differs


def _tell(row: Reservation, was: str) -> None:
    if isinstance(row, Booking) and row.status != was:
        booking_status_changed.send(Booking, booking=row, before=was)
