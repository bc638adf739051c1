"""What can be done to many contacts, and taken back. One more is one more class in `ACTIONS`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from contacts import services as contacts
from contacts.models import Contact, ContactTag, Tag
from contacts.querysets import ContactQuerySet
from contacts.services.tags import refuse_rules
from customfields import services as custom_fields
from customfields.models import CustomField
from customfields.services.contents import current_values
from organisations.models import Organisation

Told = Mapping[str, Any]
Before = Any


class Action:
    """One kind of change. Each method is called within a transaction, for one batch."""

    key: str
    permission = "contacts.change_contact"

    def title(self, told: Told) -> str:
        """What a job of it is called."""
        raise NotImplementedError

    def check(self, organisation: Organisation, told: Told) -> None:
        """Raise ValidationError or Conflict for what cannot be done to anybody."""

    def apply(
        self, organisation: Organisation, ids: Sequence[int], told: Told
    ) -> dict[int, Before]:
        """Change these contacts; answers those that it changed, with what undoing needs."""
        raise NotImplementedError

    def undo(
        self, organisation: Organisation, items: Mapping[int, Before], told: Told
    ) -> Iterable[int]:
        """Take it back, where it is still as it was left; answers where it was."""
        raise NotImplementedError


class PutTag(Action):
    """`{"name": "VIP"}`."""

    key = "tag"

    def title(self, told: Told) -> str:
        return _("Tag “%(name)s” put on") % told

    def check(self, organisation: Organisation, told: Told) -> None:
        tag, _created = contacts.create_tag(organisation=organisation, name=told["name"])
        refuse_rules([tag])

    def apply(
        self, organisation: Organisation, ids: Sequence[int], told: Told
    ) -> dict[int, Before]:
        lacking = set(ids) - _carriers(organisation, ids, told["name"])
        contacts.tag(contacts=_contacts(organisation, lacking), name=told["name"])
        return dict.fromkeys(lacking)

    def undo(
        self, organisation: Organisation, items: Mapping[int, Before], told: Told
    ) -> Iterable[int]:
        carriers = _carriers(organisation, items, told["name"])
        contacts.untag(contacts=_contacts(organisation, carriers), name=told["name"])
        return carriers


class TakeTag(Action):
    """`{"name": "VIP"}`."""

    key = "untag"

    def title(self, told: Told) -> str:
        return _("Tag “%(name)s” taken off") % told

    def check(self, organisation: Organisation, told: Told) -> None:
        refuse_rules(Tag.objects.for_organisation(organisation).named(told["name"]))

    def apply(
        self, organisation: Organisation, ids: Sequence[int], told: Told
    ) -> dict[int, Before]:
        carriers = _carriers(organisation, ids, told["name"])
        contacts.untag(contacts=_contacts(organisation, carriers), name=told["name"])
        return dict.fromkeys(carriers)

    def undo(
        self, organisation: Organisation, items: Mapping[int, Before], told: Told
    ) -> Iterable[int]:
        lacking = set(items) - _carriers(organisation, items, told["name"])
        contacts.tag(contacts=_contacts(organisation, lacking), name=told["name"])
        return lacking


class SetField(Action):
    """`{"field": "diet", "label": "Diet", "value": "Vegan"}`, the value in JSON's type; null
    clears."""

    key = "set"

    def title(self, told: Told) -> str:
        shown = told["value"] if told["value"] is not None else _("nothing")
        if isinstance(shown, list):
            shown = ", ".join(map(str, shown))
        return _("%(label)s set to %(value)s") % {"label": told["label"], "value": shown}

    def check(self, organisation: Organisation, told: Told) -> None:
        field = _field(organisation, told)
        if field.unique and told["value"] is not None:
            raise ValidationError(
                {"value": [_("No two contacts may have the same value in this field.")]}
            )
        if field.required and field.kind.is_blank(told["value"]):
            raise ValidationError({"value": [_("This field must have a value.")]})
        try:
            field.kind.parse(told["value"], field)
        except ValidationError as error:
            raise ValidationError({"value": error}) from error

    def apply(
        self, organisation: Organisation, ids: Sequence[int], told: Told
    ) -> dict[int, Before]:
        field = _field(organisation, told)
        self.check(organisation, told)
        value = field.kind.parse(told["value"], field)
        before = current_values(organisation, ids, [field])
        wanted = {pk: {field: value} for pk in ids}
        changed = custom_fields.set_values_bulk(organisation=organisation, values=wanted)
        return {pk: _typed(field, before.get(pk, {}).get(field.pk)) for pk in changed}

    def undo(
        self, organisation: Organisation, items: Mapping[int, Before], told: Told
    ) -> Iterable[int]:
        field = _field(organisation, told)
        value = field.kind.parse(told["value"], field)
        now = current_values(organisation, items, [field])
        same = [pk for pk in items if now.get(pk, {}).get(field.pk) == value]
        wanted = {pk: {field: _read(field, items[pk])} for pk in same}
        custom_fields.set_values_bulk(organisation=organisation, values=wanted)
        return same


ACTIONS: dict[str, Action] = {action.key: action for action in (PutTag(), TakeTag(), SetField())}


def _contacts(organisation: Organisation, ids: Iterable[int]) -> ContactQuerySet:
    found: ContactQuerySet = Contact.objects.for_organisation(organisation).filter(pk__in=ids)
    return found


def _carriers(organisation: Organisation, ids: Iterable[int], name: str) -> set[int]:
    """Those of these contacts that carry the tag."""
    tags = Tag.objects.for_organisation(organisation).named(name)
    links = ContactTag.objects.for_organisation(organisation).filter(tag__in=tags)
    return set(links.filter(contact__in=list(ids)).values_list("contact_id", flat=True))


def _field(organisation: Organisation, told: Told) -> CustomField:
    """Raises ValidationError when it is gone."""
    fields = CustomField.objects.for_organisation(organisation).active()
    field = fields.prefetch_related("options").filter(name=told["field"]).first()
    if field is None:
        raise ValidationError({"field": [_("There is no such custom field any more.")]})
    field.organisation = organisation
    return field


def _typed(field: CustomField, value: Any) -> Any:
    # A number as text: JSON's would round it.
    return None if value is None else field.kind.text(value)


def _read(field: CustomField, before: Any) -> Any:
    return None if before is None else field.kind.read(before, field)
