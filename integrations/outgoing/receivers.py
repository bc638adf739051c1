"""What happened, written down for the endpoints that want to hear of it. Each costs nothing when
none does, and one insert when one does, beside reading what is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.dispatch import receiver

from activities.models import Activity
from activities.signals import activities_recorded, activity_corrected, activity_voided
from contacts.models import Contact, Merge
from contacts.signals import (
    contact_merged,
    contact_redacted,
    contacts_created,
    contacts_deleted,
    contacts_updated,
    segment_changed,
)
from integrations.outgoing import erasing, messages, types
from integrations.outgoing.messages import Said
from organisations.models import Organisation
from rewards.models import CreditEntry
from rewards.signals import credit_granted, credit_redeemed
from workflows.models import Run
from workflows.signals import run_failed


@receiver(contacts_created, dispatch_uid="webhooks.contacts_created")
def tell_created(
    sender: type[Contact], organisation: Organisation, ids: Sequence[int], **kwargs: Any
) -> None:
    """Contacts are new."""
    _tell_contacts(organisation, types.CONTACT_CREATED, ids)


@receiver(contacts_updated, dispatch_uid="webhooks.contacts_updated")
def tell_updated(
    sender: type[Contact], organisation: Organisation, ids: Sequence[int], **kwargs: Any
) -> None:
    """Contacts changed."""
    _tell_contacts(organisation, types.CONTACT_UPDATED, ids)


@receiver(contact_redacted, dispatch_uid="webhooks.contact_redacted")
def tell_redacted(sender: type[Contact], contact: Contact, **kwargs: Any) -> None:
    """A contact's data was erased."""
    _tell_contacts(contact.organisation, types.CONTACT_REDACTED, [contact.pk])


def _tell_contacts(organisation: Organisation, type: str, ids: Sequence[int]) -> None:
    if messages.is_wanted(organisation, type):
        messages.write(organisation, type, messages.of_contacts(organisation, ids))


@receiver(contacts_deleted, dispatch_uid="webhooks.contacts_deleted")
def tell_deleted(
    sender: type[Contact], organisation: Organisation, ids: Sequence[int], **kwargs: Any
) -> None:
    """Contacts are about to be deleted, and with them all that was said of them."""
    erasing.erase(organisation, ids)
    if messages.is_wanted(organisation, types.CONTACT_DELETED):
        said = (Said(pk, {"id": pk, "organisation": organisation.pk}) for pk in ids)
        messages.write(organisation, types.CONTACT_DELETED, said)


@receiver(contact_merged, dispatch_uid="webhooks.contact_merged")
def tell_merged(sender: type[Merge], merge: Merge, **kwargs: Any) -> None:
    """A contact was merged into another: the survivor, and the id of the one that is no more."""
    organisation = merge.survivor.organisation
    if messages.is_wanted(organisation, types.CONTACT_MERGED):
        (said,) = messages.of_contacts(organisation, [merge.survivor_id])
        data = {**said.data, "mergedContact": merge.absorbed_id}
        messages.write(organisation, types.CONTACT_MERGED, [Said(said.contact, data)])


@receiver(activities_recorded, dispatch_uid="webhooks.activities_recorded")
def tell_recorded(
    sender: type[Activity],
    organisation: Organisation,
    activities: Sequence[Activity],
    **kwargs: Any,
) -> None:
    """Activities were recorded."""
    if messages.is_wanted(organisation, types.ACTIVITY_CREATED):
        messages.write(organisation, types.ACTIVITY_CREATED, map(messages.of_activity, activities))


@receiver(activity_corrected, dispatch_uid="webhooks.activity_corrected")
def tell_corrected(sender: type[Activity], activity: Activity, **kwargs: Any) -> None:
    """An activity was corrected."""
    if messages.is_wanted(activity.organisation, types.ACTIVITY_UPDATED):
        said = messages.of_activity(activity)
        messages.write(activity.organisation, types.ACTIVITY_UPDATED, [said])


@receiver(activity_voided, dispatch_uid="webhooks.activity_voided")
def tell_voided(sender: type[Activity], activity: Activity, **kwargs: Any) -> None:
    """An activity was taken back."""
    if messages.is_wanted(activity.organisation, types.ACTIVITY_DELETED):
        said = messages.of_activity(activity)
        messages.write(activity.organisation, types.ACTIVITY_DELETED, [said])


@receiver(segment_changed, dispatch_uid="webhooks.segment_changed")
def tell_segment(
    sender: type, segment: Any, contact_ids: Iterable[int], entered: bool, **kwargs: Any
) -> None:
    """Contacts came into a segment, or left it."""
    type = types.SEGMENT_ENTERED if entered else types.SEGMENT_LEFT
    organisation = segment.organisation
    if messages.is_wanted(organisation, type):
        told = {"id": segment.pk, "name": segment.name}
        contacts = messages.of_contacts(organisation, list(contact_ids))
        said = (Said(one.contact, {"segment": told, "contact": one.data}) for one in contacts)
        messages.write(organisation, type, said)


@receiver(credit_granted, dispatch_uid="webhooks.credit_granted")
def tell_granted(sender: type[CreditEntry], entry: CreditEntry, **kwargs: Any) -> None:
    """A contact was given credit."""
    _tell_entry(types.CREDIT_GRANTED, entry)


@receiver(credit_redeemed, dispatch_uid="webhooks.credit_redeemed")
def tell_redeemed(sender: type[CreditEntry], entry: CreditEntry, **kwargs: Any) -> None:
    """A contact spent credit."""
    _tell_entry(types.CREDIT_REDEEMED, entry)


def _tell_entry(type: str, entry: CreditEntry) -> None:
    organisation = entry.contact.organisation
    if messages.is_wanted(organisation, type):
        messages.write(organisation, type, [messages.of_entry(entry)])


@receiver(run_failed, dispatch_uid="webhooks.run_failed")
def tell_run_failed(sender: type[Run], run: Run, **kwargs: Any) -> None:
    """A workflow's run failed."""
    if messages.is_wanted(run.organisation, types.RUN_FAILED):
        messages.write(run.organisation, types.RUN_FAILED, [messages.of_run(run)])
