"""Erasing what messages said of contacts."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Contact
from contacts.parts import ContactPart
from integrations.outgoing.models import WebhookAttempt, WebhookDelivery, WebhookMessage
from organisations.models import Organisation


def erase(organisation: Organisation | int, contacts: Sequence[int]) -> None:
    """Empty the messages about these contacts: what was not sent of them never is. One query when
    there are none, else four."""
    messages = WebhookMessage.objects.for_organisation(organisation).exclude(body="")
    pks = list(messages.filter(contact_id__in=contacts).values_list("pk", flat=True))
    if not pks:
        return
    WebhookMessage.objects.for_organisation(organisation).filter(pk__in=pks).update(body="")
    deliveries = WebhookDelivery.objects.for_organisation(organisation).filter(message__in=pks)
    WebhookAttempt.objects.filter(delivery__in=deliveries).update(answer="")
    deliveries.filter(due_at__isnull=False).update(
        status=WebhookDelivery.Status.FAILED,
        due_at=None,
        lease=None,
        leased_until=None,
        completed_at=timezone.now(),
        error=_("The contact's data was erased."),
    )


class MessagesPart(ContactPart):
    """What endpoints were told of a contact. When it is deleted, `receivers` has it erased."""

    name = "webhook_messages"

    def redact(self, contact: Contact) -> None:
        erase(contact.organisation_id, [contact.pk])
