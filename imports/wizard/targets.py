"""The fields that a column may be, as the wizard offers them.

A choice is a target in the terms of `imports.headers` (`email_address`, `addresses.0.city`,
`custom_fields.diet`), or one of the marks below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from activities.models import Activity
from activities.reservations import KINDS
from contacts.models import Address, Contact
from contacts.services.values import ADDRESS_COLUMNS
from customfields.models import CustomField
from customfields.types import TYPES
from imports.activities.columns import RESERVATIONS
from imports.headers import (
    IGNORE,
    Vocabulary,
    activity_vocabulary,
    add_custom_fields,
    contact_vocabulary,
    plain,
)
from imports.wizard.models import Upload
from organisations.models import Organisation

NEW = "new"
"""A custom field that is to be made."""
KEPT = "data"
"""Kept with the activity, under the column's own name."""

CUSTOM = "custom_fields."
_OFFERED_ADDRESSES = 2
_OF_CONTACT = (
    "email_address",
    "phone_number",
    "phone_number_country_code",
    "first_name",
    "last_name",
    "name",
)
_OF_ACTIVITY = (
    "type",
    "source",
    "happened_at",
    "spend",
    "currency_code",
    "external_reference",
    "purchase",
    "gift_card",
    "referral_invite",
)

Group = tuple[str, list[tuple[str, str]]]
"""A heading, and targets with their labels."""


@dataclass(frozen=True)
class Fields:
    """What the columns of one kind of file may be in an organisation. One query."""

    kind: str
    vocabulary: Vocabulary
    custom: Sequence[CustomField]

    @classmethod
    def of(cls, organisation: Organisation, kind: str) -> Fields:
        if kind == Upload.Kind.ACTIVITIES:
            return cls(kind, activity_vocabulary(RESERVATIONS), ())
        vocabulary = contact_vocabulary()
        fields = list(CustomField.objects.for_organisation(organisation).order_by("-pk"))
        active = [field for field in fields if field.archived_at is None]
        add_custom_fields(vocabulary, [(field.name, field.label) for field in active])
        for field in fields:
            if field.archived_at is not None:
                hint = _(
                    "it is a custom field that is archived: bring it back before writing to it."
                )
                vocabulary.read_only |= dict.fromkeys((plain(field.name), plain(field.label)), hint)
        return cls(kind, vocabulary, sorted(active, key=lambda one: (one.position, one.pk)))

    @property
    def makes_fields(self) -> bool:
        """Whether custom fields can be made of columns."""
        return self.kind == Upload.Kind.CONTACTS

    def groups(self, may_make: bool) -> list[Group]:
        """All that can be chosen."""
        groups = list(_contact_groups() if self.makes_fields else _activity_groups())
        if self.custom:
            own = [(f"{CUSTOM}{field.name}", field.label) for field in self.custom]
            groups.append((_("Custom fields"), own))
        if self.makes_fields and may_make:
            groups.append((_("Not there yet"), [(NEW, _("New custom field …"))]))
        return groups

    def labels(self) -> dict[str, str]:
        """What the targets are called, by target."""
        return {target: label for _heading, pairs in self.groups(True) for target, label in pairs}

    def name_of(self, target: str, header: str) -> str:
        """The name by which `imports.headers` knows this target."""
        head, _dot, rest = target.partition(".")
        if target == KEPT:
            return f"data.{header}"
        if head == "custom_fields":
            return f"customFields.{rest}"
        if head == "addresses" and rest:
            place, _dot, part = rest.partition(".")
            return f"address{'' if place == '0' else int(place) + 1}.{part}"
        return target

    def mapping(self, columns: Mapping[str, str]) -> dict[str, str]:
        """The mapping that the engine is given: every column is said, so that it guesses none."""
        return {
            header: IGNORE if target == IGNORE else self.name_of(target, header)
            for header, target in columns.items()
            if target != NEW
        }


def new_field_types() -> list[tuple[str, str]]:
    """The types of custom field that can be made of a column. One with options is not: a value that
    comes later would be none of them."""
    return [(name, str(kind.label)) for name, kind in TYPES.items() if not kind.has_options]


def target_of(path: str, kind: str, targets: Sequence[str]) -> str | None:
    """Which of the file's targets an error's path (`addresses[0].country`) is about."""
    dotted = path.replace("[", ".").replace("]", "")
    known = {_api(target): target for target in targets}
    while dotted:
        for candidate in (dotted, f"contact.{dotted}" if kind == Upload.Kind.ACTIVITIES else ""):
            if candidate in known:
                return known[candidate]
        dotted = dotted.rpartition(".")[0]
    if path == "contact" and "contact.id" in targets:
        return "contact.id"
    return None


def _api(target: str) -> str:
    from crm.api.names import camel_path

    return camel_path(target)


def _label(model: Any, column: str) -> str:
    name = str(model._meta.get_field(column).verbose_name)
    return name[:1].upper() + name[1:]


def _contact_groups() -> Iterator[Group]:
    texts = [(column, _label(Contact, column)) for column in (*_OF_CONTACT, "dob", "kind")]
    yield (
        _("Contact"),
        [
            *texts,
            ("timezone", _label(Contact, "timezone")),
            ("tags", _("Tags")),
            ("id", _("The contact's id here")),
        ],
    )
    for place in range(_OFFERED_ADDRESSES):
        heading = _("Address") if place == 0 else _("Second address")
        parts = [(f"addresses.{place}.{part}", _label(Address, part)) for part in ADDRESS_COLUMNS]
        yield heading, parts


def _activity_groups() -> Iterator[Group]:
    yield (
        _("Activity"),
        [
            *((column, _label(Activity, column)) for column in _OF_ACTIVITY),
            (KEPT, _("Kept with the activity")),
        ],
    )
    yield (
        _("Contact"),
        [
            *((f"contact.{column}", _label(Contact, column)) for column in _OF_CONTACT),
            ("contact.id", _("The contact's id here")),
        ],
    )
    for kind in KINDS:
        name = str(kind.model._meta.verbose_name)
        heading = name[:1].upper() + name[1:]
        yield (
            heading,
            [
                (f"{kind.name}.{column}", _label(kind.model, column))
                for column in RESERVATIONS[kind.name]
            ],
        )
