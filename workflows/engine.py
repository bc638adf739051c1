"""The engine: what `manage.py worker` and Celery's workers do, again and again.

`work` looks for what happened (segments, events), then claims runs that are due and moves them on.
A claim is a lease in the run's row, so a worker that dies loses nothing: when the lease is over,
another takes its runs from where they stood. docs/workflows.md says what is promised.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import structlog
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from activities.models import Activity
from contacts.models import Contact
from workflows import causes, matching, moves, retries
from workflows.models import Run, Workflow
from workflows.moves import Move
from workflows.program import Program
from workflows.rulebook import Rulebook
from workflows.steps.base import GiveUp, Moment, Outcome, Retry, Step

log = structlog.get_logger(__name__)

BATCH = 100
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
        runs = list(
            due.select_for_update(of=("self",), skip_locked=True)
            .select_related("workflow__organisation", "version", "contact__rollup")
            .order_by("due_at")[:limit]
        )
        lease, until = uuid.uuid4(), now + LEASE
        for run in runs:
            run.lease, run.leased_until = lease, until
        rows = Run.objects.across_organisations().filter(pk__in=[run.pk for run in runs])
        rows.update(lease=lease, leased_until=until)
    return runs


class Batch:
    """Some claimed runs. What they have in common is read once: activities, rules, programs."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs
        self.rulebook = Rulebook()
        self._programs: dict[int, Program] = {}
        asked = {run.activity_id for run in runs if run.activity_id is not None}
        rows = Activity.objects.across_organisations().with_reservations()
        self._activities: dict[int, Activity] = rows.in_bulk(asked) if asked else {}
        for run in runs:
            run.contact.organisation = run.workflow.organisation

    def work(self, stopping: Stopping) -> None:
        """Move every run on: first, all together, over steps that only read; then one by one."""
        left = self.read_on([run for run in self.runs if not self._hold_paused(run)])
        for position, run in enumerate(left):
            if stopping():
                self._give_back(left[position:])
                return
            with causes.acting(run.as_cause()):
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

    def _give_back(self, runs: Iterable[Run]) -> None:
        """End the leases of runs that were not begun."""
        rows = Run.objects.across_organisations().filter(pk__in=[run.pk for run in runs])
        rows.filter(lease=self.runs[0].lease).update(lease=None, leased_until=None)

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
        at: dict[tuple[int, str], list[Moment]] = {}
        for run in runs:
            try:
                if run.position and self.program(run).kind(run.position).light:
                    at.setdefault((run.version_id, run.position), []).append(self.moment(run))
            except LookupError:
                pass  # told below, run by run
        for (_version, position), moments in at.items():
            kind = self.program(moments[0].run).kind(position)
            try:
                kind.prepare(moments)
            except ValidationError:
                continue  # likewise
        first = {moment.run.pk: moment for moments in at.values() for moment in moments}
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
