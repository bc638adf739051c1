"""Endpoints of other systems, what they are told, and how each attempt went."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.crypto import get_random_string
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from crm import outbound
from integrations.outgoing import filtering
from integrations.outgoing.querysets import EndpointQuerySet, WebhookDeliveryQuerySet
from integrations.outgoing.types import EVENT_TYPES
from integrations.secrets import EncryptedField, Unreadable, blotted, opened
from organisations.models import TenantModel


def new_key() -> str:
    """The `webhook-id` of a message."""
    return "msg_" + get_random_string(27)


def check_event_types(value: Any) -> None:
    """Raises ValidationError unless these are types that there are."""
    unknown = [one for one in value if one not in EVENT_TYPES] if isinstance(value, list) else None
    if unknown != []:
        raise ValidationError(
            _now("Give an array of these: %(known)s."),
            code="unknown_event_type",
            params={"known": ", ".join(EVENT_TYPES)},
        )


class WebhookEndpoint(TenantModel):
    """An address of another system that is told what happens.

    `event_types` are what it is told of, all when there are none; `filters` narrow that by what a
    message says (`integrations.outgoing.filtering`). Messages are signed with `secret` and, until
    `former_secret_until`, with `former_secret` too; both are encrypted.

    `failing_since` is when the first of the attempts failed that have failed without any going well
    since, and `failures_in_a_row` how many they are. `rests_until` is when it may be tried again.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        PAUSED = "paused", _("Paused")
        DISABLED = "disabled", _("Disabled")

    url = models.CharField(_("address"), max_length=outbound.MAX_URL)
    description = models.CharField(_("description"), max_length=200, blank=True, default="")
    event_types = models.JSONField(
        _("told of"), default=list, blank=True, validators=[check_event_types]
    )
    filters = models.JSONField(_("filters"), default=dict, blank=True, validators=[filtering.check])
    secret = EncryptedField(editable=False)
    former_secret = EncryptedField(null=True, editable=False)
    former_secret_until = models.DateTimeField(null=True, editable=False)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.ACTIVE
    )
    status_reason = models.TextField(_("why"), blank=True, default="", editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, editable=False)
    failures_in_a_row = models.PositiveIntegerField(default=0, editable=False)
    rests_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects: ClassVar = EndpointQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.description or self.url

    @property
    def secret_hint(self) -> str:
        """Just enough of the secret to tell it from another."""
        try:
            return blotted({"secret": opened(self.secret)})["secret"]
        except Unreadable:
            return "…"

    def has_two_secrets(self, now: datetime) -> bool:
        """Whether messages are signed with the former secret too."""
        return self.former_secret_until is not None and self.former_secret_until > now

    def wants(self, type: str, said: Any) -> bool:
        """Whether it is to be told of a message of this type, which says this."""
        return (not self.event_types or type in self.event_types) and filtering.fits(
            self.filters, said
        )


class WebhookMessage(TenantModel):
    """Something that happened, as endpoints are told it: `body` is what is sent and signed, byte by
    byte. `key` is its `webhook-id`, the same at every endpoint and every attempt.

    It is `spread` once there is a delivery for each endpoint that wants it. The body is emptied
    when the contact's data is erased.
    """

    key = models.CharField(max_length=40, unique=True, default=new_key)
    type = models.CharField(_("type"), max_length=40)
    contact_id = models.BigIntegerField(_("contact"))
    body = models.TextField(_("body"))
    spread = models.BooleanField(default=False)
    created_at = models.DateTimeField(_("happened"))

    class Meta:
        verbose_name = _("webhook message")
        verbose_name_plural = _("webhook messages")
        indexes = [
            # What is to be spread next.
            models.Index(fields=["id"], name="webhook_message_new", condition=Q(spread=False)),
            # Erasing what was said of a contact.
            models.Index(fields=["contact_id"], name="webhook_message_of_contact"),
            # Pruning.
            models.Index(fields=["created_at"], name="webhook_message_age"),
        ]

    def __str__(self) -> str:
        return f"{self.type} · {self.key}"


class WebhookDelivery(TenantModel):
    """A message on its way to an endpoint.

    `due_at` is when it is to be sent, or sent again; null when there is nothing to do. `tries` are
    those since it was written or replayed.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("Pending")
        DELIVERED = "delivered", _("Delivered")
        FAILED = "failed", _("Failed")

    endpoint = models.ForeignKey(
        WebhookEndpoint, models.CASCADE, related_name="deliveries", db_index=False
    )
    message = models.ForeignKey(WebhookMessage, models.CASCADE, related_name="deliveries")
    contact_id = models.BigIntegerField(_("contact"))
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.PENDING
    )
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(_("next attempt"), null=True)
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    error = models.TextField(_("error"), blank=True, default="")
    created_at = models.DateTimeField(_("created"))
    completed_at = models.DateTimeField(_("completed"), null=True)

    objects: ClassVar = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "message"], name="webhook_delivery_once")
        ]
        indexes = [
            # What is to be sent next to an endpoint.
            models.Index(
                fields=["endpoint", "due_at", "id"],
                name="webhook_delivery_due",
                condition=Q(due_at__isnull=False),
            ),
            # Whether something earlier about the same contact is still to be sent.
            models.Index(
                fields=["endpoint", "contact_id", "message"],
                name="webhook_delivery_order",
                condition=Q(due_at__isnull=False),
            ),
            # Those of an endpoint, newest first.
            models.Index(fields=["endpoint", "-created_at", "-id"], name="webhook_delivery_newest"),
            # Those that failed, newest first; which of a time are to be sent again.
            models.Index(
                fields=["endpoint", "-created_at", "-id"],
                name="webhook_delivery_failed",
                condition=Q(status="failed"),
            ),
        ]

    def __str__(self) -> str:
        return _now("Webhook delivery %(number)s") % {"number": self.pk}


class WebhookAttempt(models.Model):
    """One request: what was answered (the beginning of it), or why there was no answer."""

    delivery = models.ForeignKey(WebhookDelivery, models.CASCADE, related_name="attempts")
    started_at = models.DateTimeField(_("started"))
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    seconds = models.FloatField(_("seconds"), null=True)
    answer = models.TextField(_("answer"), blank=True, default="")
    error = models.TextField(_("error"), blank=True, default="")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.delivery_id} · {self.started_at:%Y-%m-%d %H:%M:%S}"

    @property
    def ok(self) -> bool:
        """Whether it was taken."""
        return self.status is not None and 200 <= self.status < 300
