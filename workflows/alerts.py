"""Telling staff what they should look at."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from django.contrib.auth.models import User
from django.utils import timezone

from contacts.models import Contact
from organisations.models import Organisation
from workflows.models import Alert

log = structlog.get_logger(__name__)

MAX_TEXT = 2000


def tell(
    *,
    organisation: Organisation | int,
    text: str,
    link: str = "",
    contact: Contact | None = None,
) -> Alert:
    """Put an alert on the admin's first page of the organisation, in the caller's transaction.

    `link` is a path of the admin that shows more. What it says of a `contact` is erased with that
    contact's data, and does not go into the log.
    """
    owner = organisation if isinstance(organisation, int) else organisation.pk
    log.warning("alert", organisation=owner, text=text if contact is None else "…")
    return Alert.objects.create(
        organisation_id=owner, text=text[:MAX_TEXT], link=link, contact=contact
    )


def mark_seen(*, alerts: Iterable[Alert], by: User) -> int:
    """Note that somebody has dealt with these; answers how many were open until now."""
    return sum(
        Alert.objects.filter(organisation=alert.organisation_id, pk=alert.pk, seen_at=None).update(
            seen_at=timezone.now(), seen_by=by
        )
        for alert in alerts
    )
