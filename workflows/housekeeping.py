"""The jobs that keep an installation in order. A new one is a function with `@every` on it."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import structlog
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

from contacts import rfm
from crm.api import idempotency
from imports.wizard import working as imports
from organisations.models import Organisation
from rewards import services as rewards
from workflows import sweeps, worker
from workflows.schedule import every

log = structlog.get_logger(__name__)

# Imports lie below and know of no worker.
worker.also(imports.background.work, finish=imports.background.finish)


@every(timedelta(days=1))
def recompute_rfm() -> None:
    """The RFM scores of every organisation: they grow old with the calendar.

    One organisation that fails does not keep the others from theirs.
    """
    errors: list[Exception] = []
    for organisation in Organisation.objects.filter(status=Organisation.Status.ACTIVE):
        try:
            rfm.recompute(organisation)
        except Exception as error:
            log.exception("rfm failed", organisation=organisation.pk)
            errors.append(error)
    if errors:
        raise ExceptionGroup(f"RFM of {len(errors)} organisations", errors)


@every(timedelta(hours=1))
def prune_idempotent_requests() -> None:
    """Forget the answers kept for `Idempotency-Key` after their 24 hours."""
    idempotency.prune_idempotent_requests()


@every(timedelta(days=1))
def clear_expired_sessions() -> None:
    """Delete the sessions of staff that ran out."""
    store: type[SessionBase] = import_module(settings.SESSION_ENGINE).SessionStore
    store.clear_expired()


@every(timedelta(minutes=10))
def expire_credit() -> None:
    """Book credit that has expired. It cannot be spent meanwhile either."""
    rewards.expire_due()


@every(timedelta(minutes=1))
def sweep_workflows() -> None:
    """Start the workflows that time alone starts: birthdays, contacts not seen for long."""
    sweeps.sweep()


@every(timedelta(hours=1))
def prune_uploads() -> None:
    """Forget files that were uploaded to be imported, after `IMPORTS_KEEP_DAYS`."""
    imports.prune()
