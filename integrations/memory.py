"""What is known here of what another system's news speaks of: read once for many changes, and
written once for all of them.

Statement by statement a delivery costs two dozen; fifty at once cost hardly more than one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db.models import Q

from activities import services as activities
from activities.models import Activity
from activities.querysets import ActivityQuerySet
from contacts import rollups
from contacts.identity import read_email, read_phone
from contacts.models import Address, Contact
from contacts.services.values import ADDRESS_COLUMNS
from crm.errors import Conflict
from integrations import identity
from integrations.models import Connection, ExternalId, ObjectState
from organisations.models import Organisation
from organisations.querysets import TenantQuerySet

if TYPE_CHECKING:
    from integrations.changes import Change, Fact
    from integrations.desk import Desk

Key = tuple[str, str]
"""A kind and an id there; or an activity's type and reference; or a column that identifies, and
what identifies."""

LONGEST_ID = 200
CORRECTED = ("happened_at", "spend", "currency_code", "data")
STATE = ("version", "parent", "person", "facts", "fields", "counts", "gone", "updated_at")


class Refused(Exception):
    """What one of several deliveries asks for cannot be written."""

    def __init__(self, desk: Desk, error: ValidationError | Conflict) -> None:
        super().__init__(str(error))
        self.desk = desk
        self.error = error


@dataclass(eq=False)
class Entry:
    """An activity as it is now, and whose; without a `pk` while it still has to be inserted."""

    contact: Contact
    values: dict[str, Any]
    pk: int | None = None


class Memory:
    """What the changes of one transaction need to know, and what they still have to write.

    `learn` reads all that some changes will ask for, in a fixed number of queries, and locks what
    they will write; what was not learnt is read when it is asked for. Activities, ids and states
    gather until `settle` writes them, in a fixed number of queries too.
    """

    def __init__(self, connection: Connection, *, history: bool = False) -> None:
        self.connection = connection
        self.organisation: Organisation = connection.organisation
        self.history = history
        self._states: dict[Key, ObjectState] = {}
        self._changed: dict[Key, ObjectState] = {}
        self._parents: set[int] = set()
        self._keys: dict[Key, str | None] = {}
        self._new_links: list[ExternalId] = []
        self._new: dict[Key, tuple[Fact, Desk]] = {}
        self._corrected: dict[Key, tuple[dict[str, Any], Desk]] = {}
        self.forget()

    def forget(self) -> None:
        """Read anew what others may have written since; states are locked and stay."""
        self._links: dict[str, ExternalId | None] = {}
        self._contacts: dict[int, Contact] = {}
        self._holders: dict[Key, int | None] = {}
        self._profiles: dict[int, set[str]] = {}
        self._fields: dict[str, dict[str, int]] = {}
        self._addresses: dict[int, list[dict[str, str]]] = {}
        self._entries: dict[Key, Entry | None] = {}

    @contextmanager
    def aside(self, really: bool = True) -> Iterator[None]:
        """What is done within reads and writes rows itself (unless `really` is false)."""
        if really:
            self.settle()
            self.forget()
        yield
        if really:
            self.settle()
            self.forget()

    def learn(self, changes: Sequence[Change]) -> None:
        """Read what these changes will ask for. Nine queries, two more when there is something
        new to lock."""
        people = [person for change in changes for person in change.people()]
        facts = [fact for change in changes for fact in change.told()]
        ids = {one for person in people for one in identity.ids_of(person)}
        own = {_key(*one) for change in changes for one in change.objects()}
        needed = {_key(*one) for change in changes if (one := change.needs()) is not None}
        named = {_key(identity.PERSON, one.external_id) for one in people if one.external_id}
        self._lock(own | needed | named)
        self._read_children([self._states[key] for key in own])
        self._read_links(ids)
        self._read_holders({key for person in people for key in self.keys(person.values)})
        if any("addresses" in person.values for person in people):
            self._read_addresses()
        if any(person.external_id and person.version for person in people):
            self._read_profiles(self._contacts)
        told = {(fact.type, fact.reference) for fact in facts}
        rows = self._states.values()
        known = {(one["type"], one["reference"]) for row in rows for one in row.facts}
        self._read_entries(told | known)

    def settle(self) -> None:
        """Write what has gathered. Raises Refused."""
        self.settle_activities()
        if self._new_links:
            ExternalId.objects.bulk_create(self._new_links, ignore_conflicts=True)
            self._new_links = []
        if self._changed:
            ObjectState.objects.bulk_create(
                self._changed.values(),
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=STATE,
            )
            self._changed = {}

    # States

    def state(self, kind: str, external_id: str) -> ObjectState:
        """What is known of something there, locked; a row without a version for what is new."""
        key = _key(kind, external_id)
        if key not in self._states:
            self._lock({key})
        return self._states[key]

    def keep(self, state: ObjectState) -> None:
        """Have this state written."""
        self._changed[state.kind, state.external_id] = state

    def children(self, state: ObjectState) -> list[ObjectState]:
        """What hangs on something, locked."""
        self._read_children([state])
        hanging = [one for one in self._states.values() if one.parent_id == state.pk]
        return sorted(hanging, key=lambda one: one.pk)

    def _lock(self, keys: Collection[Key]) -> None:
        """Lock these states, in one order everywhere; make those that are not there yet."""
        missing = set(keys) - self._found(keys)
        if missing:
            ObjectState.objects.bulk_create(
                [
                    ObjectState(
                        organisation=self.organisation,
                        connection=self.connection,
                        kind=kind,
                        external_id=external_id,
                    )
                    for kind, external_id in sorted(missing)
                ],
                ignore_conflicts=True,
            )
            self._found(missing)

    def _found(self, keys: Collection[Key]) -> set[Key]:
        """Lock those of these that are there."""
        by_kind: defaultdict[str, list[str]] = defaultdict(list)
        for kind, external_id in keys:
            by_kind[kind].append(external_id)
        wanted = Q()
        for kind, ids in by_kind.items():
            wanted |= Q(kind=kind, external_id__in=ids)
        rows = self._rows().filter(wanted).order_by("kind", "external_id") if keys else ()
        return {self._remember_state(row) for row in rows}

    def _read_children(self, states: Iterable[ObjectState]) -> None:
        parents = {state.pk for state in states} - self._parents
        if parents:
            self._parents |= parents
            for row in self._rows().filter(parent__in=parents).order_by("pk"):
                if (row.kind, row.external_id) not in self._states:
                    self._remember_state(row)

    def _rows(self) -> TenantQuerySet[ObjectState]:
        rows: TenantQuerySet[ObjectState] = ObjectState.objects.for_organisation(self.organisation)
        return rows.filter(connection=self.connection).select_for_update()

    def _remember_state(self, row: ObjectState) -> Key:
        row.connection, row.organisation = self.connection, self.organisation
        key = (row.kind, row.external_id)
        self._states[key] = row
        if not row.known:  # nothing hangs on what nothing was told of
            self._parents.add(row.pk)
        return key

    # People

    def linked(self, external_id: str) -> Contact | None:
        """The contact that the other system's id means."""
        link = self._link(external_id)
        return None if link is None else self.contact(link.contact_id)

    def link(self, contact: Contact, external_id: str, relay: str = "") -> None:
        """Note that the other system's id means this contact, unless it means one already."""
        row = self._link(external_id)
        if row is None:
            row = ExternalId(
                organisation=self.organisation,
                source=self.connection.namespace,
                external_id=external_id[:LONGEST_ID],
                contact=contact,
                email=relay[: identity.LONGEST_EMAIL],
            )
            self._links[row.external_id] = row
            self._new_links.append(row)
            if contact.pk in self._profiles:
                self._profiles[contact.pk].add(row.external_id)
        elif relay and row.email != relay:
            row.email = relay[: identity.LONGEST_EMAIL]
            if row.pk is not None:
                row.save(update_fields=["email"])

    def _link(self, external_id: str) -> ExternalId | None:
        key = external_id[:LONGEST_ID]
        if key not in self._links:
            self._read_links({key})
        return self._links[key]

    def _read_links(self, ids: Collection[str]) -> None:
        wanted = {one[:LONGEST_ID] for one in ids}
        rows = ExternalId.objects.for_organisation(self.organisation).filter(
            source=self.connection.namespace, external_id__in=wanted
        )
        found = {row.external_id: row for row in rows.select_related("contact")} if wanted else {}
        self._links |= {one: found.get(one) for one in wanted}
        self._remember_all([row.contact for row in found.values()])

    def fields(self, contact: Contact) -> list[Mapping[str, int]]:
        """The versions of the values that each of a contact's profiles there told."""
        if contact.pk not in self._profiles:
            self._read_profiles([contact.pk])
        found: list[Mapping[str, int]] = []
        for one in sorted(self._profiles[contact.pk]):
            state = self._states.get(_key(identity.PERSON, one))
            found.append(self._fields.get(one, {}) if state is None else state.fields)
        return found

    def _read_profiles(self, pks: Collection[int]) -> None:
        """Read which profiles these contacts have there, and the versions of those that no change
        is about."""
        wanted = set(pks) - self._profiles.keys()
        if not wanted:
            return
        self._profiles |= {pk: set() for pk in wanted}
        links = ExternalId.objects.for_organisation(self.organisation).filter(
            source=self.connection.namespace, contact__in=wanted
        )
        for pk, external_id in links.values_list("contact", "external_id"):
            self._profiles[pk].add(external_id)
        others = {one for pk in wanted for one in self._profiles[pk]} - {
            one for kind, one in self._states if kind == identity.PERSON
        }
        if others:
            rows = ObjectState.objects.for_organisation(self.organisation).filter(
                connection=self.connection, kind=identity.PERSON, external_id__in=others
            )
            self._fields |= dict(rows.values_list("external_id", "fields"))

    def holder(self, column: str, value: str | None) -> Contact | None:
        """The contact that an e-mail address or phone number identifies."""
        for key in self.keys({column: value}):
            self._read_holders({key})
            pk = self._holders[key]
            return None if pk is None else self.contact(pk)
        return None

    def keys(self, values: Mapping[str, Any]) -> list[Key]:
        """By what these values identify somebody: nothing for a relay's address, and for what is
        none."""
        found = []
        for column in identity.IDENTIFYING:
            value = values.get(column)
            if value:
                key = self._key(column, value)
                if key:
                    found.append((column, key))
        return found

    def _key(self, column: str, value: str) -> str | None:
        if (column, value) not in self._keys:
            self._keys[column, value] = self._read_key(column, value)
        return self._keys[column, value]

    def _read_key(self, column: str, value: str) -> str | None:
        try:
            if column == "email_address":
                return None if identity.is_relay(value) else read_email(value)[1]
            number = identity.international(value)
            return read_phone(number, None, self.organisation.country).e164
        except ValidationError:
            return None

    def _read_holders(self, keys: Collection[Key]) -> None:
        wanted = set(keys) - self._holders.keys()
        if not wanted:
            return
        rows = Contact.objects.for_organisation(self.organisation).identified_by_any(
            emails=[key for column, key in wanted if column == "email_address"],
            phones=[key for column, key in wanted if column == "phone_number"],
        )
        self._holders |= dict.fromkeys(wanted)
        self._remember_all(list(rows))

    @staticmethod
    def _keys_of(contact: Contact) -> set[Key]:
        both = {"email_address": contact.email_key, "phone_number": contact.phone_number_e164}
        return {(column, key) for column, key in both.items() if key}

    def contact(self, pk: int) -> Contact | None:
        """The contact of this id; of one that was merged, its survivor."""
        if pk not in self._contacts:
            rows = Contact.objects.for_organisation(self.organisation)
            self._remember_all(list(rows.filter(pk=pk)))
        return self._contacts.get(pk)

    def _remember_all(self, contacts: Sequence[Contact]) -> None:
        rows = Contact.objects.for_organisation(self.organisation)
        fresh = [contact for contact in contacts if contact.pk not in self._contacts]
        for pk, survivor in rows.survivors(fresh).items():
            survivor.organisation = self.organisation
            self._contacts[pk] = self._contacts.setdefault(survivor.pk, survivor)
        for contact in fresh:
            self._holders |= dict.fromkeys(self._keys_of(contact), contact.pk)

    def remember(self, contact: Contact) -> None:
        """This is what a contact looks like now."""
        contact.organisation = self.organisation
        former = self._contacts.get(contact.pk)
        for pk, known in self._contacts.items():
            if known is former:
                self._contacts[pk] = contact
        self._contacts[contact.pk] = contact
        # What identified it may be anybody's now.
        self._holders = {key: pk for key, pk in self._holders.items() if pk != contact.pk}
        self._holders |= dict.fromkeys(self._keys_of(contact), contact.pk)
        self._addresses.pop(contact.pk, None)

    def remember_new(self, pks: Collection[int]) -> None:
        """These contacts have just been made."""
        contacts = Contact.objects.for_organisation(self.organisation).in_bulk(list(pks))
        for contact in contacts.values():
            self.remember(contact)
        self._read_addresses(pks)
        self._read_profiles(pks)

    def addresses(self, contact: Contact) -> list[dict[str, str]]:
        """The postal addresses of a contact."""
        if contact.pk not in self._addresses:
            self._read_addresses([contact.pk])
        return self._addresses[contact.pk]

    def _read_addresses(self, pks: Collection[int] = ()) -> None:
        wanted = set(pks or {contact.pk for contact in self._contacts.values()})
        wanted -= self._addresses.keys()
        if not wanted:
            return
        self._addresses |= {pk: [] for pk in wanted}
        rows = Address.objects.for_organisation(self.organisation).filter(contact__in=wanted)
        for values in rows.values("contact", *ADDRESS_COLUMNS):
            self._addresses[values.pop("contact")].append(values)

    # Activities

    def entry(self, type_: str, reference: str) -> Entry | None:
        """The activity that states this fact."""
        key = (type_, reference)
        if key not in self._entries:
            self._read_entries({key})
        return self._entries[key]

    def record(self, desk: Desk, fact: Fact, contact: Contact, values: dict[str, Any]) -> bool:
        """Have an activity recorded unless it is known; whether it is new. One with a reservation
        is recorded now."""
        key = (fact.type, fact.reference)
        if self.entry(*key) is not None:
            return False
        entry = self._entries[key] = Entry(contact, values)
        if fact.booking is None and fact.table_reservation is None:
            self._new[key] = (fact, desk)
            return True
        activity, created = activities.record(
            organisation=self.organisation, **self._row(fact, entry)
        )
        entry.pk = activity.pk
        if not created:  # somebody was quicker
            del self._entries[key]
        return created

    def correct(self, desk: Desk, fact: Key, values: Mapping[str, Any]) -> bool:
        """Have an activity that is known corrected where it differs; whether it does."""
        entry = self.entry(*fact)
        assert entry is not None
        now = {**entry.values, "contact": entry.contact.pk}
        differing = {name: value for name, value in values.items() if now[name] != value}
        if not differing:
            return False
        if fact in self._new:
            self.settle_activities()
        if "contact" in differing:
            entry.contact = self._contacts[differing["contact"]]
        entry.values = {
            **entry.values,
            **{name: value for name, value in differing.items() if name != "contact"},
        }
        former, _desk = self._corrected.get(fact, ({}, desk))
        self._corrected[fact] = ({**former, **differing}, desk)
        return True

    def activity(self, fact: Key) -> Activity | None:
        """The row of an activity, as it is when all that has gathered is written."""
        if fact in self._new or fact in self._corrected:
            self.settle_activities()
        entry = self.entry(*fact)
        rows = Activity.objects.for_organisation(self.organisation).with_reservations()
        found: Activity | None = None
        if entry is not None and entry.pk is not None:
            found = rows.filter(pk=entry.pk).first()
        if found is not None:
            found.organisation = self.organisation
        return found

    def void(self, fact: Key) -> None:
        """Take an activity back."""
        activity = self.activity(fact)
        if activity is not None:
            activities.void(activity=activity)
        self._entries[fact] = None

    def settle_activities(self) -> None:
        """Write the activities that have gathered. Raises Refused."""
        if self._new and self._corrected:
            self._lock_totals()
        self._record_all()
        self._correct_all()

    def _lock_totals(self) -> None:
        """As one service would: the activities, then all totals, each in the order of ids."""
        entries = [self._entries[key] for key in self._new.keys() | self._corrected.keys()]
        known = [one for one in entries if one is not None]
        rows: ActivityQuerySet = Activity.objects.for_organisation(self.organisation)
        counted = rows.counted([one.pk for one in known if one.pk is not None])
        owners = {row.contact_id for _owner, row in counted.values()}
        rollups.lock(sorted(owners | {one.contact.pk for one in known}))

    def _record_all(self) -> None:
        new, self._new = self._new, {}
        if not new:
            return
        entries = {key: self._entries[key] for key in new}
        rows = [self._row(fact, entries[key]) for key, (fact, _desk) in new.items()]
        results = activities.record_batch(organisation=self.organisation, rows=rows)
        for (key, (_fact, desk)), result in zip(new.items(), results, strict=True):
            entry = entries[key]
            assert entry is not None
            _check(desk, result.error)
            entry.pk = result.id
            if not result.created:  # somebody was quicker
                self._corrected[key] = (dict(entry.values), desk)

    def _correct_all(self) -> None:
        corrected, self._corrected = self._corrected, {}
        if not corrected:
            return
        rows = []
        for key, (values, _desk) in corrected.items():
            entry = self._entries[key]
            assert entry is not None
            assert entry.pk is not None
            rows.append((entry.pk, values))
        results = activities.correct_batch(organisation=self.organisation, rows=rows)
        for (_values, desk), result in zip(corrected.values(), results, strict=True):
            _check(desk, result.error)

    def _row(self, fact: Fact, entry: Entry | None) -> dict[str, Any]:
        """The arguments of `activities.services.record`."""
        assert entry is not None
        return {
            "contact": entry.contact.pk,
            "type": fact.type,
            "source": self.connection.namespace,
            "external_reference": fact.reference,
            "booking": fact.booking,
            "table_reservation": fact.table_reservation,
            "purchase": fact.purchase,
            "backfill": self.history or fact.quietly,
            **entry.values,
        }

    def _read_entries(self, facts: Collection[Key]) -> None:
        wanted = set(facts) - self._entries.keys()
        if not wanted:
            return
        self._entries |= dict.fromkeys(wanted)
        rows: ActivityQuerySet = Activity.objects.for_organisation(self.organisation)
        same = rows.same_as([("external_reference", *key) for key in wanted])
        found = list(same.select_related("contact"))
        self._remember_all([row.contact for row in found])
        for row in found:
            values = {name: getattr(row, name) for name in CORRECTED}
            entry = Entry(self._contacts[row.contact_id], values, row.pk)
            self._entries[row.type, str(row.external_reference)] = entry


def _key(kind: str, external_id: str) -> Key:
    return kind, external_id[:LONGEST_ID]


def _check(desk: Desk, error: ValidationError | Conflict | None) -> None:
    if error is not None:
        raise Refused(desk, error)
