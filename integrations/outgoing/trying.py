"""Trying an endpoint: one message that says only that it is a test, and what is answered to it."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.api.json import dumps, moment
from integrations.outgoing.attempts import attempt_of
from integrations.outgoing.models import WebhookDelivery, WebhookEndpoint, WebhookMessage
from integrations.outgoing.sending import Call

TYPE = "webhook.test"
"""No type of `EVENT_TYPES`: nobody is told of it but the endpoint that is tried."""
NOBODY = 0
"""In place of the contact that a message is about."""

Status = WebhookDelivery.Status


def try_out(*, endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Send a test message now, whatever the endpoint's status, and answer the delivery.

    It takes as long as the other side does, ten seconds at most. It is sent once, and says nothing
    of how the endpoint does: neither does it switch one off.
    """
    now = timezone.now()
    data = {"endpoint": endpoint.pk, "text": _("A test from Regulars.")}
    body = dumps({"type": TYPE, "timestamp": moment(now), "data": data}).decode()
    message = WebhookMessage(
        organisation_id=endpoint.organisation_id,
        type=TYPE,
        contact_id=NOBODY,
        body=body,
        spread=True,
        created_at=now,
    )
    result = Call.of(endpoint, message).send()
    delivery = WebhookDelivery(
        organisation_id=endpoint.organisation_id,
        endpoint=endpoint,
        message=message,
        contact_id=NOBODY,
        status=Status.DELIVERED if result.ok else Status.FAILED,
        tries=1,
        error="" if result.ok else result.reason,
        created_at=now,
        completed_at=timezone.now(),
    )
    with transaction.atomic():
        message.save()
        delivery.save()
        attempt_of(delivery, result).save()
    return delivery
