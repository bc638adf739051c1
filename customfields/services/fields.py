"""Defining, changing and removing custom fields."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import CharField, F, Max
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contacts.models import Contact
from contacts.services import news
from crm.errors import Conflict
from customfields import impact, patterns
from customfields import values as storage
from customfields.models import CustomField, CustomFieldOption, CustomFieldValue
from customfields.types import TYPES
from customfields.types.base import printable
from organisations.models import Organisation

NAME_LENGTH = 60
MAX_OPTIONS = 1000
FIRST_IDS = 10
_ATTEMPTS = 20
_CHANGEABLE = frozenset(
    {
        "name",
        "label",
        "type",
        "help_text",
        "options",
        "required",
        "unique",
        "minimum",
        "maximum",
        "pattern",
        "default",
        "group",
        "position",
        "archived_at",
    }
)

T = TypeVar("T")

Options = Sequence[str | Mapping[str, Any]]


class Choice(NamedTuple):
    """An option as it is to be. Its colour stays as it is where none is given (None)."""

    value: str
    label: str
    color: str | None = None


@transaction.atomic
def define(
    *,
    organisation: Organisation,
    label: str,
    type: str,
    name: str = "",
    help_text: str = "",
    options: Options = (),
    required: bool = False,
    unique: bool = False,
    minimum: Decimal | int | float | str | None = None,
    maximum: Decimal | int | float | str | None = None,
    pattern: str = "",
    default: Any = None,
    group: str = "",
    position: int | None = None,
    archived_at: datetime | None = None,
) -> CustomField:
    """Make a custom field. The name is made from the label, and the place is the last, when not
    given. `options` are texts or `{"value", "label", "color"}`, in their order.

    Raises ValidationError by column.
    """
    field = CustomField(
        organisation=organisation,
        name=(name or "").strip(),
        label=label,
        type=type,
        help_text=help_text or "",
        required=bool(required),
        unique=bool(unique),
        minimum=minimum,
        maximum=maximum,
        pattern=pattern or "",
        default=default,
        group=group or "",
        archived_at=archived_at,
    )
    if position is None:
        last = CustomField.objects.for_organisation(organisation).aggregate(last=Max("position"))
        position = 0 if last["last"] is None else min(last["last"] + 1, 2**31 - 1)
    field.position = position
    made = not field.name
    chosen = _check(field, options)
    for attempt in range(_ATTEMPTS):
        if made:
            field.name = _free_name(organisation, field.label)
        try:
            with transaction.atomic():
                field.save(force_insert=True)
            break
        except IntegrityError:
            # Somebody took the name at this moment. A name that was given is theirs now.
            field.pk = None
            if not made or attempt == _ATTEMPTS - 1:
                raise _name_taken() from None
    _write_options(field, chosen)
    return field


@transaction.atomic
def change(*, field: CustomField, values: Mapping[str, Any]) -> CustomField:
    """Write the given columns; `options` replaces the list. Answers the field as it is now.

    The name is fixed. The type is, once there are values; an option that contacts have cannot go;
    a field that contacts break the rule of cannot become unique or required: Conflict, with the
    number of contacts and the first ids. Other rules hold for what is written from then on.

    Raises ValidationError by column. Making a field with many values unique takes as long as one
    statement over them does.
    """
    current = _locked(field)
    was_type, was_required, was_unique = current.type, current.required, current.unique
    errors = {}
    for column, value in values.items():
        if column not in _CHANGEABLE:
            raise TypeError(f"A custom field has no {column!r}.")
        if column == "name":
            if value != current.name:
                errors["name"] = ValidationError(
                    _("A custom field's name is fixed once made; change its label instead."),
                    code="fixed",
                )
        elif column != "options":
            setattr(current, column, _unset(column) if value is None else value)
    if errors:
        raise ValidationError(errors)
    options = values.get("options")
    if options is None:
        options = [] if "options" in values else _options_as_given(current)
    chosen = _check(current, options)
    if current.type != was_type:
        _refuse_new_type(current)
    _refuse_loss_of_options(current, chosen)
    if current.required and not was_required:
        _refuse_lacking(current)
    if current.unique and not was_unique:
        _refuse_shared(current)
    current.save()
    if current.unique != was_unique:
        _fill_unique_keys(current)
    _write_options(current, chosen)
    return current


@transaction.atomic
def remove(*, field: CustomField, force: bool = False) -> None:
    """Delete the field. With values, only by `force`, which deletes them too, in one statement.

    Raises Conflict when contacts have values and `force` is not given.
    """
    current = _locked(field)
    values = CustomFieldValue.objects.filter(organisation=current.organisation_id, field=current)
    if not force:
        number = values.count_contacts()
        if number:
            raise Conflict(
                ngettext(
                    "%(number)d contact has a value in %(label)s. Archive it, or delete it and its "
                    "values with force.",
                    "%(number)d contacts have a value in %(label)s. Archive it, or delete it and "
                    "its values with force.",
                    number,
                )
                % {"number": number, "label": current.label},
                _first_ids(values.of_current_contacts().values_list("contact", flat=True)),
            )
    touched = list(values.values_list("contact", flat=True).distinct())
    values.delete()
    CustomFieldOption.objects.filter(organisation=current.organisation_id, field=current).delete()
    current.delete()
    news.updated(
        field.organisation, dict.fromkeys(touched, frozenset({f"customFields.{current.name}"}))
    )


def archive(*, field: CustomField) -> CustomField:
    """Hide the field from forms and refuse writes to it. Its values stay."""
    return change(field=field, values={"archived_at": field.archived_at or timezone.now()})


def unarchive(*, field: CustomField) -> CustomField:
    """Bring an archived field back."""
    return change(field=field, values={"archived_at": None})


def _locked(field: CustomField) -> CustomField:
    """The field read anew, while nobody writes values to it (they hold it: see `held`)."""
    fields = CustomField.objects.filter(organisation=field.organisation_id)
    held = fields.select_for_update(of=("self",)).select_related("organisation")
    return held.get(pk=field.pk)


def _unset(column: str) -> Any:
    """What null means for a column that is never null. What must have a value stays null, and is
    refused by `clean_fields`."""
    kept = cast("models.Field[Any, Any]", CustomField._meta.get_field(column))
    return None if kept.null or not kept.has_default() else kept.get_default()


# Checking a definition


def _check(field: CustomField, options: Options) -> list[Choice]:
    """Tidy and check the whole definition; answers its options.

    Raises ValidationError by column.
    """
    errors: dict[str, ValidationError] = {}

    def attempt(column: str, check: Callable[[], T]) -> T | None:
        try:
            return check()
        except ValidationError as error:
            errors.setdefault(column, error)
            return None

    for column in ("label", "help_text", "group"):
        attempt(column, partial(_tidy, field, column))
    for column in ("minimum", "maximum"):
        attempt(column, partial(_read_bound, field, column))
    try:
        # A default is JSON of any kind, which its type reads below.
        unread = {"organisation", "default", *errors}
        field.clean_fields(exclude=unread if field.name else unread | {"name"})
    except ValidationError as error:
        errors.update({key: ValidationError(found) for key, found in error.error_dict.items()})
    if field.type not in TYPES:
        raise ValidationError(errors)
    chosen = attempt("options", lambda: _read_options(field, options)) or []
    for column, rule in _RULES.items():
        if column not in errors:
            attempt(column, partial(rule, field))
    if not errors:
        attempt("default", lambda: _read_default(field, chosen))
    if errors:
        raise ValidationError(errors)
    return chosen


def _tidy(field: CustomField, column: str) -> None:
    text = printable(getattr(field, column))
    if column != "help_text" and re.search(r"[\r\n]", text):
        raise ValidationError(_("Give one line."), code="invalid_text")
    setattr(field, column, text)


def _read_bound(field: CustomField, column: str) -> None:
    given = getattr(field, column)
    setattr(field, column, None if given in (None, "") else TYPES["Number"].read(given, field))


def _check_bounds(field: CustomField) -> None:
    given = [bound for bound in (field.minimum, field.maximum) if bound is not None]
    if not given:
        return
    bounds = TYPES[field.type].bounds
    if bounds is None:
        raise _not_for_this_type(field)
    if bounds != "number" and any(bound != int(bound) or bound < 0 for bound in given):
        raise ValidationError(_("Give a whole number, 0 or more."), code="invalid")
    if len(given) == 2 and given[0] > given[1]:
        raise ValidationError(_("The minimum is above the maximum."), code="minimum")


def _check_pattern(field: CustomField) -> None:
    if field.pattern:
        if not TYPES[field.type].has_pattern:
            raise _not_for_this_type(field)
        patterns.check(field.pattern)


def _check_unique(field: CustomField) -> None:
    if field.unique:
        if not TYPES[field.type].can_be_unique:
            raise _not_for_this_type(field)
        if field.default is not None:
            raise ValidationError(
                _("A unique field has no default: all new contacts would have it."),
                code="unique_default",
            )


_RULES = {"minimum": _check_bounds, "pattern": _check_pattern, "unique": _check_unique}


def _not_for_this_type(field: CustomField) -> ValidationError:
    return ValidationError(
        _("This does not apply to fields of type %(type)s."),
        code="not_for_type",
        params={"type": field.type},
    )


def _read_default(field: CustomField, chosen: Sequence[Choice]) -> None:
    """Read the default by the field's type, and keep it as JSON."""
    if field.default is None:
        return
    draft = CustomField(
        organisation=field.organisation,
        label=field.label,
        type=field.type,
        minimum=field.minimum,
        maximum=field.maximum,
        pattern=field.pattern,
    )
    draft.choices = {
        one.value: CustomFieldOption(value=one.value, label=one.label) for one in chosen
    }
    value = draft.kind.parse(field.default, draft)
    # A decimal as text: JSON's numbers would round it.
    field.default = None if value is None else _as_json(draft.kind, value)


def _as_json(kind: Any, value: Any) -> Any:
    typed = kind.typed(value)
    return kind.text(value) if isinstance(typed, float) else typed


# Options


def _read_options(field: CustomField, options: Options) -> list[Choice]:
    if not isinstance(options, list | tuple):
        raise ValidationError(_("Give a list of options."), code="invalid_type")
    kind = TYPES[field.type]
    if not kind.has_options:
        if options and field.pk is None:
            raise _not_for_this_type(field)
        if options and options != _options_as_given(field):
            raise _not_for_this_type(field)
        return []
    if not options:
        raise ValidationError(_("Give at least one option."), code="required")
    if len(options) > MAX_OPTIONS:
        raise ValidationError(
            _("Give at most %(limit)d options."), code="too_many", params={"limit": MAX_OPTIONS}
        )
    read: dict[str, Choice] = {}
    for option in options:
        choice = _read_option(option)
        value = choice.value
        if kind.multiple and "," in value:
            raise ValidationError(
                _("%(value)s: a comma separates options, so none may have one in its value."),
                code="comma",
                params={"value": value},
            )
        if value in read:
            raise ValidationError(
                _("%(value)s is there twice."), code="duplicate", params={"value": value}
            )
        read[value] = choice
    return list(read.values())


def _read_option(option: Any) -> Choice:
    if isinstance(option, str):
        option = {"value": option}
    if not isinstance(option, Mapping) or option.keys() - {"value", "label", "color"}:
        raise ValidationError(
            _('Give each option as a text, or as {"value": …, "label": …}.'), code="invalid_type"
        )
    value = printable(option.get("value"))
    given_label = option.get("label")
    label = value if given_label is None else printable(given_label) or value
    for text in (value, label):
        if not text:
            raise ValidationError(_("An option needs a value."), code="blank")
        if len(text) > 120 or re.search(r"[\r\n]", text):
            raise ValidationError(
                _("An option has at most 120 characters, on one line."), code="max_length"
            )
    color = option.get("color")
    if color not in (None, *CustomFieldOption.Color.values):
        raise ValidationError(_("There is no such colour."), code="invalid_choice")
    return Choice(value, label, color)


def _options_as_given(field: CustomField) -> list[dict[str, str]]:
    options = CustomFieldOption.objects.filter(organisation=field.organisation_id, field=field)
    return [{"value": option.value, "label": option.label or option.value} for option in options]


def _write_options(field: CustomField, chosen: Sequence[Choice]) -> None:
    """Make these the field's options, in this order. Those that stay keep their rows, which
    contacts' values point at."""
    options = CustomFieldOption.objects.filter(organisation=field.organisation_id, field=field)
    there = {option.value: option for option in options}
    gone = [option.pk for value, option in there.items() if value not in {c.value for c in chosen}]
    if gone:
        options.filter(pk__in=gone).delete()
    new, moved = [], []
    for position, choice in enumerate(chosen):
        option = there.get(choice.value)
        if option is None:
            option = CustomFieldOption(
                organisation_id=field.organisation_id, field=field, value=choice.value
            )
            new.append(option)
        color = option.color if choice.color is None else choice.color
        wanted = (choice.label, position, color)
        if (option.label, option.position, option.color) != wanted:
            option.label, option.position, option.color = wanted
            if option.pk is not None:
                moved.append(option)
    options.bulk_update(moved, ["label", "position", "color"])
    CustomFieldOption.objects.bulk_create(new)
    field.__dict__.pop("choices", None)


# What values that are there refuse


def _values(field: CustomField) -> Any:
    return CustomFieldValue.objects.filter(organisation=field.organisation_id, field=field)


def _refuse_new_type(field: CustomField) -> None:
    values = _values(field)
    number = values.count_contacts()
    if number:
        raise Conflict(
            ngettext(
                "The type of %(label)s is fixed: %(number)d contact has a value in it.",
                "The type of %(label)s is fixed: %(number)d contacts have a value in it.",
                number,
            )
            % {"label": field.label, "number": number},
            _first_ids(values.of_current_contacts().values_list("contact", flat=True)),
        )


def _refuse_loss_of_options(field: CustomField, chosen: Sequence[Choice]) -> None:
    kept = {choice.value for choice in chosen}
    options = CustomFieldOption.objects.filter(organisation=field.organisation_id, field=field)
    gone = [option for option in options if option.value not in kept]
    if not gone:
        return
    uses = _values(field).filter(value_option__in=gone)
    number = uses.count_contacts()
    if number:
        used = sorted(set(uses.values_list("value_option__value", flat=True)))
        raise Conflict(
            ngettext(
                "%(options)s cannot be removed: it is used by %(number)d contact.",
                "%(options)s cannot be removed: it is used by %(number)d contacts.",
                number,
            )
            % {"options": ", ".join(used), "number": number},
            _first_ids(uses.of_current_contacts().values_list("contact", flat=True)),
        )


def _refuse_lacking(field: CustomField) -> None:
    lacking = impact.lacking(field)
    number = lacking.count()
    if number:
        ids = _first_ids(lacking.values_list("pk", flat=True))
        raise Conflict(
            ngettext(
                "%(label)s cannot become required: %(number)d contact has no value in it, %(ids)s.",
                "%(label)s cannot become required: %(number)d contacts have no value in it, the "
                "first being %(ids)s.",
                number,
            )
            % _told(field, number, ids),
            ids,
        )


def _refuse_shared(field: CustomField) -> None:
    shared = _values(field).shared(TYPES[field.type].column)
    number = shared.count()
    if number:
        ids = _first_ids(shared.values_list("contact", flat=True))
        raise Conflict(
            _(
                "%(label)s cannot become unique: %(number)d contacts share their value with "
                "another, the first being %(ids)s."
            )
            % _told(field, number, ids),
            ids,
        )


def _told(field: CustomField, number: int, ids: Iterable[int]) -> dict[str, Any]:
    return {
        "label": field.label,
        "number": number,
        "ids": ", ".join(str(pk) for pk in ids),
    }


def _first_ids(ids: Any) -> list[int]:
    name = "pk" if ids.model is Contact else "contact"
    return list(ids.order_by(name).distinct()[:FIRST_IDS])


def _fill_unique_keys(field: CustomField) -> None:
    """Set or clear the keys of all values, in one statement."""
    values = _values(field)
    if not field.unique:
        values.filter(unique_key__isnull=False).update(unique_key=None)
        return
    column = storage.column(TYPES[field.type].column).attname
    merged = Contact.objects.across_organisations().filter(merged_into__isnull=False)
    values.exclude(contact__in=merged.values("pk")).update(unique_key=Cast(F(column), CharField()))


# Names


def _free_name(organisation: Organisation, label: str) -> str:
    """A name made from the label that no field of the organisation has."""
    folded = unicodedata.normalize("NFKD", label.casefold()).encode("ascii", "ignore").decode()
    base = re.sub(r"[^a-z0-9]+", "_", folded).strip("_") or "field"
    if base[0].isdigit():
        base = f"field_{base}"
    base = base[:NAME_LENGTH].rstrip("_")
    taken = set(
        CustomField.objects.for_organisation(organisation)
        .filter(name__startswith=base[: NAME_LENGTH - 5])
        .values_list("name", flat=True)
    )
    name, number = base, 1
    while name in taken:
        number += 1
        suffix = f"_{number}"
        name = base[: NAME_LENGTH - len(suffix)] + suffix
    return name


def _name_taken() -> ValidationError:
    return ValidationError(
        {"name": ValidationError(_("There is a custom field of this name already."), code="unique")}
    )
