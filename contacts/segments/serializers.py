"""The JSON of segments, of previews, and of what became of each condition."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from contacts.rules.api import RulesField
from contacts.segments.models import Segment
from contacts.serializers import TagSerializer
from crm.api.serializers import (
    CharField,
    DateTimeField,
    IntegerField,
    ModelSerializer,
    Serializer,
)


class SegmentSerializer(ModelSerializer[Segment]):
    """A segment."""

    name = CharField(max_length=100, help_text=_("Also the name of its tag."))
    rules = RulesField()
    contact_count = IntegerField(read_only=True, help_text=_("How many contacts carry its tag."))
    tag = TagSerializer(read_only=True)
    status = serializers.ChoiceField(
        Segment.Status.choices,
        read_only=True,
        help_text=_("`refreshing` while all contacts are looked through after a change."),
    )
    error = CharField(
        read_only=True, help_text=_("Why its rule cannot be followed any more, when `broken`.")
    )
    refreshed_at = DateTimeField(read_only=True, allow_null=True)

    class Meta:
        model = Segment
        fields = [
            "id",
            "name",
            "rules",
            "contactCount",
            "tag",
            "status",
            "error",
            "refreshedAt",
            "createdAt",
            "updatedAt",
        ]
        read_only_fields = ["id", "createdAt", "updatedAt"]


class RulesSerializer(Serializer):
    """The body of a preview."""

    rules = RulesField()


class NamedContactSerializer(Serializer):
    """A contact by name."""

    id = IntegerField()
    name = CharField(allow_blank=True)
    email_address = CharField(allow_null=True)


class PreviewSerializer(Serializer):
    """For how many contacts a rule holds, and some of them."""

    count = IntegerField(
        allow_null=True, help_text=_("At most 10,000; null when counting took too long.")
    )
    more = serializers.BooleanField(help_text=_("Whether there are more than `count`."))
    contacts = NamedContactSerializer(many=True)


class FindingSerializer(Serializer):
    """What became of one condition."""

    path = CharField(help_text=_("Where it stands in the rule, such as `all.0`."))
    field = CharField()
    label = CharField()  # type: ignore[assignment]  # declared, not an attribute
    operator = CharField()
    operator_label = CharField()
    value = serializers.JSONField(allow_null=True)
    found = serializers.JSONField(
        allow_null=True, help_text=_("What the contact has there: null, a value, or several.")
    )
    holds = serializers.BooleanField()
    said = CharField(help_text=_("The condition in words."))
    found_said = CharField(allow_blank=True, help_text=_("`found` in words."))


class MembershipSerializer(Serializer):
    """How a contact stands to a segment."""

    segment = IntegerField()
    name = CharField()
    member = serializers.BooleanField(help_text=_("Whether it carries the segment's tag."))
    holds = serializers.BooleanField(
        allow_null=True, help_text=_("Whether the rule holds now; null when it is broken.")
    )
    clauses = FindingSerializer(many=True)


def _objects(**properties: Any) -> dict[str, Any]:
    return {
        "type": "array",
        "items": {"type": "object", "properties": properties, "required": sorted(properties)},
    }


_TEXT = {"type": "string"}
_OPERATORS = _objects(operator=_TEXT, label=_TEXT, value=_TEXT)
_CHOICES = _objects(value=_TEXT, label=_TEXT)

RULE_FIELDS: dict[str, Any] = {
    "type": "object",
    "required": ["fields", "activities"],
    "properties": {
        "fields": _objects(
            field=_TEXT,
            label=_TEXT,
            group=_TEXT,
            type=_TEXT,
            operators=_OPERATORS,
            choices=_CHOICES,
        ),
        "activities": {
            "type": "object",
            "description": "What can be counted and added up, and by what it is narrowed.",
            "properties": {
                "field": _TEXT,
                "label": _TEXT,
                "operators": _OPERATORS,
                "where": {"type": "object"},
            },
        },
        "activityData": {
            "type": "object",
            "description": "With `about=activity`: fields below `activity.data`.",
            "properties": {"prefix": _TEXT, "operators": _OPERATORS},
        },
    },
}
"""What `GET /api/rule-fields` answers."""
