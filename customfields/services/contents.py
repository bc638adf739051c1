"""What contacts have in their custom fields: checking and setting it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from contacts.history import recording
from contacts.history.recording import Pair
from contacts.models import Contact
from contacts.services import news
from contacts.services.locks import locked, settling
from contacts.services.profiles import redacted
from customfields import values as storage
from customfields.definitions import Definitions, Parsed, path
from customfields.models import CustomField, CustomFieldValue
from customfields.querysets import held_by
from organisations.models import Organisation

Wanted = tuple[int | None, Any]
"""A contact's id, None for one about to be created; and what was given for it."""


def clean(*, organisation: Organisation, contact_id: int | None, given: Any) -> Parsed:
    """What `given`, `{name: value}`, asks to write to the contact, all rules checked.

    For a contact about to be created (None) defaults and required fields count. Raises
    ValidationError by `custom_fields.NAME`. One query; one more each when there are options,
    unique values, archived fields.
    """
    (cleaned,) = clean_many(organisation=organisation, rows=[(contact_id, given)])
    if isinstance(cleaned, ValidationError):
        raise cleaned
    return cleaned


def clean_many(
    *,
    organisation: Organisation,
    rows: Sequence[Wanted],
    definitions: Definitions | None = None,
) -> list[Parsed | ValidationError]:
    """`clean` for each of `rows`, with the queries of one; what is wrong with a row stands in its
    place. Rows are checked against one another too: of two that want the same unique value the
    later is refused."""
    definitions = definitions or Definitions.held(organisation)
    cleaned: list[Parsed | ValidationError] = []
    for contact_id, given in rows:
        try:
            cleaned.append(definitions.parse(given, creating=contact_id is None))
        except ValidationError as error:
            cleaned.append(error)
    ids = [contact_id for contact_id, _given in rows]
    for check in (_refuse_archived, _refuse_taken):
        good = [
            (index, ids[index], parsed)
            for index, parsed in enumerate(cleaned)
            if not isinstance(parsed, ValidationError)
        ]
        for index, errors in check(organisation, good).items():
            cleaned[index] = ValidationError(
                {path(field.name): error for field, error in errors.items()}
            )
    return cleaned


_Rows = Sequence[tuple[int, int | None, Parsed]]
_Errors = dict[int, dict[CustomField, ValidationError]]


def _refuse_archived(organisation: Organisation, rows: _Rows) -> _Errors:
    """Archived fields are read-only. What is there already may be sent back, and is dropped."""
    archived = {
        field for _index, _id, parsed in rows for field in parsed if field.archived_at is not None
    }
    if not archived:
        return {}
    there = current_values(
        organisation, {pk for _index, pk, _parsed in rows if pk is not None}, archived
    )
    errors: _Errors = {}
    for index, contact_id, parsed in rows:
        has = there.get(contact_id, {}) if contact_id is not None else {}
        for field in archived & parsed.keys():
            if parsed.pop(field) != has.get(field.pk):
                errors.setdefault(index, {})[field] = ValidationError(
                    _("%(label)s is archived: bring it back before writing to it."),
                    code="archived",
                    params={"label": field.label},
                )
    return errors


def _refuse_taken(organisation: Organisation, rows: _Rows) -> _Errors:
    """A unique value of another contact, or of an earlier row."""
    wanted = [
        (index, contact_id, field, key)
        for index, contact_id, parsed in rows
        for field, value in parsed.items()
        if field.unique and value is not None
        for key in storage.unique_keys(field, value)
    ]
    if not wanted:
        return {}
    there = CustomFieldValue.objects.for_organisation(organisation).filter(
        field__in={field for _index, _id, field, _key in wanted},
        unique_key__in={key for _index, _id, _field, key in wanted},
    )
    owners: dict[tuple[int, str | None], int] = {
        (field_id, key): contact_id
        for field_id, key, contact_id in there.values_list("field", "unique_key", "contact")
    }
    earlier: dict[tuple[int, str], int] = {}
    errors: _Errors = {}
    for index, contact_id, field, key in wanted:
        owner = owners.get((field.pk, key))
        if owner is not None and owner != contact_id:
            errors.setdefault(index, {})[field] = ValidationError(
                _("Contact %(id)d has this %(label)s already; it is unique."),
                code="unique",
                params={"id": owner, "label": field.label},
            )
        elif earlier.setdefault((field.pk, key), index) != index:
            errors.setdefault(index, {})[field] = ValidationError(
                _("Row %(row)d has this %(label)s already; it is unique."),
                code="unique",
                params={"row": earlier[field.pk, key], "label": field.label},
            )
    return errors


def current_values(
    organisation: Organisation, contact_ids: Collection[int], fields: Collection[CustomField]
) -> dict[int, dict[int, Any]]:
    """What these contacts have in these fields, parsed: by contact id, then by field id. One query
    for any number of contacts."""
    rows = CustomFieldValue.objects.for_organisation(organisation).with_field()
    by_place: dict[tuple[int, int], list[Any]] = {}
    kinds = {field.pk: field.kind for field in fields}
    for row in rows.filter(contact__in=contact_ids, field__in=fields):
        by_place.setdefault((row.contact_id, row.field_id), []).append(row)
    values: dict[int, dict[int, Any]] = {}
    for (contact_id, field_id), group in by_place.items():
        values.setdefault(contact_id, {})[field_id] = kinds[field_id].from_rows(group)
    return values


@settling
def set_values(*, contact: Contact, values: Mapping[str, Any]) -> bool:
    """Write `{name: value}` to the contact's custom fields; null clears, other fields stay. True
    when anything changed.

    Two at once take turns. A contact that was merged meanwhile is changed where it is now. Raises
    ValidationError by `custom_fields.NAME`, with nothing written; DoesNotExist for a contact that
    is gone; Conflict for a redacted one. Nine queries for any number of plain values.
    """
    current = locked(contact)
    if current.redacted_at is not None:
        raise redacted(current)
    parsed = clean(organisation=current.organisation, contact_id=current.pk, given=values)
    told = write(current.organisation, {current.pk: parsed})
    recording.changed(current.organisation, told)
    news.updated(current.organisation, told)
    return bool(told)


@transaction.atomic
def set_values_bulk(
    *, organisation: Organisation, values: Mapping[int, Mapping[CustomField, Any]]
) -> set[int]:
    """Write parsed values, as `clean_many` or `Definitions.parse` answered them, to many contacts
    by id; None clears. Answers the ids of those that changed, whose `updatedAt` moves.

    Seven statements at most, however many contacts. Raises IntegrityError when a unique value was
    taken meanwhile: nothing is written then, and `clean_many` says whose it is.
    """
    told = write(organisation, values)
    recording.changed(organisation, told)
    news.updated(organisation, told)
    return set(told)


def write(
    organisation: Organisation,
    values: Mapping[int, Mapping[CustomField, Any]],
    *,
    new: Collection[int] = (),
) -> dict[int, dict[str, Pair]]:
    """Write parsed values to contacts by id, and nothing else: the callers tell of it.

    Answers what differs from before, as `{id: {name of the JSON: [before, after]}}`, texts. One
    query to know what was there, for contacts that are not `new`, and those of `values.write`.
    """
    old = [pk for pk, wanted in values.items() if wanted and pk not in new]
    fields = {field for pk in old for field in values[pk]}
    there = current_values(organisation, old, fields) if old else {}
    changed = storage.write(organisation, values.items())
    return {
        pk: {
            json_name(field.name): [
                _text(field, there.get(pk, {}).get(field.pk)),
                _text(field, value),
            ]
            for field, value in values[pk].items()
            if field.pk in ids
        }
        for pk, ids in changed.items()
    }


def json_name(name: str) -> str:
    """A field's name as news and the history of contacts call it."""
    return f"customFields.{name}"


def _text(field: CustomField, value: Any) -> str | None:
    return None if value is None else field.kind.text(value)


def typed_values(contact: Contact) -> dict[str, Any]:
    """The contact's values by field name, in JSON's types."""
    return {held.name: held.typed for held in held_by(contact)}
