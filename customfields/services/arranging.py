"""Where custom fields stand on the form: groups, and the order within and among them.

A group is a name that fields share, and stands where its first field does. Each function moves one
thing, by what stands before it, so that two people who arrange at once do not undo one another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from customfields.models import CustomField
from customfields.types.base import printable
from organisations.models import Organisation

GROUP_LENGTH = 80


@transaction.atomic
def place(*, field: CustomField, group: str, after: int | None = None) -> None:
    """Put the field into `group`, behind the field with the id `after`; None: at its top.

    When `after` is not in that group (any more), it goes to the group's end. Raises ValidationError
    for a name that no group may have.
    """
    group = read_group(group)
    sections = _sections(field.organisation)
    moved = _take_out(sections, field)
    moved.group = group
    fields = sections.setdefault(group, [])
    places = {one.pk: index + 1 for index, one in enumerate(fields)}
    fields.insert(0 if after is None else places.get(after, len(fields)), moved)
    _write(field.organisation, sections)


@transaction.atomic
def place_group(*, organisation: Organisation, group: str, after: str | None = None) -> None:
    """Put a whole group behind the group `after`; None: at the top."""
    sections = _sections(organisation)
    fields = sections.pop(group, None)
    if fields is None:
        raise ValidationError(
            {"group": ValidationError(_("There is no group of this name."), code="does_not_exist")}
        )
    names = list(sections)
    at = 0 if after is None else names.index(after) + 1 if after in sections else len(names)
    names.insert(at, group)
    sections[group] = fields
    _write(organisation, {name: sections[name] for name in names})


@transaction.atomic
def rename_group(*, organisation: Organisation, group: str, name: str) -> None:
    """Give a group another name. When there is one of that name, the fields go to its end."""
    name = read_group(name)
    sections = _sections(organisation)
    if group not in sections:
        raise ValidationError(
            {"group": ValidationError(_("There is no group of this name."), code="does_not_exist")}
        )
    if name == group:
        return
    if name in sections:
        sections[name] += sections.pop(group)
    else:
        sections = {name if one == group else one: fields for one, fields in sections.items()}
    for field in sections[name]:
        field.group = name
    _write(organisation, sections)


def in_sections(fields: Iterable[CustomField]) -> dict[str, list[CustomField]]:
    """These fields by their group, in the order of the form."""
    sections: dict[str, list[CustomField]] = {}
    for field in sorted(fields, key=lambda one: (one.position, one.pk)):
        sections.setdefault(field.group, []).append(field)
    return sections


def read_group(name: str) -> str:
    """A group's name as it is kept; empty for fields that stand in none. Raises ValidationError."""
    try:
        text = printable(name)
        if len(text) > GROUP_LENGTH or "\n" in text or "\r" in text:
            raise ValidationError(
                _("Give at most %(limit)d characters, on one line."),
                code="max_length",
                params={"limit": GROUP_LENGTH},
            )
    except ValidationError as error:
        raise ValidationError({"group": error}) from error
    return text


def _sections(organisation: Organisation) -> dict[str, list[CustomField]]:
    """All fields, archived ones too, locked in the order of their ids."""
    rows = CustomField.objects.for_organisation(organisation)
    return in_sections(rows.order_by("pk").select_for_update(of=("self",)))


def _take_out(sections: dict[str, list[CustomField]], field: CustomField) -> CustomField:
    for fields in sections.values():
        for one in fields:
            if one.pk == field.pk:
                fields.remove(one)
                return one
    raise CustomField.DoesNotExist


def _write(organisation: Organisation, sections: dict[str, list[CustomField]]) -> None:
    """Number the fields through in this order, and write those that moved."""
    moment = timezone.now()
    stored: dict[int, tuple[str, int]] = {
        pk: (group, position)
        for pk, group, position in CustomField.objects.for_organisation(organisation).values_list(
            "pk", "group", "position"
        )
    }
    moved: list[CustomField] = []
    ordered: Sequence[CustomField] = [one for fields in sections.values() for one in fields]
    for position, field in enumerate(ordered):
        field.position = position
        if stored[field.pk] != (field.group, position):
            field.updated_at = moment
            moved.append(field)
    CustomField.objects.for_organisation(organisation).bulk_update(
        moved, ["group", "position", "updated_at"]
    )
