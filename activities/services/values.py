"""Reading what a door gave into a row that can be written, or saying what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import Activity, Reservation
from activities.reservations import KINDS, Kind
from contacts.models import Contact, ReferralInvite
from crm.errors import Conflict
from organisations.models import Organisation

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far ahead of ours a source's clock may be."""

COLUMNS = (
    "type",
    "source",
    "happened_at",
    "spend",
    "currency_code",
    "external_reference",
    "purchase",
    "gift_card",
    "data",
    "backfill",
)
Errors = dict[str, Any]


@dataclass(eq=False)
class Draft:
    """An activity on its way: what was given, and what became of it.

    Settled once it has `error`, or `existing` (the row that stated the fact before), or a primary
    key.
    """

    activity: Activity
    contact: Contact | int | Mapping[str, Any]
    reservations: Mapping[Kind, Reservation | int | Mapping[str, Any]]
    referral_invite: int | None = None
    existing: Activity | None = None
    error: ValidationError | Conflict | None = None
    anonymous: list[Reservation] = field(default_factory=list)
    """Reservations that were made for this draft alone."""

    @property
    def facts(self) -> set[tuple[str, str, str]]:
        return set(self.activity.facts())

    @property
    def writes_more(self) -> bool:
        """Whether recording it writes other rows too, which a known fact must not do again."""
        return bool(self.reservations) or isinstance(self.contact, Mapping)

    @property
    def open(self) -> bool:
        return self.error is None and self.existing is None and self.activity.pk is None


def read(organisation: Organisation, values: Mapping[str, Any]) -> Draft:
    """Check all that can be checked without the database.

    `values` are the arguments of `record`, save that any may be missing. Raises ValidationError by
    path.
    """
    errors: Errors = {}
    given = {name: values[name] for name in COLUMNS if name in values}
    given["currency_code"] = given.get("currency_code") or organisation.currency_code
    for name in ("type", "source", "happened_at"):
        given.setdefault(name, None)
    columns = clean(Activity, given, errors)
    refuse_the_future(columns, errors)
    contact = values.get("contact")
    if contact is None:
        errors["contact"] = required()
    elif isinstance(contact, bool) or not isinstance(contact, Contact | int | Mapping):
        errors["contact"] = invalid(_("Give the id of a contact, or an object that identifies it."))
    reservations: dict[Kind, Reservation | int | Mapping[str, Any]] = {}
    for kind in KINDS:
        wanted = values.get(kind.name)
        if isinstance(wanted, Mapping):
            reservations[kind] = clean_reservation(kind, wanted, errors, f"{kind.name}.")
        elif isinstance(wanted, kind.model) or type(wanted) is int:
            reservations[kind] = wanted
        elif wanted is not None:
            errors[kind.name] = invalid(_("Give an object, or the id of one."))
    for name in values.keys() - _KNOWN:
        errors[name] = unknown()
    if errors:
        raise ValidationError(errors)
    return Draft(
        activity=Activity(organisation=organisation, **columns),
        contact=contact,  # type: ignore[arg-type]  # checked above
        reservations=reservations,
        referral_invite=_id(values.get("referral_invite")),
    )


def clean(
    model: type[models.Model], values: Mapping[str, Any], errors: Errors, prefix: str = ""
) -> dict[str, Any]:
    """The values as `model`'s columns take them, by name. What is wrong goes into `errors`."""
    cleaned = {}
    for name, value in values.items():
        try:
            cleaned[name] = clean_value(model._meta.get_field(name), value)
        except ValidationError as error:
            errors[f"{prefix}{name}"] = error
    return cleaned


def clean_reservation(
    kind: Kind, values: Mapping[str, Any], errors: Errors, prefix: str = ""
) -> dict[str, Any]:
    """As `clean`, for the columns of a reservation that can be given."""
    for name in values.keys() - kind.columns:
        errors[f"{prefix}{name}"] = unknown()
    return clean(kind.model, {k: v for k, v in values.items() if k in kind.columns}, errors, prefix)


def clean_value(column: Any, value: Any) -> Any:
    """The value as the column keeps it. Nothing is guessed: a number in a string is refused.

    None is the column's default where it cannot be null, and so is an empty text where it can.
    """
    if isinstance(value, str) and isinstance(column, models.CharField | models.TextField):
        value = value.strip() or (None if column.null else "")
    if value is None:
        if column.null:
            return None
        if column.has_default():
            return column.get_default()
        raise required()
    expected, message = _expected(column)
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        raise invalid(message)
    if isinstance(value, datetime) and timezone.is_naive(value):
        raise ValidationError(
            _("Say the offset from UTC, such as 2026-04-07T14:30:00+00:00."), "offset_missing"
        )
    if isinstance(value, str) and "\0" in value:
        raise ValidationError(_("The character NUL is not allowed."), "null_character")
    return column.clean(value, None)


@cache
def _expected(column: Any) -> tuple[type, Any]:
    """The Python type that a column takes, and what to say when it is given another."""
    if isinstance(column, models.BooleanField):
        return bool, gettext_lazy("This must be true or false.")
    if isinstance(column, models.IntegerField):
        if column.name in {"spend", "total"}:
            return int, gettext_lazy("Use a whole number of the currency's smallest unit: 4500.")
        return int, gettext_lazy("This must be a whole number.")
    if isinstance(column, models.DateTimeField):
        return datetime, gettext_lazy("Use a time with offset: 2026-04-07T14:30:00+00:00.")
    if isinstance(column, models.JSONField):
        return dict, gettext_lazy("This must be a JSON object.")
    return str, gettext_lazy("This must be text.")


def refuse_the_future(columns: Mapping[str, Any], errors: Errors) -> None:
    """An activity has happened."""
    happened_at = columns.get("happened_at")
    if happened_at is not None and happened_at > timezone.now() + CLOCKS_DIFFER:
        errors["happened_at"] = ValidationError(
            _("This lies in the future; an activity has happened."), "in_the_future"
        )


def required() -> ValidationError:
    return ValidationError(_("This is required."), "required")


def invalid(message: Any) -> ValidationError:
    return ValidationError(message, "invalid")


def unknown() -> ValidationError:
    return ValidationError(_("There is no such key."), "unknown_field")


def not_found(pk: int) -> ValidationError:
    return ValidationError(
        _("There is nothing with the id %(id)s here."), "not_found", params={"id": pk}
    )


def under(path: str, error: ValidationError) -> ValidationError:
    """The same error, said of what stands under `path`."""
    if not hasattr(error, "error_dict"):
        return ValidationError({path: error.error_list})
    return ValidationError({f"{path}.{key}": found for key, found in error.error_dict.items()})


def _id(row: ReferralInvite | int | None) -> int | None:
    return row.pk if isinstance(row, ReferralInvite) else row


_KNOWN = {*COLUMNS, "contact", "referral_invite", *(kind.name for kind in KINDS)}
