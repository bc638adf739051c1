"""Noting how an attempt went: when the next one is, and when an endpoint is given up."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
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
"""Before each new attempt, or as long as the other side asks; after the last it has failed."""
TOO_MANY = 5
"""So many failures in a row, and an endpoint is tried by one request at a time, with a rest."""
REST = timedelta(minutes=1)
PATIENCE = timedelta(days=5)
"""How long an endpoint may fail before it is switched off."""

Status = WebhookDelivery.Status
SETTLED = ("status", "tries", "due_at", "lease", "leased_until", "error", "completed_at")


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
    def asked_pause(self) -> timedelta:
        """How long the other side asks to be left alone for."""
        return timedelta(seconds=(self.answer.retry_after if self.answer is not None else 0) or 0)

    @property
    def reason(self) -> str:
        """Why it did not go well."""
        return self.error if self.answer is None else f"HTTP {self.answer.status}"


def is_shaky(endpoint: WebhookEndpoint) -> bool:
    """Whether it fails again and again."""
    return endpoint.failures_in_a_row >= TOO_MANY


@transaction.atomic
def note(endpoint: int, lease: uuid.UUID, results: Mapping[int, Result]) -> None:
    """Store how these deliveries went, by id, and what follows; nothing for those whose lease
    another has taken over. Five statements.

    The endpoint is locked first, as by those who change or delete it.
    """
    endpoints = WebhookEndpoint.objects.across_organisations().select_related("organisation")
    locked = endpoints.select_for_update(of=("self",), no_key=True).filter(pk=endpoint).first()
    if locked is None:
        return
    rows = WebhookDelivery.objects.for_organisation(locked.organisation_id)
    leased = rows.select_for_update().filter(pk__in=list(results), lease=lease).order_by("pk")
    deliveries = list(leased)
    WebhookAttempt.objects.bulk_create(attempt_of(one, results[one.pk]) for one in deliveries)
    for delivery in deliveries:
        _settle(delivery, results[delivery.pk])
    rows.bulk_update(deliveries, SETTLED)
    _judge(locked, [results[one.pk] for one in deliveries])


def attempt_of(delivery: WebhookDelivery, result: Result) -> WebhookAttempt:
    """The row that says how it went; not stored yet."""
    answer = result.answer
    return WebhookAttempt(
        delivery=delivery,
        started_at=result.started,
        status=answer.status if answer is not None else None,
        seconds=answer.seconds if answer is not None else None,
        answer=answer.text if answer is not None else "",
        error=result.error,
    )


def _settle(delivery: WebhookDelivery, result: Result) -> None:
    """When it is to be sent again, if at all."""
    delivery.tries += 1
    delivery.lease = delivery.leased_until = None
    if result.ok:
        delivery.status, delivery.error = Status.DELIVERED, ""
    elif delivery.tries > len(PAUSES):
        delivery.status, delivery.error = Status.FAILED, result.reason
    else:
        delivery.due_at = result.started + max(PAUSES[delivery.tries - 1], result.asked_pause)
        return
    delivery.due_at, delivery.completed_at = None, timezone.now()


def _judge(endpoint: WebhookEndpoint, results: Sequence[Result]) -> None:
    """What these results, which came together, say of a locked endpoint."""
    failed = [result for result in results if not result.ok]
    if any(result.is_gone for result in failed):
        services.disable(endpoint=endpoint, reason=_("It answered 410: it wants no more."))
    elif len(failed) < len(results):
        if endpoint.failing_since is not None:
            _update(endpoint, failing_since=None, failures_in_a_row=0, rests_until=None)
    elif failed:
        _count_failures(endpoint, failed)


def _count_failures(endpoint: WebhookEndpoint, failed: Sequence[Result]) -> None:
    last = failed[-1]
    since = endpoint.failing_since or failed[0].started
    if last.started - since >= PATIENCE:
        services.disable(
            endpoint=endpoint,
            reason=_("It has failed for %(days)d days. The last time: %(reason)s")
            % {"days": PATIENCE.days, "reason": last.reason},
        )
        return
    count = endpoint.failures_in_a_row + len(failed)
    rests_until = timezone.now() + REST if count >= TOO_MANY else None
    _update(endpoint, failing_since=since, failures_in_a_row=count, rests_until=rests_until)


def _update(endpoint: WebhookEndpoint, **columns: Any) -> None:
    rows = WebhookEndpoint.objects.for_organisation(endpoint.organisation_id)
    rows.filter(pk=endpoint.pk).update(**columns)
