"""Deciding about pairs: they are two, they may be one after all, they are one."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from contacts.duplicates import scanning
from contacts.duplicates.models import DuplicateCheck, DuplicateKey, DuplicatePair, DuplicateScan
from contacts.duplicates.querysets import PairQuerySet
from contacts.models import Contact, Merge
from organisations.models import Organisation

Status = DuplicatePair.Status


@transaction.atomic
def dismiss(*, pairs: PairQuerySet, by: User | None = None) -> int:
    """Say that each of these open pairs is two contacts; answers how many. They are not proposed
    again."""
    return pairs.open().update(
        status=Status.DISMISSED, decided_by=by, decided_at=timezone.now(), via=None
    )


@transaction.atomic
def propose_again(*, pairs: PairQuerySet) -> int:
    """Take back that each of these pairs is two contacts; answers how many. The worker looks
    whether they are still alike."""
    rows = list(pairs.dismissed())
    pairs.filter(pk__in=[row.pk for row in rows]).update(
        status=Status.OPEN, decided_by=None, decided_at=None, via=None
    )
    for row in rows:
        DuplicateCheck.objects.create(
            organisation_id=row.organisation_id, contacts=[row.first_id, row.second_id]
        )
    return len(rows)


@transaction.atomic
def look_through_again(*, organisation: Organisation) -> None:
    """Have the worker go through all contacts from the first."""
    scans = DuplicateScan.objects.for_organisation(organisation).select_for_update(no_key=True)
    scan = scans.get()
    scanning.begin_again(scan)
    scan.save()


# What follows when contacts are merged, and erased: in the transaction of that.


def merged(merge: Merge) -> None:
    """Propose the absorbed contact no more. Who is not the one is not the other either."""
    rows = DuplicatePair.objects.for_organisation(merge.organisation_id)
    rows.open().of([merge.absorbed_id]).delete()
    not_the_absorbed = _partners(rows.dismissed().of([merge.absorbed_id]), merge.absorbed_id)
    others = not_the_absorbed - {merge.survivor_id}
    if others:
        others -= _partners(rows.dismissed().of([merge.survivor_id]), merge.survivor_id)
        _dismiss_too(merge, sorted(others))


def _partners(pairs: Iterable[DuplicatePair], contact: int) -> set[int]:
    return {pk for row in pairs for pk in (row.first_id, row.second_id)} - {contact}


def _dismiss_too(merge: Merge, others: Collection[int]) -> None:
    DuplicatePair.objects.bulk_create(
        (
            DuplicatePair(
                organisation_id=merge.organisation_id,
                first_id=min(merge.survivor_id, other),
                second_id=max(merge.survivor_id, other),
                score=0,
                status=Status.DISMISSED,
                via=merge,
                decided_at=timezone.now(),
            )
            for other in others
        ),
        update_conflicts=True,
        unique_fields=["first", "second"],
        update_fields=["status", "via", "decided_at"],
    )


def unmerged(merge: Merge) -> None:
    """Forget what the merge said of other pairs."""
    DuplicatePair.objects.for_organisation(merge.organisation_id).filter(via=merge).delete()


def forget(contact: Contact) -> None:
    """Forget the keys and pairs of a contact and of what was merged into it."""
    absorbed = Contact.objects.for_organisation(contact.organisation_id)
    everyone = [contact.pk, *absorbed.filter(merged_into=contact).values_list("pk", flat=True)]
    DuplicateKey.objects.filter(contact__in=everyone).delete()
    pairs = DuplicatePair.objects.for_organisation(contact.organisation_id)
    pairs.filter(Q(first__in=everyone) | Q(second__in=everyone)).delete()
