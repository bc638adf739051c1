"""Noting how an attempt went: when the next one is, and when an endpoint is given up."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.outbound import Answer
from integrations.outgoing import services
from integrations.outgoing.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint

PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Before each new attempt; after the last the delivery has failed."""
TOO_MANY = 5
"""So many failures in a row, and an endpoint is tried by one request at a time, with a rest."""
REST = timedelta(minutes=1)
PATIENCE = timedelta(days=5)
"""How long an endpoint may fail before it is switched off."""

Status = WebhookDelivery.Status


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a request: an answer, or why there was none."""

    started: datetime
    answer: Answer | None = None
    error: str = ""

    @property
    def ok(self) -> bool:
        return self.answer is not None and self.answer.ok

    @property
    def is_gone(self) -> bool:
        """Whether the other side says that it wants no more."""
        return self.answer is not None and self.answer.status == HTTPStatus.GONE

    @property
    def reason(self) -> str:
        """Why it did not go well."""
        return self.error if self.answer is None else f"HTTP {self.answer.status}"


def is_shaky(endpoint: WebhookEndpoint) -> bool:
    """Whether it fails again and again."""
    return endpoint.failures_in_a_row >= TOO_MANY


@transaction.atomic
def note(delivery: int, endpoint: int, lease: uuid.UUID, result: Result) -> None:
    """Store an attempt and what follows from it; nothing when another has taken over the lease.

    The endpoint is locked first, as by those who change or delete it.
    """
    endpoints = WebhookEndpoint.objects.across_organisations().select_related("organisation")
    locked = endpoints.select_for_update(of=("self",), no_key=True).filter(pk=endpoint).first()
    leased = WebhookDelivery.objects.across_organisations().filter(pk=delivery, lease=lease)
    current = leased.select_for_update().first()
    if locked is None or current is None:
        return
    _keep(current, result)
    current.tries += 1
    current.lease = current.leased_until = None
    if result.ok:
        _finish(current, Status.DELIVERED)
        _note_success(locked)
        return
    pause = _pause(current, result)
    if pause is None:
        _finish(current, Status.FAILED, result.reason)
    else:
        current.due_at = result.started + pause
        current.save()
    _note_failure(locked, result)


def _keep(delivery: WebhookDelivery, result: Result) -> None:
    answer = result.answer
    WebhookAttempt.objects.create(
        delivery=delivery,
        started_at=result.started,
        status=answer.status if answer is not None else None,
        seconds=answer.seconds if answer is not None else None,
        answer=answer.text if answer is not None else "",
        error=result.error,
    )


def _finish(delivery: WebhookDelivery, status: Status, error: str = "") -> None:
    delivery.status, delivery.error = status, error
    delivery.due_at, delivery.completed_at = None, timezone.now()
    delivery.save()


def _pause(delivery: WebhookDelivery, result: Result) -> timedelta | None:
    """How long until the next attempt: as long as the other side asks, if that is longer; None
    after the last."""
    if delivery.tries > len(PAUSES):
        return None
    asked = result.answer.retry_after if result.answer is not None else None
    return max(PAUSES[delivery.tries - 1], timedelta(seconds=asked or 0))


def _note_success(endpoint: WebhookEndpoint) -> None:
    if endpoint.failing_since is not None:
        _update(endpoint, failing_since=None, failures_in_a_row=0, rests_until=None)


def _note_failure(endpoint: WebhookEndpoint, result: Result) -> None:
    since = endpoint.failing_since or result.started
    if result.is_gone:
        services.disable(endpoint=endpoint, reason=_("It answered 410: it wants no more."))
        return
    if result.started - since >= PATIENCE:
        services.disable(
            endpoint=endpoint,
            reason=_("It has failed for %(days)d days. The last time: %(reason)s")
            % {"days": PATIENCE.days, "reason": result.reason},
        )
        return
    count = endpoint.failures_in_a_row + 1
    rests_until = timezone.now() + REST if count >= TOO_MANY else None
    _update(endpoint, failing_since=since, failures_in_a_row=count, rests_until=rests_until)


def _update(endpoint: WebhookEndpoint, **columns: Any) -> None:
    rows = WebhookEndpoint.objects.for_organisation(endpoint.organisation_id)
    rows.filter(pk=endpoint.pk).update(**columns)
