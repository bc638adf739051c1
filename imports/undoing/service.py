"""Undoing an import, step after step, in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from activities.models import Activity, Booking
from activities.reservations import BOOKING, GOLF, TABLE
from contacts.models import Address, Contact, ContactRollup, ContactTag
from crm import causes
from crm.errors import Conflict
from customfields.models import CustomFieldValue
from imports import tables
from imports.models import CreatedRange, Import, ImportedRow, KeptRow, What
from imports.undoing import contacts, fields, profiles
from imports.undoing.facts import Facts
from imports.undoing.records import (
    Mark,
    Outcome,
    changed,
    created,
    marks,
    note_gone,
    note_kept,
    sizes,
)

_ATTEMPTS = 4
# Tables that an import has just made grow.
_READ = (
    CreatedRange,
    ImportedRow,
    Contact,
    ContactRollup,
    ContactTag,
    Address,
    CustomFieldValue,
    Activity,
    Booking,
)


@dataclass(frozen=True)
class Deletion:
    """Rows that an import created, of which `take_back` deletes a batch of about `rows`."""

    what: str
    take_back: Callable[[Import, Mapping[int, Mark]], Outcome]
    rows: int = 5000
    did = "deleted"


@dataclass(frozen=True)
class Restoration:
    """Rows that an import changed, of which `take_back` restores a batch of `rows`."""

    what: str
    take_back: Callable[[Import, Collection[int]], Outcome]
    rows: int = 1000
    did = "restored"


_FACTS = (
    Facts(What.ACTIVITY, Activity),
    Facts(What.BOOKING, BOOKING.model),
    Facts(What.GOLF_RESERVATION, GOLF.model),
    Facts(What.TABLE_RESERVATION, TABLE.model),
)

# In this order, so that what points at a row goes before it, and an identifier that a new contact
# took is free when the one that had it gets it back.
STEPS: tuple[Deletion | Restoration, ...] = (
    *(
        step
        for kind in _FACTS
        for step in (Deletion(kind.what, kind.delete), Restoration(kind.what, kind.restore))
    ),
    Deletion(What.CONTACT, contacts.take_back),
    Restoration(What.CONTACT, profiles.take_back),
    Restoration(What.CUSTOM_FIELD, fields.restore, rows=50),
    Deletion(What.CUSTOM_FIELD, fields.delete, rows=50),
)

Told = Callable[[int, Sequence[KeptRow]], None]
"""Told after each batch: how many rows it had, and which of them were kept."""


@dataclass
class Undone:
    """What an undo did, an earlier try that was stopped included. `finished` is False when it was
    to stop after some seconds and there is more to do."""

    import_id: int
    deleted: dict[str, int] = field(default_factory=dict)
    restored: dict[str, int] = field(default_factory=dict)
    kept: int = 0
    seconds: float = 0.0
    dry_run: bool = False
    finished: bool = True


def ahead(run: Import) -> dict[str, tuple[int, int]]:
    """How many rows of each kind an undo would delete and restore, if nobody changed them since.
    Two queries."""
    return sizes(run)


def undo(
    *,
    run: Import,
    dry_run: bool = False,
    unfinished: bool = False,
    seconds: float | None = None,
    told: Told | None = None,
) -> Undone:
    """Take back what an import created and what it changed.

    Rows that were changed since are kept as they are, each with the reason (`KeptRow`); undoing
    again tries these anew. A batch is one transaction, so that an undo that was killed goes on
    where it was; two at once take turns. After `seconds` it stops at the end of a batch. A dry run
    does it all and takes it back; until it ends, others wait for the rows.

    Raises Conflict when there is nothing to undo any more, or when the import is not finished,
    unless `unfinished` says that it is not to go on.
    """
    began = time.monotonic()
    # It starts no workflow: what it takes back was there by mistake.
    with causes.quiet(), transaction.atomic() if dry_run else nullcontext():
        run = _begin(run, unfinished=unfinished)
        tables.refresh_statistics(_READ)
        before = float(run.undone.get("seconds", 0.0))
        finished = True
        for step, batch in _batches(run):
            if seconds is not None and time.monotonic() - began > seconds:
                finished = False
                break
            size, kept = _take_back(step, run, batch, before + time.monotonic() - began, dry_run)
            if told is not None:
                told(size, kept)
        if finished:
            _of(run).filter(status=Import.Status.UNDOING).update(
                status=Import.Status.UNDONE, updated_at=timezone.now()
            )
        done = _of(run).get().undone
        report = Undone(
            import_id=run.pk,
            deleted=done.get("deleted", {}),
            restored=done.get("restored", {}),
            kept=KeptRow.objects.filter(run=run).count(),
            seconds=before + time.monotonic() - began,
            dry_run=dry_run,
            finished=finished,
        )
        if dry_run:
            transaction.set_rollback(True)
    return report


def _of(run: Import) -> Any:
    return Import.objects.filter(organisation=run.organisation_id, pk=run.pk)


def _begin(run: Import, *, unfinished: bool) -> Import:
    """Say that the import is being undone: from here on nobody goes on with it."""
    with transaction.atomic():
        current: Import = (
            _of(run).select_related("organisation").select_for_update(of=("self",)).get()
        )
        if current.status == Import.Status.RUNNING and not unfinished:
            raise Conflict(
                _(
                    "Import %(id)d is still running, or was stopped: the command that began it goes"
                    " on with it. Undo it afterwards, or now with --unfinished."
                )
                % {"id": run.pk}
            )
        if (
            current.status == Import.Status.UNDONE
            and not KeptRow.objects.filter(run=current).exists()
        ):
            raise Conflict(_("Import %(id)d was undone already.") % {"id": run.pk})
        current.status = Import.Status.UNDOING
        current.save(update_fields=["status", "updated_at"])
    return current


def _batches(run: Import) -> Iterator[tuple[Deletion | Restoration, Any]]:
    for step in STEPS:
        batches: Iterator[Any] = (
            created(run, step.what, step.rows)
            if isinstance(step, Deletion)
            else changed(run, step.what, step.rows)
        )
        for batch in batches:
            yield step, batch


def _take_back(
    step: Deletion | Restoration, run: Import, batch: Any, seconds: float, dry_run: bool
) -> tuple[int, list[KeptRow]]:
    """Take back one batch, and again when others were at the same rows."""
    for attempt in range(_ATTEMPTS):
        try:
            with transaction.atomic():
                return _take_back_once(step, run, batch, seconds)
        except (IntegrityError, OperationalError):
            # OperationalError: a deadlock, or SQLite's writer took longer than the timeout.
            if dry_run or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _take_back_once(
    step: Deletion | Restoration, run: Import, batch: Any, seconds: float
) -> tuple[int, list[KeptRow]]:
    # Two at once take turns here; what the other has done already is not there any more.
    current: Import = _of(run).select_for_update().get()
    if current.status != Import.Status.UNDOING:
        return 0, []
    if isinstance(step, Deletion):
        ids: Collection[int] = marks(run, step.what, batch)
        outcome = step.take_back(run, ids)  # type: ignore[arg-type]  # it is marks by id
        note_gone(batch, outcome, timezone.now())
    else:
        ids = batch
        outcome = step.take_back(run, ids)
    kept = note_kept(run, step.what, ids, outcome)
    counts = dict(current.undone)
    by_what = dict(counts.get(step.did, {}))
    if outcome.done:
        by_what[step.what] = by_what.get(step.what, 0) + outcome.done
    _of(run).update(
        undone=counts | {step.did: by_what, "seconds": seconds}, updated_at=timezone.now()
    )
    return len(ids), kept
