"""The query parameters of the lists of endpoints and deliveries."""

from __future__ import annotations

from crm.api.filters import ChoiceFilter, DateRange, FilterSet, NumberFilter, TextFilter
from integrations.outgoing.models import WebhookDelivery, WebhookEndpoint


class WebhookEndpointFilterSet(FilterSet):
    """Which endpoints to list."""

    status = ChoiceFilter(choices=WebhookEndpoint.Status.choices, repeatable=True)


class WebhookDeliveryFilterSet(FilterSet):
    """Which deliveries to list."""

    status = ChoiceFilter(choices=WebhookDelivery.Status.choices, repeatable=True)
    type = TextFilter("message__type", repeatable=True)
    message_id = TextFilter("message__key")
    # By the id that was told: it need not be there any more.
    contact = NumberFilter("contact_id", "exact")
    created_at = DateRange()
