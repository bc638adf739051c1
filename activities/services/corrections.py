"""Correcting and voiding what was recorded. The totals follow, on both contacts of a move."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from activities import types
from activities.models import Activity
from activities.services.recording import find_contact, survivors
from activities.services.values import (
    Errors,
    clean,
    not_found,
    refuse_the_future,
    required,
)
from activities.signals import activity_corrected
from contacts.services.locks import settling
from crm.batch import BatchResult
from crm.errors import Conflict
from organisations.models import Organisation

CORRECTABLE = frozenset(
    {"contact", "type", "source", "happened_at", "spend", "currency_code", "data"}
)


@settling
def correct(*, activity: Activity, values: Mapping[str, Any]) -> Activity:
    """Write the corrected values to the activity; answers it as it is now.

    `values` may have the keys of `CORRECTABLE`, each as `record` takes it. Raises ValidationError
    by path; Conflict when another activity states the same fact; DoesNotExist when the activity is
    gone. Sends `activity_corrected`. Ten queries at most.
    """
    organisation = activity.organisation
    columns = _columns(organisation, values)
    if "type" in columns and types.unknown(organisation, {columns["type"]}):
        raise ValidationError({"type": types.unknown_type(organisation, columns["type"])})
    if "contact" in values:
        columns["contact_id"] = find_contact(organisation, values["contact"])
    rows = Activity.objects.for_organisation(organisation)
    current = rows.with_reservations().select_for_update(of=("self",)).get(pk=activity.pk)
    current.organisation = organisation
    if all(getattr(current, name) == value for name, value in columns.items()):
        return current
    for name, value in columns.items():
        setattr(current, name, value)
    if "type" in columns:
        same = rows.same_as(current.facts()).exclude(pk=current.pk).values_list("pk", flat=True)
        if same:
            raise Conflict(
                _("Activity %(id)d is of this type and has the same reference already.")
                % {"id": same[0]},
                list(same),
            )
    current.save()
    activity_corrected.send(Activity, activity=current)
    return current


@settling
def correct_batch(
    *, organisation: Organisation, rows: Sequence[tuple[int, Mapping[str, Any]]]
) -> list[BatchResult]:
    """`correct` for each of `rows`, an activity's id and its values: the same results.

    No row has a `type`, a `contact` is an id, and each activity is there once. Each row by itself.
    A fixed number of queries, and the totals move once.
    """
    errors: dict[int, ValidationError] = {}
    wanted: dict[int, dict[str, Any]] = {}
    for pk, values in rows:
        try:
            wanted[pk] = _columns(organisation, values)
        except ValidationError as error:
            errors[pk] = error
    moves = {pk: values["contact"] for pk, values in rows if "contact" in values}
    found = survivors(organisation, set(moves.values())) if moves else {}
    for pk in moves.keys() & wanted.keys():
        if moves[pk] in found:
            wanted[pk]["contact_id"] = found[moves[pk]]
        else:
            errors[pk] = ValidationError({"contact": not_found(moves[pk])})
    missing = _correct_all(organisation, {pk: wanted[pk] for pk in wanted.keys() - errors.keys()})
    errors |= {pk: ValidationError({"activity": not_found(pk)}) for pk in missing}
    return [
        BatchResult(index=index, id=None if pk in errors else pk, error=errors.get(pk))
        for index, (pk, _values) in enumerate(rows)
    ]


def _correct_all(
    organisation: Organisation, wanted: Mapping[int, Mapping[str, Any]]
) -> Collection[int]:
    """Write these columns to these activities, by id; the ids of those that are gone."""
    activities = Activity.objects.for_organisation(organisation)
    locked = activities.with_reservations().select_for_update(of=("self",)).order_by("pk")
    current = list(locked.filter(pk__in=wanted))
    changed: list[Activity] = []
    names: set[str] = set()
    for row in current:
        differing = {k: v for k, v in wanted[row.pk].items() if getattr(row, k) != v}
        if differing:
            row.counted = row.to_count()
            for name, value in differing.items():
                setattr(row, name, value)
            row.organisation, row.updated_at = organisation, timezone.now()
            names |= differing.keys()
            changed.append(row)
    if changed:
        activities.write_held(changed, sorted({*names, "updated_at"}))
    for row in changed:
        activity_corrected.send(Activity, activity=row)
    return wanted.keys() - {row.pk for row in current}


def _columns(organisation: Organisation, values: Mapping[str, Any]) -> dict[str, Any]:
    """The given values, without the contact, as the columns keep them. Raises ValidationError."""
    errors: Errors = {
        name: ValidationError(_("This is read-only."), "read_only")
        for name in values.keys() - CORRECTABLE
    }
    given = {name: values[name] for name in values if name in CORRECTABLE - {"contact"}}
    if "currency_code" in given:
        given["currency_code"] = given["currency_code"] or organisation.currency_code
    columns = clean(Activity, given, errors)
    refuse_the_future(columns, errors)
    if "contact" in values and values["contact"] is None:
        errors["contact"] = required()
    if errors:
        raise ValidationError(errors)
    return columns


@transaction.atomic
def void(*, activity: Activity) -> None:
    """Take the activity back: the row goes, and what it counted with it. Sends
    `activity_voided`."""
    activity.delete()
