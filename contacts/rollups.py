"""A contact's totals: spend, orders, last interaction. The only writer of `ContactRollup`.

The totals always equal what the contact's activities add up to. `apply` moves them by what a
change makes of them, under the row's lock, at a cost that does not grow with the contact's
history; signals call it for single rows, bulk paths once for many. `recompute` adds the
activities up again: for repair, merges and the like.

Rows are locked in the order of contact ids, so that two writers of the same contacts wait for
each other and never deadlock. What must be looked up is looked up after the lock, in a statement
of its own: only then does it see all that was committed before (READ COMMITTED).

`contacts` cannot import `activities`: that app hands its `Ledger` to `keep` when it is ready.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from django.db import connection, transaction
from django.db.models import BooleanField, Count, Max, Model, OuterRef, Q, Subquery, Sum
from django.db.models.expressions import RawSQL
from django.utils import timezone

from contacts.models import Contact, ContactRollup, SpendInCurrency
from contacts.signals import totals_changed
from organisations.models import Organisation

if TYPE_CHECKING:
    from organisations.querysets import TenantQuerySet

BATCH = 1000
"""How many contacts are locked and written together."""
PORTION = 20_000
"""How many activities are added up again while their contacts are locked."""

TOTALS = ("total_spend", "total_orders", "last_interacted_at", "last_order_at")
EMPTY: tuple[Any, ...] = (0, 0, None, None)


class Counted(NamedTuple):
    """The columns of an activity that the totals are made of."""

    contact_id: int
    type: str
    spend: int
    currency_code: str
    happened_at: datetime

    @property
    def when_and_what(self) -> tuple[int, str, datetime]:
        """All of it but the money."""
        return self.contact_id, self.type, self.happened_at


class Change(NamedTuple):
    """What became of one activity: what was counted of it, and what is to be counted now.

    `before` is None for a new activity, `after` for one that is gone.
    """

    before: Counted | None
    after: Counted | None


class Ledger(Protocol):
    """The activities, as far as the totals must know them."""

    def activities(self) -> TenantQuerySet[Any]:
        """Every activity of every organisation."""

    def order_types(self, organisation_id: int) -> Collection[str]:
        """The types that count as an order in this organisation. One query."""

    def orders_among(self, organisation_id: int, types: Collection[str]) -> Collection[str]:
        """Which of `types` count as an order; no query when all of them are built in.

        Until the transaction ends nobody can make another thing of them: an activity that is on
        its way into the totals is counted by the rule that holds when it arrives.
        """

    def silent_types(self) -> Collection[str]:
        """The types that are no interaction of the contact's."""


class _Kept:
    ledger: Ledger


def keep(ledger: Ledger) -> None:
    """Take the totals from this ledger. Called once, from `AppConfig.ready`."""
    _Kept.ledger = ledger


def ledger() -> Ledger:
    """That which the totals are taken from."""
    return _Kept.ledger


def touch(contact_ids: Iterable[int]) -> None:
    """Say that something of these contacts changed just now: `updatedAt` in the API.

    One query for each thousand contacts.
    """
    for ids in _batches(contact_ids):
        if len(ids) == 1 or connection.vendor == "sqlite":
            _rollups(ids).update(changed_at=timezone.now())
        else:
            _touch_in_order(ids)


def _touch_in_order(contact_ids: Sequence[int]) -> None:
    """Written out, because the ORM takes no order in a subquery, and rows must be locked in one."""
    table = _table(ContactRollup)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} AS rollup SET changed_at = %s FROM"  # noqa: S608 names of ours
            f" (SELECT contact_id FROM {table} WHERE contact_id = {_ANY}"
            " ORDER BY contact_id FOR UPDATE) AS held"
            " WHERE rollup.contact_id = held.contact_id",
            [timezone.now(), ",".join(map(str, contact_ids))],
        )


def apply(organisation: Organisation, changes: Iterable[Change]) -> None:
    """Move the totals by these changes, which the same transaction has written already.

    Flat in the contacts' histories. One query for a new activity; one more where several contacts
    have to be locked first, where there is money of another currency, and for each of the latest
    moments that may have to step back. Totals in the thousands of contacts go in batches.
    """
    changes = list(changes)
    told = {row.contact_id for change in changes for row in change if row is not None}
    changes = [change for change in changes if change.before != change.after]
    types = {row.type for change in changes for row in change if row is not None}
    orders = _Kept.ledger.orders_among(organisation.pk, types) if types else ()
    deltas: defaultdict[int, _Delta] = defaultdict(_Delta)
    for before, after in changes:
        if before is not None and after is not None and before.when_and_what == after.when_and_what:
            deltas[after.contact_id].pay(before, after)
            continue
        if before is not None:
            deltas[before.contact_id].take_out(before, orders)
        if after is not None:
            deltas[after.contact_id].put_in(after, orders)
    for ids in _batches(deltas):
        batch = {contact_id: deltas[contact_id] for contact_id in ids}
        with transaction.atomic(savepoint=False):
            lock(ids)
            _increment(batch, organisation.currency_code)
            _increment_foreign(batch, organisation.currency_code)
            _step_back(batch, organisation)
    _tell(organisation, told)


def recompute(
    contact_ids: Iterable[int] | None = None, *, organisation: Organisation | None = None
) -> int:
    """Add up the activities of these contacts (or of all) again; answers how many were wrong.

    Writes only what differs, and locks only whom it writes, a few at a time: nobody waits while
    histories that are right are added up. Where the caller has a transaction all are locked.
    Costs as much as there are activities.
    """
    repaired = 0
    for owner, ids in _suspects(contact_ids, organisation):
        with transaction.atomic():
            wrong = _compare(owner, ids)
            repaired += wrong.repair()
            _tell(owner, wrong.contact_ids())
    return repaired


def _tell(organisation: Organisation, contact_ids: Collection[int]) -> None:
    """Send `totals_changed`. Also for what moved no total: rules count by sources, too."""
    for ids in _batches(contact_ids):
        totals_changed.send(Organisation, organisation=organisation, ids=ids)


class Drift(NamedTuple):
    """A stored total that is not what the activities add up to.

    `total` is a column of `ContactRollup`, or `spend_in EUR` for money of another currency.
    `stored` is None when the contact has no row of totals at all.
    """

    contact_id: int
    total: str
    stored: Any
    recomputed: Any


def drift(organisation: Organisation | None = None) -> Iterator[Drift]:
    """Every total that is wrong, of one organisation or of all. Writes nothing.

    Right while others write, too: what seems wrong is compared again under its lock.
    """
    for owner, ids in _suspects(None, organisation):
        with transaction.atomic():
            wrong = _compare(owner, ids)
        yield from wrong.drifts()


class Total(NamedTuple):
    """A total as it is stored, as it would be added up now, and of how many activities."""

    stored: Any
    recomputed: Any
    activities: int


@dataclass(frozen=True)
class Explanation:
    """How a contact's totals come about. Money is in the smallest unit of its currency."""

    total_spend: Total
    spend_by_currency: Mapping[str, Total]
    total_orders: Total
    last_interacted_at: Total
    last_order_at: Total
    order_types: Sequence[str]


def explain(contact: Contact) -> Explanation:
    """Show how this contact's totals come about. Five queries; reads all its activities."""
    organisation = contact.organisation
    orders = _Kept.ledger.order_types(organisation.pk)
    activities = _Kept.ledger.activities().filter(contact=contact)
    rollup = ContactRollup.objects.across_organisations().get(contact=contact)
    stored = {organisation.currency_code: rollup.total_spend} | dict(
        contact.foreign_spend.values_list("currency_code", "amount")
    )
    summed = {
        currency: (amount, number)
        for currency, amount, number in activities.values_list("currency_code")
        .annotate(amount=Sum("spend"), number=Count("pk", filter=~Q(spend=0)))
        .order_by("currency_code")
    }
    moments = activities.aggregate(
        **_sums(organisation, orders),
        interactions=Count("pk", filter=~Q(type__in=_Kept.ledger.silent_types())),
    )
    by_currency = {
        currency: Total(stored.get(currency, 0), *summed.get(currency, (0, 0)))
        for currency in sorted(stored.keys() | summed.keys())
    }
    return Explanation(
        total_spend=by_currency[organisation.currency_code],
        spend_by_currency={
            currency: total for currency, total in by_currency.items() if any(total)
        },
        total_orders=Total(rollup.total_orders, moments["total_orders"], moments["total_orders"]),
        last_interacted_at=Total(
            rollup.last_interacted_at, moments["last_interacted_at"], moments["interactions"]
        ),
        last_order_at=Total(
            rollup.last_order_at, moments["last_order_at"], moments["total_orders"]
        ),
        order_types=sorted(orders),
    )


@dataclass
class _Delta:
    """By how much one contact's totals move."""

    orders: int = 0
    spend: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    interacted_at: datetime | None = None
    ordered_at: datetime | None = None
    lost_interaction: bool = False
    lost_order: bool = False

    def pay(self, before: Counted, after: Counted) -> None:
        """Only the money is another: no moment is lost, and none looked for."""
        self.spend[before.currency_code] -= before.spend
        self.spend[after.currency_code] += after.spend

    def put_in(self, row: Counted, orders: Collection[str]) -> None:
        self.spend[row.currency_code] += row.spend
        if row.type not in _Kept.ledger.silent_types():
            self.interacted_at = max(self.interacted_at or row.happened_at, row.happened_at)
        if row.type in orders:
            self.orders += 1
            self.ordered_at = max(self.ordered_at or row.happened_at, row.happened_at)

    def take_out(self, row: Counted, orders: Collection[str]) -> None:
        self.spend[row.currency_code] -= row.spend
        self.lost_interaction |= row.type not in _Kept.ledger.silent_types()
        if row.type in orders:
            self.orders -= 1
            self.lost_order = True


def lock(contact_ids: Sequence[int]) -> TenantQuerySet[ContactRollup]:
    """Lock the totals of these contacts in the order of ids until the transaction ends.

    Answers them to be written. One alone costs no query: the update to come locks it.
    """
    if len(contact_ids) > 1:
        list(_rollups(contact_ids).order_by("pk").select_for_update().values_list("pk"))
    return _rollups(contact_ids)


def lock_moments(contact_ids: Sequence[int]) -> dict[int, datetime]:
    """As `lock`, in one query; answers when the totals of each changed last."""
    rows = _rollups(contact_ids).order_by("pk").select_for_update()
    return dict(rows.values_list("pk", "changed_at"))


def _batches(contact_ids: Iterable[int]) -> Iterator[list[int]]:
    ids = sorted(set(contact_ids))
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


_ANY = "ANY(ARRAY(SELECT unnest(string_to_array(%s, ',')::bigint[])))"
_FEW = 10


def _rollups(contact_ids: Sequence[int]) -> TenantQuerySet[ContactRollup]:
    every = ContactRollup.objects.across_organisations()
    if len(contact_ids) <= _FEW or connection.vendor == "sqlite":
        return every.filter(pk__in=contact_ids)
    # A thousand parameters take psycopg and Django longer than the rows take PostgreSQL.
    listed = ",".join(map(str, contact_ids))
    column = f"{_table(ContactRollup)}.contact_id"
    among = RawSQL(f"{column} = {_ANY}", [listed], BooleanField())  # noqa: S611  # names of ours
    return every.filter(among)


def _increment(deltas: Mapping[int, _Delta], currency_code: str) -> None:
    """Add the deltas to the totals in one statement; latest moments only ever step forward.

    Written out, because the ORM has no UPDATE that takes each row's increments from a list.
    """
    rows, params = _relation(
        [
            (pk, delta.spend[currency_code], delta.orders, delta.interacted_at, delta.ordered_at)
            for pk, delta in deltas.items()
        ]
    )
    later = ", ".join(
        f"{column} = CASE WHEN rollup.{column} IS NULL OR delta.{column} > rollup.{column}"
        f" THEN delta.{column} ELSE rollup.{column} END"
        for column in ("last_interacted_at", "last_order_at")
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH delta ({', '.join(('contact_id', *TOTALS))}) AS ({rows})"  # noqa: S608 names of ours
            f" UPDATE {_table(ContactRollup)} AS rollup SET"
            " total_spend = rollup.total_spend + delta.total_spend,"
            " total_orders = rollup.total_orders + delta.total_orders,"
            f" {later}, changed_at = %s"
            " FROM delta WHERE rollup.contact_id = delta.contact_id",
            [*params, connection.ops.adapt_datetimefield_value(timezone.now())],
        )


def _relation(
    rows: Sequence[tuple[int, int, int, datetime | None, datetime | None]],
) -> tuple[str, list[Any]]:
    """SQL for these rows, and its parameters.

    Many go to PostgreSQL as one text a column: binding five thousand values, one by one, would take
    as long as the update itself.
    """
    if connection.vendor == "postgresql" and len(rows) > 1:
        ids, spend, orders, *moments = zip(*rows, strict=True)
        texts = [",".join(map(str, column)) for column in (ids, spend, orders)]
        texts += [",".join([str(one or "") for one in column]) for column in moments]
        kinds = ("bigint", "bigint", "integer", "timestamptz", "timestamptz")
        arrays = ", ".join(f"string_to_array(%s, ',', '')::{kind}[]" for kind in kinds)
        return f"SELECT * FROM unnest({arrays})", texts  # noqa: S608 kinds of ours
    moment = "%s::timestamptz" if connection.vendor == "postgresql" else "%s"
    adapt = connection.ops.adapt_datetimefield_value
    values = ", ".join([f"(%s, %s, %s, {moment}, {moment})"] * len(rows))
    return f"VALUES {values}", [
        value for *whole, one, other in rows for value in (*whole, adapt(one), adapt(other))
    ]


def _increment_foreign(deltas: Mapping[int, _Delta], currency_code: str) -> None:
    """Add money of other currencies, each to its own sum, under the lock of the totals.

    Only where those are still there: this also runs in the middle of a cascade.
    """
    params = [
        param
        for contact_id, delta in deltas.items()
        for currency, amount in sorted(delta.spend.items())
        if amount and currency != currency_code
        for param in (contact_id, currency, amount)
    ]
    if not params:
        return
    rows = ", ".join(["(%s, %s, %s)"] * (len(params) // 3))
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH delta (contact_id, currency_code, amount) AS (VALUES {rows})"  # noqa: S608 names of ours
            f" INSERT INTO {_table(SpendInCurrency)} AS kept"
            " (organisation_id, contact_id, currency_code, amount)"
            " SELECT rollup.organisation_id, rollup.contact_id, delta.currency_code, delta.amount"
            f" FROM delta JOIN {_table(ContactRollup)} AS rollup"
            " ON rollup.contact_id = delta.contact_id WHERE true"
            " ON CONFLICT (contact_id, currency_code)"
            " DO UPDATE SET amount = kept.amount + excluded.amount",
            params,
        )


def _table(model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _step_back(deltas: Mapping[int, _Delta], organisation: Organisation) -> None:
    """Where a moment was taken out it may have been the latest: look up which one is now."""
    ledger = _Kept.ledger
    latest = ledger.activities().filter(contact=OuterRef("pk")).order_by("-happened_at")
    interacted = [pk for pk, delta in deltas.items() if delta.lost_interaction]
    if interacted:
        spoken = latest.exclude(type__in=ledger.silent_types())
        _rollups(interacted).update(last_interacted_at=Subquery(spoken.values("happened_at")[:1]))
    ordered = [pk for pk, delta in deltas.items() if delta.lost_order]
    if ordered:
        orders = latest.filter(type__in=ledger.order_types(organisation.pk))
        _rollups(ordered).update(last_order_at=Subquery(orders.values("happened_at")[:1]))


def _contacts(
    contact_ids: Iterable[int] | None, organisation: Organisation | None
) -> Iterator[tuple[Organisation, list[int]]]:
    """The contacts meant, in batches of ascending ids, each of one organisation."""
    contacts = Contact.objects.across_organisations().order_by("pk")
    owners = Organisation.objects.order_by("pk")
    if contact_ids is not None:
        wanted = [contacts.filter(pk__in=ids) for ids in _batches(contact_ids)]
        found = {
            pk: owner for batch in wanted for pk, owner in batch.values_list("pk", "organisation")
        }
        for owner in owners.filter(pk__in=set(found.values())):
            for ids in _batches(pk for pk, its in found.items() if its == owner.pk):
                yield owner, ids
        return
    for owner in [organisation] if organisation is not None else owners:
        last = 0
        while ids := list(
            contacts.filter(organisation=owner, pk__gt=last).values_list("pk", flat=True)[:BATCH]
        ):
            yield owner, ids
            last = ids[-1]


def _suspects(
    contact_ids: Iterable[int] | None, organisation: Organisation | None
) -> Iterator[tuple[Organisation, list[int]]]:
    """Contacts whose totals seem to be wrong, in batches that are short to lock; in the middle of a
    transaction all that are meant."""
    for owner, ids in _contacts(contact_ids, organisation):
        if connection.in_atomic_block:
            yield owner, ids
            continue
        with _one_moment():
            seen = _compare(owner, ids, lock=False)
        for some in seen.portions():
            yield owner, some


@contextmanager
def _one_moment() -> Iterator[None]:
    """What is read within is of one moment, and nobody waits for it."""
    if connection.vendor == "sqlite":
        # A transaction would keep every writer out. Without, what is written between two of the
        # statements seems wrong, until it is looked at again.
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _sums(organisation: Organisation, orders: Collection[str]) -> dict[str, Any]:
    """The aggregates that make the totals of `ContactRollup`, by its columns."""
    is_order = Q(type__in=orders)
    return {
        "total_spend": Sum("spend", filter=Q(currency_code=organisation.currency_code), default=0),
        "total_orders": Count("pk", filter=is_order),
        "last_interacted_at": Max("happened_at", filter=~Q(type__in=_Kept.ledger.silent_types())),
        "last_order_at": Max("happened_at", filter=is_order),
    }


def _compare(
    organisation: Organisation, contact_ids: Sequence[int], *, lock: bool = True
) -> _Wrong:
    """Lock the stored totals, add the activities up, answer where they differ."""
    rollups = _rollups(contact_ids).order_by("pk")
    if lock:
        rollups = rollups.select_for_update()
    stored = {row[0]: row[1:] for row in rollups.values_list("pk", *TOTALS)}
    foreign = {
        (contact_id, currency): amount
        for contact_id, currency, amount in SpendInCurrency.objects.across_organisations()
        .filter(contact__in=contact_ids)
        .values_list("contact_id", "currency_code", "amount")
    }
    activities = _Kept.ledger.activities().filter(contact__in=contact_ids).order_by()
    summed, told = {}, {}
    for contact_id, rows, *totals in (
        activities.values("contact_id")
        .annotate(
            rows=Count("pk"), **_sums(organisation, _Kept.ledger.order_types(organisation.pk))
        )
        .values_list("contact_id", "rows", *TOTALS)
    ):
        told[contact_id], summed[contact_id] = rows, tuple(totals)
    summed_foreign = {
        (contact_id, currency): amount
        for contact_id, currency, amount in activities.exclude(
            currency_code=organisation.currency_code
        )
        .values("contact_id", "currency_code")
        .annotate(amount=Sum("spend"))
        .values_list("contact_id", "currency_code", "amount")
    }
    return _Wrong(
        organisation,
        told,
        totals={
            contact_id: (was, now)
            for contact_id in contact_ids
            if (was := stored.get(contact_id)) != (now := summed.get(contact_id, EMPTY))
        },
        foreign={
            key: (was, now)
            for key in sorted(foreign.keys() | summed_foreign.keys())
            if (was := foreign.get(key, 0)) != (now := summed_foreign.get(key, 0))
        },
    )


@dataclass(frozen=True)
class _Wrong:
    """What a batch of contacts has stored that its activities do not add up to, as (was, now).

    A contact without a row of totals was None. `told` is how many activities each of the batch has.
    """

    organisation: Organisation
    told: Mapping[int, int]
    totals: Mapping[int, tuple[tuple[Any, ...] | None, tuple[Any, ...]]]
    foreign: Mapping[tuple[int, str], tuple[int, int]]

    def contact_ids(self) -> set[int]:
        return {*self.totals, *(contact_id for contact_id, _currency in self.foreign)}

    def portions(self) -> Iterator[list[int]]:
        """The contacts in batches that are added up again within some hundredths of a second; who
        has more activities than that is a batch of their own."""
        some: list[int] = []
        rows = 0
        for contact_id in sorted(self.contact_ids()):
            its = self.told.get(contact_id, 0)
            if some and rows + its > PORTION:
                yield some
                some, rows = [], 0
            some.append(contact_id)
            rows += its
        if some:
            yield some

    def drifts(self) -> Iterator[Drift]:
        for contact_id, (was, now) in self.totals.items():
            old = was or (None,) * len(TOTALS)
            for total, stored, recomputed in zip(TOTALS, old, now, strict=True):
                if was is None or stored != recomputed:
                    yield Drift(contact_id, total, stored, recomputed)
        for (contact_id, currency), (stored, recomputed) in self.foreign.items():
            yield Drift(contact_id, f"spend_in {currency}", stored, recomputed)

    def repair(self) -> int:
        """Write what the activities add up to; answers for how many contacts."""
        owner = self.organisation
        ContactRollup.objects.bulk_create(
            [
                ContactRollup(
                    organisation=owner, contact_id=pk, **dict(zip(TOTALS, now, strict=True))
                )
                for pk, (_was, now) in self.totals.items()
            ],
            update_conflicts=True,
            unique_fields=["contact"],
            update_fields=[*TOTALS, "changed_at"],
        )
        SpendInCurrency.objects.bulk_create(
            [
                SpendInCurrency(
                    organisation=owner, contact_id=pk, currency_code=currency, amount=now
                )
                for (pk, currency), (_was, now) in self.foreign.items()
            ],
            update_conflicts=True,
            unique_fields=["contact", "currency_code"],
            update_fields=["amount"],
        )
        touch(self.contact_ids() - self.totals.keys())
        return len(self.contact_ids())
