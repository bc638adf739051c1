"""Correcting and voiding what was recorded. The totals follow, on both contacts of a move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from activities import types
from activities.models import Activity
from activities.services.recording import find_contact
from activities.services.values import Errors, clean, refuse_the_future, required
from activities.signals import activity_corrected
from contacts.services.locks import settling
from crm.errors import Conflict

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


@transaction.atomic
def void(*, activity: Activity) -> None:
    """Take the activity back: the row goes, and what it counted with it. Sends
    `activity_voided`."""
    activity.delete()
