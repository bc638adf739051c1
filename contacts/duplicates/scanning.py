"""Looking for possible duplicates: of contacts that changed, then of those that are new.

A step looks at some contacts in one transaction, while it holds the organisation's scan: it writes
their keys, reads who shares one, compares those, and writes the pairs that result. Whatever is
killed in the middle goes on where it was. A pair is found when the second of its two is looked at.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.utils import timezone

from contacts.duplicates.keys import MOST, Facts, Key, keys_of, mailbox, place, tells
from contacts.duplicates.likeness import tokens
from contacts.duplicates.models import (
    CrowdedKey,
    DuplicateCheck,
    DuplicateKey,
    DuplicatePair,
    DuplicateScan,
)
from contacts.duplicates.scoring import LEAST, Score, score
from contacts.models import Address, Contact
from organisations.models import Organisation
from organisations.querysets import TenantQuerySet

log = structlog.get_logger(__name__)

STEP = 250
"""Contacts that are looked at in one transaction."""
AT_A_TIME = 0.5
"""Seconds after which other work of the worker has its turn."""
LAG = timedelta(seconds=30)
"""How long a new contact is left alone: transactions that are under way have lower ids."""
LOOK_AGAIN = timedelta(seconds=30)
"""How often is looked whether there are new contacts."""
CARE = timedelta(days=7)
"""How often all are looked through again."""
_BATCH = 2000

Pair = tuple[int, int]


def work(stopping: Callable[[], bool] = lambda: False) -> int:
    """Look at contacts that changed, then at those not looked at yet; answers at how many. 0:
    nothing is left to do now. A share of the worker: takes about half a second. Two queries when
    there is nothing."""
    looked = 0
    until = time.monotonic() + AT_A_TIME
    for step in (check_some, scan_some):
        while time.monotonic() < until and not stopping():
            done = step()
            looked += done
            if not done:
                break
    return looked


def check_some() -> int:
    """Look at some contacts that changed; answers at how many."""
    checks = DuplicateCheck.objects.across_organisations().order_by("pk")
    first = checks.first()  # without a transaction, which on SQLite keeps writers waiting
    if first is None:
        return 0
    with transaction.atomic():
        held = _scans().select_for_update(skip_locked=True, no_key=True)
        scan = held.filter(organisation=first.organisation_id).first()
        if scan is None:
            return 0  # another worker is at it
        rows = list(checks.filter(organisation=first.organisation_id)[:STEP])
        ids, spent = _next_of(rows)
        # Who was not looked at at all yet will be, and finds then who is there.
        look_at(scan.organisation_id, [pk for pk in ids if pk <= scan.done_up_to])
        spent.delete()
    return max(len(ids), 1)


def _next_of(rows: list[DuplicateCheck]) -> tuple[list[int], QuerySet[DuplicateCheck]]:
    """A step's contacts out of the queue, and the rows that are done with by it."""
    ids: dict[int, None] = {}
    spent: list[int] = []
    for row in rows:
        if len(ids) >= STEP:
            break
        room = STEP - len(ids)
        ids |= dict.fromkeys(row.contacts[:room])
        if len(row.contacts) > room:
            row.contacts = row.contacts[room:]
            row.save(update_fields=["contacts"])
        else:
            spent.append(row.pk)
    return list(ids), DuplicateCheck.objects.across_organisations().filter(pk__in=spent)


def scan_some() -> int:
    """Go on with the organisation that is due the longest, by one step; answers at how many
    contacts was looked."""
    due = _scans().filter(due_at__lte=timezone.now())
    if not due.exists():
        return 0
    horizon = _horizon()
    _pass_over_idle(horizon)
    with transaction.atomic():
        held = due.order_by("due_at").select_for_update(skip_locked=True, no_key=True)
        scan = held.first()
        return _step(scan, horizon) if scan is not None else 0


def _scans() -> TenantQuerySet[DuplicateScan]:
    return DuplicateScan.objects.across_organisations()


def _horizon() -> int:
    """The newest contact that may be looked at."""
    everyone = Contact.objects.across_organisations().order_by("-pk")
    old = everyone.filter(created_at__lte=timezone.now() - LAG)
    return old.values_list("pk", flat=True).first() or 0


def _pass_over_idle(horizon: int) -> None:
    """Put off all organisations without a new contact, in one UPDATE."""
    now = timezone.now()
    new = Contact.objects.across_organisations().filter(
        organisation=OuterRef("organisation"), pk__gt=OuterRef("done_up_to"), pk__lte=horizon
    )
    idle = _scans().filter(due_at__lte=now, finished_at__isnull=False, begun_at__gt=now - CARE)
    idle.filter(~Exists(new)).update(done_up_to=horizon, due_at=now + LOOK_AGAIN)


def _step(scan: DuplicateScan, horizon: int) -> int:
    now = timezone.now()
    if scan.finished_at is not None and scan.begun_at <= now - CARE:
        begin_again(scan)
    if scan.done_up_to == 0:
        CrowdedKey.objects.for_organisation(scan.organisation_id).delete()
    contacts = Contact.objects.for_organisation(scan.organisation_id).order_by("pk")
    new = contacts.filter(pk__gt=scan.done_up_to, pk__lte=horizon)
    ids = list(new.values_list("pk", flat=True)[:STEP])
    look_at(scan.organisation_id, ids)
    if len(ids) == STEP:
        scan.done_up_to, scan.due_at = ids[-1], now
    else:
        scan.done_up_to, scan.due_at = max(horizon, scan.done_up_to), now + LOOK_AGAIN
        scan.finished_at = now
    scan.save()
    return max(len(ids), 1)


def begin_again(scan: DuplicateScan) -> None:
    """Have a held scan go through all contacts from the first. Does not save it."""
    scan.done_up_to, scan.finished_at = 0, None
    scan.begun_at = scan.due_at = timezone.now()


# One step.


def look_at(organisation: Organisation | int, ids: Collection[int]) -> None:
    """Find the pairs that these contacts are in now, and forget those that they no longer are in.
    About a dozen queries."""
    if not ids:
        return
    owner = organisation if isinstance(organisation, int) else organisation.pk
    known = facts_of(owner, ids)
    keys = {pk: {key.number(owner): key for key in keys_of(one)} for pk, one in known.items()}
    _write_keys(ids, keys)
    meetings = _meetings(owner, known, keys)
    others = {pk for pair in meetings for pk in pair} - known.keys()
    known |= facts_of(owner, others)
    found = {
        pair: result
        for pair in sorted(meetings)
        if pair[0] in known and pair[1] in known
        if (result := score(known[pair[0]], known[pair[1]])).points >= LEAST
    }
    _write_pairs(owner, ids, found)


def facts_of(organisation: int, ids: Collection[int]) -> dict[int, Facts]:
    """What is compared, by id, of those that were neither merged nor redacted. Two queries."""
    if not ids:
        return {}
    places: dict[int, set[str]] = defaultdict(set)
    addresses = Address.objects.for_organisation(organisation).filter(contact__in=ids)
    for pk, *parts in addresses.values_list("contact_id", "postcode", "line1", "city"):
        if found := place(*parts):
            places[pk].add(found)
    contacts = Contact.objects.for_organisation(organisation).current()
    rows = contacts.filter(pk__in=ids, redacted_at=None).only(
        "kind", "first_name", "name", "email_key", "phone_number_e164",
        "phone_number_country_code", "dob",
    )  # fmt: skip
    return {row.pk: _facts(row, frozenset(places[row.pk])) for row in rows}


def _facts(contact: Contact, places: frozenset[str]) -> Facts:
    name = tokens(contact.name)
    code = contact.phone_number_country_code or ""
    digits = (contact.phone_number_e164 or "").removeprefix("+")
    local, domain = mailbox(contact.email_key)
    return Facts(
        pk=contact.pk,
        kind=contact.kind,
        first=tokens(contact.first_name) or name[:-1],
        name=name,
        local=local,
        domain=domain,
        local_tells=tells(local, name),
        national=digits.removeprefix(code).lstrip("0"),
        dob=contact.dob,
        places=places,
    )


def _write_keys(ids: Collection[int], keys: Mapping[int, Mapping[int, Key]]) -> None:
    """Store the keys of these contacts instead of those that they had."""
    wanted = {(number, pk) for pk, its in keys.items() for number in its}
    rows = DuplicateKey.objects.filter(contact__in=ids)
    stored = set(rows.values_list("key", "contact_id"))
    changed = {pk for _number, pk in stored - wanted}
    if changed:
        rows.filter(contact__in=changed).delete()
        stored = {(number, pk) for number, pk in stored if pk not in changed}
    DuplicateKey.objects.bulk_create(
        (DuplicateKey(key=number, contact_id=pk) for number, pk in sorted(wanted - stored)),
        batch_size=_BATCH,
        ignore_conflicts=True,
    )


def _meetings(
    organisation: int, known: Mapping[int, Facts], keys: Mapping[int, Mapping[int, Key]]
) -> set[Pair]:
    """Who shares a key with whom, where at least one is known, save at crowded keys."""
    by_number = {number: key for its in keys.values() for number, key in its.items()}
    rows = DuplicateKey.objects.filter(key__in=by_number)
    counts = dict(rows.values_list("key").annotate(number=Count("contact")).filter(number__gt=1))
    crowded = {one: n for one, n in counts.items() if n > MOST[by_number[one].kind]}
    _note_crowded(organisation, by_number, crowded)
    members: dict[int, list[int]] = defaultdict(list)
    shared = rows.filter(key__in=counts.keys() - crowded.keys())
    for number, pk in shared.values_list("key", "contact_id"):
        members[number].append(pk)
    return {
        (min(one, other), max(one, other))
        for together in members.values()
        for one in together
        if one in known
        for other in together
        if other != one
    }


def _note_crowded(
    organisation: int, by_number: Mapping[int, Key], crowded: Mapping[int, int]
) -> None:
    """Keep which keys were left out, for the page to say so."""
    CrowdedKey.objects.bulk_create(
        (
            CrowdedKey(
                organisation_id=organisation,
                key=number,
                kind=by_number[number].kind,
                value=by_number[number].value[:400],
                contacts=count,
            )
            for number, count in sorted(crowded.items())
        ),
        update_conflicts=True,
        unique_fields=["organisation", "key"],
        update_fields=["contacts"],
    )


def _write_pairs(organisation: int, ids: Collection[int], found: Mapping[Pair, Score]) -> None:
    """Store what was found of these contacts. What was decided on stays as it is."""
    pairs = DuplicatePair.objects.for_organisation(organisation)
    stored = {(row.first_id, row.second_id): row for row in pairs.of(ids)}
    is_open = DuplicatePair.Status.OPEN
    gone = [row.pk for pair, row in stored.items() if row.status == is_open and pair not in found]
    if gone:
        pairs.filter(pk__in=gone).delete()
    changed = []
    for pair, row in stored.items():
        result = found.get(pair)
        if result is not None and (row.score, row.reasons) != (result.points, [*result.reasons]):
            row.score, row.reasons = result.points, [*result.reasons]
            changed.append(row)
    pairs.bulk_update(changed, ["score", "reasons"])
    DuplicatePair.objects.bulk_create(_new_pairs(organisation, stored.keys(), found))


def _new_pairs(
    organisation: int, stored: Collection[Pair], found: Mapping[Pair, Score]
) -> Iterable[DuplicatePair]:
    return [
        DuplicatePair(
            organisation_id=organisation,
            first_id=first,
            second_id=second,
            score=result.points,
            reasons=[*result.reasons],
        )
        for (first, second), result in found.items()
        if (first, second) not in stored
    ]
