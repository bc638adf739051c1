"""The JSON of activities, bookings, reservations, types, and of how totals come about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as ModelError
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from activities.models import MAX_SPEND, Activity, ActivityType, Reservation
from activities.reservations import KINDS, Kind
from activities.types import BuiltIn
from contacts.rollups import Explanation, Total
from contacts.serializers import ContactSerializer
from crm.api.names import camel
from crm.api.references import parse_reference
from crm.api.serializers import CharField, DateTimeField, IntegerField, Serializer


class WholeNumberField(IntegerField):
    """A whole number that is given as one: `"45.00"` and `45.5` are refused, not rounded."""

    default_error_messages = {"invalid": _("This must be a whole number.")}

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return super().to_internal_value(data)


class MoneyField(WholeNumberField):
    """Money in the smallest unit of its currency."""

    default_error_messages = {
        "invalid": _("Use a whole number of the currency's smallest unit, such as 4500 for 45.00.")
    }


_CONTACT_REFERENCE = {
    "oneOf": [
        {"type": "integer"},
        {"type": "string", "example": "/api/contacts/1042"},
        {"$ref": "#/components/schemas/Contact"},
    ],
    "description": "An id or IRI, or an object by which the contact is found or created.",
}


@extend_schema_field(_CONTACT_REFERENCE)
class ContactField(serializers.Field[Any, Any, int, Any]):
    """Whose it is: an id, an IRI, or an object that identifies the contact. Told as the id.

    Whether there is such a contact is for the service to say, which must lock it anyway.
    """

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return reference(data, "contacts")
        nested = ContactSerializer(data=data, context=self.context)
        if not nested.is_valid():
            raise serializers.ValidationError(nested.errors)
        return nested.validated_data

    def get_attribute(self, instance: Any) -> int:
        found: int = instance.contact_id
        return found

    def to_representation(self, value: int) -> int:
        return value


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string"}], "example": 881})
class ForeignReferenceField(serializers.Field[str, Any, Any, Any]):
    """What another system calls a purchase or a gift card: a number, a text, or an IRI whose number
    is meant. A number is told as a number again."""

    default_error_messages = {"invalid": _("Use a number or a text.")}
    _IRI = re.compile(r"(?:https?://[^/]+)?(?:/api)?/[a-z_-]+/([0-9]{1,18})/?")

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, bool) or not isinstance(data, int | str):
            self.fail("invalid")
        text = str(data).strip()
        iri = self._IRI.fullmatch(text)
        return iri[1] if iri else text

    def to_representation(self, value: str) -> int | str:
        return as_given(value)


@extend_schema_field(
    {"oneOf": [{"type": "integer"}, {"type": "string"}], "description": "An id or an IRI."}
)
class InviteField(serializers.Field[int, Any, int, Any]):
    """A referral invite, by id or IRI. Whether it is there is for the service to say."""

    def to_internal_value(self, data: Any) -> int:
        return reference(data, "referral-invites")

    def get_attribute(self, instance: Any) -> Any:
        return instance.referral_invite_id

    def to_representation(self, value: int) -> int:
        return value


@extend_schema_field({"type": "object", "additionalProperties": {}})
class ObjectField(serializers.Field[dict[str, Any], Any, Any, Any]):
    """A JSON object."""

    default_error_messages = {"not_an_object": _("This must be a JSON object.")}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_an_object")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


def reference(data: Any, resource: str) -> int:
    """The id that is meant. Raises DRF's ValidationError."""
    try:
        return parse_reference(data, resource)
    except ModelError as error:
        raise serializers.ValidationError(error.messages, code=error.code) from None


def as_given(value: str) -> int | str:
    """A reference as its source gave it: a number where it is one."""
    return int(value) if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", value) else value


def _text(**kwargs: Any) -> CharField:
    return CharField(required=False, allow_null=True, allow_blank=True, **kwargs)


def _moment() -> DateTimeField:
    return DateTimeField(required=False, allow_null=True)


def _count() -> WholeNumberField:
    return WholeNumberField(required=False, allow_null=True, min_value=0, max_value=2**31 - 1)


class ReservationSerializer(Serializer):
    """What bookings and reservations have in common. Within an activity the id or IRI of one that
    is there may stand instead."""

    resource: ClassVar[str]

    id = IntegerField(read_only=True)
    contact = IntegerField(read_only=True, source="contact_id")
    status = _text(max_length=60)
    origin = _text(max_length=120)

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        fields["createdAt"] = DateTimeField(read_only=True, source="created_at")
        fields["updatedAt"] = DateTimeField(read_only=True, source="updated_at")
        return fields

    def to_internal_value(self, data: Any) -> Any:
        if self.parent is not None and isinstance(data, int | str):
            return reference(data, self.resource)
        return super().to_internal_value(data)

    def to_representation(self, instance: Reservation) -> dict[str, Any]:
        return represent_reservation(instance)


class BookingSerializer(ReservationSerializer):
    """A stay."""

    resource = "bookings"

    check_in = _moment()
    check_out = _moment()
    number_of_guests = _count()
    room_type = _text(max_length=120)
    room_name = _text(max_length=120)
    external_reference = _text(max_length=255)
    total = MoneyField(required=False, allow_null=True)
    currency_code = _text(max_length=3)
    customer_reference = _text(max_length=255)
    purpose = _text(max_length=120)
    channel_number = _text(max_length=255)


class GolfReservationSerializer(ReservationSerializer):
    """A tee time."""

    resource = "golf-reservations"

    holes = WholeNumberField(required=False, allow_null=True, min_value=0, max_value=2**15 - 1)
    start_time = _moment()
    origin_reference = _text(max_length=255)
    customer_booking_reference = _text(max_length=255)
    cancelled_at = _moment()
    course_id = _text(max_length=120)
    course_name = _text(max_length=200)


class TableReservationSerializer(ReservationSerializer):
    """A table at a restaurant."""

    resource = "table-reservations"

    start_time = _moment()
    party_size = _count()
    notes = _text()
    origin_reference = _text(max_length=255)
    customer_booking_reference = _text(max_length=255)
    cancelled_at = _moment()


def _told(kind: Kind) -> dict[str, str]:
    """The JSON keys of a reservation, with the attributes that they tell."""
    given = [column.name for column in kind.model._meta.concrete_fields]
    own = {camel(name): name for name in given if name in kind.columns}
    times = {"createdAt": "created_at", "updatedAt": "updated_at"}
    return {"id": "id", "contact": "contact_id", **own, **times}


_TOLD = {kind.model: _told(kind) for kind in KINDS}


def represent_reservation(row: Reservation) -> dict[str, Any]:
    """A booking or reservation as the API tells it: every key, null where it is unset."""
    told = {key: getattr(row, attribute) for key, attribute in _TOLD[type(row)].items()}
    return {key: None if value == "" else value for key, value in told.items()}


def represent(activity: Activity) -> dict[str, Any]:
    """An activity as the API tells it: every key, null where it is unset.

    No query for one that was read `with_reservations`. By hand, as for contacts.
    """
    booking = activity.booking if activity.booking_id else None
    golf = activity.golf_reservation if activity.golf_reservation_id else None
    table = activity.table_reservation if activity.table_reservation_id else None
    purchase, gift_card = activity.purchase, activity.gift_card
    return {
        "id": activity.pk,
        "contact": activity.contact_id,
        "type": activity.type,
        "source": activity.source,
        "happenedAt": activity.happened_at,
        "spend": activity.spend,
        "currencyCode": activity.currency_code,
        "externalReference": activity.external_reference,
        "booking": None if booking is None else represent_reservation(booking),
        "golfReservation": None if golf is None else represent_reservation(golf),
        "tableReservation": None if table is None else represent_reservation(table),
        "purchase": None if purchase is None else as_given(purchase),
        "giftCard": None if gift_card is None else as_given(gift_card),
        "referralInvite": activity.referral_invite_id,
        "data": activity.data,
        "createdAt": activity.created_at,
        "updatedAt": activity.updated_at,
    }


class ActivitySerializer(Serializer):
    """An activity. Which values can be taken is for the service to say: here are their shapes."""

    id = IntegerField(read_only=True)
    contact = ContactField()
    type = CharField(max_length=60)
    source = CharField(max_length=100)  # type: ignore[assignment]  # declared, not an attribute
    happened_at = DateTimeField()
    spend = MoneyField(
        required=False, allow_null=True, min_value=-MAX_SPEND, max_value=MAX_SPEND, default=0
    )
    currency_code = _text(max_length=3)
    external_reference = _text(max_length=255)
    booking = BookingSerializer(required=False, allow_null=True)
    golf_reservation = GolfReservationSerializer(required=False, allow_null=True)
    table_reservation = TableReservationSerializer(required=False, allow_null=True)
    purchase = ForeignReferenceField(required=False, allow_null=True)
    gift_card = ForeignReferenceField(required=False, allow_null=True)
    referral_invite = InviteField(required=False, allow_null=True)
    data = ObjectField(required=False, allow_null=True)  # type: ignore[assignment]  # likewise
    backfill = serializers.BooleanField(
        write_only=True,
        required=False,
        help_text=_("History: counted, but it starts no workflow and no webhook."),
    )
    created_at = DateTimeField(read_only=True)
    updated_at = DateTimeField(read_only=True)

    def to_representation(self, instance: Activity) -> dict[str, Any]:
        return represent(instance)


class ActivityBatchSerializer(Serializer):
    """The body of a batch, as it is described: each row is read by itself."""

    activities = ActivitySerializer(many=True)
    backfill = serializers.BooleanField(
        required=False, help_text=_("All of them are history, whatever each says.")
    )


class ChangeActivitySerializer(ActivitySerializer):
    """What may be corrected of an activity."""

    external_reference = CharField(read_only=True, allow_null=True)
    booking = BookingSerializer(read_only=True, allow_null=True)
    golf_reservation = GolfReservationSerializer(read_only=True, allow_null=True)
    table_reservation = TableReservationSerializer(read_only=True, allow_null=True)
    purchase = ForeignReferenceField(read_only=True, allow_null=True)
    gift_card = ForeignReferenceField(read_only=True, allow_null=True)
    referral_invite = InviteField(read_only=True, allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        del fields["backfill"]
        return fields


class ActivityTypeSerializer(Serializer):
    """A type of activity. Built-in ones have no id, and cannot be changed."""

    id = IntegerField(read_only=True, allow_null=True)
    name = CharField(max_length=60)
    counts_as_order = serializers.BooleanField(required=False)
    built_in = serializers.BooleanField(read_only=True)
    created_at = DateTimeField(read_only=True, allow_null=True)
    updated_at = DateTimeField(read_only=True, allow_null=True)

    def to_representation(self, instance: ActivityType | BuiltIn) -> dict[str, Any]:
        own = instance if isinstance(instance, ActivityType) else None
        return {
            "id": own and own.pk,
            "name": instance.name,
            "countsAsOrder": instance.counts_as_order,
            "builtIn": own is None,
            "createdAt": own and own.created_at,
            "updatedAt": own and own.updated_at,
        }


class TotalSerializer(Serializer):
    """A total: as it is stored, as the activities add up now, and how many of them are in it."""

    stored = IntegerField()
    recomputed = IntegerField()
    activities = IntegerField()


class MomentSerializer(Serializer):
    """The same, of a moment."""

    stored = DateTimeField(allow_null=True)
    recomputed = DateTimeField(allow_null=True)
    activities = IntegerField()


class RollupsSerializer(Serializer):
    """How a contact's totals come about."""

    contact = IntegerField()
    currency_code = CharField()
    order_types = serializers.ListField(child=CharField())
    total_spend = TotalSerializer()
    spend_by_currency = serializers.DictField(child=TotalSerializer())
    total_orders = TotalSerializer()
    last_interacted_at = MomentSerializer()
    last_order_at = MomentSerializer()


def represent_rollups(contact: int, currency_code: str, found: Explanation) -> dict[str, Any]:
    """`GET /contacts/{id}/rollups`."""

    def told(total: Total) -> dict[str, Any]:
        return total._asdict()

    totals = ("total_spend", "total_orders", "last_interacted_at", "last_order_at")
    return {
        "contact": contact,
        "currencyCode": currency_code,
        "orderTypes": list(found.order_types),
        "spendByCurrency": {code: told(total) for code, total in found.spend_by_currency.items()},
        **{camel(name): told(getattr(found, name)) for name in totals},
    }
