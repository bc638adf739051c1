"""All that an organisation has, to be compared before and after."""

from __future__ import annotations

from typing import Any

from activities.models import Activity
from activities.reservations import KINDS
from contacts.models import Contact, Tag
from customfields.models import CustomField, CustomFieldValue
from organisations.models import Organisation

_MOMENTS = {"created_at", "updated_at", "changed_at", "search_text"}


def everything(organisation: Organisation) -> dict[str, Any]:
    """Contacts with all that hangs on them, activities, reservations, tags and custom fields."""
    contacts = Contact.objects.for_organisation(organisation).with_everything().order_by("pk")
    return {
        "contacts": {contact.pk: _contact(contact) for contact in contacts},
        "tags": sorted(Tag.objects.for_organisation(organisation).values_list("name", flat=True)),
        "values": sorted(
            CustomFieldValue.objects.for_organisation(organisation).values_list(
                "contact", "field__name", "unique_key"
            ),
            key=repr,
        ),
        "fields": {field.pk: _field(field) for field in _fields(organisation)},
        "activities": _rows(Activity, organisation),
        **{kind.name: _rows(kind.model, organisation) for kind in KINDS},
    }


def _contact(contact: Contact) -> dict[str, Any]:
    rollup = contact.rollup
    return {
        **_columns(contact),
        "search_text": contact.search_text,
        "tags": sorted(tag.name for tag in contact.tags.all()),
        "addresses": [str(address) + address.type for address in contact.addresses.all()],
        "values": sorted(
            (row.field_name, row.value_text, row.value_number, row.value_date, row.option_value)
            for row in contact.custom_field_values.all()
        ),
        "totals": _columns(rollup),
        "foreign": [
            (one.currency_code, one.amount) for one in contact.foreign_spend.all() if one.amount
        ],
    }


def _fields(organisation: Organisation) -> Any:
    return CustomField.objects.for_organisation(organisation).prefetch_related("options")


def _field(field: CustomField) -> dict[str, Any]:
    options = [(option.value, option.label) for option in field.choices.values()]
    return {**_columns(field), "options": options}


def _rows(model: Any, organisation: Organisation) -> dict[int, Any]:
    rows = model.objects.for_organisation(organisation).order_by("pk")
    return {row.pk: _columns(row) for row in rows}


def _columns(row: Any) -> dict[str, Any]:
    return {
        column.attname: getattr(row, column.attname)
        for column in row._meta.concrete_fields
        if column.name not in _MOMENTS
    }
