"""Custom field definitions, and contacts' values, over the API."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from contacts.models import Contact
from contacts.serializers import find_contact
from crm.api.ordering import by
from crm.api.views import ApiView
from crm.api.viewsets import OrganisationViewSet
from customfields import services
from customfields.filtersets import CustomFieldFilterSet
from customfields.models import CustomField
from customfields.querysets import held_by
from customfields.serializers import (
    ANYTHING,
    CustomFieldSerializer,
    CustomFieldValueSerializer,
    WriteValueSerializer,
    told,
    told_of,
)


class CustomFieldViewSet(OrganisationViewSet[CustomField]):
    """The organisation's custom fields, in the order of its forms."""

    scope = "custom-fields"
    queryset = CustomField.objects.prefetch_related("options")
    serializer_class = CustomFieldSerializer
    filterset_class = CustomFieldFilterSet
    default_ordering = by("group", "position")
    orderings = {"name": "name", "label": "label", "createdAt": "created_at"}
    row_argument = "field"
    create_with = staticmethod(services.define)
    update_with = staticmethod(services.change)
    parameters = {
        "destroy": [
            {
                "name": "force",
                "description": "Delete the values that contacts have in it, too.",
                "schema": {"type": "boolean", "default": False},
            }
        ]
    }

    def perform_create(self, serializer: BaseSerializer[CustomField]) -> CustomField:
        given = {
            key: value for key, value in serializer.validated_data.items() if value is not None
        }
        return services.define(organisation=self.organisation, **given)

    def perform_destroy(self, instance: CustomField) -> None:
        services.remove(field=instance, force=self.parameter("force", False))


class OfContactView(ApiView):
    """Something of the contact of this address."""

    scope: ClassVar[str] = "contacts"

    def staff_model(self) -> tuple[str, str] | None:
        return "contacts", "contact"

    def contact(self) -> Contact:
        """The contact of this address, or the one that it was merged into."""
        contact = find_contact(self.organisation, self.kwargs["pk"])
        if contact is None:
            raise Http404
        contact.organisation = self.organisation
        return contact


class ContactValuesView(OfContactView):
    """What a contact has in its custom fields."""

    @extend_schema(responses=CustomFieldValueSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The values that are set, in the order of the fields."""
        return Response(told_of(self.contact()))

    @extend_schema(
        request={"application/json": {"type": "object", "additionalProperties": ANYTHING}},
        responses=CustomFieldValueSerializer(many=True),
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Write values by field name; null clears, others stay. Answers all values."""
        contact = self.contact()
        set_values(contact, request.data)
        return Response(told_of(contact))


class ContactValueView(OfContactView):
    """What a contact has in one custom field, by the field's name or id."""

    def field(self) -> CustomField:
        """The field of this address. One query."""
        named = self.kwargs["field"]
        fields = CustomField.objects.for_organisation(self.organisation)
        if named.isascii() and named.isdecimal():
            found = fields.filter(pk=named) if len(named) < 19 else fields.none()
        else:
            found = fields.filter(name=named)
        field = found.first()
        if field is None:
            raise Http404
        return field

    @extend_schema(responses=CustomFieldValueSerializer)
    def get(self, request: Request, pk: int, field: str) -> Response:
        """The value; 404 when it is unset."""
        return Response(self._told(self.contact(), self.field()))

    @extend_schema(
        request=WriteValueSerializer,
        responses={200: CustomFieldValueSerializer, 204: None},
    )
    def put(self, request: Request, pk: int, field: str) -> Response:
        """Set the value. Null clears it, as DELETE does: 204."""
        contact, found = self.contact(), self.field()
        body = self.body("value")
        if "value" not in body:
            raise serializers.ValidationError(
                {"value": [serializers.ErrorDetail("This field is required.", "required")]}
            )
        set_values(contact, {found.name: body["value"]})
        try:
            return Response(self._told(contact, found))
        except Http404:
            return Response(status=HTTPStatus.NO_CONTENT)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: int, field: str) -> Response:
        """Clear the value. A second time changes nothing."""
        set_values(self.contact(), {self.field().name: None})
        return Response(status=HTTPStatus.NO_CONTENT)

    def _told(self, contact: Contact, field: CustomField) -> dict[str, Any]:
        for held in held_by(contact):
            if held.name == field.name:
                return told(held)
        raise Http404


def set_values(contact: Contact, given: Any) -> None:
    """Write what was given; a contact that is gone by now is 404."""
    try:
        services.set_values(contact=contact, values=given)
    except Contact.DoesNotExist:
        raise Http404 from None
