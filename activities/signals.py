"""The signals by which contacts' totals follow every activity, and what bookings announce."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete
from django.dispatch import Signal, receiver

from activities.models import Activity
from contacts import rollups
from contacts.rollups import Change

booking_status_changed = Signal()
"""`booking`: a `Booking` whose status just changed; `before`: what it was. Sent in the transaction
that changed it."""

activities_recorded = Signal()
"""`organisation`, and `activities`: a list of rows that are new and no history (`backfill`). Sent
in the transaction that inserted them; by imports only while `Organisation.listens_to` says that
somebody cares."""

activity_corrected = Signal()
"""`activity`: one that was just corrected, as it is now. Sent in the transaction that wrote it. Not
for what merges move."""

activity_voided = Signal()
"""`activity`: one that was just taken back, as it was. Sent in the transaction that deleted it. Not
for what goes with its contact, or with the undo of an import."""


@receiver(post_save, sender=Activity, dispatch_uid="activities.count_saved")
def count_saved(
    sender: type[Activity], instance: Activity, created: bool, raw: bool, **kwargs: Any
) -> None:
    """A row was inserted or updated: what it counts now takes the place of what it counted."""
    if not raw:
        before = None if created else instance.counted
        after = instance.saved(before, kwargs.get("update_fields"))
        rollups.apply(instance.organisation, [Change(before, after)])


@receiver(pre_delete, sender=Activity, dispatch_uid="activities.hold_deleted")
def hold_deleted(sender: type[Activity], instance: Activity, **kwargs: Any) -> None:
    """A row is about to go: read under its lock what the totals hold of it, if it is still there.

    Of two processes that delete it at once, only one takes it out of the totals.
    """
    instance.hold()


@receiver(post_delete, sender=Activity, dispatch_uid="activities.uncount_deleted")
def uncount_deleted(sender: type[Activity], instance: Activity, **kwargs: Any) -> None:
    """A row is gone, and what it counted with it."""
    rollups.apply(instance.organisation, [Change(instance.counted, None)])
    if instance.counted is not None:
        activity_voided.send(Activity, activity=instance)
