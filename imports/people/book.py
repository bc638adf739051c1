"""The contacts that a batch of rows speaks of, in memory, and writing them in one go."""

from __future__ import annotations

import pickle
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from contacts import identity, rollups
from contacts.models import Address, Contact, ContactRollup, ContactTag, Tag
from contacts.services import news
from contacts.services import tags as tag_services
from contacts.services.values import ADDRESS_COLUMNS, COLUMNS, DERIVED
from contacts.signals import contacts_created
from customfields import values as custom_values
from customfields.definitions import path
from customfields.models import CustomField, CustomFieldValue
from customfields.services.contents import current_values
from imports import tables
from organisations.models import Organisation

PROFILE = (*COLUMNS, *DERIVED)

Values = dict[int, Any]
"""Parsed custom values by the field's id."""


class Person:
    """A contact as the rows so far left it. `before` and the other `_before`s say what it was when
    it was read, once it differs; `is_new` that it is not in the database yet."""

    __slots__ = (
        *PROFILE,
        "addresses",
        "addresses_before",
        "before",
        "id",
        "is_new",
        "merged_into_id",
        "redacted_at",
        "tags",
        "tags_before",
        "updated_at",
        "values",
        "values_before",
    )

    id: int
    kind: str
    email_address: str | None
    email_key: str | None
    phone_number: str | None
    phone_number_country_code: str | None
    phone_number_e164: str | None
    first_name: str
    last_name: str
    name: str
    dob: Any
    timezone: str
    updated_at: datetime | None
    merged_into_id: int | None
    redacted_at: datetime | None
    is_new: bool
    before: tuple[Any, ...] | None
    addresses: list[dict[str, str]]
    addresses_before: list[dict[str, str]] | None
    tags: dict[str, Tag]
    tags_before: dict[str, Tag] | None
    values: Values
    values_before: Values | None

    def __init__(self) -> None:
        self.id = 0
        self.updated_at = self.merged_into_id = self.redacted_at = None
        self.is_new = True
        self.addresses = []
        self.tags = {}
        self.values = {}
        self.settle()

    def settle(self) -> None:
        """Take what is there for what was before."""
        self.before = self.addresses_before = self.tags_before = self.values_before = None

    @property
    def is_plain(self) -> bool:
        """Whether it is neither part of another contact nor redacted."""
        return self.merged_into_id is None and self.redacted_at is None

    def profile(self) -> tuple[Any, ...]:
        """The contact's own columns, those of `PROFILE`."""
        return (
            self.kind,
            self.email_address,
            self.phone_number,
            self.phone_number_country_code,
            self.first_name,
            self.last_name,
            self.name,
            self.dob,
            self.timezone,
            self.email_key,
            self.phone_number_e164,
        )

    def keep(self) -> None:
        """Remember the columns as they are: they are about to change."""
        if self.before is None and not self.is_new:
            self.before = self.profile()

    def copy(self) -> Person:
        """The same as it is now, whatever becomes of this one."""
        twin = Person()
        for column in (*PROFILE, "id", "addresses", "tags"):
            setattr(twin, column, getattr(self, column))
        twin.values = dict(self.values)
        return twin

    def original(self) -> Person:
        """As it was when it was read, or settled."""
        twin = self.copy()
        if self.before is not None:
            for column, value in zip(PROFILE, self.before, strict=True):
                setattr(twin, column, value)
        if self.addresses_before is not None:
            twin.addresses = self.addresses_before
        if self.tags_before is not None:
            twin.tags = self.tags_before
        twin.values |= self.values_before or {}
        return twin

    def changes_since(
        self, earlier: Person | None, fields: Mapping[int, CustomField]
    ) -> dict[str, Any]:
        """As `changes`, but from `earlier` (a `copy`) on; from nothing when that is None."""
        twin = self.copy()
        twin.before = earlier.profile() if earlier is not None else (None,) * len(PROFILE)
        twin.addresses_before = earlier.addresses if earlier is not None else []
        twin.tags_before = earlier.tags if earlier is not None else {}
        old = earlier.values if earlier is not None else {}
        twin.values_before = {pk: old.get(pk) for pk in old.keys() | self.values.keys()}
        return twin.changes(fields)

    def as_contact(self, organisation: Organisation) -> Contact:
        """An unsaved model instance with the same columns, for the services' functions."""
        columns = dict(zip(PROFILE, self.profile(), strict=True))
        return Contact(organisation=organisation, pk=self.id or None, **columns)

    def take(self, contact: Contact) -> None:
        """Take the columns of a model instance."""
        for column in PROFILE:
            setattr(self, column, getattr(contact, column))

    def changes(self, fields: Mapping[int, CustomField]) -> dict[str, Any]:
        """What differs from before, as `{what: {name: [before, after]}}` in JSON."""
        found: dict[str, Any] = {}
        if self.before is not None:
            pairs = zip(PROFILE, self.before, self.profile(), strict=True)
            columns = {name: [_json(old), _json(new)] for name, old, new in pairs if old != new}
            if columns:
                found["columns"] = columns
        if self.addresses_before is not None and self.addresses_before != self.addresses:
            found["addresses"] = [self.addresses_before, self.addresses]
        if self.tags_before is not None and self.tags_before.keys() != self.tags.keys():
            found["tags"] = [
                [tag.name for tag in self.tags_before.values()],
                [tag.name for tag in self.tags.values()],
            ]
        if self.values_before:
            custom = {}
            for pk, old in self.values_before.items():
                new = self.values.get(pk)
                if old != new:
                    text = fields[pk].kind.text
                    custom[fields[pk].name] = [
                        None if old is None else text(old),
                        None if new is None else text(new),
                    ]
            if custom:
                found["custom_fields"] = custom
        return found


def _names(changes: Mapping[str, Any]) -> set[str]:
    """What `Person.changes` told, by the names of the contact's JSON."""
    custom = {f"customFields.{name}" for name in changes.get("custom_fields", ())}
    lists = {name for name in ("addresses", "tags") if name in changes}
    return news.names(changes.get("columns", ())) | custom | lists


def _json(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int) else value.isoformat()


@dataclass
class Written:
    """What a batch wrote, for the record of the import: ids of new contacts, and for changed ones
    what differed and the `updated_at` that they have now."""

    created: list[int] = field(default_factory=list)
    changed: list[tuple[int, dict[str, Any] | None, datetime]] = field(default_factory=list)


@dataclass(frozen=True)
class Scope:
    """What of a contact, beside its columns, the file speaks of."""

    fields: Sequence[CustomField] = ()
    addresses: bool = False
    tags: bool = False


class Book:
    """The contacts that the rows of a batch may be about, found by e-mail key, phone and id.

    Everything is looked up at the beginning, a fixed number of queries for any number of rows, and
    locked until the transaction ends; `flush` writes what changed. With a `Draft` nothing is
    locked or written, and what earlier batches would have written is read from it.
    """

    def __init__(
        self,
        organisation: Organisation,
        scope: Scope,
        *,
        now: datetime,
        is_own: Callable[[int], bool],
        draft: Draft | None = None,
    ) -> None:
        self.organisation = organisation
        self.written = Written()
        self._scope = scope
        self._fields = {custom_field.pk: custom_field for custom_field in scope.fields}
        self._now = now
        self._is_own = is_own
        self._draft = draft
        self._by_email: dict[str, Person] = {}
        self._by_phone: dict[str, Person] = {}
        self._by_id: dict[int, Person] = {}
        self._looked_up: set[str] = set()
        self._new: list[Person] = []
        self._touched: dict[int, Person] = {}
        self._released: set[str] = set()
        self._created: set[int] = set()
        self._owners: dict[tuple[int, str], int | Person] = {}
        self.known_tags: dict[str, Tag] = {}

    # Finding.

    def load(
        self, emails: Collection[str], phones: Collection[str], ids: Collection[int] = ()
    ) -> None:
        """Read the contacts of these keys and ids."""
        self._looked_up.update(emails, phones)
        for person in self._read(emails, phones, ids):
            self._index(person)

    @property
    def fields(self) -> Mapping[int, CustomField]:
        """The custom fields that it knows values of, by id."""
        return self._fields

    def load_tags(self, keys: Iterable[str]) -> None:
        """Read the tags of these folded names."""
        tags = Tag.objects.for_organisation(self.organisation)
        self.known_tags |= {tag.key: tag for tag in tags.filter(key__in=list(keys))}

    def load_owners(self, custom_field: CustomField, keys: Collection[str]) -> None:
        """Read whose these values of a unique field are."""
        rows = CustomFieldValue.objects.for_organisation(self.organisation).filter(
            field=custom_field, unique_key__in=list(keys)
        )
        for key, contact_id in rows.values_list("unique_key", "contact_id"):
            if key is not None:
                self._owners.setdefault((custom_field.pk, key), contact_id)

    def with_email(self, key: str) -> Person | None:
        """Whom this e-mail key identifies."""
        return self._by_email.get(key)

    def with_phone(self, e164: str) -> Person | None:
        """Whom this phone identifies."""
        return self._by_phone.get(e164)

    def with_id(self, pk: int) -> Person | None:
        """The contact of this id."""
        return self._by_id.get(pk)

    def holder(self, email: str | None, phone: str | None) -> list[Person]:
        """Those whom the keys identify, also when nobody looked for these keys before."""
        unknown = {key for key in (email, phone) if key} - self._looked_up
        if unknown:
            self.load(
                [key for key in (email,) if key in unknown],
                [key for key in (phone,) if key in unknown],
            )
        found = (
            self._by_email.get(email) if email else None,
            self._by_phone.get(phone) if phone else None,
        )
        return [person for person in found if person is not None]

    def survivor(self, person: Person) -> Person:
        """The contact that this one is part of now: itself, unless it was merged."""
        while person.merged_into_id is not None:
            if person.merged_into_id not in self._by_id:
                self.load((), (), [person.merged_into_id])
            person = self._by_id[person.merged_into_id]
        return person

    def release(self, person: Person, email: str | None, phone: str | None) -> None:
        """Take these keys off a contact that was merged: its survivor takes them."""
        person.keep()
        self.touch(person)
        if person.email_key is not None and person.email_key == email:
            person.email_address = person.email_key = None
        if person.phone_number_e164 is not None and person.phone_number_e164 == phone:
            person.phone_number = person.phone_number_e164 = None
            person.phone_number_country_code = None

    def _index(self, person: Person) -> None:
        # One that is here already may differ from the database by now.
        person = self._by_id.setdefault(person.id, person)
        if person.email_key is not None:
            self._by_email[person.email_key] = person
        if person.phone_number_e164 is not None:
            self._by_phone[person.phone_number_e164] = person

    def _read(
        self, emails: Collection[str], phones: Collection[str], ids: Collection[int]
    ) -> list[Person]:
        wanted: list[str] = []
        params: list[Any] = []
        table = Contact._meta.db_table
        for condition, keys in (
            (tables.among_texts("email_key"), tables.texts(emails) if emails else None),
            (tables.among_texts("phone_number_e164"), tables.texts(phones) if phones else None),
            (tables.among_ids("id"), tables.ids(ids) if ids else None),
        ):
            if keys is not None:
                wanted.append(
                    f"SELECT id FROM {table} WHERE organisation_id = %s AND {condition}"  # noqa: S608
                )
                params += [self.organisation.pk, keys]
        if not wanted:
            return []
        among = tables.among_rows(f"{table}.id", " UNION ".join(wanted))
        contacts = Contact.objects.for_organisation(self.organisation).extra(  # noqa: S610
            where=[among], params=params
        )
        if self._draft is None:
            contacts = contacts.select_for_update(no_key=True)
        columns = ("id", "merged_into_id", "redacted_at", "updated_at", *PROFILE)
        people = {}
        for row in contacts.order_by("pk").values_list(*columns):
            person = Person()
            person.is_new = False
            for column, value in zip(columns, row, strict=True):
                setattr(person, column, value)
            people[person.id] = person
        self._read_more(people)
        if self._draft is not None:
            people |= self._draft.people(people, emails, phones, ids)
        return list(people.values())

    def _own(self, pk: int) -> bool:
        """Whether this import created the contact."""
        return pk in self._created or self._is_own(pk)

    def _read_more(self, people: Mapping[int, Person]) -> None:
        """Addresses, tags and custom values, as far as the file speaks of them."""
        if not people:
            return
        if self._scope.addresses:
            rows = Address.objects.for_organisation(self.organisation).filter(contact__in=people)
            for values in rows.values("contact_id", *ADDRESS_COLUMNS):
                people[values.pop("contact_id")].addresses.append(cast("dict[str, str]", values))
        if self._scope.tags:
            links = ContactTag.objects.for_organisation(self.organisation)
            for link in links.filter(contact__in=people).select_related("tag").order_by("pk"):
                people[link.contact_id].tags[link.tag.key] = link.tag
        if self._scope.fields:
            there = current_values(self.organisation, list(people), self._scope.fields)
            for contact_id, values in there.items():
                people[contact_id].values = values

    # Changing.

    def add(self, person: Person) -> None:
        """Take in a new contact, whose columns are set."""
        self._new.append(person)
        if person.email_key is not None:
            self._by_email[person.email_key] = person
        if person.phone_number_e164 is not None:
            self._by_phone[person.phone_number_e164] = person

    def touch(self, person: Person) -> None:
        """Note that `person` differs from what is in the database."""
        if not person.is_new:
            self._touched[person.id] = person

    def rekey(self, person: Person, email: str | None, phone: str | None) -> None:
        """Give a contact other keys, which nobody else has. To be called before the row changes
        anything else of it."""
        acquired = {email, phone} - {person.email_key, person.phone_number_e164, None}
        if acquired & self._released:
            # An update in one statement could meet the other's row before it let the key go.
            self.flush()
        person.keep()
        self.touch(person)
        if person.email_key != email:
            self._let_go(self._by_email, person.email_key, person)
            person.email_key = email
            if email is not None:
                self._by_email[email] = person
        if person.phone_number_e164 != phone:
            self._let_go(self._by_phone, person.phone_number_e164, person)
            person.phone_number_e164 = phone
            if phone is not None:
                self._by_phone[phone] = person

    def _let_go(self, index: dict[str, Person], key: str | None, person: Person) -> None:
        if key is not None and index.get(key) is person:
            del index[key]
            if not person.is_new:
                self._released.add(key)

    def set_addresses(self, person: Person, addresses: list[dict[str, str]]) -> bool:
        """Make these its addresses; True when they differ."""
        if person.addresses == addresses:
            return False
        if person.addresses_before is None:
            person.addresses_before = person.addresses
        person.addresses = addresses
        self.touch(person)
        return True

    def refuse_tags(self, person: Person | None, wanted: Iterable[str]) -> None:
        """Raise ValidationError when one of these keys is a rule's and not on the contact yet."""
        carried = person.tags if person is not None else {}
        tag_services.refuse_rules(
            self.known_tags[key] for key in wanted if key not in carried and key in self.known_tags
        )

    def set_tags(self, person: Person, wanted: Mapping[str, str]) -> bool:
        """Make these (names by key) the tags that people put on it; True when any changes."""
        dropped = {tag.key for tag in tag_services.dropped(person.tags, wanted)}
        missing = [key for key in wanted if key not in person.tags]
        if not dropped and not missing:
            return False
        if person.tags_before is None:
            person.tags_before = person.tags
        kept = {key: tag for key, tag in person.tags.items() if key not in dropped}
        for key in missing:
            kept[key] = self.known_tags.setdefault(
                key, Tag(organisation=self.organisation, name=wanted[key], key=key)
            )
        person.tags = kept
        self.touch(person)
        return True

    def add_tags(self, person: Person, wanted: Mapping[str, str]) -> bool:
        """Put these (names by key) on it beside what it carries; True when any is new to it."""
        return self.set_tags(
            person, {**{key: tag.name for key, tag in person.tags.items()}, **wanted}
        )

    def refuse_taken(self, person: Person | None, values: Mapping[CustomField, Any]) -> None:
        """Raise ValidationError when a unique value is another contact's."""
        errors = {}
        for custom_field, value in values.items():
            if custom_field.unique and value is not None:
                for key in custom_values.unique_keys(custom_field, value):
                    owner = self._owners.get((custom_field.pk, key))
                    if owner is not None and not _is(person, owner):
                        errors[path(custom_field.name)] = self._taken(custom_field, owner)
        if errors:
            raise ValidationError(errors)

    def _taken(self, custom_field: CustomField, owner: int | Person) -> ValidationError:
        if isinstance(owner, int):
            return ValidationError(
                _("Contact %(id)d has this %(label)s already; it is unique."),
                code="unique",
                params={"id": owner, "label": custom_field.label},
            )
        return ValidationError(
            _("An earlier row has this %(label)s already; it is unique."),
            code="unique",
            params={"label": custom_field.label},
        )

    def set_values(self, person: Person, values: Mapping[CustomField, Any]) -> bool:
        """Make these its custom values (None clears); True when any differs."""
        differs = False
        for custom_field, value in values.items():
            pk = custom_field.pk
            old = person.values.get(pk)
            if old == value:
                continue
            if person.values_before is None:
                person.values_before = {}
            person.values_before.setdefault(pk, old)
            if value is None:
                del person.values[pk]
            else:
                person.values[pk] = value
            if custom_field.unique:
                self._move_unique(person, custom_field, old, value)
            differs = True
        if differs:
            self.touch(person)
        return differs

    def _move_unique(self, person: Person, custom_field: CustomField, old: Any, new: Any) -> None:
        owner: int | Person = person if person.is_new else person.id
        if old is not None:
            for key in custom_values.unique_keys(custom_field, old):
                self._owners.pop((custom_field.pk, key), None)
        if new is not None:
            for key in custom_values.unique_keys(custom_field, new):
                self._owners[custom_field.pk, key] = owner

    # Writing.

    def flush(self) -> None:
        """Write all that changed since the last time."""
        if self._draft is not None:
            self._draft.keep([*self._touched.values(), *self._new])
        else:
            changed = [
                (person, changes)
                for person in self._touched.values()
                if (changes := person.changes(self._fields))
            ]
            self._ensure_tags([*self._touched.values(), *self._new])
            self._write_changed(changed)
            self._write_new()
        for person in (*self._touched.values(), *self._new):
            person.settle()
        for person in self._new:
            person.is_new = False
            self._by_id[person.id] = person
        self._new, self._touched, self._released = [], {}, set()

    def _ensure_tags(self, people: Sequence[Person]) -> None:
        missing = {
            key: tag.name for person in people for key, tag in person.tags.items() if tag.pk is None
        }
        if not missing:
            return
        ensured = tag_services.ensure(self.organisation, missing.values())
        self.known_tags |= ensured
        for person in people:
            # A later row may take it off again, which goes by its id.
            person.tags.update((key, ensured[key]) for key in person.tags.keys() & ensured.keys())

    def _write_new(self) -> None:
        people = self._new
        if not people:
            return
        ids = tables.new_ids(Contact, len(people))
        for person, pk in zip(people, ids, strict=True):
            person.id = pk
            person.updated_at = self._now
        owner = tables.Same(self.organisation.pk)
        moment = tables.Same(self._now)
        profiles = list(zip(*(person.profile() for person in people), strict=True))
        tables.insert(
            Contact,
            len(people),
            {
                **_defaults(Contact),
                "id": ids,
                "organisation_id": owner,
                **dict(zip(PROFILE, profiles, strict=True)),
                "search_text": _search_texts(people),
                "created_at": moment,
                "updated_at": moment,
            },
        )
        tables.insert(
            ContactRollup,
            len(people),
            {
                **_defaults(ContactRollup),
                "contact_id": ids,
                "organisation_id": owner,
                "changed_at": moment,
            },
        )
        self._write_values([person for person in people if person.values])
        self._write_addresses([person for person in people if person.addresses])
        self._link((person, person.tags.keys()) for person in people if person.tags)
        self.written.created += ids
        self._created.update(ids)
        for start in range(0, len(ids), rollups.BATCH):
            contacts_created.send(
                Contact, organisation=self.organisation, ids=ids[start : start + rollups.BATCH]
            )

    def _write_changed(self, changed: Sequence[tuple[Person, dict[str, Any]]]) -> None:
        if not changed:
            return
        was = {person.id: person.updated_at for person, _changes in changed}
        totals = rollups.lock_moments(sorted(was))
        profiles = [person for person, changes in changed if "columns" in changes]
        if profiles:
            columns = list(zip(*(person.profile() for person in profiles), strict=True))
            tables.update(
                Contact,
                [person.id for person in profiles],
                {
                    **dict(zip(PROFILE, columns, strict=True)),
                    "search_text": _search_texts(profiles),
                    "updated_at": tables.Same(self._now),
                },
            )
            for person in profiles:
                person.updated_at = self._now
        readdressed = [person for person, changes in changed if "addresses" in changes]
        if readdressed:
            Address.objects.for_organisation(self.organisation).filter(
                contact__in=[person.id for person in readdressed]
            ).delete()
            self._write_addresses(readdressed)
        self._write_values([person for person, changes in changed if "custom_fields" in changes])
        self._relink([person for person, changes in changed if "tags" in changes])
        news.updated(self.organisation, {person.id: _names(changes) for person, changes in changed})
        for person, changes in changed:
            assert person.updated_at is not None  # it was read, or written just now
            before = None
            if not self._own(person.id):
                before = changes | {"at": [_json(was[person.id]), _json(totals.get(person.id))]}
            self.written.changed.append((person.id, before, person.updated_at))

    def _write_values(self, people: Sequence[Person]) -> None:
        if not people:
            return
        fields = self._fields
        custom_values.write(
            self.organisation,
            [
                (
                    person.id,
                    {
                        fields[pk]: person.values.get(pk)
                        for pk in (person.values if person.is_new else person.values_before or ())
                    },
                )
                for person in people
            ],
        )

    def _write_addresses(self, people: Sequence[Person]) -> None:
        rows = [(person.id, address) for person in people for address in person.addresses]
        tables.insert(
            Address,
            len(rows),
            {
                "organisation_id": tables.Same(self.organisation.pk),
                "contact_id": [contact_id for contact_id, _address in rows],
                **{
                    name: [address[name] for _contact_id, address in rows]
                    for name in ADDRESS_COLUMNS
                },
            },
        )

    def _relink(self, people: Sequence[Person]) -> None:
        gone: dict[int, list[int]] = {}
        for person in people:
            for key, tag in (person.tags_before or {}).items():
                if key not in person.tags:
                    gone.setdefault(tag.pk, []).append(person.id)
        links = ContactTag.objects.for_organisation(self.organisation)
        for tag_id, contact_ids in gone.items():
            links.filter(tag=tag_id, contact__in=contact_ids).delete()
        taken_off = [
            (tag, person.id)
            for person in people
            for key, tag in (person.tags_before or {}).items()
            if key not in person.tags
        ]
        news.tagged(self.organisation, taken_off, added=False)
        self._link(
            (person, person.tags.keys() - (person.tags_before or {}).keys()) for person in people
        )

    def _link(self, wanted: Iterable[tuple[Person, Iterable[str]]]) -> None:
        links = [(person.tags[key], person.id) for person, keys in wanted for key in keys]
        ContactTag.objects.bulk_create(
            [
                ContactTag(
                    organisation=self.organisation,
                    contact_id=contact_id,
                    tag_id=tag.pk,
                    created_at=self._now,
                )
                for tag, contact_id in links
            ],
            ignore_conflicts=True,
            batch_size=5000,
        )
        news.tagged(self.organisation, links, added=True)

    # Rows that a service writes itself.

    def snapshot(self, pk: int) -> Person | None:
        """The contact as it is in the database now."""
        return next(iter(self._read((), (), [pk])), None)

    def note(self, before: Person | None, after: Person) -> bool:
        """Record what a service did to a contact; True when anything differs."""
        self._note_unique(before, after)
        if before is None:
            self.written.created.append(after.id)
            self._created.add(after.id)
        else:
            after.before = before.profile()
            after.addresses_before = before.addresses
            after.tags_before = before.tags
            after.values_before = {
                pk: before.values.get(pk) for pk in before.values.keys() | after.values.keys()
            }
            changes = after.changes(self._fields)
            after.settle()
            if not changes:
                return False
            assert after.updated_at is not None
            kept = None
            if not self._own(after.id):
                kept = changes | {"at": [_json(before.updated_at), None]}
            self.written.changed.append((after.id, kept, after.updated_at))
        return True

    def _note_unique(self, before: Person | None, after: Person) -> None:
        old = before.values if before is not None else {}
        for pk, custom_field in self._fields.items():
            if custom_field.unique and old.get(pk) != after.values.get(pk):
                self._move_unique(after, custom_field, old.get(pk), after.values.get(pk))

    def reread(self, pk: int, email: str | None, phone: str | None) -> None:
        """Forget what was known of this contact and of these keys, and read it again."""
        for index in (self._by_email, self._by_phone):
            for key in [key for key, person in index.items() if person.id == pk]:
                del index[key]
        self._by_id.pop(pk, None)
        if email:
            self._by_email.pop(email, None)
        if phone:
            self._by_phone.pop(phone, None)
        self.load({email} if email else (), {phone} if phone else (), [pk])


def _is(person: Person | None, owner: int | Person) -> bool:
    """Whether they are the same contact: one that was read twice is two objects of one id."""
    if person is None or owner is person:
        return person is not None
    return person.id != 0 and person.id == (owner if isinstance(owner, int) else owner.id)


def _defaults(model: Any) -> dict[str, Any]:
    """The default of each column, for those that the book does not know."""
    return {
        column.attname: tables.Same(column.get_default())
        for column in model._meta.concrete_fields
        if not column.primary_key
    }


def _search_texts(people: Sequence[Person]) -> list[str]:
    # A Person has the columns that it is made of.
    return [identity.search_text(cast("Contact", person)) for person in people]


class Draft:
    """What a dry run would have written, in a temporary file: memory does not grow with it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryDirectory(prefix="regulars-dry-run-")
        self._connection = sqlite3.connect(Path(self._file.name) / "draft.sqlite3")
        self._connection.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "CREATE TABLE people (id INTEGER PRIMARY KEY, content BLOB);"
            "CREATE TABLE keys (key TEXT PRIMARY KEY, id INTEGER) WITHOUT ROWID;"
        )
        self._next = -1

    def close(self) -> None:
        """Throw it away."""
        self._connection.close()
        self._file.cleanup()

    def keep(self, people: Iterable[Person]) -> None:
        """Remember these contacts; new ones get an id below zero."""
        rows, keys = [], []
        for person in people:
            if person.is_new:
                person.id = self._next
                self._next -= 1
            state = [getattr(person, name) for name in _KEPT]
            rows.append((person.id, pickle.dumps(state, protocol=5)))
            keys += [
                (key, person.id) for key in (person.email_key, person.phone_number_e164) if key
            ]
        self._connection.executemany("INSERT OR REPLACE INTO people VALUES (?, ?)", rows)
        self._connection.executemany("INSERT OR REPLACE INTO keys VALUES (?, ?)", keys)

    def people(
        self,
        read: Mapping[int, Person],
        emails: Iterable[str],
        phones: Iterable[str],
        ids: Iterable[int],
    ) -> dict[int, Person]:
        """Those of the database's contacts that would be different, and those who would be new."""
        wanted = {*read, *ids}
        for key in (*emails, *phones):
            found = self._connection.execute("SELECT id FROM keys WHERE key = ?", [key]).fetchone()
            if found:
                wanted.add(found[0])
        people = {}
        for pk in wanted:
            row = self._connection.execute(
                "SELECT content FROM people WHERE id = ?", [pk]
            ).fetchone()
            if row:
                person = Person()
                for name, value in zip(_KEPT, pickle.loads(row[0]), strict=True):  # noqa: S301  # our own
                    setattr(person, name, value)
                person.is_new = False
                people[pk] = person
        return people


_KEPT = (
    "id",
    *PROFILE,
    "updated_at",
    "merged_into_id",
    "redacted_at",
    "addresses",
    "tags",
    "values",
)
