"""What custom fields add to a contact."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Prefetch
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.serializers import Field

from contacts.models import Contact, Merge, MergedRow
from contacts.parts import ContactPart, Sorting
from contacts.querysets import ContactQuerySet
from crm.errors import Conflict
from customfields import filters, services, values
from customfields.definitions import Parsed
from customfields.models import VALUE_COLUMNS, CustomField, CustomFieldValue
from customfields.operators import OPERATORS
from customfields.querysets import held_by, held_in
from customfields.serializers import CustomFieldsField, CustomFieldValuesField, told
from organisations.models import Organisation


@dataclass(frozen=True, slots=True)
class Wanted:
    """Values to be written to a contact; a new one has none yet."""

    values: Parsed
    is_new: bool


class CustomFieldsPart(ContactPart):
    """`customFieldValues` and `customFields` of a contact; `customField[NAME]` of the list."""

    name = "custom fields"

    # Telling.

    def fields(self) -> Mapping[str, Field[Any, Any, Any, Any]]:
        return {
            "customFieldValues": CustomFieldValuesField(read_only=True),
            "customFields": CustomFieldsField(required=False, allow_null=True),
        }

    def written_keys(self) -> frozenset[str]:
        return frozenset({"customFields"})

    def prefetch(self) -> Iterable[Prefetch[Any]]:
        rows = CustomFieldValue.objects.across_organisations().with_field()
        return [Prefetch("custom_field_values", rows)]

    def represent(self, contact: Contact) -> Mapping[str, Any]:
        held = held_by(contact)
        return {
            "customFieldValues": [told(one) for one in held],
            "customFields": {one.name: one.typed for one in held},
        }

    # Writing.

    def clean(
        self, organisation: Organisation, contact: Contact | None, given: Mapping[str, Any]
    ) -> Wanted:
        parsed = services.clean(
            organisation=organisation,
            contact_id=contact.pk if contact is not None else None,
            given=_given(given),
        )
        return Wanted(parsed, is_new=contact is None)

    def clean_many(
        self,
        organisation: Organisation,
        rows: Sequence[tuple[Contact | None, Mapping[str, Any]]],
    ) -> list[Wanted | ValidationError]:
        cleaned = services.clean_many(
            organisation=organisation,
            rows=[
                (contact.pk if contact is not None else None, _given(given))
                for contact, given in rows
            ],
        )
        return [
            one if isinstance(one, ValidationError) else Wanted(one, is_new=contact is None)
            for one, (contact, _given_values) in zip(cleaned, rows, strict=True)
        ]

    def write(self, contact: Contact, cleaned: Wanted) -> Collection[str]:
        return self.write_many([(contact, cleaned)]).get(contact.pk, ())

    def write_many(self, rows: Sequence[tuple[Contact, Wanted]]) -> Mapping[int, Collection[str]]:
        if not rows:
            return {}
        return services.write(
            rows[0][0].organisation,
            {contact.pk: wanted.values for contact, wanted in rows},
            new={contact.pk for contact, wanted in rows if wanted.is_new},
        )

    # Their history.

    def labels(self, organisation: Organisation) -> Mapping[str, str]:
        fields = CustomField.objects.for_organisation(organisation).order_by("label", "pk")
        named = fields.values_list("name", "label")
        return {services.json_name(name): label for name, label in named}

    def texts(self, contact: Contact) -> Mapping[str, str]:
        return {services.json_name(one.name): one.text for one in held_by(contact)}

    # Merging. The survivor gets copies of what it lacks, so that the absorbed contact's own rows
    # stay as they were, to be its own again. A unique value goes with the copy.

    def merge(self, merge: Merge) -> Mapping[str, Sequence[Any]]:
        own = _rows(merge, merge.absorbed)
        lacking = own.exclude(field__in=_rows(merge, merge.survivor).values("field"))
        copies = list(lacking)
        own.filter(unique_key__isnull=False).update(unique_key=None)
        for copy in copies:
            copy.pk = None
            copy._state.adding = True
            copy.contact = merge.survivor
        CustomFieldValue.objects.bulk_create(copies)
        MergedRow.objects.bulk_create(
            MergedRow(merge=merge, part=self.name, row_id=copy.pk) for copy in copies
        )
        if not copies:
            return {}
        gained = _rows(merge, merge.survivor).filter(pk__in=[copy.pk for copy in copies])
        return {name: [None, text] for name, text in _texts(gained).items()}

    def unmerge(self, merge: Merge) -> Mapping[str, Sequence[Any]]:
        copied = MergedRow.objects.filter(merge=merge, part=self.name).values("row_id")
        copies = _rows(merge, merge.survivor).filter(pk__in=copied)
        there = _contents(_rows(merge, merge.survivor))
        own = _contents(_rows(merge, merge.absorbed))
        # What was changed since is the survivor's own by now.
        unchanged = [
            field
            for field in set(copies.values_list("field", flat=True))
            if there.get(field) == own.get(field)
        ]
        lost = copies.filter(field__in=unchanged)
        told = {name: [text, None] for name, text in _texts(lost).items()} if unchanged else {}
        lost.delete()
        self._return_unique_keys(merge)
        return told

    def _return_unique_keys(self, merge: Merge) -> None:
        for row in _rows(merge, merge.absorbed).filter(field__unique=True).select_related("field"):
            row.unique_key = values.unique_key_of(row)
            others = CustomFieldValue.objects.filter(
                organisation=merge.organisation_id, field=row.field, unique_key=row.unique_key
            )
            taken = list(others.exclude(pk=row.pk).values_list("contact", flat=True))
            if taken:
                raise Conflict(
                    _(
                        "Contact %(taken)d now has the %(label)s of contact %(absorbed)d, which "
                        "is unique. Change it there first."
                    )
                    % {
                        "taken": taken[0],
                        "label": row.field.label,
                        "absorbed": merge.absorbed_id,
                    },
                    taken,
                )
            row.save(update_fields=["unique_key"])

    def redact(self, contact: Contact) -> None:
        contact.custom_field_values.all().delete()

    def erase(self, contact: Contact) -> None:
        contact.custom_field_values.all().delete()

    # The list.

    def parameters(self) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "name": "customField",
                "description": gettext_lazy(
                    "By a custom field: customField[NAME]=value, or "
                    "customField[NAME][OPERATOR]=value with an operator that the field's type has."
                ),
                "schema": {
                    "type": "object",
                    "additionalProperties": {
                        "oneOf": [
                            {"type": "string"},
                            {
                                "type": "object",
                                "properties": {name: {"type": "string"} for name in OPERATORS},
                                "additionalProperties": False,
                            },
                        ]
                    },
                },
                "style": "deepObject",
                "explode": True,
            },
        ]

    def claims(self, parameter: str) -> bool:
        return filters.claims(parameter)

    def narrow(
        self,
        contacts: ContactQuerySet,
        organisation: Organisation,
        parameters: Mapping[str, Sequence[str]],
    ) -> ContactQuerySet:
        return filters.narrow(contacts, organisation, parameters)

    def sorting(
        self, contacts: ContactQuerySet, organisation: Organisation, name: str
    ) -> Sorting | None:
        return filters.sorting(contacts, organisation, name)


def _given(given: Mapping[str, Any]) -> Any:
    """What was sent as `customFields`; null there changes nothing, as when it is left out."""
    sent = given.get("customFields")
    return {} if sent is None else sent


def _rows(merge: Merge, contact: Contact) -> Any:
    return CustomFieldValue.objects.filter(organisation=merge.organisation_id, contact=contact)


def _texts(rows: Any) -> dict[str, str]:
    """What rows of one contact say, by the names of its JSON."""
    return {services.json_name(one.name): one.text for one in held_in(rows.with_field())}


def _contents(rows: Any) -> dict[int, set[tuple[Any, ...]]]:
    """What the rows of each field hold, comparable."""
    contents: dict[int, set[tuple[Any, ...]]] = {}
    for field, *cells in rows.values_list("field", *VALUE_COLUMNS):
        contents.setdefault(field, set()).add(tuple(cells))
    return contents
