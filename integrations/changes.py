"""What another system's news changes here, in our words.

A source reads a delivery, or a page that it fetched, into these; each knows how to apply itself at
a `Desk`. All are states, not steps: applied twice, or after a newer one, they change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from contacts import consent, services
from contacts.consent import Wanted
from contacts.identity import fold
from contacts.models import Contact
from crm.errors import Conflict, in_words
from integrations import identity
from integrations.identity import PERSON
from integrations.models import ObjectState, digest

if TYPE_CHECKING:
    from integrations.desk import Desk
    from integrations.memory import Memory


class NotYet(Exception):
    """Something that this hangs on has not come: a refund's order. `object` is its kind and id."""

    def __init__(self, kind: str, external_id: str) -> None:
        super().__init__(f"{kind}:{external_id}")
        self.object = f"{kind}:{external_id}"


def moment_version(moment: datetime | None) -> int | None:
    """A time as a version: microseconds since 1970."""
    return None if moment is None else round(moment.timestamp() * 1_000_000)


@dataclass(frozen=True)
class Person:
    """Someone as another system knows them.

    `values` are columns of a contact, only those that were told. `version` orders what is told of
    them at different times, value by value; without one, values only fill what is empty here.
    `relay` is an address that reaches them and must not identify them. `tags` are all that they
    have there, each with `tag_prefix` here; None where that was not told.
    """

    external_id: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    version: int | None = None
    relay: str = ""
    tags: Sequence[str] | None = None
    tag_prefix: str = ""
    permissions: Mapping[str, Wanted] = field(default_factory=dict)
    others: Sequence[str] = ()
    """Further ids of the same person."""
    contact: int | None = None
    """The contact here, where the source found it itself: by the number of a booking."""

    @property
    def key(self) -> str:
        """What tells them from another: their id; of a guest a digest, which tells no more."""
        if self.external_id is not None:
            return self.external_id[:200]
        if self.contact is not None:
            return f"contact:{self.contact}"
        named = [str(self.values.get(name) or "") for name in identity.IDENTIFYING]
        return f"guest:{digest(' '.join(named))[:16]}" if any(named) else ""


@dataclass(frozen=True)
class Fact:
    """An activity that something at another system stands for. `reference` and `type` tell it
    again; a reservation is a mapping as `activities.services.record` takes it."""

    type: str
    reference: str
    happened_at: datetime
    spend: int = 0
    currency_code: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    booking: Mapping[str, Any] | None = None
    table_reservation: Mapping[str, Any] | None = None
    purchase: str | None = None
    quietly: bool = False
    """It starts nothing when it becomes known only now: it is over already."""
    formerly: str = ""
    """The reference that it was recorded under before it had this one: it stays under that."""


class Change:
    """One change. `apply` runs in a transaction that it shares with the others of its delivery.
    Raises NotYet; ValidationError and Conflict for what cannot be written.

    The other methods say beforehand what it will ask for, so that it is read for many changes at
    once; what they leave out is read when it is asked for.
    """

    always: ClassVar[bool] = False
    """Applied even when the connection was switched off there: what the law asks for."""
    alone: ClassVar[bool] = True
    """It reads or writes rows itself, so that all before it must be written and nothing may be
    remembered; else it goes through the desk alone, and shares its transaction with others."""

    def apply(self, desk: Desk) -> None:
        raise NotImplementedError

    def objects(self) -> Iterable[tuple[str, str]]:
        """The kinds and ids of what it is about. Of two changes about the same, the later one is
        applied to what the earlier one wrote."""
        return ()

    def needs(self) -> tuple[str, str] | None:
        """What has to be there first; without it, NotYet."""
        return None

    def told(self) -> Iterable[Fact]:
        """The activities it tells of."""
        return ()

    def people(self) -> Iterable[Person]:
        """Who is named in it."""
        return ()

    def newcomers(self, memory: Memory) -> Iterable[Person]:
        """Those of them who are to be created if nobody here is them."""
        return ()


@dataclass(frozen=True)
class ObjectIs(Change):
    """Something at the other system is now so: who it is of, and which activities it stands for.

    Activities that it stood for and does not any more are taken back. Its `parent` (kind and id)
    has to be there first. `counts` says whether its spend is counted, and that of what hangs on
    it. `parts` are versions of what changes without it (what is on a bill): of states of the same
    version, one with an older part is older.
    """

    alone: ClassVar[bool] = False

    kind: str
    id: str
    version: int | None
    person: Person | None = None
    facts: Sequence[Fact] = ()
    parent: tuple[str, str] | None = None
    counts: bool = True
    note: str = ""
    """Why there is nothing to record, where there is nothing."""
    parts: Mapping[str, int] = field(default_factory=dict)

    def objects(self) -> Iterable[tuple[str, str]]:
        return ((self.kind, self.id),)

    def needs(self) -> tuple[str, str] | None:
        return self.parent

    def told(self) -> Iterable[Fact]:
        return self.facts

    def people(self) -> Iterable[Person]:
        return () if self.person is None else (self.person,)

    def newcomers(self, memory: Memory) -> Iterable[Person]:
        state = memory.state(self.kind, self.id)
        parent = memory.state(*self.parent) if self.parent is not None else None
        return () if self._why_not(state, parent) else self.people()

    def _why_not(self, state: ObjectState, parent: ObjectState | None) -> str:
        """Why nothing of it is written, if so."""
        if state.gone or (parent is not None and parent.gone):
            return _("%(object)s is deleted there; nothing of it is written.") % _named(state)
        if is_older(self.version, state.version) or self._has_older_part(state):
            return _("%(object)s: what is known is newer.") % _named(state)
        return ""

    def apply(self, desk: Desk) -> None:
        parent = None
        if self.parent is not None:
            parent = desk.state(*self.parent)
            if not parent.known:
                raise NotYet(*self.parent)
        state = desk.state(self.kind, self.id)
        why_not = self._why_not(state, parent)
        if why_not:
            desk.note(why_not)
            return
        contact = self._contact(desk, state, parent)
        if self.note:
            desk.note(self.note)
        if contact is None and self.facts:
            desk.note(_("Nobody to record it for: no customer is named."))
        state.version = self.version if self.version is not None else state.version
        state.parent, state.counts, state.fields = parent, self.counts, dict(self.parts)
        counts = self.counts and (parent is None or parent.counts)
        facts = [_as_recorded(fact, state) for fact in self.facts] if contact is not None else []
        wanted = {(fact.type, fact.reference) for fact in facts}
        for one in state.facts:
            if (one["type"], one["reference"]) not in wanted:
                desk.take_back(one)
        for fact in facts:
            desk.record(fact, contact, counts=counts, moved=self._moved(state))
        state.facts = [
            {"type": fact.type, "reference": fact.reference, "spend": fact.spend} for fact in facts
        ]
        state.person = self._person_key() or state.person
        desk.keep(state)
        desk.recount(state)
        desk.arrived(state)

    def _has_older_part(self, state: ObjectState) -> bool:
        return self.version == state.version and any(
            is_older(version, state.fields.get(name)) for name, version in self.parts.items()
        )

    def _person_key(self) -> str:
        return self.person.key if self.person is not None else ""

    def _moved(self, state: ObjectState) -> bool:
        """Whether it is another person's than before. What staff moved stays where it is."""
        now = self._person_key()
        return bool(now and state.facts and now != state.person)

    def _contact(
        self, desk: Desk, state: ObjectState, parent: ObjectState | None
    ) -> Contact | None:
        """Whose it is; of what names nobody any more, whose it was."""
        found = identity.find_or_create(desk, self.person) if self.person is not None else None
        if found is not None:
            return found
        return desk.contact_of(state) or (desk.contact_of(parent) if parent is not None else None)


@dataclass(frozen=True)
class ObjectGone(Change):
    """Something was deleted there: its activities, and those of what hangs on it, are taken
    back. It does not come back, whatever old news says."""

    alone: ClassVar[bool] = False

    kind: str
    id: str

    def objects(self) -> Iterable[tuple[str, str]]:
        return ((self.kind, self.id),)

    def apply(self, desk: Desk) -> None:
        state = desk.state(self.kind, self.id)
        for one in (state, *desk.children(state)):
            for fact in one.facts:
                desk.take_back(fact)
            one.facts, one.gone = [], True
            desk.keep(one)
        desk.arrived(state)


@dataclass(frozen=True)
class PersonIs(Change):
    """Someone is now so there."""

    alone: ClassVar[bool] = False

    person: Person

    def people(self) -> Iterable[Person]:
        return (self.person,)

    def newcomers(self, memory: Memory) -> Iterable[Person]:
        return (self.person,)

    def apply(self, desk: Desk) -> None:
        identity.find_or_create(desk, self.person)


@dataclass(frozen=True)
class PersonGone(Change):
    """Someone's profile was deleted there. The contact stays; the id means nobody any more."""

    external_id: str

    def apply(self, desk: Desk) -> None:
        state = desk.state(PERSON, self.external_id)
        state.gone = True
        desk.keep(state)
        for link in desk.links().filter(external_id=self.external_id).select_related("contact"):
            desk.trace(link.contact)
            link.delete()


@dataclass(frozen=True)
class PersonsMerged(Change):
    """Two profiles became one there: the id of the one that went means the other's contact from
    now on. Contacts are not merged by themselves: where there are two, what is told late of the
    one that went is not the other's."""

    kept: str
    gone: str

    def apply(self, desk: Desk) -> None:
        states = {one: desk.state(PERSON, one) for one in sorted((self.kept, self.gone))}
        if identity.became(desk, self.kept) == self.gone:
            desk.note(_("%(object)s became the other before.") % _named(states[self.kept]))
            return
        states[self.gone].parent = states[self.kept]
        states[self.gone].save()
        links = {
            link.external_id: link
            for link in desk.links()
            .filter(external_id__in=(self.kept, self.gone))
            .select_related("contact")
        }
        kept, gone = links.get(self.kept), links.get(self.gone)
        if kept is None and gone is None:
            desk.note(_("Neither customer is known here."))
        elif kept is None and gone is not None:
            desk.link(gone.contact, self.kept)
            desk.trace(gone.contact)
        elif kept is not None and gone is None:
            desk.link(kept.contact, self.gone)
            desk.trace(kept.contact)
        elif kept is not None and gone is not None and kept.contact_id != gone.contact_id:
            desk.note(
                _("Contacts %(kept)d and %(gone)d are one customer there: merge them here too.")
                % {"kept": kept.contact_id, "gone": gone.contact_id}
            )
            self._take_over(desk, kept.contact)
            desk.trace(gone.contact)
            desk.trace(kept.contact)

    def _take_over(self, desk: Desk, contact: Contact) -> None:
        """Let the id that went mean this contact, and those of all that had become it before."""
        going = [self.gone]
        for external_id in going:
            state = desk.state(PERSON, external_id)
            state.person = self.kept
            state.save()
            before = state.children.values_list("external_id", flat=True)
            going += [one for one in before if one not in (self.kept, *going)]
        desk.links().filter(external_id__in=going).update(contact=contact)


@dataclass(frozen=True)
class TagsAre(Change):
    """Tags were put on someone there, or taken off."""

    alone: ClassVar[bool] = False

    external_id: str
    add: Sequence[str] = ()
    remove: Sequence[str] = ()

    def people(self) -> Iterable[Person]:
        return (Person(self.external_id),)

    def apply(self, desk: Desk) -> None:
        contact = identity.linked(desk, self.external_id)
        if contact is None:
            raise NotYet(PERSON, self.external_id)
        if _was_merged(desk, self.external_id):
            return
        for verb, names in ((services.tag, self.add), (services.untag, self.remove)):
            for name in names:
                try:
                    verb(contacts=contact, name=name)
                except (ValidationError, Conflict) as error:
                    desk.note(in_words(error))
        desk.trace(contact)


@dataclass(frozen=True)
class PermissionIs(Change):
    """What someone agreed to over a channel."""

    alone: ClassVar[bool] = False

    person: Person
    channel: str
    wanted: Wanted

    def people(self) -> Iterable[Person]:
        return (self.person,)

    def apply(self, desk: Desk) -> None:
        if self.person.external_id is not None and _was_merged(desk, self.person.external_id):
            return
        contact = identity.find(desk, self.person)
        if contact is None:
            if self.person.external_id is None:
                desk.note(_("Nobody here has this address."))
                return
            raise NotYet(PERSON, self.person.external_id)
        told = {self.channel: self.wanted}
        if self.person.external_id is None:
            identity.write_permissions(desk, contact, None, told)
        else:
            state = desk.state(PERSON, self.person.external_id)
            identity.write_permissions(desk, contact, state, told)
            desk.keep(state)
        desk.trace(contact)


@dataclass(frozen=True)
class OptInIs(Change):
    """Whether someone's agreement to a channel stands there, at a time.

    One that stood and is gone was withdrawn; one that never stood says nothing. `given` is when it
    can have been given at the earliest: while it simply goes on to stand, it does not undo what
    the contact decided here since.
    """

    alone: ClassVar[bool] = False

    external_id: str
    channel: str
    stands: bool
    at: datetime
    given: datetime

    def people(self) -> Iterable[Person]:
        return (Person(self.external_id),)

    def apply(self, desk: Desk) -> None:
        if _was_merged(desk, self.external_id):
            return
        state = desk.state(PERSON, self.external_id)
        contact = identity.linked(desk, self.external_id)
        if contact is None or contact.redacted_at is not None:
            return
        # The time of the newest that was told; below zero where it did not stand.
        name, told = f"opt-in:{self.channel}", moment_version(self.at) or 0
        known = state.fields.get(name)
        wanted = self._wanted(known, told)
        if wanted is not None:
            wanted = replace(wanted, source=desk.connection.source)
            services.update(contact=contact, values={consent.KEY: {self.channel: wanted}})
            desk.trace(contact)
        if known is None or told >= abs(known):
            state.fields[name] = told if self.stands else -told
            desk.keep(state)

    def _wanted(self, known: int | None, told: int) -> Wanted | None:
        """What follows from this beside what is known."""
        if known is None:
            return Wanted(consent.SUBSCRIBED, since=self.given) if self.stands else None
        stood = known > 0
        if self.stands == stood:
            return None
        if told < abs(known):  # told late: what stood before it was seen to be gone was withdrawn
            return Wanted(consent.UNSUBSCRIBED, since=self.at) if self.stands else None
        status = consent.SUBSCRIBED if self.stands else consent.UNSUBSCRIBED
        return Wanted(status, since=self.at)


@dataclass(frozen=True)
class Redacted(Change):
    """The other system passes on that someone's data has to be erased.

    Whoever is known here through this connection alone is redacted. Of others, what came from it is
    erased, and staff decide about the rest: also of somebody who is another by e-mail, and has
    nothing but a phone in common.
    """

    always: ClassVar[bool] = True

    person: Person

    def apply(self, desk: Desk) -> None:
        contact = identity.find(desk, self.person)
        if contact is None:
            desk.note(_("Nobody here has this id or address."))
            return
        desk.trace(contact)
        if self._may_be_another(contact) and not desk.told_of(contact):
            desk.alert(
                _(
                    "The data of somebody is to be erased who has the phone number of contact "
                    "%(contact)d, and another e-mail address: decide whether it is the same."
                )
                % {"contact": contact.pk}
            )
            return
        desk.write_traces()  # so that what this very delivery says of them goes too
        if not erase(desk, contact):
            desk.tell_staff(desk.notes[-1])

    def _may_be_another(self, contact: Contact) -> bool:
        told, known = self.person.values.get("email_address"), contact.email_address
        return bool(told and known) and fold(str(told).strip()) != fold(str(known))


def erase(desk: Desk, contact: Contact, *, quietly: bool = False) -> bool:
    """Erase what a connection told of a contact, and all of one who is known through it alone;
    whether that was all. It is noted, unless it is done `quietly`.

    A redacted contact keeps its ids, by which late news of it is known and dropped. Another one's
    mean nobody any more.
    """
    alone = desk.knows_alone(contact)
    if not alone:
        contact.activities.filter(source=desk.connection.namespace).update(data={})
        desk.erase_bodies(contact)
        desk.forget(contact)
        note = _(
            "What came from here of contact %(contact)d is erased. The contact is known from "
            "elsewhere too: decide whether the rest is to be redacted."
        )
    else:
        services.redact(contact=contact)
        note = _("Contact %(contact)d is redacted.")
    if not quietly:
        desk.note(note % {"contact": contact.pk})
    return alone


@dataclass(frozen=True)
class DataRequested(Change):
    """Someone asks for their data: staff have thirty days."""

    always: ClassVar[bool] = True

    person: Person

    def apply(self, desk: Desk) -> None:
        contact = identity.find(desk, self.person)
        if contact is None:
            desk.alert(_("A customer asks for their data, and nobody here has this id or address."))
            return
        desk.alert(
            _("A customer asks for their data: contact %(contact)d.") % {"contact": contact.pk}
        )
        desk.trace(contact)


@dataclass(frozen=True)
class Closed(Change):
    """The account was disconnected there: nothing more is applied, or asked for."""

    reason: str

    def apply(self, desk: Desk) -> None:
        desk.close(self.reason)


@dataclass(frozen=True)
class AccountIs(Change):
    """The account was connected there again, was `closed` for a reason, or has new credentials.
    What is older than what is known changes nothing."""

    always: ClassVar[bool] = True

    version: int | None
    opened: bool = False
    closed: str = ""
    credentials: Mapping[str, str] = field(default_factory=dict)

    def apply(self, desk: Desk) -> None:
        state = desk.state("account", "")
        if is_older(self.version, state.version):
            desk.note(_("What is known of the connection is newer."))
            return
        state.version = self.version
        desk.keep(state)
        if self.credentials:
            desk.learn_credentials(self.credentials)
        if self.opened:
            desk.reopen()
        elif self.closed:
            desk.close(self.closed)
        desk.arrived(state)


ERASED_TOGETHER = 100
"""Contacts that are erased in one transaction."""


@dataclass(frozen=True)
class AccountErased(Change):
    """The other system asks that all that came from this account be erased.

    Some contacts at a time, in the order of their ids; the connection is switched off before the
    first, so that nothing comes to those that are done. How far it has come is in a state of its
    own, which is written with them: a worker that dies costs those at hand alone.
    """

    always: ClassVar[bool] = True

    def apply(self, desk: Desk) -> None:
        state = desk.state("account", "erasure")
        done = {"last": 0, "redacted": 0, "kept": 0, **state.fields}
        if not state.fields:
            desk.close(_("The account asked for its data to be erased."))
        contacts = desk.known_here().filter(pk__gt=done["last"])[:ERASED_TOGETHER]
        for contact in contacts:
            alone = contact.redacted_at is not None or erase(desk, contact, quietly=True)
            done["redacted" if alone else "kept"] += 1
            done["last"] = contact.pk
        desk.unfinished = bool(contacts)
        desk.note(
            _(
                "Redacted: %(redacted)d contacts. Known from elsewhere too: %(kept)d, of whom only "
                "what came from here is erased; decide whether the rest is to be redacted."
            )
            % done
        )
        state.fields = done if desk.unfinished else {}
        desk.keep(state)
        if not desk.unfinished:
            desk.arrived(state)
            desk.forget_credentials()
            if done["kept"]:
                desk.tell_staff(desk.notes[-1])


@dataclass(frozen=True)
class Nothing(Change):
    """A delivery that changes nothing here: says why."""

    alone: ClassVar[bool] = False

    reason: str

    def apply(self, desk: Desk) -> None:
        desk.note(self.reason)


@dataclass(frozen=True)
class NotRead(Change):
    """A row of a fetched page that says nothing we can use: told as a problem of that row."""

    alone: ClassVar[bool] = False

    reason: str

    def apply(self, desk: Desk) -> None:
        raise ValidationError(self.reason)


def _as_recorded(fact: Fact, state: ObjectState) -> Fact:
    """A fact under the reference under which it is recorded, if it is under its former one."""
    known = {(one["type"], one["reference"]) for one in state.facts}
    moved = bool(fact.formerly) and (fact.type, fact.formerly) in known
    return replace(fact, reference=fact.formerly) if moved else fact


def is_older(version: int | None, known: int | None) -> bool:
    """Whether a state must not be applied over what is known."""
    return version is not None and known is not None and version < known


def _was_merged(desk: Desk, external_id: str) -> bool:
    """Whether a profile became another there since, of which news of it says nothing; noted."""
    if identity.became(desk, external_id) == external_id:
        return False
    desk.note(_("Customer %(id)s was merged there: this is from before.") % {"id": external_id})
    return True


def _named(state: ObjectState) -> dict[str, str]:
    return {"object": f"{state.kind} {state.external_id}"}
