"""Taking in contacts, a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model
from django.utils.translation import gettext as _

from contacts import services
from contacts.history import recording
from contacts.identity import fold, full_name
from contacts.models import Contact, ContactRollup
from contacts.services.profiles import redacted, the_one_of, without_weak_identifiers
from contacts.services.values import assign, read, read_tag_names, require_identifier
from crm.errors import Conflict
from customfields import values as custom_values
from customfields.definitions import Definitions
from customfields.models import CustomField, CustomFieldValue
from imports.batches import Batch, Failure, Outcome, Record, Seen, Watcher
from imports.files.source import Chunk
from imports.models import What
from imports.options import Options
from imports.people.book import Book, Draft, Person, Scope
from imports.people.columns import CarefulRow, People, PeopleColumns, put_places
from organisations.models import Organisation

T = TypeVar("T")


class PeopleImporter:
    """Creates and updates contacts by the rules of `contacts.services.upsert`, row by row, and
    writes them by the batch."""

    writes: Sequence[type[Model]] = (Contact, ContactRollup, CustomFieldValue)

    def __init__(
        self,
        organisation: Organisation,
        columns: PeopleColumns,
        options: Options,
        *,
        is_own: Callable[[int], bool],
        dry_run: bool,
        watcher: Watcher | None = None,
    ) -> None:
        self._organisation = organisation
        self._columns = columns
        self._options = options
        self._is_own = is_own
        self._watcher = watcher
        self._draft = Draft() if dry_run else None

    def close(self) -> None:
        if self._draft is not None:
            self._draft.close()

    def prepare(self, chunk: Chunk) -> People:
        return self._columns.read(chunk)

    def write(self, prepared: People, now: datetime) -> Batch:
        rows = self.open(prepared, now)
        rows.look_up()
        batch = rows.take_all(dry_run=self._draft is not None, watcher=self._watcher)
        batch.records.append(rows.finish())
        return batch

    def open(self, prepared: People, now: datetime) -> PeopleRows:
        """The rows, to be looked up, taken and finished."""
        people = self._with_held_definitions(prepared)
        scope = Scope(
            fields=self._columns.custom_fields + self._filled_in(),
            addresses=people.places is not None or self._columns.has("addresses"),
            tags=self._columns.has("tags") or bool(self._options.add_tags),
        )
        book = Book(self._organisation, scope, now=now, is_own=self._is_own, draft=self._draft)
        return PeopleRows(self._organisation, self._columns, self._options, people, book)

    def _with_held_definitions(self, people: People) -> People:
        """The rows as the definitions of this moment read them, which nobody can change before
        the transaction ends. Read again when somebody did meanwhile."""
        if self._draft is not None:
            return people
        held = Definitions.held(self._organisation)
        if _version(held) != _version(self._columns.definitions):
            self._columns = self._columns.with_definitions(held)
            return self._columns.read(people.chunk)
        return people

    def _filled_in(self) -> list[CustomField]:
        """The custom fields that a new contact gets a value in although the file has none."""
        own = {field.pk for field in self._columns.custom_fields}
        return [
            field
            for field in self._columns.definitions.fields
            if field.default is not None and field.pk not in own and field.archived_at is None
        ]


def _of(column: Sequence[T] | None, only: Collection[int] | None) -> Iterable[T]:
    """What a column has, in all rows or in these; nothing where there is no such column."""
    if column is None or only is None:
        return column or ()
    return (column[index] for index in only)


def _version(definitions: Definitions) -> list[tuple[int, datetime]]:
    return sorted((field.pk, field.updated_at) for field in definitions.fields)


class PeopleRows:
    """The rows of one batch on their way into the book."""

    def __init__(
        self,
        organisation: Organisation,
        columns: PeopleColumns,
        options: Options,
        people: People,
        book: Book,
    ) -> None:
        self._organisation = organisation
        self._columns = columns
        self._mode = options.mode
        self._add_tags = {fold(name): name for name in read_tag_names(options.add_tags)}
        self._people = people
        self._book = book
        self._fills = any(
            (field.required or field.default is not None) and field.archived_at is None
            for field in columns.definitions.fields
        )

    def look_up(self, only: Collection[int] | None = None) -> None:
        """Read all that the rows, or `only` those of these indices, speak of."""
        people = self._people
        emails = {pair[1] for pair in _of(people.email, only) if pair is not None and pair[1]}
        phones = {triple[2] for triple in _of(people.phone, only) if triple is not None}
        ids = {pk for pk in _of(people.ids, only) if pk is not None}
        for index, row in people.careful.items():
            if only is not None and index not in only:
                continue
            if row.draft is not None:
                emails |= {row.draft.email_key or ""}
                phones |= {row.draft.phone_number_e164 or ""}
            if row.id is not None:
                ids.add(row.id)
        self._book.load(emails - {""}, phones - {""}, ids)
        if self._columns.has("tags") or self._add_tags:
            keys = {key for tags in people.tags or () if tags is not None for key in tags}
            for row in people.careful.values():
                keys.update(map(fold, row.given.tags or ()))
            self._book.load_tags(keys | self._add_tags.keys())
        self._look_up_owners()

    def _look_up_owners(self) -> None:
        for field, values in self._people.custom:
            if field.unique:
                wanted = {value for value in values if value is not None}
                wanted |= {
                    value
                    for row in self._people.careful.values()
                    if (value := self._parsed_alone(field, row)) is not None
                }
                self._book.load_owners(
                    field, {key for one in wanted for key in custom_values.unique_keys(field, one)}
                )

    def _parsed_alone(self, field: CustomField, row: CarefulRow) -> Any:
        if row.error is not None or field.name not in row.custom:
            return None
        return field.kind.parse(row.custom[field.name], field)

    def take_all(self, *, dry_run: bool, watcher: Watcher | None = None) -> Batch:
        """Take each row in the order of the file."""
        batch = Batch()
        witness = Witness(watcher, self._book.fields) if watcher is not None else None
        counts = {"created": 0, "updated": 0, "unchanged": 0}
        chunk = self._people.chunk
        for index in range(len(self._people)):
            try:
                person, outcome = self.take(index, dry_run=dry_run)
                counts[outcome] += 1
                if witness is not None:
                    witness.saw(person, outcome, chunk.lines[index], chunk.rows[index])
            except (ValidationError, Conflict) as error:
                batch.failures.append(Failure.of(chunk.lines[index], error, chunk.rows[index]))
        batch.created, batch.updated = counts["created"], counts["updated"]
        batch.unchanged = counts["unchanged"]
        return batch

    def finish(self) -> Record:
        """Write what the rows taken made of the contacts; the record of it."""
        self._book.flush()
        written = self._book.written
        return Record(What.CONTACT, written.created, written.changed)

    def take(self, index: int, *, dry_run: bool) -> tuple[Person, Outcome]:
        """Take the row of this index; whose it is, and what became of them. Raises ValidationError
        or Conflict, with nothing changed, when it cannot be taken."""
        row = self._people.careful.get(index)
        if row is not None:
            return self._with_care(row, dry_run=dry_run)
        return self._plainly(index, dry_run=dry_run)

    # Plainly.

    def _plainly(self, index: int, *, dry_run: bool) -> tuple[Person, Outcome]:
        people, book = self._people, self._book
        email = people.email[index] if people.email is not None else None
        phone = people.phone[index] if people.phone is not None else None
        first = book.with_email(email[1]) if email is not None and email[1] else None
        second = book.with_phone(phone[2]) if phone is not None else None
        pk = people.ids[index] if people.ids is not None else None
        if pk is not None:
            person: Person | None = self._of_id(pk)
        else:
            person = first if first is not None else second
        for one in (person, first, second):
            if one is not None and not one.is_plain:
                row = self._columns.read_with_care(people.chunk.rows[index])
                return self._with_care(row, dry_run=dry_run)
        _refuse_others(person, first, second, by_id=pk is not None)
        self._check_mode(person)
        values = {
            field: column[index] for field, column in people.custom if column[index] is not None
        }
        tags = people.tags[index] if people.tags is not None else None
        if person is None and self._fills:
            values = self._columns.definitions.parse(
                {field.name: value for field, value in values.items()}, creating=True
            )
        if tags or self._add_tags:
            book.refuse_tags(person, {**(tags or {}), **self._add_tags})
        if values:
            book.refuse_taken(person, values)
        if person is None:
            person = self._new(index, email, phone)
            outcome: Outcome = "created"
        else:
            changed = self._change(index, person, email, phone, weak=pk is None)
            outcome = "updated" if changed else "unchanged"
        places = people.places[index] if people.places is not None else None
        differs = False
        if places is not None:
            differs |= book.set_addresses(person, put_places(person.addresses, places))
        differs |= self._put_tags(person, tags)
        if values:
            differs |= book.set_values(person, values)
        return person, ("updated" if differs and outcome == "unchanged" else outcome)

    def _put_tags(self, person: Person, tags: Mapping[str, str] | None) -> bool:
        """Those of the row in place of what is there, and those of all rows beside it."""
        if tags is not None:
            return self._book.set_tags(person, {**tags, **self._add_tags})
        return bool(self._add_tags) and self._book.add_tags(person, self._add_tags)

    def _of_id(self, pk: int) -> Person:
        person = self._book.with_id(pk)
        if person is None:
            raise _no_contact(pk)
        return person

    def _check_mode(self, person: Person | None) -> None:
        if person is None and self._mode == "update":
            raise Conflict(_("No contact has this e-mail address or phone number."))
        if person is not None and self._mode == "create":
            raise Conflict(
                _("Contact %(id)d has this e-mail address or phone number already.")
                % {"id": person.id}
                if person.id > 0
                else _("An earlier row has this e-mail address or phone number already.")
            )

    def _new(
        self,
        index: int,
        email: tuple[str, str | None] | None,
        phone: tuple[str, str, str] | None,
    ) -> Person:
        if email is None and phone is None:
            require_identifier(Contact())
        texts = self._people.texts
        person = Person()
        person.kind = self._text(index, "kind") or Contact.Kind.PERSON.value
        person.email_address, person.email_key = email or (None, None)
        (
            person.phone_number,
            person.phone_number_country_code,
            person.phone_number_e164,
        ) = phone or (None, None, None)
        person.first_name = self._text(index, "first_name") or ""
        person.last_name = self._text(index, "last_name") or ""
        given = texts["name"][index] if "name" in texts else None
        person.name = given or full_name(person.first_name, person.last_name)
        person.dob = self._people.dob[index] if self._people.dob is not None else None
        person.timezone = self._text(index, "timezone") or self._organisation.timezone
        self._book.add(person)
        return person

    def _text(self, index: int, column: str) -> str | None:
        texts = self._people.texts.get(column)
        return texts[index] if texts is not None else None

    def _change(
        self,
        index: int,
        person: Person,
        email: tuple[str, str | None] | None,
        phone: tuple[str, str, str] | None,
        *,
        weak: bool,
    ) -> bool:
        """What `contacts.services.values.assign` does to a contact, for cells that are plainly
        fine. With `weak` a placeholder does not replace an address that identifies."""
        wanted: dict[str, Any] = {}
        email_key, e164 = person.email_key, person.phone_number_e164
        if email is not None and not (weak and email[1] is None and email_key is not None):
            wanted["email_address"], email_key = email
        if phone is not None:
            codes = self._people.calling_code
            if phone[0] != person.phone_number or (codes is not None and codes[index]):
                wanted["phone_number"], wanted["phone_number_country_code"], e164 = phone
        for column in ("kind", "timezone", "first_name", "last_name"):
            value = self._text(index, column)
            if value is not None:
                wanted[column] = value
        if self._people.dob is not None and self._people.dob[index] is not None:
            wanted["dob"] = self._people.dob[index]
        name = self._text(index, "name")
        if name is not None:
            wanted["name"] = name
        elif person.name in ("", full_name(person.first_name, person.last_name)):
            wanted["name"] = full_name(
                wanted.get("first_name", person.first_name),
                wanted.get("last_name", person.last_name),
            )
        different = {
            column: value for column, value in wanted.items() if getattr(person, column) != value
        }
        rekeyed = (email_key, e164) != (person.email_key, person.phone_number_e164)
        if not different and not rekeyed:
            return False
        if rekeyed:
            self._book.rekey(person, email_key, e164)
        else:
            person.keep()
            self._book.touch(person)
        for column, value in different.items():
            setattr(person, column, value)
        return True

    # With care.

    def _with_care(self, row: CarefulRow, *, dry_run: bool) -> tuple[Person, Outcome]:
        if row.error is not None:
            raise row.error
        draft = row.draft
        assert draft is not None  # it is there when nothing is wrong
        book = self._book
        holders = book.holder(draft.email_key, draft.phone_number_e164)
        if row.id is not None:
            found = self._of_id(row.id)
            meant = [found]
        else:
            require_identifier(draft)
            meant = holders
        if any(not one.is_plain for one in (*holders, *meant)):
            if not dry_run:
                return self._by_service(row)
            meant = [book.survivor(one) for one in meant]
        person = meant[0] if meant else None
        if row.id is None:
            _refuse_others(person, *meant, by_id=False)
        self._check_mode(person)
        if person is not None and person.redacted_at is not None:
            raise redacted(Contact(pk=person.id))
        given = row.given
        if row.places:
            there = person.addresses if person is not None else []
            merged = put_places(there, row.places)
            given.addresses = read({"addresses": merged}).addresses
        values = self._columns.definitions.parse(row.custom, creating=person is None)
        tags = None if given.tags is None else {fold(name): name for name in given.tags}
        book.refuse_tags(person, {**(tags or {}), **self._add_tags})
        book.refuse_taken(person, values)
        if person is None:
            person = Person()
            person.take(draft)
            book.add(person)
            outcome: Outcome = "created"
        else:
            changed = self._assign(person, row, holders)
            outcome = "updated" if changed else "unchanged"
        differs = False
        if given.addresses is not None:
            differs |= book.set_addresses(person, given.addresses)
        differs |= self._put_tags(person, tags)
        differs |= book.set_values(person, values)
        return person, ("updated" if differs and outcome == "unchanged" else outcome)

    def _assign(self, person: Person, row: CarefulRow, holders: Sequence[Person]) -> bool:
        contact = person.as_contact(self._organisation)
        assert row.draft is not None
        given = row.given
        if row.id is None:
            found = [
                contact if one is person else one.as_contact(self._organisation) for one in holders
            ]
            given = without_weak_identifiers(given, row.draft, contact, found)
        changed = assign(contact, given)
        if not changed:
            return False
        if changed & {"email_address", "phone_number"}:
            require_identifier(contact)
        book = self._book
        others = book.holder(contact.email_key, contact.phone_number_e164)
        _refuse_others(person, *map(book.survivor, others), by_id=True)
        for absorbed in others:
            if absorbed is not person:
                book.release(absorbed, contact.email_key, contact.phone_number_e164)
        book.rekey(person, contact.email_key, contact.phone_number_e164)
        person.take(contact)
        return True

    # By the service.

    def _by_service(self, row: CarefulRow) -> tuple[Person, Outcome]:
        """A row of contacts that were merged or redacted: the service writes down what becomes of
        identifiers there. A dry run, which must write nothing, goes on with care."""
        # Not in the transaction below: when the service refuses the row, what the rows before it
        # changed stays.
        self._book.flush()
        with transaction.atomic(), recording.kept_elsewhere():
            return self._ask_service(row)

    def _ask_service(self, row: CarefulRow) -> tuple[Person, Outcome]:
        draft, book = row.draft, self._book
        assert draft is not None
        contacts = Contact.objects.for_organisation(self._organisation)
        contact: Contact | None
        if row.id is not None:
            try:
                contact = contacts.resolve(row.id)
            except Contact.DoesNotExist:
                raise _no_contact(row.id) from None
        else:
            require_identifier(draft)
            holders = contacts.identified_by(email=draft.email_key, phone=draft.phone_number_e164)
            contact = the_one_of(contacts.survivors(holders).values())
        before = book.snapshot(contact.pk) if contact is not None else None
        self._check_mode(before)
        values = dict(row.values)
        if row.places:
            values["addresses"] = put_places(before.addresses if before else [], row.places)
        if row.custom:
            values["customFields"] = row.custom
        if self._add_tags:
            carried = [tag.name for tag in before.tags.values()] if before else []
            names = row.given.tags if row.given.tags is not None else carried
            values["tags"] = [*names, *self._add_tags.values()]
        if row.id is not None:
            assert contact is not None
            contact.organisation = self._organisation
            written = services.update(contact=contact, values=values)
        else:
            written, _created = services.upsert(organisation=self._organisation, values=values)
        after = book.snapshot(written.pk)
        assert after is not None  # it was written just now
        changed = book.note(before, after)
        book.reread(written.pk, draft.email_key, draft.phone_number_e164)
        person = book.with_id(written.pk)
        assert person is not None
        if before is None:
            return person, "created"
        return person, ("updated" if changed else "unchanged")


class Witness:
    """Tells a watcher what rows did to contacts, each against what those before it left."""

    def __init__(self, watcher: Watcher, fields: Mapping[int, CustomField]) -> None:
        self._watcher = watcher
        self._fields = fields
        self._earlier: dict[int, Person] = {}

    def saw(self, person: Person, outcome: Outcome, line: int, cells: Sequence[Any]) -> None:
        earlier = self._earlier.get(id(person))
        if self._watcher.wants(outcome):
            if earlier is None and outcome != "created":
                earlier = person.original()
            changes = person.changes_since(earlier, self._fields)
            who = person.name or person.email_address or person.phone_number or ""
            known = person.id if person.id > 0 else None
            self._watcher.see(Seen(outcome, line, cells, who, known, changes))
        if outcome != "unchanged" and self._watcher.wants("updated"):
            self._earlier[id(person)] = person.copy()


def _refuse_others(person: Person | None, *found: Person | None, by_id: bool) -> None:
    """Raise Conflict when the identifiers are of different contacts."""
    others = {id(one): one for one in found if one is not None and one is not person}
    if not others or person is None:
        return
    ids = sorted(one.id for one in others.values() if one.id > 0)
    if by_id:
        raise Conflict(
            _("Contact %(ids)s has this e-mail address or phone number already.")
            % {"ids": ", ".join(map(str, ids))}
            if ids
            else _("An earlier row has this e-mail address or phone number already."),
            ids,
        )
    if person.id > 0 and ids:
        first, second = sorted((person.id, ids[0]))
        the_one_of([Contact(pk=first), Contact(pk=second)])
    raise Conflict(
        _(
            "The e-mail address and the phone number are those of two contacts, of which this file"
            " has just created one or both. Leave one out."
        )
    )


def _no_contact(pk: int) -> ValidationError:
    return ValidationError(
        {
            "id": ValidationError(
                _("There is no contact %(id)d."), code="does_not_exist", params={"id": pk}
            )
        }
    )


def targets_of(headers: Sequence[str], mapping: Mapping[str, str]) -> list[str]:
    """The target of each column."""
    return [mapping.get(header, "") for header in headers]
