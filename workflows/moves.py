"""Moving a run on: what a step answered, written to the run and its executions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone

from workflows import failures, reentry, values
from workflows.models import Run, StepExecution
from workflows.program import Program
from workflows.steps.base import Branch, Done, Exit, Outcome, Wait, WaitFor

Status = Run.Status


def idempotency_key(run: Run) -> str:
    """The same at every attempt of the step at hand, and at no other step of any run."""
    return f"run-{run.pk}-{run.taken + 1}"


@dataclass
class Move:
    """A run on its way: what is to be written of it. Nothing is, until `store` or `write`."""

    run: Run
    program: Program
    position: str = ""
    memory: Mapping[str, Any] = field(default_factory=dict)
    steps: list[StepExecution] = field(default_factory=list)
    columns: dict[str, Any] = field(default_factory=dict)
    parked: bool = False
    ends: bool = False

    def __post_init__(self) -> None:
        self.position = self.run.position
        self.memory = self.run.memory
        self._taken = self.run.taken
        self._attempts = self.run.attempts
        self._context: dict[str, Any] | None = None

    @property
    def goes_on(self) -> bool:
        """Whether the next step can be taken at once."""
        return not (self.parked or self.ends)

    def take(self, outcome: Outcome, began: datetime, now: datetime) -> None:
        """Note what the step at hand answered."""
        data, kind = self.program.at(self.position), self.program.kind(self.position)
        execution = StepExecution(
            run_id=self.run.pk,
            number=self._taken + 1,
            step_id=data["id"],
            type=data["type"],
            started_at=began,
            # An effect elsewhere is counted when it begins, for whoever dies over it.
            attempts=self._attempts + (not kind.external),
        )
        self.steps.append(execution)
        if isinstance(outcome, Wait | WaitFor):
            self._park(execution, outcome, now)
            return
        output = values.as_json(outcome.output) if outcome.output else {}
        execution.status = StepExecution.Status.COMPLETED
        execution.completed_at, execution.output = now, output
        if output:
            self._context = {
                **(self.run.context if self._context is None else self._context),
                execution.step_id: output,
            }
        self._taken += 1
        self._attempts, self.memory = 0, {}
        match outcome:
            case Done():
                self.position = self.program.after(self.position)
            case Branch():
                self.position = self.program.into(self.position, outcome.path)
            case Exit():
                self.position = ""
        self.columns |= {"status": Status.RUNNING, "waits_for": None}
        if not self.position:
            self.end(now)

    def _park(self, execution: StepExecution, outcome: Wait | WaitFor, now: datetime) -> None:
        self.parked = True
        self.memory = values.as_json(outcome.memory)
        execution.status = StepExecution.Status.WAITING
        execution.output = {"until": outcome.until.isoformat(timespec="seconds")}
        self._attempts = 0
        waits_for = list(outcome.types) if isinstance(outcome, WaitFor) else None
        due_at = outcome.until
        if waits_for is not None and self.run.waits_for is None:
            # Once more at once: what was recorded before this was written woke nobody.
            due_at = now
        self.columns |= {"status": Status.WAITING, "waits_for": waits_for, "due_at": due_at}

    def end(self, now: datetime) -> None:
        """The run is at its end."""
        self.ends, self.position = True, ""
        self.columns |= {
            "status": Status.COMPLETED,
            "completed_at": now,
            "due_at": None,
            "waits_for": None,
            **freed(self.run),
        }

    def change(self) -> dict[str, Any]:
        """The run's columns that are to be written. The lease ends unless it goes on."""
        change = {
            "position": self.position,
            "memory": dict(self.memory),
            "taken": self._taken,
            "attempts": self._attempts,
            **self.columns,
        }
        if self._context is not None:
            change["context"] = self._context
        if not self.goes_on:
            change |= {"lease": None, "leased_until": None}
        return change


def freed(run: Run) -> dict[str, Any]:
    """What ends with a run: that no other may begin beside it."""
    if run.entry is not None and run.entry.startswith(reentry.NOW):
        return {"entry": None}
    return {}


def lock(run: Run) -> bool:
    """Hold the run until the transaction ends; whether it is still the caller's to move, and was
    not cancelled or paused."""
    rows = Run.objects.for_organisation(run.organisation_id).select_for_update()
    found = rows.filter(pk=run.pk, lease=run.lease).values_list("held", "waits_for").first()
    if found is None:
        return False
    held, run.waits_for = found
    if held:
        Run.objects.for_organisation(run.organisation_id).filter(pk=run.pk).update(
            lease=None, leased_until=None
        )
    return not held


def write(move: Move) -> None:
    """Write a move of a locked run, in the caller's transaction."""
    record(move.steps)
    change = move.change()
    for name, value in change.items():
        setattr(move.run, name, value)
    rows = Run.objects.for_organisation(move.run.organisation_id).filter(pk=move.run.pk)
    rows.update(**change, updated_at=timezone.now())
    if move.ends:
        failures.note_success(move.run.workflow)


def record(steps: Sequence[StepExecution]) -> None:
    """Write executions. Where a step waited or failed before, its row is there already; it keeps
    when it began. One statement."""
    if steps:
        StepExecution.objects.bulk_create(
            steps,
            update_conflicts=True,
            unique_fields=["run", "number"],
            update_fields=["status", "completed_at", "attempts", "output", "error"],
        )


def store(moves: Sequence[Move]) -> set[int]:
    """Write the moves of many runs in one transaction; answers the ids of those that could be.

    A run that was cancelled or paused meanwhile, or whose lease is another's by now, stays as it
    is there: nothing but reading was done. Two statements when they all go the same way.
    """
    stored, groups = list(moves), _alike(moves)
    if len(groups) > 1 or not _write_whole(groups[0]):
        with transaction.atomic():
            ours = _hold(moves)
            stored = [move for move in moves if move.run.pk in ours]
            for group in _alike(stored):
                _write_alike(group)
    for move in stored:
        if move.goes_on:
            for name, value in move.change().items():
                setattr(move.run, name, value)
        if move.ends:
            failures.note_success(move.run.workflow)
    return {move.run.pk for move in stored}


def _write_whole(alike: Sequence[Move]) -> bool:
    """Write moves that go the same way, or none of them when some are no longer the caller's."""
    with transaction.atomic():
        whole = _write_alike(alike) == len(alike)
        transaction.set_rollback(not whole)
    return whole


def _write_alike(alike: Sequence[Move]) -> int:
    """Write moves that go the same way, in the caller's transaction; answers how many runs were
    still the caller's to move."""
    rows = Run.objects.across_organisations().filter(pk__in=[move.run.pk for move in alike])
    ours = rows.filter(lease=alike[0].run.lease, held=False)
    found: int = ours.update(**alike[0].change(), updated_at=timezone.now())
    record([step for move in alike for step in move.steps])
    return found


def _hold(moves: Sequence[Move]) -> set[int]:
    """Hold the runs that may still be moved until the transaction ends, in the order of their ids,
    so that two who hold some of the same do not wait for each other; answers their ids. The leases
    of the others end."""
    pks, lease = {move.run.pk for move in moves}, moves[0].run.lease
    rows = Run.objects.across_organisations().filter(pk__in=pks)
    locked = rows.select_for_update().filter(lease=lease, held=False).order_by("pk")
    ours = set(locked.values_list("pk", flat=True))
    if pks != ours:
        rows.filter(pk__in=pks - ours, lease=lease).update(lease=None, leased_until=None)
    return ours


def _alike(moves: Sequence[Move]) -> list[list[Move]]:
    """The moves in groups of the same change. Ends are alike but for the split second."""
    groups: dict[bytes, list[Move]] = {}
    ended = next((move.columns["completed_at"] for move in moves if move.ends), None)
    for move in moves:
        if move.ends:
            move.columns["completed_at"] = ended
        groups.setdefault(orjson.dumps(move.change()), []).append(move)
    return list(groups.values())
