"""Noting which contacts changed, for the worker to look whose segments they are in now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.dispatch import receiver

from contacts.segments.models import SegmentCheck
from contacts.signals import (
    contacts_created,
    contacts_deleted,
    contacts_updated,
    totals_changed,
)
from crm import causes
from organisations.models import Organisation

LISTENER = "segments"
"""The name by which an organisation knows that it has segments (`Organisation.listens_to`)."""


@receiver(
    [contacts_created, contacts_updated, contacts_deleted, totals_changed],
    dispatch_uid="contacts.segments.queue",
)
def note(sender: Any, organisation: Organisation, ids: Sequence[int], **kwargs: Any) -> None:
    """One insert where the organisation has segments, nothing where it has none."""
    if organisation.listened_by(LISTENER):
        enqueue(organisation, ids)


def enqueue(organisation: Organisation, ids: Sequence[int]) -> None:
    """Have these contacts looked at. One insert."""
    cause = causes.current()
    told = None if cause is None else cause.to_json()
    quiet = causes.is_quiet()
    SegmentCheck.objects.bulk_create(
        SegmentCheck(organisation=organisation, contact_id=pk, cause=told, quiet=quiet)
        for pk in ids
    )
