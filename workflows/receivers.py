"""What other apps tell of, written down for the workflows that listen. Each costs nothing when none
does, and one insert when one does."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.dispatch import receiver

from activities.models import Activity, Booking
from activities.signals import activities_recorded, booking_status_changed
from contacts.identity import fold
from contacts.models import Contact, ReferralInvite, Tag
from contacts.signals import (
    contacts_created,
    contacts_updated,
    referral_invite_completed,
    segment_changed,
    tags_changed,
)
from organisations.models import Organisation
from workflows import events
from workflows.events import Fact


@receiver(activities_recorded, dispatch_uid="workflows.activities_recorded")
def note_activities(
    sender: type[Activity],
    organisation: Organisation,
    activities: Sequence[Activity],
    **kwargs: Any,
) -> None:
    """Activities were recorded."""
    heard = events.listening(organisation)
    if heard:
        events.write(
            organisation,
            events.ACTIVITY_CREATED,
            (
                Fact(activity.contact_id, activity.pk)
                for activity in activities
                if not heard.isdisjoint(events.words_of(activity))
            ),
        )


@receiver(booking_status_changed, dispatch_uid="workflows.booking_status_changed")
def note_booking(sender: type[Booking], booking: Booking, before: str, **kwargs: Any) -> None:
    """A booking's status changed."""
    if events.BOOKING_STATUS_CHANGED in events.listening(booking.organisation):
        payload = {"booking": booking.pk, "from": before, "to": booking.status}
        fact = Fact(booking.contact_id, payload=payload)
        events.write(booking.organisation_id, events.BOOKING_STATUS_CHANGED, [fact])


@receiver(referral_invite_completed, dispatch_uid="workflows.referral_invite_completed")
def note_referral(sender: type[ReferralInvite], invite: ReferralInvite, **kwargs: Any) -> None:
    """Whoever was invited came."""
    if events.REFERRAL_COMPLETED in events.listening(invite.organisation):
        payload = {"referralInvite": invite.pk, "completedBy": invite.completed_by_id}
        fact = Fact(invite.contact_id, payload=payload)
        events.write(invite.organisation_id, events.REFERRAL_COMPLETED, [fact])


@receiver(contacts_created, dispatch_uid="workflows.contacts_created")
def note_created(
    sender: type[Contact], organisation: Organisation, ids: Sequence[int], **kwargs: Any
) -> None:
    """Contacts are new."""
    if events.CONTACT_CREATED in events.listening(organisation):
        events.write(organisation, events.CONTACT_CREATED, map(Fact, ids))


@receiver(contacts_updated, dispatch_uid="workflows.contacts_updated")
def note_updated(
    sender: type[Contact],
    organisation: Organisation,
    ids: Sequence[int],
    fields: Mapping[int, Collection[str]] | None = None,
    **kwargs: Any,
) -> None:
    """Contacts changed."""
    if events.CONTACT_UPDATED in events.listening(organisation):
        known = fields or {}
        facts = (
            Fact(pk, payload={"fields": sorted(known[pk])} if pk in known else {}) for pk in ids
        )
        events.write(organisation, events.CONTACT_UPDATED, facts)


@receiver(tags_changed, dispatch_uid="workflows.tags_changed")
def note_tags(
    sender: type[Tag],
    organisation: Organisation,
    tag: Tag,
    contact_ids: Sequence[int],
    added: bool,
    **kwargs: Any,
) -> None:
    """A tag was put on contacts, or taken off."""
    kind = events.TAG_ADDED if added else events.TAG_REMOVED
    words = {kind, events.detail(kind, fold(tag.name))}
    if not words.isdisjoint(events.listening(organisation)):
        payload = {"tag": tag.name}
        events.write(organisation, kind, (Fact(pk, payload=payload) for pk in contact_ids))


@receiver(segment_changed, dispatch_uid="workflows.segment_changed")
def note_segment(
    sender: type, segment: Any, contact_ids: Iterable[int], entered: bool, **kwargs: Any
) -> None:
    """Contacts came into a segment, or left it."""
    kind = events.SEGMENT_ENTERED if entered else events.SEGMENT_LEFT
    word = events.detail(kind, str(segment.pk))
    if word in events.listening(segment.organisation):
        payload = {"segment": segment.pk}
        facts = (Fact(pk, payload=payload) for pk in contact_ids)
        events.write(segment.organisation_id, kind, facts)
