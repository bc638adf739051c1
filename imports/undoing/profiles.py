"""Contacts that an import changed: columns, addresses, tags and custom values as they were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts import identity
from contacts.models import Address, Contact, ContactRollup, ContactTag, Merge, Tag
from contacts.services import news
from contacts.services import tags as tag_services
from contacts.services.values import ADDRESS_COLUMNS, COLUMNS, DERIVED
from customfields import values as custom_values
from customfields.definitions import Definitions
from customfields.models import CustomField, CustomFieldValue
from customfields.services.contents import current_values
from imports import tables
from imports.models import Import, ImportedRow, What
from imports.undoing import words
from imports.undoing.contacts import delete_unused_tags
from imports.undoing.records import Change, Outcome, among, changes

_WRITTEN = (*COLUMNS, *DERIVED)
_EMAIL, _PHONE = DERIVED

Key = tuple[str | int, str]
"""What only one contact may have: by the column, or by a custom field's id, and its value."""


@dataclass(eq=False)
class Former:
    """A contact on its way back to what it was."""

    contact: Contact
    change: Change
    columns: dict[str, Any] = field(default_factory=dict)
    values: dict[CustomField, Any] = field(default_factory=dict)
    regained: list[tuple[str, str]] = field(default_factory=list)
    """The tags that come back, as key and name."""
    lost: list[Tag] = field(default_factory=list)
    keys: dict[str | int, list[str]] = field(default_factory=dict)
    """What it will hold of what only one contact may have, where that changes."""

    @property
    def pk(self) -> int:
        """The contact's id."""
        return int(self.contact.pk)

    def fields(self) -> set[str]:
        """What differs afterwards, by the names of the contact's JSON."""
        named = {f"customFields.{custom_field.name}" for custom_field in self.values}
        parts = {name for name in ("addresses", "tags") if self.change.pair(name)}
        return news.names(self.columns) | named | parts


def take_back(run: Import, ids: Collection[int]) -> Outcome:
    """Give these contacts back what they had, those that nobody changed since.

    A former identifier may be on another contact of this import, which then goes back first: such
    are taken along, whether they are among `ids` or not. A fixed number of queries, and a few more
    for each such contact on the way.
    """
    batch = _Batch(run)
    batch.read(ids)
    batch.settle_keys()
    batch.write()
    return batch.outcome


class _Batch:
    """Contacts that go back together."""

    def __init__(self, run: Import) -> None:
        self._run = run
        self._organisation = run.organisation
        self._definitions = Definitions.held(run.organisation)
        self._former: dict[int, Former] = {}
        self._asked: set[int] = set()
        self.outcome = Outcome()

    # Reading.

    def read(self, ids: Collection[int]) -> None:
        """Read what these contacts are and were, and keep those that were changed since."""
        self._asked.update(ids)
        change_of = changes(self._run, What.CONTACT, ids)
        contacts = among(Contact.objects.for_organisation(self._organisation), "id", change_of)
        there = {one.pk: one for one in contacts.order_by("pk").select_for_update(no_key=True)}
        fresh: dict[int, Former] = {}
        for pk, change in change_of.items():
            contact = there.get(pk)
            if contact is None:
                self.outcome.keep(pk, _name(change), words.gone())
                continue
            contact.organisation = self._organisation
            if contact.merged_into_id is not None:
                self.outcome.keep(pk, contact, words.merged(contact.merged_into_id))
            elif contact.redacted_at is not None:
                self.outcome.keep(pk, contact, words.redacted())
            elif contact.updated_at != change.mark.written_at:
                self.outcome.keep(pk, contact, words.changed())
            else:
                fresh[pk] = Former(contact, change)
        for former in fresh.values():
            _read_columns(former)
        self._read_addresses(fresh)
        self._read_tags(fresh)
        self._read_values(fresh)
        self._former |= {pk: one for pk, one in fresh.items() if pk not in self.outcome.kept}

    def _keep(self, former: Former, reason: str) -> None:
        self.outcome.keep(former.pk, former.contact, reason)

    def _read_addresses(self, fresh: Mapping[int, Former]) -> None:
        asked = {pk: pair for pk, one in fresh.items() if (pair := one.change.pair("addresses"))}
        if not asked:
            return
        there = defaultdict(list)
        rows = among(Address.objects.for_organisation(self._organisation), "contact_id", asked)
        for values in rows.order_by("pk").values("contact_id", *ADDRESS_COLUMNS):
            there[values.pop("contact_id")].append(values)
        for pk, (_before, after) in asked.items():
            if there[pk] != after:
                self._keep(fresh[pk], words.changed_part(_("addresses")))

    def _read_tags(self, fresh: Mapping[int, Former]) -> None:
        asked = {pk: pair for pk, one in fresh.items() if (pair := one.change.pair("tags"))}
        if not asked:
            return
        there: defaultdict[int, dict[str, Tag]] = defaultdict(dict)
        links = ContactTag.objects.for_organisation(self._organisation).select_related("tag")
        for link in among(links, "contact_id", asked):
            there[link.contact_id][link.tag.key] = link.tag
        for pk, (before, after) in asked.items():
            was = {identity.fold(name): name for name in before}
            became = {identity.fold(name) for name in after}
            former = fresh[pk]
            former.regained = [(key, name) for key, name in was.items() if key not in became]
            lost = became - was.keys()
            if lost - there[pk].keys() or (was.keys() - became) & there[pk].keys():
                self._keep(former, words.changed_part(_("tags")))
            former.lost = [tag for key, tag in there[pk].items() if key in lost]

    def _read_values(self, fresh: Mapping[int, Former]) -> None:
        asked = {
            pk: pairs for pk, one in fresh.items() if (pairs := one.change.pairs("custom_fields"))
        }
        names = {name for pairs in asked.values() for name in pairs}
        fields = [one for name in names if (one := self._definitions.named(name)) is not None]
        there = current_values(self._organisation, list(asked), fields) if fields else {}
        for pk, pairs in asked.items():
            for name, (before, after) in pairs.items():
                custom_field = self._definitions.named(name)
                if custom_field is None:
                    self._keep(fresh[pk], _("The custom field %(name)s is gone.") % {"name": name})
                    continue
                value = there.get(pk, {}).get(custom_field.pk)
                if (None if value is None else custom_field.kind.text(value)) != after:
                    self._keep(fresh[pk], words.changed_part(custom_field.label))
                else:
                    self._read_value(fresh[pk], custom_field, before)

    def _read_value(self, former: Former, custom_field: CustomField, before: str | None) -> None:
        try:
            # As it was, also where it would be refused by now: by `read`, which knows no rules.
            value = None if before is None else custom_field.kind.read(before, custom_field)
        except ValidationError as error:
            self._keep(former, " ".join(error.messages))
            return
        former.values[custom_field] = value
        if custom_field.unique:
            keys = custom_values.unique_keys(custom_field, value) if value is not None else []
            former.keys[custom_field.pk] = keys

    # Who has what comes back.

    def settle_keys(self) -> None:
        """Keep those whose former identifier or unique value somebody else has by now. Whoever has
        it through this import gives it back along with them."""
        holders: dict[Key, set[int]] = {}
        looked_up: set[Key] = set()
        while wanted := self._wanted().keys() - looked_up:
            for key, pk in self._holders(wanted):
                holders.setdefault(key, set()).add(pk)
            looked_up |= wanted
            others = {pk for key in wanted for pk in holders.get(key, ())} - self._asked
            if others:
                self.read(others)
        while self._refuse_held(holders):
            pass  # one who is kept goes on holding what another wants

    def _wanted(self) -> dict[Key, int]:
        return {
            (what, value): one.pk
            for one in self._former.values()
            for what, values in one.keys.items()
            for value in values
        }

    def _holders(self, keys: Collection[Key]) -> Iterable[tuple[Key, int]]:
        by_what: defaultdict[str | int, list[str]] = defaultdict(list)
        for what, value in keys:
            by_what[what].append(value)
        owner = self._organisation
        for what, values in by_what.items():
            if isinstance(what, str):
                rows: models.QuerySet[Any] = Contact.objects.for_organisation(owner).filter(
                    **{f"{what}__in": values}
                )
                found = rows.values_list(what, "pk")
            else:
                rows = CustomFieldValue.objects.for_organisation(owner).filter(
                    field=what, unique_key__in=values
                )
                found = rows.values_list("unique_key", "contact_id")
            for value, pk in found:
                yield (what, value), pk

    def _refuse_held(self, holders: Mapping[Key, Collection[int]]) -> bool:
        """Keep those who would want what another will still have; True when there were any."""
        taken: dict[Key, int] = {}
        found = False
        for one in list(self._former.values()):
            for key in [(what, value) for what, values in one.keys.items() for value in values]:
                others = {
                    pk for pk in holders.get(key, ()) if pk != one.pk and not self._frees(pk, key)
                }
                other = min(others, default=taken.setdefault(key, one.pk))
                if other != one.pk:
                    del self._former[one.pk]
                    self._keep(one, self._held_by(other, key))
                    found = True
                    break
        return found

    def _frees(self, pk: int, key: Key) -> bool:
        """Whether this contact, going back, lets go of the key."""
        former = self._former.get(pk)
        what, value = key
        return former is not None and what in former.keys and value not in former.keys[what]

    def _held_by(self, pk: int, key: Key) -> str:
        if isinstance(key[0], str):
            return words.held(pk)
        label = next(one.label for one in self._definitions.fields if one.pk == key[0])
        return words.held_value(pk, label)

    # Writing.

    def write(self) -> None:
        """Write what they were."""
        back = list(self._former.values())
        if not back:
            return
        self._write_columns([one for one in back if one.columns])
        self._write_addresses([one for one in back if one.change.pair("addresses")])
        self._write_tags([one for one in back if one.lost or one.regained])
        self._write_values([one for one in back if one.values])
        news.updated(self._organisation, {one.pk: one.fields() for one in back})
        self._note([one.pk for one in back])
        self.outcome.done = len(back)

    def _write_columns(self, back: list[Former]) -> None:
        if not back:
            return
        now = timezone.now()
        rekeyed = [one.pk for one in back if one.keys.keys() & set(DERIVED)]
        if rekeyed:
            # One statement cannot pass an identifier from one row to another.
            among(Contact.objects.for_organisation(self._organisation), "id", rekeyed).update(
                email_key=None, phone_number_e164=None
            )
        for one in back:
            for column, value in one.columns.items():
                setattr(one.contact, column, value)
        tables.update(
            Contact,
            [one.pk for one in back],
            {
                **{column: [getattr(one.contact, column) for one in back] for column in _WRITTEN},
                "search_text": [identity.search_text(one.contact) for one in back],
                # As before, so that an undo of the import before this one finds its own.
                "updated_at": [one.change.updated_at or now for one in back],
            },
        )
        self._return_to_merged(rekeyed)

    def _return_to_merged(self, ids: Collection[int]) -> None:
        """Give contacts that were merged into these the identifiers back that the import took from
        them. Few contacts have any."""
        merges = Merge.objects.for_organisation(self._organisation).filter(undone_at=None)
        for merge in among(merges, "survivor_id", ids).exclude(moved={}).select_related("absorbed"):
            columns = self._former[merge.survivor_id].change.pairs("columns")
            absorbed = merge.absorbed
            absorbed.organisation = self._organisation
            for column, others in (
                ("email_address", ()),
                ("phone_number", ("phone_number_country_code",)),
            ):
                moved = merge.moved.get(column)
                pair = columns.get(column)
                if moved is None or pair is None or pair[1] is None or column in merge.filled:
                    continue
                if _same(column, moved, pair[1]) and getattr(absorbed, column) is None:
                    for name in (column, *others):
                        setattr(absorbed, name, merge.moved.pop(name, None))
            identity.read(absorbed)
            if not _is_taken(absorbed):
                absorbed.save()
                merge.save(update_fields=["moved"])

    def _write_addresses(self, back: list[Former]) -> None:
        if not back:
            return
        rows = among(
            Address.objects.for_organisation(self._organisation), "contact_id", [o.pk for o in back]
        )
        rows.delete()
        former = [
            (one.pk, values) for one in back for values in (one.change.pair("addresses") or [[]])[0]
        ]
        tables.insert(
            Address,
            len(former),
            {
                "organisation_id": tables.Same(self._organisation.pk),
                "contact_id": [pk for pk, _values in former],
                **{name: [values[name] for _pk, values in former] for name in ADDRESS_COLUMNS},
            },
        )

    def _write_tags(self, back: list[Former]) -> None:
        lost: defaultdict[int, list[int]] = defaultdict(list)
        for one in back:
            for tag in one.lost:
                lost[tag.pk].append(one.pk)
        links = ContactTag.objects.for_organisation(self._organisation)
        for tag_id, contact_ids in lost.items():
            links.filter(tag=tag_id, contact__in=contact_ids).delete()
        news.tagged(
            self._organisation, ((tag, one.pk) for one in back for tag in one.lost), added=False
        )
        names = {key: name for one in back for key, name in one.regained}
        ensured = tag_services.ensure(self._organisation, names.values()) if names else {}
        ContactTag.objects.bulk_create(
            (
                ContactTag(organisation=self._organisation, contact_id=one.pk, tag=ensured[key])
                for one in back
                for key, _name in one.regained
            ),
            ignore_conflicts=True,
        )
        news.tagged(
            self._organisation,
            ((ensured[key], one.pk) for one in back for key, _name in one.regained),
            added=True,
        )
        delete_unused_tags(self._run, lost)

    def _write_values(self, back: list[Former]) -> None:
        # As with identifiers: what is unique is let go before another takes it.
        unique = [
            (one.pk, dict.fromkeys(fields))
            for one in back
            if (fields := [custom_field for custom_field in one.values if custom_field.unique])
        ]
        if unique:
            custom_values.write(self._organisation, unique)
        custom_values.write(self._organisation, [(one.pk, one.values) for one in back])

    def _note(self, ids: Collection[int]) -> None:
        totals = among(
            ContactRollup.objects.for_organisation(self._organisation), "contact_id", ids
        )
        by_moment: defaultdict[Any, list[int]] = defaultdict(list)
        for pk, changed_at in totals.values_list("pk", "changed_at"):
            by_moment[changed_at].append(pk)
        records = ImportedRow.objects.filter(run=self._run, what=What.CONTACT)
        for changed_at, some in by_moment.items():
            among(records, "row_id", some).update(undone_at=changed_at)


def _name(change: Change) -> str:
    """What a contact that is gone was called."""
    columns = change.pairs("columns")
    for column in ("name", "email_address", "phone_number"):
        if column in columns and columns[column][1]:
            return str(columns[column][1])
    return ""


def _read_columns(former: Former) -> None:
    for name, (before, _after) in former.change.pairs("columns").items():
        column: Any = Contact._meta.get_field(name)
        former.columns[name] = column.to_python(before)
    for name in (_EMAIL, _PHONE):
        if name in former.columns:
            value = former.columns[name]
            former.keys[name] = [] if value is None else [value]


def _same(column: str, moved: str, after: str) -> bool:
    return moved.lower() == after.lower() if column == "email_address" else moved == after


def _is_taken(absorbed: Contact) -> bool:
    keys = Q()
    for name in DERIVED:
        if getattr(absorbed, name) is not None:
            keys |= Q(**{name: getattr(absorbed, name)})
    others = Contact.objects.filter(organisation=absorbed.organisation_id).exclude(pk=absorbed.pk)
    return bool(keys) and others.filter(keys).exists()
