"""The engine: what `manage.py worker` and Celery's workers do, again and again.

`work` looks for what happened (segments, events), then claims runs that are due and moves them on.
A claim is a lease in the run's row, so a worker that dies loses nothing: when the lease is over,
another takes its runs from where they stood. docs/workflows.md says what is promised.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from activities.models import Activity
from contacts.models import Contact
from crm import actors
from crm.actors import Actor, Kind
from workflows import causes, matching, moves, retries
from workflows.models import Run, Workflow, WorkflowVersion
from workflows.moves import Move
from workflows.program import Program
from workflows.rulebook import Rulebook
from workflows.steps.base import GiveUp, Moment, Outcome, Retry, Step

log = structlog.get_logger(__name__)

BATCH = 200
"""Runs claimed at a time."""
LEASE = timedelta(minutes=5)
"""How long a claimed run is left to its worker; each effect elsewhere has that long from its
beginning."""

Stopping = Callable[[], bool]


def work(limit: int = BATCH, stopping: Stopping = lambda: False) -> int:
    """Do some of what is due; answers how much that was, 0 when nothing is.

    Segments first, then events, then runs. `stopping` is asked between two runs: what is claimed
    and not begun is given back. Opens its own transactions; raises what the database raises.
    """
    from contacts import segments

    done = segments.refresh_due(stopping)
    if not stopping():
        done += matching.match()
    if not stopping():
        done += run_due(limit, stopping)
    return done


def is_due(now: datetime) -> bool:
    """Whether `work` would find something. Three cheap queries at most."""
    from contacts import segments
    from workflows import events

    return (
        events.overdue(now).exists()
        or Run.objects.across_organisations().claimable(now).exists()
        or segments.is_due()
    )


def run_due(limit: int = BATCH, stopping: Stopping = lambda: False) -> int:
    """Claim up to `limit` runs that are due and move each on as far as it goes."""
    claimed = claim(limit)
    if claimed:
        Batch(claimed).work(stopping)
    return len(claimed)


def claim(limit: int) -> list[Run]:
    """Runs that are due, leased to the caller. Two queries."""
    now = timezone.now()
    due = Run.objects.across_organisations().claimable(now)
    if not due.exists():
        return []
    with transaction.atomic():
        runs = list(due.select_for_update(skip_locked=True).order_by("due_at")[:limit])
        lease, until = uuid.uuid4(), now + LEASE
        for run in runs:
            run.lease, run.leased_until = lease, until
        rows = Run.objects.across_organisations().filter(pk__in=[run.pk for run in runs])
        rows.update(lease=lease, leased_until=until)
    return runs


class Batch:
    """Some claimed runs. What they have in common is read once: versions and their workflows,
    contacts, activities, rules, programs."""

    def __init__(self, runs: Sequence[Run]) -> None:
        versions = (
            WorkflowVersion.objects.across_organisations()
            .select_related("workflow__organisation")
            .in_bulk({run.version_id for run in runs})
        )
        # Those of a workflow that was deleted in this moment are gone.
        self.runs = [run for run in runs if run.version_id in versions]
        self.rulebook = Rulebook()
        self._programs: dict[int, Program] = {}
        begun = [run for run in self.runs if run.position]
        asked = {run.activity_id for run in begun if run.activity_id is not None}
        rows = Activity.objects.across_organisations().with_reservations()
        self._activities: dict[int, Activity] = rows.in_bulk(asked) if asked else {}
        contacts = Contact.objects.across_organisations().in_bulk({run.contact_id for run in begun})
        for run in self.runs:
            run.version = versions[run.version_id]
            run.workflow = run.version.workflow
            if run.contact_id in contacts:
                run.contact = contacts[run.contact_id]
                run.contact.organisation = run.workflow.organisation

    def work(self, stopping: Stopping) -> None:
        """Move every run on: first, all together, over steps that only read; then one by one."""
        left = self.read_on([run for run in self.runs if not self._hold_paused(run)])
        for position, run in enumerate(left):
            if stopping():
                self._give_back(left[position:])
                return
            by = Actor(Kind.WORKFLOW, run.workflow_id, run.workflow.name)
            with causes.acting(run.as_cause()), actors.acting(by):
                while self.step(run):
                    pass

    def program(self, run: Run) -> Program:
        if run.version_id not in self._programs:
            self._programs[run.version_id] = Program(run.version.steps)
        return self._programs[run.version_id]

    def _hold_paused(self, run: Run) -> bool:
        """Put a run aside whose workflow is not active: it waits until it is again."""
        if run.workflow.status == Workflow.Status.ACTIVE:
            return False
        rows = Run.objects.for_organisation(run.organisation_id).filter(pk=run.pk)
        # Unless it was switched on again in this moment, which a hold would miss.
        paused = Workflow.objects.across_organisations().exclude(status=Workflow.Status.ACTIVE)
        rows.filter(lease=run.lease, workflow__in=paused.filter(pk=run.workflow_id)).update(
            held=True
        )
        rows.filter(lease=run.lease).update(lease=None, leased_until=None)
        return True

    def _give_back(self, runs: Sequence[Run]) -> None:
        """End the leases of runs that were not begun."""
        rows = Run.objects.across_organisations().filter(pk__in=[run.pk for run in runs])
        rows.filter(lease=runs[0].lease).update(lease=None, leased_until=None)

    def moment(self, run: Run) -> Moment:
        """The step at which the run stands, now."""
        organisation = run.workflow.organisation
        activity = self._activities.get(run.activity_id or 0)
        if activity is not None:
            activity.organisation = organisation
        return Moment(
            organisation=organisation,
            contact=run.contact,
            activity=activity,
            run=run,
            data=self.program(run).at(run.position),
            now=timezone.now(),
            idempotency_key=moves.idempotency_key(run),
            memory=run.memory,
            rulebook=self.rulebook,
        )

    # Together

    def read_on(self, runs: Sequence[Run]) -> list[Run]:
        """Take the steps that only read, and the ends, of all these runs in one transaction;
        answers those that have more to do."""
        going: list[Move] = []
        left: list[Run] = []
        first = self._prepared(runs)
        for run in runs:
            move = Move(run, self.program(run))
            try:
                self._read(move, first.get(run.pk))
            except Exception:
                left.append(run)  # by itself it will fail again, and that is then written down
                continue
            if move.steps or move.ends:
                going.append(move)
            else:
                left.append(run)
        stored = moves.store(going) if going else set()
        return left + [move.run for move in going if move.run.pk in stored and move.goes_on]

    def _prepared(self, runs: Iterable[Run]) -> dict[int, Moment]:
        """By their ids, the moments of runs that are at a step which only reads; what each such
        step needs is read at once. A run for which that is not possible is left out or asks for
        itself: it fails again on its own way then, where that is written down."""
        at: dict[tuple[int, str], list[Moment]] = {}
        for run in runs:
            with suppress(Exception):
                if run.position and self.program(run).kind(run.position).light:
                    at.setdefault((run.version_id, run.position), []).append(self.moment(run))
        for moments in at.values():
            run = moments[0].run
            try:
                self.program(run).kind(run.position).prepare(moments)
            except Exception as error:
                log.warning("steps not prepared together", position=run.position, exc_info=error)
        return {moment.run.pk: moment for moments in at.values() for moment in moments}

    def _read(self, move: Move, moment: Moment | None) -> None:
        while move.position:
            run = move.run
            if not move.program.kind(move.position).light:
                return
            if moment is None:
                moment = self.moment(run)
                moment.data, moment.memory = move.program.at(move.position), move.memory
            began = moment.now
            move.take(move.program.kind(move.position).run(moment), began, timezone.now())
            if move.parked or move.ends:
                return
            moment = None
        move.end(timezone.now())

    # One by one

    def step(self, run: Run) -> bool:
        """Take the step at which the run stands; whether there is more to do."""
        try:
            kind = self.program(run).kind(run.position) if run.position else None
        except LookupError:
            retries.fail(run, None, _("The step %(path)s is not there.") % {"path": run.position})
            return False
        if kind is not None and kind.external:
            return self._move_outside(run, kind)
        return self._move_inside(run, kind)

    def _move_inside(self, run: Run, kind: Step | None) -> bool:
        """The effect and the move in one transaction: both happen, or neither."""
        began = timezone.now()
        move = Move(run, self.program(run))
        try:
            with transaction.atomic():
                if not moves.lock(run):
                    return False
                if kind is None:
                    move.end(began)
                else:
                    self._refresh(run)
                    move.take(kind.run(self.moment(run)), began, timezone.now())
                moves.write(move)
        except Exception as error:
            return self._failed(run, error, began)
        return move.goes_on

    def _move_outside(self, run: Run, kind: Step) -> bool:
        """The effect ahead of the move: when the worker dies in between, it happens again, with
        the same key."""
        began = timezone.now()
        rows = Run.objects.for_organisation(run.organisation_id).filter(
            pk=run.pk, lease=run.lease, held=False
        )
        run.leased_until = began + LEASE
        run.attempts += 1
        if not rows.update(leased_until=run.leased_until, attempts=run.attempts):
            return False
        if run.attempts > retries.attempts():
            text = _("The worker was lost at this step each time that it was tried.")
            retries.fail(run, self.program(run), text, began)
            return False
        move = Move(run, self.program(run))
        try:
            self._refresh(run)
            outcome: Outcome = kind.run(self.moment(run))
            with transaction.atomic():
                if not moves.lock(run):
                    return False
                move.take(outcome, began, timezone.now())
                moves.write(move)
        except Exception as error:
            run.attempts -= 1
            return self._failed(run, error, began)
        return move.goes_on

    def _refresh(self, run: Run) -> None:
        """Read the contact anew: an earlier step, or anybody, may have changed it."""
        contacts = Contact.objects.for_organisation(run.organisation_id).select_related("rollup")
        run.contact = contacts.resolve(run.contact_id)
        run.contact.organisation = run.workflow.organisation

    def _failed(self, run: Run, error: Exception, began: datetime) -> bool:
        """Note a failed attempt: tried again later, or the run fails."""
        if not connection.in_atomic_block and not connection.is_usable():
            raise error  # the database went away: the lease ends by itself
        reason = retries.reason_of(error)
        if isinstance(error, GiveUp | ValidationError):
            retries.fail(run, self.program(run), reason, began)
        else:
            if not isinstance(error, Retry):
                log.warning("step failed", run=run.pk, position=run.position, exc_info=error)
            after = error.after if isinstance(error, Retry) else None
            retries.try_later(run, self.program(run), reason, began, after)
        return False
