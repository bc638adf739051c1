"""Writes fields of the contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from contacts import services
from contacts.models import Contact
from contacts.serializers import ContactSerializer
from contacts.services import values as values_of_contacts
from crm.api.errors import violations
from organisations.models import Organisation
from workflows import checks, inputs, texts
from workflows.steps.base import CleanContext, Done, Family, Moment, Outcome, Step, step
from workflows.words import Said, several


@step
class UpdateContact(Step):
    """`{"values": {"firstName": "Jane", "customFields": {"vip": true}}}`: as `PATCH /contacts/{id}`
    takes them. Texts may be templates, such as `{{ activity.booking.roomType }}`."""

    type = "update_contact"
    label = gettext_lazy("Change the contact")
    keys = frozenset({"values"})
    hint = gettext_lazy("Writes fields of the contact, custom fields too.")
    family = Family.CONTACT
    icon = "edit"
    form = (inputs.ContactValues("values", gettext_lazy("Fields"), required=True),)

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        values = dict(data["values"])
        values |= values.pop("customFields", {})
        return several([f"{name} = {value}" for name, value in values.items()])

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors = checks.Errors()
        values = data.get("values")
        if values is None or values == {}:
            errors["values"] = checks.required()
        elif not isinstance(values, dict):
            errors["values"] = checks.error(_("Give an object."), "not_an_object")
        else:
            with errors.at("values"):
                texts.check(values, context)
            plain = texts.without_templates(values)
            if not errors and plain:
                with errors.at("values"):
                    self._try(read(plain, context.organisation), context.organisation)
        errors.raise_if_any()

    def told(self, output: Mapping[str, Any]) -> str:
        values = dict(output["values"])
        values |= values.pop("customFields", None) or {}
        return ", ".join(f"{key}: {value}" for key, value in values.items())

    def _try(self, values: Mapping[str, Any], organisation: Organisation) -> None:
        """Raise ValidationError for what no contact could be given."""
        given = values_of_contacts.read(values)
        nobody = Contact(organisation=organisation)
        values_of_contacts.assign(nobody, given)
        values_of_contacts.clean_parts(organisation, nobody, given)

    def run(self, moment: Moment) -> Outcome:
        values = texts.render(moment.data["values"], moment)
        services.update(contact=moment.contact, values=read(values, moment.organisation))
        return Done({"values": values})


def read(values: Mapping[str, Any], organisation: Organisation) -> dict[str, Any]:
    """The values as the services take them, checked as the API checks them, custom fields
    included. Raises ValidationError by path."""
    serializer = ContactSerializer(
        data=values, partial=True, context={"organisation": organisation}
    )
    try:
        serializer.is_valid(raise_exception=True)
    except serializers.ValidationError as error:
        raise ValidationError(
            {
                one["propertyPath"]: ValidationError(one["message"], code=one["code"])
                for one in violations(error)
            }
        ) from None
    found: dict[str, Any] = serializer.validated_data
    return found
