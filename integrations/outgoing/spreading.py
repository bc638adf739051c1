"""Making of each message a delivery for each endpoint that wants it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import orjson
from django.db import transaction

from integrations.outgoing.models import WebhookDelivery, WebhookEndpoint, WebhookMessage

BATCH = 500


def spread() -> int:
    """Spread the oldest messages, a batch at most; answers how many. One query when there are none,
    else five. Two at once take turns, so that deliveries are made in the order of messages."""
    new = WebhookMessage.objects.across_organisations().filter(spread=False)
    if not new.exists():
        return 0
    with transaction.atomic():
        messages = list(new.order_by("pk").select_for_update()[:BATCH])
        WebhookDelivery.objects.bulk_create(_deliveries(messages), batch_size=BATCH)
        pks = [message.pk for message in messages]
        WebhookMessage.objects.across_organisations().filter(pk__in=pks).update(spread=True)
    return len(messages)


def _deliveries(messages: Sequence[WebhookMessage]) -> Iterator[WebhookDelivery]:
    endpoints = _endpoints({message.organisation_id for message in messages})
    for message in messages:
        said = orjson.loads(message.body) if message.body else None
        for endpoint in endpoints[message.organisation_id]:
            if said is None or endpoint.created_at > message.created_at:
                continue
            if endpoint.wants(message.type, said):
                yield WebhookDelivery(
                    organisation_id=message.organisation_id,
                    endpoint=endpoint,
                    message=message,
                    contact_id=message.contact_id,
                    due_at=message.created_at,
                    created_at=message.created_at,
                )


def _endpoints(organisations: set[int]) -> dict[int, list[WebhookEndpoint]]:
    """Who listens, by organisation. Locked: whoever deletes one waits, and then finds what is to go
    with it."""
    found: dict[int, list[WebhookEndpoint]] = defaultdict(list)
    rows = WebhookEndpoint.objects.across_organisations().listening()
    wanted = rows.filter(organisation__in=organisations).order_by("pk")
    for endpoint in wanted.select_for_update(no_key=True):
        found[endpoint.organisation_id].append(endpoint)
    return found
