"""The JSON of webhook endpoints and deliveries."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from crm.api.serializers import CharField, DateTimeField, IntegerField, Serializer
from crm.outbound import MAX_URL
from integrations.outgoing.models import WebhookDelivery, WebhookEndpoint
from integrations.outgoing.types import EVENT_TYPES
from integrations.secrets import opened

Status = WebhookEndpoint.Status


class WebhookEndpointSerializer(Serializer):
    """An address that is told what happens. docs/webhooks.md says how to take it."""

    id = IntegerField(read_only=True)
    url = CharField(max_length=MAX_URL)
    description = CharField(max_length=200, required=False, allow_blank=True)
    event_types = serializers.ListField(
        child=serializers.ChoiceField(EVENT_TYPES),
        required=False,
        help_text=_("What it is told of; of everything when there are none."),
    )
    filters = serializers.DictField(
        child=serializers.ListField(),
        required=False,
        help_text=_('Only messages that say one of these: `{"data.type": ["Purchase"]}`.'),
    )
    status = serializers.ChoiceField(
        Status.choices,
        required=False,
        help_text=_("`active` or `paused`; `disabled` is what failing for long makes of it."),
    )
    status_reason = CharField(read_only=True)
    failing_since = DateTimeField(read_only=True, allow_null=True)
    secret_hint = CharField(read_only=True, help_text=_("The end of the signing secret."))
    former_secret_until = DateTimeField(
        read_only=True,
        allow_null=True,
        help_text=_("Until when messages are signed with the former secret too."),
    )
    created_at = DateTimeField(read_only=True)
    updated_at = DateTimeField(read_only=True)

    def validate_status(self, status: str) -> str:
        """A client switches it off by pausing it, and may send back what it read."""
        if status == Status.DISABLED and (
            self.instance is None or self.instance.status != Status.DISABLED
        ):
            raise serializers.ValidationError(_("Use active or paused."), "invalid_choice")
        return status

    def to_representation(self, instance: WebhookEndpoint) -> dict[str, Any]:
        return told_endpoint(instance)


class SecretWebhookEndpointSerializer(WebhookEndpointSerializer):
    """An endpoint with its signing secret, which is told once."""

    secret = CharField(read_only=True)

    def to_representation(self, instance: WebhookEndpoint) -> dict[str, Any]:
        return {**told_endpoint(instance), "secret": opened(instance.secret)}


class WebhookAttemptSerializer(Serializer):
    """One request."""

    started_at = DateTimeField()
    status = IntegerField(allow_null=True, help_text=_("Null when nothing was answered."))
    seconds = serializers.FloatField(allow_null=True)
    answer = CharField(allow_blank=True, help_text=_("The beginning of what was answered."))
    error = CharField(allow_blank=True)


class WebhookDeliverySerializer(Serializer):
    """A message on its way to an endpoint, with every attempt."""

    id = IntegerField()
    message_id = CharField(help_text=_("Sent as `webhook-id`."))
    type = CharField()
    contact = IntegerField()
    status = serializers.ChoiceField(WebhookDelivery.Status.choices)
    error = CharField(allow_blank=True)
    next_attempt_at = DateTimeField(allow_null=True)
    body = CharField(
        allow_blank=True,
        help_text=_("Exactly what is sent; empty once the contact's data was erased."),
    )
    attempts = WebhookAttemptSerializer(many=True)
    created_at = DateTimeField()
    completed_at = DateTimeField(allow_null=True)

    def to_representation(self, instance: WebhookDelivery) -> dict[str, Any]:
        return told_delivery(instance)


class ReplaySerializer(Serializer):
    """Which deliveries are to be sent again: those of messages written in this time."""

    since = DateTimeField()
    until = DateTimeField(required=False, allow_null=True)
    status = serializers.ChoiceField(
        [WebhookDelivery.Status.FAILED, WebhookDelivery.Status.DELIVERED],
        default=WebhookDelivery.Status.FAILED,
    )


class ReplayedSerializer(Serializer):
    """How many deliveries are sent again."""

    replayed = IntegerField()


def told_endpoint(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """An endpoint as the API tells it."""
    return {
        "id": endpoint.pk,
        "url": endpoint.url,
        "description": endpoint.description,
        "eventTypes": endpoint.event_types,
        "filters": endpoint.filters,
        "status": endpoint.status,
        "statusReason": endpoint.status_reason,
        "failingSince": endpoint.failing_since,
        "secretHint": endpoint.secret_hint,
        "formerSecretUntil": endpoint.former_secret_until,
        "createdAt": endpoint.created_at,
        "updatedAt": endpoint.updated_at,
    }


def told_delivery(delivery: WebhookDelivery) -> dict[str, Any]:
    """A delivery as the API tells it. Its message and attempts have been read with it."""
    return {
        "id": delivery.pk,
        "messageId": delivery.message.key,
        "type": delivery.message.type,
        "contact": delivery.contact_id,
        "status": delivery.status,
        "error": delivery.error,
        "nextAttemptAt": delivery.due_at,
        "body": delivery.message.body,
        "attempts": [
            {
                "startedAt": attempt.started_at,
                "status": attempt.status,
                "seconds": attempt.seconds,
                "answer": attempt.answer,
                "error": attempt.error,
            }
            for attempt in delivery.attempts.all()
        ],
        "createdAt": delivery.created_at,
        "completedAt": delivery.completed_at,
    }
