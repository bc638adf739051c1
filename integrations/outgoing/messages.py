"""Messages: what endpoints are told, in the API's own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from activities.models import Activity
from activities.serializers import represent as told_activity
from contacts import details
from contacts.models import Contact
from crm import causes
from crm.api.json import dumps, moment
from integrations.outgoing.models import WebhookMessage
from organisations.models import Organisation
from rewards.models import CreditEntry
from rewards.serializers import represent as told_entry
from workflows import bell
from workflows.models import Run
from workflows.serializers import told_run

OWNER = "webhooks"
"""The name by which an organisation knows what its endpoints want to hear of."""

BATCH = 500


@dataclass(frozen=True, slots=True)
class Said:
    """`data` of a message, and the contact that it is about."""

    contact: int
    data: Mapping[str, Any]


def is_wanted(organisation: Organisation, type: str) -> bool:
    """Whether an endpoint wants to hear of this. No query; nobody does while history is written."""
    return (
        bool(organisation.listens_to)
        and type in organisation.listened_by(OWNER)
        and not causes.is_quiet()
    )


def write(organisation: Organisation, type: str, said: Iterable[Said]) -> None:
    """Write a message for each, in the caller's transaction. One insert for each 500."""
    now = timezone.now()
    timestamp = moment(now)
    rows = [
        WebhookMessage(
            organisation=organisation,
            type=type,
            contact_id=one.contact,
            body=dumps({"type": type, "timestamp": timestamp, "data": one.data}).decode(),
            created_at=now,
        )
        for one in said
    ]
    if rows:
        WebhookMessage.objects.bulk_create(rows, batch_size=BATCH)
        bell.ring_after_commit()


def of_contacts(organisation: Organisation, ids: Sequence[int]) -> list[Said]:
    """These contacts as the API tells them, save those that were merged. A few queries."""
    contacts = Contact.objects.for_organisation(organisation).current().select_related("rollup")
    rows = list(contacts.filter(pk__in=ids).order_by("pk"))
    told = details.told(rows, organisation.currency_code) if rows else []
    return [Said(data["id"], data) for data in told]


def of_activity(activity: Activity) -> Said:
    """An activity as the API tells it."""
    return Said(activity.contact_id, told_activity(activity))


def of_entry(entry: CreditEntry) -> Said:
    """A line of a contact's ledger as the API tells it."""
    return Said(entry.contact_id, told_entry(entry))


def of_run(run: Run) -> Said:
    """A run as the API tells it. Two queries."""
    runs = Run.objects.for_organisation(run.organisation_id).select_related("workflow", "version")
    current = runs.get(pk=run.pk)
    return Said(run.contact_id, told_run(current, current.executions.order_by("number")))
