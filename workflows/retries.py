"""What becomes of a step that failed: tried again after a pause, each longer than the last, and
then the run fails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.errors import Conflict, in_words
from workflows import failures, moves
from workflows.models import Run, StepExecution
from workflows.program import Program
from workflows.signals import run_failed

MAX_REASON = 2000


def pauses() -> Sequence[int]:
    """Seconds before each new attempt (`WORKFLOW_RETRY_PAUSES`)."""
    found: Sequence[int] = settings.WORKFLOW_RETRY_PAUSES
    return found


def attempts() -> int:
    """How often a step is tried."""
    return len(pauses()) + 1


def reason_of(error: Exception) -> str:
    """The error in words for staff."""
    if isinstance(error, ValidationError | Conflict):
        return in_words(error)
    text = str(error) or type(error).__name__
    ours = type(error).__module__.startswith("workflows.")
    return text if ours else f"{type(error).__name__}: {text}"


def try_later(
    run: Run,
    program: Program,
    reason: str,
    began: datetime,
    after: timedelta | None = None,
) -> None:
    """Note that an attempt of the step at hand failed; it is made again after `after`, or after
    the usual pause. When that was the last, the run fails."""
    if run.attempts + 1 >= attempts():
        fail(run, program, reason, began)
        return
    pause = after if after is not None else timedelta(seconds=pauses()[run.attempts])
    with transaction.atomic():
        if not moves.lock(run):
            return
        _record(run, program, StepExecution.Status.RETRYING, reason, began)
        Run.objects.for_organisation(run.organisation_id).filter(pk=run.pk).update(
            attempts=run.attempts + 1,
            due_at=timezone.now() + pause,
            status=Run.Status.WAITING,
            lease=None,
            leased_until=None,
            updated_at=timezone.now(),
        )


def fail(run: Run, program: Program | None, reason: str, began: datetime | None = None) -> None:
    """The run ends here, failed: somebody has to look at it, and may retry it from this step."""
    with transaction.atomic():
        if not moves.lock(run):
            return
        if program is not None:
            _record(run, program, StepExecution.Status.FAILED, reason, began or timezone.now())
            step = program.at(run.position)
            reason = _("Step %(id)s (%(type)s): %(reason)s") % {
                "id": step["id"],
                "type": step["type"],
                "reason": reason,
            }
        now = timezone.now()
        change = {
            "status": Run.Status.FAILED,
            "attempts": run.attempts + 1,
            "error_message": reason[:MAX_REASON],
            "completed_at": now,
            "due_at": None,
            "waits_for": None,
            "lease": None,
            "leased_until": None,
            **moves.freed(run),
        }
        Run.objects.for_organisation(run.organisation_id).filter(pk=run.pk).update(
            **change, updated_at=now
        )
        for name, value in change.items():
            setattr(run, name, value)
        failures.note_failure(run.workflow, reason)
        run_failed.send(Run, run=run)


def _record(
    run: Run, program: Program, status: StepExecution.Status, reason: str, began: datetime
) -> None:
    step = program.at(run.position)
    execution = StepExecution(
        run_id=run.pk,
        number=run.taken + 1,
        step_id=step["id"],
        type=step["type"],
        status=status,
        started_at=began,
        attempts=run.attempts + 1,
        error=reason[:MAX_REASON],
    )
    moves.record([execution])
