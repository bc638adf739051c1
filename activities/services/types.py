"""An organisation's own types of activity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from activities.models import Activity, ActivityType
from activities.services.values import Errors, clean, unknown
from activities.types import BUILT_IN
from contacts import rollups
from contacts.services.locks import settling
from crm.errors import Conflict
from organisations.models import Organisation


@settling
def define_type(
    *, organisation: Organisation, name: str, counts_as_order: bool = False
) -> ActivityType:
    """Define a type of the organisation's own. Raises ValidationError for a name that is taken,
    by a built-in type too."""
    activity_type = ActivityType(organisation=organisation)
    _assign(activity_type, {"name": name, "counts_as_order": counts_as_order})
    activity_type.save()
    return activity_type


@settling
def change_type(*, activity_type: ActivityType, values: Mapping[str, Any]) -> ActivityType:
    """Change `name` or `counts_as_order`.

    When it becomes an order, or none, the orders of every contact with an activity of the type are
    counted anew, in this transaction. Raises ValidationError; Conflict for a new name of a type
    that is in use, because sources go on sending the old one.
    """
    current = _locked(activity_type)
    was = current.name, current.counts_as_order
    _assign(current, values)
    if was == (current.name, current.counts_as_order):
        return current
    of_type = _activities(current, was[0])
    if current.name != was[0] and of_type.exists():
        raise Conflict(
            _("There are activities of the type %(name)s, so its name is fixed.")
            % {"name": was[0]},
            [current.pk],
        )
    current.save()
    if current.counts_as_order != was[1]:
        rollups.recompute(of_type.order_by().values_list("contact", flat=True).distinct())
    return current


@transaction.atomic
def remove_type(*, activity_type: ActivityType) -> None:
    """Delete a type. Raises Conflict when there are activities of it."""
    current = _locked(activity_type)
    if _activities(current, current.name).exists():
        raise Conflict(
            _("There are activities of the type %(name)s: it cannot be deleted.")
            % {"name": current.name},
            [current.pk],
        )
    current.delete()


def _locked(activity_type: ActivityType) -> ActivityType:
    """The type, when nobody records an activity of it any more; nobody can until we are done."""
    types = ActivityType.objects.filter(organisation=activity_type.organisation_id)
    return types.select_for_update().get(pk=activity_type.pk)


def _activities(activity_type: ActivityType, name: str) -> Any:
    return Activity.objects.filter(organisation=activity_type.organisation_id, type=name)


def _assign(activity_type: ActivityType, values: Mapping[str, Any]) -> None:
    """Set what was given, checked. Raises ValidationError."""
    known = {"name", "counts_as_order"}
    errors: Errors = {name: unknown() for name in values.keys() - known}
    given = {name: value for name, value in values.items() if name in known}
    for name, value in clean(ActivityType, given, errors).items():
        setattr(activity_type, name, value)
    taken = {name.casefold() for name in BUILT_IN}
    if "name" not in errors and activity_type.name.casefold() in taken:
        errors["name"] = ValidationError(
            _("%(name)s is a built-in type."), "built_in", {"name": activity_type.name}
        )
    if errors:
        raise ValidationError(errors)
    try:
        activity_type.validate_constraints()
    except ValidationError as error:
        raise ValidationError({"name": error.messages}, "unique") from error
