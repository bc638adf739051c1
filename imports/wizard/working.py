"""The worker's share: reading uploaded files, rehearsing them, importing them.

A worker leases an upload and renews the lease after each batch of rows; one that dies leaves a
lease that runs out, and another goes on: an import where it stopped, a rehearsal from its
beginning. What an import did stands in the same transactions as its rows, so nothing is doubled.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import (
    InterfaceError,
    OperationalError,
    close_old_connections,
    connections,
    transaction,
)
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from crm import actors
from crm.actors import Actor, Kind
from imports.files.source import Unusable
from imports.models import Import
from imports.runs import Interrupted, Report
from imports.services import Door
from imports.wizard import looking, storage
from imports.wizard.corrections import corrected
from imports.wizard.models import PreviewRow, Upload
from imports.wizard.preview import rehearse
from imports.wizard.running import FailedRows, bring_in

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=2)
"""How long an upload is left to its worker. A batch of rows takes some seconds; reading a large
workbook half a minute."""
ATTEMPTS = 5
"""So often in a row it is tried without getting any further."""
PAUSE = timedelta(seconds=5)
"""Until the next try after an error."""
SMALL_BYTES, SMALL_ROWS = 300_000, 2_000
"""What is so small is not left to a worker: whoever waits sees it at once."""

Stage = Upload.Stage
Stopping = Callable[[], bool]


class TakenAway(Exception):
    """The upload is not this worker's any more: somebody stopped it, or the lease ran out."""


class MakeRoom(Exception):
    """The worker is to stop: another goes on."""


def work(stopping: Stopping = lambda: False) -> bool:
    """Do all that waits for one upload; whether there was one. One query when there is none."""
    task = claim()
    if task is None:
        return False
    task.do(stopping)
    return True


def at_once(upload: Upload) -> None:
    """Do what waits for this upload here and now, where it is small."""
    about = upload.found.get("about", 0)
    small = (
        upload.size <= SMALL_BYTES
        if upload.stage == Stage.READING
        else upload.stage == Stage.CHECKING and about <= SMALL_ROWS
    )
    task = claim(upload.pk) if small else None
    if task is not None:
        task.do(lambda: False)
        upload.refresh_from_db()


def claim(pk: int | None = None) -> Task | None:
    """Lease the upload that waits longest, or this one."""
    now = timezone.now()
    due = Upload.objects.across_organisations().claimable(now)
    if pk is not None:
        due = due.filter(pk=pk)
    # Most looks find nothing: no transaction for those, which on SQLite would be a writing one.
    if not due.exists():
        return None
    with transaction.atomic():
        rows = due.select_for_update(of=("self",), skip_locked=True)
        found = rows.order_by("updated_at", "id").first()
        if found is None:
            return None
        found.lease, found.leased_until = uuid.uuid4(), now + LEASE
        found.attempts += 1
        found.started_at = found.started_at or now
        found.save(update_fields=["lease", "leased_until", "attempts", "started_at"])
    whole = Upload.objects.across_organisations().select_related("organisation", "run")
    return Task(whole.get(pk=found.pk), found.lease)


@dataclass
class Task:
    """One leased upload, and what is to be done with it."""

    upload: Upload
    lease: uuid.UUID

    def do(self, stopping: Stopping) -> None:
        """Do it and store how it went. Raises only what the database raises that went away."""
        upload = self.upload
        if upload.attempts > ATTEMPTS:
            self._give_up(_("It was tried several times and could not be finished."))
            return
        by = Actor(Kind.STAFF, upload.user_id, upload.user_name)
        # The reasons that rows fail for are kept in the language of whoever reads them.
        language = translation.override(upload.language or settings.LANGUAGE_CODE)
        try:
            with actors.acting(by), language:
                self._do(stopping)
        except TakenAway:
            self._stopped()
        except MakeRoom:
            self._release()
        except Interrupted as error:
            self._give_up(str(error))
        except Unusable as error:
            self._give_up(str(error))
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("import failed", upload=upload.pk, stage=upload.stage)
            self._release(PAUSE)

    def _do(self, stopping: Stopping) -> None:
        stage = self.upload.stage
        if stage == Stage.READING:
            self._read()
        elif stage == Stage.CHECKING:
            self._rehearse(stopping)
        elif stage == Stage.RUNNING:
            self._import(stopping)
        else:
            raise TakenAway

    def _read(self) -> None:
        upload = self.upload
        found = looking.look(upload)
        choices = looking.guess(upload, found)
        self._note(stage=Stage.COLUMNS, found=found, choices=choices, problem="")

    def _rehearse(self, stopping: Stopping) -> None:
        upload = self.upload

        def beat(_rows: int, report: Report) -> None:
            # Counts as far as it is; `rows` is all of the file that was read.
            self._renew(rows_done=report.rows)
            if stopping():
                raise MakeRoom

        with looking.content(upload) as file:
            found = rehearse(upload, corrected(file, upload), beat)
        with transaction.atomic():
            self._note(stage=Stage.CHECKED, counts=found.counts, rows_done=0)
            PreviewRow.objects.filter(upload=upload).delete()
            PreviewRow.objects.bulk_create(found.rows, batch_size=500)

    def _import(self, stopping: Stopping) -> None:
        upload = self.upload

        def begun(run: Import) -> None:
            if upload.run_id != run.pk:
                upload.run = run
                self._renew(run=run)

        def beat(_rows: int, report: Report) -> None:
            self._renew(rows_done=report.rows)
            if stopping():
                raise MakeRoom

        with looking.content(upload) as file:
            failed = FailedRows(upload, guarded=file.guarded)
            door = Door(errors=failed, progress=beat, begun=begun)
            report = bring_in(upload, corrected(file, upload), door)
        with transaction.atomic():
            self._finish(report)
            # It is personal data, and nobody needs it any more.
            storage.forget(upload)
            PreviewRow.objects.filter(upload=upload).delete()

    def _finish(self, report: Report) -> None:
        """Note that all rows are in, even when somebody asked to stop after the last of them."""
        done = self._mine((Stage.RUNNING, Stage.STOPPING)).update(
            stage=Stage.DONE,
            rows_done=report.rows,
            problem="",
            lease=None,
            leased_until=None,
            updated_at=timezone.now(),
        )
        if not done:
            raise TakenAway

    # The lease.

    def _mine(self, stages: tuple[str, ...] = ()) -> Any:
        rows = Upload.objects.for_organisation(self.upload.organisation_id)
        stages = stages or (self.upload.stage,)
        return rows.filter(pk=self.upload.pk, lease=self.lease, stage__in=stages)

    def _renew(self, **values: Any) -> None:
        now = timezone.now()
        if not self._mine().update(leased_until=now + LEASE, attempts=0, updated_at=now, **values):
            raise TakenAway

    def _note(self, **values: Any) -> None:
        """Store what came of it, and let go."""
        fresh = {**values, "lease": None, "leased_until": None, "attempts": 0}
        if not self._mine().update(**fresh, updated_at=timezone.now()):
            raise TakenAway

    def _release(self, pause: timedelta | None = None) -> None:
        until = timezone.now() + pause if pause else None
        self._mine().update(lease=None, leased_until=until)

    def _stopped(self) -> None:
        """Where people asked to stop, say that it has."""
        self._mine((Stage.STOPPING,)).update(
            stage=Stage.STOPPED,
            lease=None,
            leased_until=None,
            started_at=None,
            updated_at=timezone.now(),
        )

    def _give_up(self, problem: str) -> None:
        stage = Stage.STOPPED
        if self.upload.stage == Stage.READING:
            stage = Stage.UNUSABLE
        elif self.upload.run_id is None:
            stage = Stage.COLUMNS  # nothing is in yet: all can still be changed
        self._mine().update(
            stage=stage,
            problem=problem,
            lease=None,
            leased_until=None,
            started_at=None,
            attempts=0,
            updated_at=timezone.now(),
        )


class Background:
    """Does the share in a thread of its own, so that segments and workflows do not wait for a
    million rows."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._stopping: Stopping = lambda: False
        self._finishing = False

    def work(self, stopping: Stopping = lambda: False) -> bool:
        """Have it run while an upload waits. One query; answers False, as there is nothing to do
        for the caller."""
        self._stopping = stopping
        idle = self._thread is None or not self._thread.is_alive()
        if idle and Upload.objects.across_organisations().claimable(timezone.now()).exists():
            self._thread = threading.Thread(target=self._run, name="imports")
            self._thread.start()
        return False

    def finish(self) -> None:
        """Wait until nothing waits any more, or until the batch at hand is written when the worker
        is to stop."""
        self._finishing = True
        if self._thread is not None:
            self._thread.join()
        self._finishing = False

    def _is_to_stop(self) -> bool:
        # Celery's tasks stop after seconds to make room for others. The thread goes on meanwhile:
        # a rehearsal cannot be taken up where it was.
        return self._finishing and self._stopping()

    def _run(self) -> None:
        with self._connected():
            while not self._is_to_stop() and work(self._is_to_stop):
                pass

    @contextmanager
    def _connected(self) -> Iterator[None]:
        try:
            close_old_connections()
            yield
        except (OperationalError, InterfaceError) as error:
            log.warning("database does not answer", error=str(error).strip())
        except Exception:
            log.exception("imports failed")
        finally:
            connections.close_all()


background = Background()


def prune() -> None:
    """Forget uploads after `IMPORTS_KEEP_DAYS`, with the rows that failed. What is being imported
    stays."""
    before = timezone.now() - timedelta(days=settings.IMPORTS_KEEP_DAYS)
    rows = Upload.objects.across_organisations()
    old = rows.filter(updated_at__lt=before).exclude(stage__in=Upload.DUE)
    for pk in list(old.values_list("pk", flat=True)):
        rows.filter(pk=pk).delete()
