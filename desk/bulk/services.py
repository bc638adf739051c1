"""Starting, doing, stopping and undoing bulk changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Contact
from contacts.querysets import ContactQuerySet
from crm import actors
from crm.errors import Conflict, in_words
from desk.bulk.actions import ACTIONS, Action, Told
from desk.bulk.models import LEASE, BulkItem, BulkJob
from organisations.models import Organisation

log = structlog.get_logger(__name__)

BATCH = 500
AT_ONCE = 200
"""Up to so many contacts are done while the browser waits."""
KEPT = timedelta(days=30)
"""So long a job can be looked at, and undone."""

Outcome = BulkItem.Outcome
Status = BulkJob.Status


@transaction.atomic
def start(
    *, organisation: Organisation, by: User, action: str, told: Told, contacts: ContactQuerySet
) -> BulkJob:
    """Note what is to be done to these contacts, as they are at this moment; the worker does it.

    Their ids are copied in one statement, a million in seconds. Raises ValidationError or Conflict
    for what can be done to nobody.
    """
    ACTIONS[action].check(organisation, told)
    job = BulkJob.objects.create(
        organisation=organisation,
        action=action,
        told=dict(told),
        by=by,
        by_name=actors.staff(by).name,
    )
    ids = contacts.for_organisation(organisation).order_by().values_list("id", flat=True)
    sql, parameters = ids.query.sql_with_params()
    table = connection.ops.quote_name(BulkItem._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (job_id, contact_id, outcome, error)"  # noqa: S608 - names of ours
            f" SELECT DISTINCT %s, chosen.id, %s, '' FROM ({sql}) AS chosen",
            [job.pk, Outcome.WAITING, *parameters],
        )
        job.total = cursor.rowcount
    job.save(update_fields=["total"])
    return job


def stop(*, job: BulkJob) -> None:
    """Do no more of it. What is done stays, and can be undone; `resume` goes on."""
    _move(job, {Status.RUNNING: Status.STOPPED})


def resume(*, job: BulkJob) -> None:
    """Go on with a job that was stopped."""
    _move(job, {Status.STOPPED: Status.RUNNING})


def undo(*, job: BulkJob) -> None:
    """Take back what it changed, where that is still as it left it; the worker does it."""
    _move(job, {Status.STOPPED: Status.UNDOING, Status.COMPLETED: Status.UNDOING})


def _move(job: BulkJob, moves: dict[Status, Status]) -> None:
    """Raises Conflict when the job is in none of these states."""
    for before, after in moves.items():
        rows = BulkJob.objects.for_organisation(job.organisation_id)
        moved = rows.filter(pk=job.pk, status=before)
        if moved.update(status=after, leased_until=timezone.now(), updated_at=timezone.now()):
            job.refresh_from_db()
            return
    raise Conflict(_("This is %(status)s by now.") % {"status": job.get_status_display()})


# The worker's share


def work(*, stopping: Callable[[], bool]) -> bool:
    """Do some of a job that is due; whether there was any."""
    job = _claim()
    if job is None:
        return False
    run(job, stopping=stopping)
    return True


def _claim() -> BulkJob | None:
    now = timezone.now()
    due = BulkJob.objects.across_organisations().filter(
        status__in=[Status.RUNNING, Status.UNDOING], leased_until__lte=now
    )
    if not due.exists():
        return None
    with transaction.atomic():
        rows = due.select_for_update(of=("self",), skip_locked=True).order_by("leased_until")
        job = rows.select_related("organisation", "by").first()
        if job is not None:
            job.leased_until = now + LEASE
            job.save(update_fields=["leased_until"])
    return job


def run(job: BulkJob, *, stopping: Callable[[], bool] = lambda: False, seconds: float = 30) -> None:
    """Do batches of a claimed job until it is done, stopped, or time for others."""
    end = time.monotonic() + seconds
    by = actors.staff(job.by) if job.by else actors.Actor(actors.Kind.STAFF, None, job.by_name)
    with actors.acting(by):
        while _batch(job) and not stopping() and time.monotonic() < end:
            pass
    rows = BulkJob.objects.for_organisation(job.organisation_id)
    rows.filter(pk=job.pk).update(leased_until=timezone.now())


def _batch(job: BulkJob) -> bool:
    """Do one batch; whether there may be more."""
    with transaction.atomic():
        rows = BulkJob.objects.for_organisation(job.organisation_id).select_for_update(of=("self",))
        current = rows.select_related("organisation").get(pk=job.pk)
        if not current.is_open:
            return False
        undoing = current.status == Status.UNDOING
        wanted = Outcome.CHANGED if undoing else Outcome.WAITING
        items = BulkItem.objects.filter(job=current, outcome=wanted).order_by("contact_id")
        batch = list(items[:BATCH])
        if not batch:
            current.status = Status.UNDONE if undoing else Status.COMPLETED
            current.save(update_fields=["status", "updated_at"])
            return False
        do = _undo if undoing else _do
        try:
            with transaction.atomic():
                do(current, ACTIONS[current.action], batch)
        except (ValidationError, Conflict, IntegrityError) as error:
            _fail(batch, error, undoing)
        BulkItem.objects.bulk_update(batch, ["outcome", "before", "error"])
        _count(current, batch)
    return True


def _do(job: BulkJob, action: Action, batch: Sequence[BulkItem]) -> None:
    contacts = Contact.objects.for_organisation(job.organisation).current().filter(redacted_at=None)
    # Locked in the order of their ids, as every other writer of many does.
    rows = contacts.filter(pk__in=[item.contact_id for item in batch]).order_by("pk")
    there = list(rows.select_for_update(no_key=True).values_list("pk", flat=True))
    changed = action.apply(job.organisation, there, job.told)
    found = set(there)
    for item in batch:
        if item.contact_id not in found:
            item.outcome = Outcome.FAILED
            item.error = _("Not there any more, merged, or redacted.")
        elif item.contact_id in changed:
            item.outcome, item.before = Outcome.CHANGED, changed[item.contact_id]
        else:
            item.outcome = Outcome.UNCHANGED


def _undo(job: BulkJob, action: Action, batch: Sequence[BulkItem]) -> None:
    contacts = Contact.objects.for_organisation(job.organisation).current().filter(redacted_at=None)
    rows = contacts.filter(pk__in=[item.contact_id for item in batch]).order_by("pk")
    there = set(rows.select_for_update(no_key=True).values_list("pk", flat=True))
    items = {item.contact_id: item.before for item in batch if item.contact_id in there}
    undone = set(action.undo(job.organisation, items, job.told))
    for item in batch:
        item.outcome = Outcome.UNDONE if item.contact_id in undone else Outcome.KEPT


def _fail(batch: Sequence[BulkItem], error: Any, undoing: bool) -> None:
    """What holds for a batch holds for every contact: a field that went, a tag that a rule took."""
    text = in_words(error) if isinstance(error, ValidationError | Conflict) else _("Taken.")
    log.info("bulk batch refused", error=text)
    for item in batch:
        item.outcome = Outcome.KEPT if undoing else Outcome.FAILED
        item.error = text


def _count(job: BulkJob, batch: Sequence[BulkItem]) -> None:
    counts = {outcome: sum(item.outcome == outcome for item in batch) for outcome in Outcome}
    rows = BulkJob.objects.for_organisation(job.organisation_id).filter(pk=job.pk)
    forwards = job.status == Status.RUNNING
    rows.update(
        done=F("done") + (len(batch) if forwards else 0),
        changed=F("changed") + counts[Outcome.CHANGED],
        failed=F("failed") + counts[Outcome.FAILED],
        undone=F("undone") + counts[Outcome.UNDONE],
        kept=F("kept") + counts[Outcome.KEPT],
        leased_until=timezone.now() + LEASE,
        updated_at=timezone.now(),
    )


def prune() -> None:
    """Forget jobs that ended `KEPT` ago; their contacts stay as they are."""
    old = BulkJob.objects.across_organisations().filter(created_at__lt=timezone.now() - KEPT)
    for job in old.exclude(status__in=[Status.RUNNING, Status.UNDOING])[:100]:
        items = BulkItem.objects.filter(job=job)
        while pks := list(items.values_list("pk", flat=True)[:5000]):
            BulkItem.objects.filter(pk__in=pks).delete()
        job.delete()
