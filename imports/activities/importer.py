"""Taking in activities, a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db.models import Model

from activities import types
from activities.models import Activity
from activities.querysets import Fact
from activities.services.values import not_found, under
from activities.signals import activities_recorded
from contacts import rollups
from contacts.models import Contact, ContactRollup, ReferralInvite
from contacts.rollups import Change, Counted
from crm.errors import Conflict
from imports import tables
from imports.activities.columns import WRITTEN, ActivityColumns, CarefulRow, Happenings
from imports.activities.facts import DraftFacts, Facts
from imports.activities.owners import survivors
from imports.activities.service import Asked, record_all
from imports.batches import Batch, Failure, Outcome, Record, Seen, Watcher
from imports.files.source import Chunk
from imports.models import What
from imports.options import Options
from imports.people.book import Person
from imports.people.importer import PeopleImporter, PeopleRows
from imports.runs import OwnRows
from organisations.models import Organisation

Refusal = ValidationError | Conflict


class ActivityImporter:
    """Records activities by the rules of `activities.services.record`, row by row, and writes them
    by the batch. Contacts that are given by e-mail or phone are a `PeopleImporter`'s."""

    writes: Sequence[type[Model]] = (Activity, Contact, ContactRollup)

    def __init__(
        self,
        organisation: Organisation,
        columns: ActivityColumns,
        options: Options,
        *,
        own: Mapping[str, OwnRows],
        dry_run: bool,
        watcher: Watcher | None = None,
    ) -> None:
        self._organisation = organisation
        self._columns = columns
        self._own = own
        self._watcher = watcher
        self._dry_run = dry_run
        self._backfill = options.backfill
        self._facts = DraftFacts(organisation) if dry_run else Facts(organisation)
        self._people = (
            PeopleImporter(
                organisation,
                columns.people,
                options,
                is_own=own[What.CONTACT],
                dry_run=dry_run,
            )
            if columns.people is not None
            else None
        )

    def close(self) -> None:
        self._facts.close()
        if self._people is not None:
            self._people.close()

    def prepare(self, chunk: Chunk) -> Happenings:
        return self._columns.read(chunk)

    def write(self, prepared: Happenings, now: datetime) -> Batch:
        batch = Batch()
        if not len(prepared):
            return batch
        people = (
            self._people.open(prepared.people, now)
            if self._people is not None and prepared.people is not None
            else None
        )
        rows = ActivityRows(
            self._organisation,
            prepared,
            people,
            self._facts,
            backfill=self._backfill,
            dry_run=self._dry_run,
        )
        rows.take_all()
        if self._watcher is not None:
            rows.tell(self._watcher)
        if people is not None:
            batch.records.append(people.finish())
        if not self._dry_run:
            batch.records += rows.write(now, self._own)
        self._facts.keep(rows.stated)
        batch.created, batch.unchanged = len(rows.new), rows.unchanged
        chunk = prepared.chunk
        batch.failures += [
            Failure.of(chunk.lines[index], error, chunk.rows[index])
            for index, error in rows.refused.items()
        ]
        return batch


class ActivityRows:
    """The rows of one batch: which are new, and whose."""

    def __init__(
        self,
        organisation: Organisation,
        happenings: Happenings,
        people: PeopleRows | None,
        facts: Facts,
        *,
        backfill: bool,
        dry_run: bool,
    ) -> None:
        self._organisation = organisation
        self._backfill = backfill
        self._happenings = happenings
        self._people = people
        self._facts = facts
        self._dry_run = dry_run
        self.refused: dict[int, Refusal] = {}
        self.unchanged = 0
        self.new: dict[int, int | Person] = {}
        """By index, the contact: its id, or a person of the book, who may be given one later."""
        self.stated: list[Fact] = []
        """The facts of the new rows."""

    def take_all(self) -> None:
        """Settle each row in the order of the file."""
        happenings, refused, new, stated = self._happenings, self.refused, self.new, self.stated
        self._refuse_unreadable()
        facts = happenings.facts
        known = self._known()
        ids = self._ids()
        owners = self._look_up(ids, known)
        # A known fact needs no contact to be found; one that is given by its id must be there.
        for index, (pk, its) in enumerate(zip(ids, facts, strict=True)):
            if index in refused:
                continue
            repeats = bool(its) and not known.isdisjoint(its)
            if repeats and pk is None:
                self.unchanged += 1
                continue
            owner: int | Person | None
            if pk is not None:
                owner = owners.get(pk)
                if owner is None:
                    refused[index] = ValidationError({"contact": not_found(pk)})
                    continue
            else:
                owner = self._take_person(index)
                if owner is None:
                    continue
            if repeats:
                self.unchanged += 1
                continue
            new[index] = owner
            if its:
                known.update(its)
                stated += its

    def _refuse_unreadable(self) -> None:
        """The rows that `activities.services.record` refuses whatever the contact."""
        happenings, refused = self._happenings, self.refused
        for index, row in happenings.careful.items():
            if row.error is not None:
                refused[index] = row.error
        column = happenings.columns["type"]
        names = set(column)
        if not names <= types.BUILT_IN.keys():
            names = {type_ for index, type_ in enumerate(column) if index not in refused}
            unknown = {
                name: ValidationError({"type": types.unknown_type(self._organisation, name)})
                for name in types.unknown(self._organisation, names)
            }
            for index, type_ in enumerate(column) if unknown else ():
                if type_ in unknown:
                    refused.setdefault(index, unknown[type_])
        self._refuse_invites()

    def _refuse_invites(self) -> None:
        asked = {
            index: row.invite
            for index, row in self._happenings.careful.items()
            if row.invite is not None and index not in self.refused
        }
        if not asked:
            return
        invites = ReferralInvite.objects.for_organisation(self._organisation)
        some = {pk for pk in asked.values() if 0 < pk < 2**63}
        there = set(invites.filter(pk__in=some).values_list("pk", flat=True))
        for index, pk in asked.items():
            if pk not in there:
                self.refused[index] = ValidationError({"referral_invite": not_found(pk)})

    def _known(self) -> set[Fact]:
        refused, facts = self.refused, self._happenings.facts
        return self._facts.known(
            fact for index, its in enumerate(facts) if its and index not in refused for fact in its
        )

    def _ids(self) -> Sequence[int | None]:
        ids = self._happenings.ids
        return ids if ids is not None else [None] * len(self._happenings)

    def _look_up(self, ids: Sequence[int | None], known: set[Fact]) -> dict[int, int]:
        """Read the contacts of all rows: those of the ids, by id, and hold those of new rows."""
        refused, facts = self.refused, self._happenings.facts
        held: set[int] = set()
        seen: set[int] = set()
        unnamed: set[int] = set()
        for index, pk in enumerate(ids):
            if index in refused:
                continue
            repeats = bool(facts[index]) and not known.isdisjoint(facts[index])
            if pk is not None:
                (seen if repeats else held).add(pk)
            elif not repeats:
                unnamed.add(index)
        if self._people is not None and unnamed:
            self._people.look_up(unnamed if len(unnamed) < len(ids) else None)
        found = survivors(self._organisation, seen - held, hold=False)
        return found | survivors(self._organisation, held, hold=not self._dry_run)

    def _take_person(self, index: int) -> Person | None:
        assert self._people is not None  # a row without a contact was refused when it was read
        try:
            person, _outcome = self._people.take(index, dry_run=self._dry_run)
        except Conflict as error:
            self.refused[index] = error
        except ValidationError as error:
            self.refused[index] = under("contact", error)
        else:
            return person
        return None

    def tell(self, watcher: Watcher) -> None:
        """Tell what becomes of the rows. Of a new activity `changes` are its columns, as if each
        had been empty."""
        chunk, columns = self._happenings.chunk, self._happenings.columns
        for index, line in enumerate(chunk.lines):
            if index in self.refused:
                continue
            outcome: Outcome = "created" if index in self.new else "unchanged"
            if not watcher.wants(outcome):
                continue
            owner = self.new.get(index)
            values = {name: columns[name][index] for name in WRITTEN} if index in self.new else {}
            who, contact = _named(owner)
            changes = {
                name: [None, value if isinstance(value, int | str) else str(value)]
                for name, value in values.items()
                if value not in (None, "", {})
            }
            watcher.see(Seen(outcome, line, chunk.rows[index], who, contact, changes))

    def write(self, now: datetime, own: Mapping[str, OwnRows]) -> list[Record]:
        """Write the new rows and move the totals of their contacts."""
        careful = self._happenings.careful
        by_service = [
            Asked(index, row, _id(self.new[index]))
            for index, row in careful.items()
            if index in self.new and _needs_service(row)
        ]
        left = {one.index for one in by_service}
        plain = [index for index in self.new if index not in left] if left else list(self.new)
        records = [Record(What.ACTIVITY, self._insert(plain, now))]
        if by_service:
            recorded = record_all(self._organisation, by_service, own=own)
            records += recorded.records
            for index, error in recorded.errors.items():
                self.refused[index] = error
                del self.new[index]
        return records

    def _insert(self, plain: Sequence[int], now: datetime) -> list[int]:
        if not plain:
            return []
        owner, moment = tables.Same(self._organisation.pk), tables.Same(now)
        columns = self._happenings.columns
        if len(plain) < len(self._happenings):
            columns = {name: [columns[name][index] for index in plain] for name in WRITTEN}
        contact_ids = [_id(self.new[index]) for index in plain]
        ids = tables.new_ids(Activity, len(plain))
        nothing = tables.Same(None)
        tables.insert(
            Activity,
            len(plain),
            {
                "id": ids,
                "organisation_id": owner,
                "contact_id": contact_ids,
                **columns,
                "data": columns["data"] if any(columns["data"]) else tables.Same({}),
                "booking_id": nothing,
                "golf_reservation_id": nothing,
                "table_reservation_id": nothing,
                "referral_invite_id": nothing,
                "backfill": tables.Same(self._backfill),
                "created_at": moment,
                "updated_at": moment,
            },
        )
        counted = zip(
            contact_ids,
            columns["type"],
            columns["spend"],
            columns["currency_code"],
            columns["happened_at"],
            strict=True,
        )
        rollups.apply(self._organisation, [Change(None, Counted(*row)) for row in counted])
        if not self._backfill:
            self._tell(ids)
        return ids

    def _tell(self, ids: Sequence[int]) -> None:
        """Tell of these new activities whoever listens. They are read for that, so where nobody
        does it costs nothing."""
        if not self._organisation.listens_to:
            return
        activities = Activity.objects.for_organisation(self._organisation).order_by("pk")
        for start in range(0, len(ids), rollups.BATCH):
            some = list(activities.filter(pk__in=ids[start : start + rollups.BATCH]))
            activities_recorded.send(Activity, organisation=self._organisation, activities=some)


def _named(owner: int | Person | None) -> tuple[str, int | None]:
    """What an owner is called, as far as that is known here, and the id of one that is there."""
    if owner is None or isinstance(owner, int):
        return "", owner
    who = owner.name or owner.email_address or owner.phone_number or ""
    return who, owner.id if owner.id > 0 else None


def _needs_service(row: CarefulRow) -> bool:
    """Whether recording the row does more than to add an activity and move totals."""
    return row.has_reservations or row.invite is not None


def _id(owner: int | Person) -> int:
    return owner if isinstance(owner, int) else owner.id
