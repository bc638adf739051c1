"""Reading activities, and the bulk writes that must not leave the totals behind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

from django.db import NotSupportedError, connections, models, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.constants import OnConflict
from django.db.models.signals import post_save

from contacts import rollups
from contacts.rollups import Change, Counted
from organisations.models import Organisation
from organisations.querysets import TenantQuerySet

if TYPE_CHECKING:
    from activities.models import Activity

# So many rows are better gathered and sorted than looked for along the list.
FEW = 2000
# The names by which `update` writes what the totals are made of.
_COUNTED = {*Counted._fields, "contact"}


class ActivityQuerySet(TenantQuerySet["Activity"]):
    """Activities, always of a named organisation.

    Whatever is written through here, the contacts' totals follow in the same transaction.
    """

    def with_reservations(self) -> Self:
        """With the booking or reservation that each speaks of: no query per row."""
        return self.select_related("booking", "golf_reservation", "table_reservation")

    def by_id_when_few(self, *along: str, in_order: bool = False) -> Self:
        """The same rows, by their ids when they are few. One query, which ends at `FEW`.

        For conditions that the list's order does not serve: databases take what fits for spread
        evenly over the list and walk all of it, millions of rows, for a page that is not there.
        `along` is the order in which rows that fit come first, where there is one. `in_order`: an
        index has some of them, among which the others are not rare, in the list's order.
        """
        rows = self.order_by(*along).select_related(None)
        ids = list(rows.values_list("pk", flat=True)[: FEW + 1])
        if len(ids) <= FEW:
            return self.filter(pk__in=ids)
        return self if in_order else self.scattered()

    def contacts(self, times: int = 1) -> Q:
        """As a condition on contacts: who has at least so many of these activities. One query,
        which ends at `FEW`."""
        rows = self.order_by().select_related(None)
        few = list(rows.values_list("contact_id", flat=True)[: FEW + 1])
        if len(few) <= FEW:
            counted = Counter(few)
            return Q(pk__in=[pk for pk, number in counted.items() if number >= times])
        if times > 1:
            # Asked of each contact of the list: grouped, all that ever happened would be read.
            theirs = rows.filter(contact=OuterRef("pk"))
            return Q(Exists(theirs[times - 1 : times]))
        if connections[self.db].vendor == "sqlite":
            # It knows nothing of how many there are, and would gather millions for a page of fifty.
            return Q(Exists(rows.filter(contact=OuterRef("pk"))))
        return Q(pk__in=rows.values("contact"))

    def same_as(self, facts: Collection[Fact]) -> Self:
        """Those that state one of these facts; see `Activity.facts`."""
        references: defaultdict[str, list[str]] = defaultdict(list)
        for column, type_, value in facts:
            references[f"{column} {type_}"].append(value)
        either = Q()
        for key, values in references.items():
            column, _space, type_ = key.partition(" ")
            either |= Q(**{"type": type_, f"{column}__in": values})
        return self.filter(either) if facts else self.none()

    def counted(self, pks: Collection[int]) -> dict[int, tuple[int, Counted]]:
        """What the totals hold of these rows: by id, the organisation's id and that.

        Locks the rows until the transaction ends, in the order of ids.
        """
        rows = type(self)(self.model, using=self.db).across_organisations().filter(pk__in=pks)
        locked = rows.order_by("pk").select_for_update()
        return {
            pk: (owner, Counted(*columns))
            for pk, owner, *columns in locked.values_list("pk", "organisation_id", *Counted._fields)
        }

    def insert_new(self, activities: Sequence[Activity]) -> list[Activity]:
        """Insert those of these rows whose facts the database does not hold yet; answers them.

        A fact is held when an earlier row, or an earlier one of these, states it. Right under any
        concurrency without a savepoint: another's insert of the same fact is waited for. One
        statement for each thousand, and the totals follow.

        A row alone sends `post_save` like any insert; several are counted together and send none.
        """
        # In one order everywhere, so that two batches of the same facts never deadlock.
        ordered = sorted(activities, key=lambda row: sorted(row.facts()))
        inserted: list[Activity] = []
        with transaction.atomic(using=self.db, savepoint=False):
            for start in range(0, len(ordered), rollups.BATCH):
                inserted += self._insert_ignoring(ordered[start : start + rollups.BATCH])
            if len(activities) == 1:
                for row in inserted:
                    post_save.send(
                        self.model,
                        instance=row,
                        created=True,
                        update_fields=None,
                        raw=False,
                        using=self.db,
                    )
            else:
                _count(inserted)
        return inserted

    def _insert_ignoring(self, rows: Sequence[Activity]) -> Iterator[Activity]:
        """The rows that the database took, with their ids."""
        meta = self.model._meta
        answers = self._insert(  # type: ignore[attr-defined]
            rows,
            fields=[field for field in meta.concrete_fields if not field.primary_key],
            returning_fields=[
                meta.get_field(name) for name in ("id", "type", "external_reference", "gift_card")
            ],
            using=self.db,
            on_conflict=OnConflict.IGNORE,
        )
        # Answers come in the order of the rows, without those that were ignored. A row that was
        # ignored cannot be taken for the next one: what it has in common with an inserted row, in
        # these columns, would have had that one ignored too.
        given = iter(rows)
        for pk, *columns in filter(None, answers):
            row = next(
                row for row in given if [row.type, row.external_reference, row.gift_card] == columns
            )
            row.pk = pk
            row._state.adding = False
            row._state.db = self.db
            yield row

    def write_held(self, rows: Sequence[Activity], columns: Collection[str]) -> None:
        """Write these columns of rows that are locked, and whose `counted` is what the totals hold
        of them. The totals follow, once for all."""
        bare: models.QuerySet[Activity] = models.QuerySet(self.model, using=self.db)
        bare.bulk_update(rows, columns)
        if not _COUNTED.isdisjoint(columns):
            _move((row, Change(row.counted, row.to_count())) for row in rows)

    def update(self, **values: Any) -> int:
        """As ever; and when it writes what the totals are made of, they move too.

        For that it locks and reads the rows before and after, a thousand at a time.
        """
        if _COUNTED.isdisjoint(values):
            return super().update(**values)
        updated = 0
        with transaction.atomic(using=self.db, savepoint=False):
            pks = list(self.order_by("pk").values_list("pk", flat=True))
            for start in range(0, len(pks), rollups.BATCH):
                some = pks[start : start + rollups.BATCH]
                before = self.counted(some)
                updated += super(ActivityQuerySet, self.filter(pk__in=some)).update(**values)
                after = self.counted(some)
                changes: defaultdict[int, list[Change]] = defaultdict(list)
                for pk, (owner, counted) in before.items():
                    changes[owner].append(Change(counted, after[pk][1]))
                for organisation in Organisation.objects.filter(pk__in=changes):
                    rollups.apply(organisation, changes[organisation.pk])
        return updated

    def bulk_create(  # noqa: PLR0917  # Django's own
        self,
        objs: Iterable[Activity],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[Activity]:
        """As ever, and the totals grow by one grouped update for each thousand contacts.

        Conflicts cannot be ignored or become updates here (NotSupportedError): the database would
        not say which rows it wrote. `insert_new` does.
        """
        if ignore_conflicts or update_conflicts:
            raise NotSupportedError("Activities that may be there already go through insert_new.")
        with transaction.atomic(using=self.db, savepoint=False):
            rows = super().bulk_create(objs, batch_size)
            _count(rows)
        return rows


Fact = tuple[str, str, str]
"""What makes an activity the same as another: a column, the type, and the column's value."""


def _count(rows: Iterable[Activity]) -> None:
    """Have the totals grow by these new rows."""
    _move((row, Change(None, row.to_count())) for row in rows)


def _move(changes: Iterable[tuple[Activity, Change]]) -> None:
    """Have the totals follow what became of these rows."""
    owners: dict[int, Organisation] = {}
    by_owner: defaultdict[int, list[Change]] = defaultdict(list)
    for row, change in changes:
        owner = row.organisation_id
        if owner not in owners:
            owners[owner] = row.organisation
        by_owner[owner].append(change)
    for owner, its in by_owner.items():
        rollups.apply(owners[owner], its)
