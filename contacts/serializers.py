"""The JSON of contacts, tags and referral invites."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers

from contacts import details
from contacts.models import Contact, ReferralInvite, Tag
from contacts.parts import PARTS
from crm.api.serializers import (
    CharField,
    DateTimeField,
    IntegerField,
    ModelSerializer,
    ReferenceField,
    Serializer,
)
from organisations.models import Organisation


def find_contact(organisation: Organisation, pk: int) -> Contact | None:
    """The contact of this id, or the one that it was merged into."""
    try:
        return Contact.objects.for_organisation(organisation).resolve(pk)
    except Contact.DoesNotExist:
        return None


class AddressSerializer(Serializer):
    """A postal address."""

    type = CharField(max_length=30, required=False, allow_blank=True)
    line1 = CharField(max_length=200, required=False, allow_blank=True)
    line2 = CharField(max_length=200, required=False, allow_blank=True)
    city = CharField(max_length=120, required=False, allow_blank=True)
    county = CharField(max_length=120, required=False, allow_blank=True)
    postcode = CharField(max_length=20, required=False, allow_blank=True)
    country = CharField(
        max_length=2, required=False, allow_blank=True, help_text=_("ISO 3166-1 alpha-2.")
    )


class TagSerializer(ModelSerializer[Tag]):
    """A tag."""

    class Meta:
        model = Tag
        fields = ["id", "name", "kind", "createdAt"]
        read_only_fields = ["id", "kind", "createdAt"]


class TagsField(serializers.Field[list[str], Any, Any, Any]):
    """Tags by name: `["VIP"]`, or the objects that a contact was read with."""

    default_error_messages = {
        "not_a_list": _("Give an array of names."),
        "no_name": _("Give a name, or an object with a name."),
    }

    def to_internal_value(self, data: Any) -> list[str]:
        if not isinstance(data, list):
            self.fail("not_a_list")
        names = []
        for tag in data:
            name = tag.get("name") if isinstance(tag, Mapping) else tag
            if not isinstance(name, str):
                self.fail("no_name")
            names.append(name)
        return names

    def to_representation(self, value: Any) -> Any:
        return [{"id": tag.pk, "name": tag.name, "kind": tag.kind} for tag in value.all()]


class TagsFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Objects in answers; names or objects in requests."""

    target_class = TagsField

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """The field's JSON schema in one direction."""
        name = {"type": "string", "minLength": 1, "maxLength": 100}
        tag = {
            "type": "object",
            "properties": {
                "id": {"type": "integer"},
                "name": name,
                "kind": {"type": "string", "enum": Tag.Kind.values},
            },
            "required": ["name"] if direction == "request" else ["id", "name", "kind"],
        }
        items = {"anyOf": [name, tag]} if direction == "request" else tag
        return {"type": "array", "items": items}


class ContactSerializer(Serializer):
    """A contact. Which values can be taken is for the service to say: here are their shapes."""

    id = IntegerField(read_only=True)
    kind = serializers.ChoiceField(Contact.Kind.choices, required=False, allow_null=True)
    email_address = CharField(max_length=254, required=False, allow_null=True, allow_blank=True)
    phone_number = CharField(max_length=40, required=False, allow_null=True, allow_blank=True)
    phone_number_country_code = CharField(
        max_length=5, required=False, allow_null=True, allow_blank=True
    )
    phone_number_e164 = CharField(read_only=True, allow_null=True)
    first_name = CharField(max_length=150, required=False, allow_null=True, allow_blank=True)
    last_name = CharField(max_length=150, required=False, allow_null=True, allow_blank=True)
    name = CharField(max_length=310, required=False, allow_null=True, allow_blank=True)
    dob = serializers.DateField(required=False, allow_null=True)
    timezone = CharField(max_length=64, required=False, allow_null=True)
    # `many=True` would hand `allow_null` to each address too.
    addresses: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=AddressSerializer(), required=False, allow_null=True
    )
    tags = TagsField(required=False, allow_null=True)
    total_spend = IntegerField(read_only=True)
    spend_by_currency = serializers.DictField(child=IntegerField(), read_only=True)
    total_orders = IntegerField(read_only=True)
    last_interacted_at = DateTimeField(read_only=True, allow_null=True)
    recency = IntegerField(read_only=True, allow_null=True, min_value=1, max_value=5)
    frequency = IntegerField(read_only=True, allow_null=True, min_value=1, max_value=5)
    monetary = IntegerField(read_only=True, allow_null=True, min_value=1, max_value=5)
    referral_invites = serializers.ListField(child=IntegerField(), read_only=True)
    created_at = DateTimeField(read_only=True)
    updated_at = DateTimeField(read_only=True)
    redacted_at = DateTimeField(read_only=True, allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        first = {
            "id": fields.pop("id"),
            "organisation": IntegerField(read_only=True, source="organisation_id"),
        }
        theirs = {name: field for part in PARTS for name, field in part.fields().items()}
        return {**first, **fields, **theirs}

    def to_representation(self, instance: Contact) -> dict[str, Any]:
        return details.told([instance], self.organisation.currency_code)[0]


class ContactBatchSerializer(Serializer):
    """The body of a batch, as it is described: each row is read by itself."""

    contacts = ContactSerializer(many=True)


class OtherContactSerializer(Serializer):
    """The body of merge and unmerge: which contact is meant, merged or not."""

    contact = ReferenceField("contacts", Contact.objects)


class ReferralInviteSerializer(ModelSerializer[ReferralInvite]):
    """A referral invite."""

    contact = ReferenceField("contacts", find=find_contact)
    completed_by = ReferenceField("contacts", find=find_contact, required=False, allow_null=True)
    email_address = CharField(max_length=254, required=False, allow_null=True, allow_blank=True)
    code = CharField(max_length=40, required=False, allow_blank=True)

    class Meta:
        model = ReferralInvite
        fields = [
            "id",
            "contact",
            "emailAddress",
            "code",
            "status",
            "completedBy",
            "createdAt",
            "completedAt",
        ]
        read_only_fields = ["id", "createdAt", "completedAt"]


class ChangeReferralInviteSerializer(ReferralInviteSerializer):
    """What may change of a referral invite once it is there."""

    contact = ReferenceField("contacts", read_only=True)
    code = CharField(read_only=True)
