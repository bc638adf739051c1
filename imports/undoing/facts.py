"""Activities, bookings and reservations of an import. The totals follow."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from activities.models import Activity
from contacts import rollups
from contacts.rollups import Change as Moved
from imports.models import Import, ImportedRow
from imports.undoing import elsewhere, words
from imports.undoing.records import Change, Mark, Outcome, among, changes
from organisations.models import TenantModel


@dataclass(frozen=True)
class Facts:
    """One of these tables, and what imports call it."""

    what: str
    model: type[TenantModel]

    def delete(self, run: Import, marks: Mapping[int, Mark]) -> Outcome:
        """Delete those of these rows that nobody changed since and nothing points at."""
        outcome = Outcome()
        there = dict(self._locked(run, marks).values_list("pk", "updated_at"))
        reasons = {
            pk: words.changed() for pk, moment in there.items() if moment != marks[pk].written_at
        }
        good = there.keys() - reasons.keys()
        pointing = elsewhere.rows_of_others(self.model, good)
        reasons |= {pk: words.has(rows) for pk, rows in pointing.items()}
        good -= reasons.keys()
        if reasons:
            for pk, row in self._locked(run, reasons).in_bulk().items():
                outcome.keep(pk, row, reasons[pk])
        if self.model is Activity:
            counted = Activity.objects.all().counted(good)
            outcome.done = elsewhere.delete(self.model, "id", good)
            rollups.apply(
                run.organisation, [Moved(before, None) for _o, before in counted.values()]
            )
        else:
            outcome.done = elsewhere.delete(self.model, "id", good)
        return outcome

    def restore(self, run: Import, ids: Collection[int]) -> Outcome:
        """Give these rows their former columns back, those that nobody changed since."""
        outcome = Outcome()
        change_of = changes(run, self.what, ids)
        there = self._locked(run, change_of).in_bulk()
        back: list[tuple[Any, Change]] = []
        for pk, change in change_of.items():
            row = there.get(pk)
            if row is None:
                outcome.keep(pk, "", words.gone())
            elif row.updated_at != change.mark.written_at:
                outcome.keep(pk, row, words.changed())
            else:
                back.append((row, change))
        self._write(run, back, outcome)
        return outcome

    def _locked(self, run: Import, ids: Collection[int]) -> Any:
        rows = among(self.model.objects.for_organisation(run.organisation_id), "id", ids)
        return rows.order_by("pk").select_for_update()

    def _write(self, run: Import, back: list[tuple[Any, Change]], outcome: Outcome) -> None:
        """All at once; one by one when the database refuses one, because another row has its
        reference by now."""
        if not back:
            return
        try:
            with transaction.atomic():
                self._write_all(run, back)
        except IntegrityError:
            if len(back) == 1:
                ((row, _change),) = back
                outcome.keep(row.pk, row, words.referred_to())
                return
            for one in back:
                self._write(run, [one], outcome)
        else:
            outcome.done += len(back)

    def _write_all(self, run: Import, back: list[tuple[Any, Change]]) -> None:
        now = timezone.now()
        columns = {"updated_at"}
        by_moment: dict[Any, list[int]] = {}
        for row, change in back:
            for name, (before, _after) in change.pairs("columns").items():
                column: Any = self.model._meta.get_field(name)
                setattr(row, column.attname, column.to_python(before))
                columns.add(column.name)
            row.updated_at = change.updated_at or now
            by_moment.setdefault(row.updated_at, []).append(row.pk)
        rows = self.model.objects.for_organisation(run.organisation_id)
        rows.bulk_update([row for row, _change in back], sorted(columns), batch_size=500)
        records = ImportedRow.objects.filter(run=run, what=self.what)
        for moment, ids in by_moment.items():
            among(records, "row_id", ids).update(undone_at=moment)
