"""Whose news it is: by the other system's id, then by e-mail, then by phone, else somebody new.

An address of a booking site or a mail relay identifies nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db.models import Model
from django.utils.translation import gettext as _

from contacts import consent, services
from contacts.consent import Wanted
from contacts.identity import fold, read_email, read_phone
from contacts.models import Address, Contact, ContactTag
from contacts.services.values import ADDRESS_COLUMNS, COLUMNS
from crm.errors import Conflict, in_words
from integrations.models import ObjectState
from organisations.models import validate_country

if TYPE_CHECKING:
    from integrations.changes import Person
    from integrations.desk import Desk
    from integrations.memory import Memory

PERSON = "person"
"""The kind of `ObjectState` of a person."""
IDENTIFYING = ("email_address", "phone_number")
LONGEST_EMAIL = 254
TAGS, RELAY = "tags", "relay"
CUSTOM = "customFields"

RELAYS = (
    "guest.booking.com",
    "m.expediapartnercentral.com",
    "guest.airbnb.com",
    "privaterelay.appleid.com",
)
"""Whose addresses reach somebody for a while and identify nobody."""

_WORD = re.compile(r"(?i)(?!ext)[a-z]{3}")


def ids_of(person: Person) -> list[str]:
    """By which ids the other system knows them."""
    return [one for one in (person.external_id, *person.others) if one]


def linked(desk: Desk, external_id: str) -> Contact | None:
    """The contact that the other system's id means."""
    return desk.memory.linked(external_id)


def find(desk: Desk, person: Person) -> Contact | None:
    """Whom we know of this description."""
    return find_in(desk.memory, person)


def find_in(memory: Memory, person: Person) -> Contact | None:
    """As `find`."""
    if person.contact is not None:
        return memory.contact(person.contact)
    for external_id in ids_of(person):
        found = memory.linked(external_id)
        if found is not None:
            return found
    for column in IDENTIFYING:
        found = memory.holder(column, person.values.get(column))
        if found is not None:
            return found
    return None


def became(desk: Desk | Memory, external_id: str) -> str:
    """Whose id counts by now: of a profile that was merged there, that of the one it became."""
    passed: set[str] = set()
    while external_id not in passed:
        passed.add(external_id)
        external_id = desk.state(PERSON, external_id).person or external_id
    return external_id


def introduce(memory: Memory, people: Iterable[Person]) -> None:
    """Create those who are told with an e-mail address or phone number and whom nobody here is:
    all at once, where `find_or_create` would create them one by one."""
    rows: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    for told in people:
        person, _is_old = _by_now(memory, told)
        if find_in(memory, person) is not None:
            continue
        values, _relay = _readable(memory, person, lambda _reason: None)
        keys = memory.keys(values)
        names = {*keys, *(("id", one) for one in ids_of(person))}
        if keys and seen.isdisjoint(names):
            rows.append(_together(_given(values)))
        seen |= names
    if len(rows) > 1:
        results = services.upsert_batch(organisation=memory.organisation, rows=rows)
        memory.remember_new([one.id for one in results if one.id is not None])


def find_or_create(desk: Desk, person: Person) -> Contact | None:
    """The contact that is meant, with what was told of it written, and the id linked. None when
    nothing tells who it is."""
    person, is_old = _by_now(desk, person)
    state = desk.state(PERSON, person.external_id) if person.external_id else None
    values, relay = _readable(desk.memory, person, desk.note)
    contact = find(desk, person)
    known: Mapping[str, int] = {}
    if contact is None:
        contact = _create(desk, values, person)
        if contact is None:
            return None
    elif contact.redacted_at is not None:
        desk.note(_("Contact %(id)d was redacted; nothing is written to it.") % {"id": contact.pk})
        return contact
    elif not is_old:
        known = _versions(desk, contact, person)
        newer = {
            name: value
            for name, value in values.items()
            if _may_write(desk, contact, name, person.version, known.get(name))
        }
        contact = _update(desk, contact, newer)
    write_permissions(desk, contact, state, person.permissions)
    if state is not None:
        if is_old or not _is_newest(person.version, state.fields.get(RELAY)):
            relay = ""
        if person.version is not None:
            # Value by value, so that news in any order ends the same.
            told = (*values, *([RELAY] if relay else []), *([] if person.tags is None else [TAGS]))
            state.fields |= {
                name: max(person.version, state.fields.get(name, person.version)) for name in told
            }
        desk.keep(state)
        desk.link(contact, person.external_id or "", relay)
        for other in person.others:
            desk.link(contact, other)
        desk.arrived(state)
    if _is_newest(person.version, known.get(TAGS)):
        _write_tags(desk, contact, person)
    desk.trace(contact)
    return contact


def _by_now(desk: Desk | Memory, person: Person) -> tuple[Person, bool]:
    """Somebody under the id that counts by now, and whether what was told of them is old news: of
    a profile that was merged or deleted there since. It tells who is meant, and nothing else; one
    that was deleted identifies nobody by its id."""
    if person.external_id is None:
        return person, False
    final = became(desk, person.external_id)
    is_gone = desk.state(PERSON, final).gone
    if final == person.external_id and not is_gone:
        return person, False
    return (
        replace(
            person,
            external_id=None if is_gone else final,
            others=() if is_gone else (*person.others, person.external_id),
            version=None,
            tags=None,
            permissions={},
        ),
        True,
    )


def _versions(desk: Desk, contact: Contact, person: Person) -> dict[str, int]:
    """The version of each value that was told of a contact, by whichever of its profiles there:
    two that share an address are one contact, of whom the newest counts."""
    if person.external_id is None or person.version is None:
        return {}
    known: dict[str, int] = dict(desk.state(PERSON, person.external_id).fields)
    for fields in desk.memory.fields(contact):
        for name, version in fields.items():
            known[name] = max(version, known.get(name, version))
    return known


def write_permissions(
    desk: Desk, contact: Contact, state: ObjectState | None, told: Mapping[str, Wanted]
) -> None:
    """Write what someone agreed to, but for what is known to be newer there. Whoever has locked
    `state` saves it."""
    if contact.redacted_at is not None:
        desk.note(_("Contact %(id)d was redacted; nothing is written to it.") % {"id": contact.pk})
        return
    news = {}
    for channel, wanted in told.items():
        version = None if wanted.since is None else round(wanted.since.timestamp() * 1_000_000)
        name = f"{consent.KEY}.{channel}"
        if not _is_newest(version, state.fields.get(name) if state is not None else None):
            desk.note(_("What they agreed to is known to be newer."))
            continue
        news[channel] = wanted
        if state is not None and version is not None:
            state.fields[name] = version
    if news:
        services.update(contact=contact, values={consent.KEY: news})


def _apart(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with each custom field by itself (`customFields.diet`): it has a version of its
    own as any other value."""
    custom = {f"{CUSTOM}.{name}": value for name, value in values.get(CUSTOM, {}).items()}
    return {name: value for name, value in values.items() if name != CUSTOM} | custom


def _together(values: Mapping[str, Any]) -> dict[str, Any]:
    """As the services of contacts take what `_apart` told."""
    told: dict[str, Any] = {}
    for name, value in values.items():
        first, _dot, field = name.partition(".")
        if first == CUSTOM:
            told.setdefault(CUSTOM, {})[field] = value
        else:
            told[name] = value
    return told


def _may_write(
    desk: Desk, contact: Contact, name: str, version: int | None, known: int | None
) -> bool:
    if version is None:
        return not _is_set(desk, contact, name)
    return _is_newest(version, known)


def _is_newest(version: int | None, known: int | None) -> bool:
    return version is None or known is None or version >= known


def _is_set(desk: Desk, contact: Contact, name: str) -> bool:
    if name == "addresses":
        return bool(desk.memory.addresses(contact))
    if name.startswith(f"{CUSTOM}."):
        return contact.custom_field_values.filter(
            field__name=name.removeprefix(f"{CUSTOM}.")
        ).exists()
    return bool(getattr(contact, name, None))


def _by_policy(memory: Memory, values: Mapping[str, Any]) -> dict[str, Any]:
    """What an empty value does is the connection's option `empty`: it keeps what is here, or
    clears it."""
    if memory.connection.options.get("empty") == "clear":
        return dict(values)
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def _readable(
    memory: Memory, person: Person, note: Callable[[str], None]
) -> tuple[dict[str, Any], str]:
    """What was told of someone and may be written, and the address of a relay.

    Without an address or number that cannot be read, or that is a relay's, which is noted; texts
    as long as there is room for. An odd name must not hold up an order.
    """
    values, relay = _cut(Contact, _by_policy(memory, _apart(person.values))), person.relay
    if values.get("addresses"):
        values["addresses"] = [_address(one, note) for one in values["addresses"]]
    country = memory.organisation.country
    for name, read in (("email_address", _read_email), ("phone_number", _read_phone)):
        if values.get(name):
            try:
                values[name] = read(values[name], country)
            except ValidationError as error:
                note(_("Left out: %(reason)s") % {"reason": " ".join(error.messages)})
                del values[name]
    if is_relay(values.get("email_address")):
        relay = values.pop("email_address")
        note(_("The address is a relay's and identifies nobody."))
    return values, relay


@lru_cache
def _room(model: type[Model]) -> Mapping[str, int | None]:
    """How long the texts of a model's columns may be, save of those that identify: cut, they would
    be somebody else's."""
    return {
        one.name: getattr(one, "max_length", None)
        for one in model._meta.get_fields()
        if one.name not in IDENTIFYING
    }


def _cut(model: type[Model], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with texts no longer than the model's columns."""
    room = _room(model)
    return {
        name: value[: room.get(name)] if isinstance(value, str) else value
        for name, value in values.items()
    }


def _address(given: Mapping[str, Any], note: Callable[[str], None]) -> dict[str, Any]:
    """A postal address, without a country that is none here."""
    country = str(given.get("country") or "").strip().upper()
    try:
        if country:
            validate_country(country)
    except ValidationError as error:
        note(_("Left out: %(reason)s") % {"reason": " ".join(error.messages)})
        country = ""
    return {**_cut(Address, given), "country": country}


def _read_email(given: str, _country: str) -> str:
    read_email(given)
    MaxLengthValidator(LONGEST_EMAIL)(given)
    return given


def _read_phone(given: str, country: str) -> str:
    number = international(given)
    read_phone(number, None, country)
    return number


def international(number: str) -> str:
    """`00420…` as `+420…`. Raises ValidationError for words in place of digits, which could be
    dialled and would make one person of all who wrote `555-555-SHIP`."""
    tidy = number.strip()
    if _WORD.search(tidy):
        raise ValidationError(_("%(number)s is no phone number.") % {"number": tidy})
    return f"+{tidy[2:]}" if tidy.startswith("00") else tidy


def is_relay(address: str | None) -> bool:
    """Whether the address is a booking site's or a mail relay's."""
    host = (address or "").strip().lower().rpartition("@")[2]
    return any(host == relay or host.endswith(f".{relay}") for relay in RELAYS)


def _create(desk: Desk, values: Mapping[str, Any], person: Person) -> Contact | None:
    given = _given(values)
    if not any(given.get(column) for column in IDENTIFYING):
        if person.external_id is None:
            return None
        name = f"{desk.source.label} {person.external_id}"
        if not any(given.get(column) for column in ("name", "first_name", "last_name")):
            given["name"] = name
        contact = services.introduce(organisation=desk.organisation, values=_together(given))
    else:
        contact, _new = services.upsert(organisation=desk.organisation, values=_together(given))
    desk.memory.remember(contact)
    return contact


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def _update(desk: Desk, contact: Contact, values: dict[str, Any]) -> Contact:
    """Write the values; an address or number that is another contact's stays theirs. No query when
    they are what is there."""
    values = {name: one for name, one in values.items() if _differs(desk, contact, name, one)}
    for column in IDENTIFYING:
        holder = desk.memory.holder(column, values.get(column))
        if holder is not None and holder.pk != contact.pk:
            del values[column]
            desk.note(
                _("Contact %(holder)d has this %(what)s; contact %(contact)d does not get it.")
                % {
                    "holder": holder.pk,
                    "what": _("e-mail address") if column == "email_address" else _("phone number"),
                    "contact": contact.pk,
                }
            )
    if not values:
        return contact
    try:
        contact = services.update(contact=contact, values=_together(values))
    except Conflict as error:
        desk.note(str(error))
        return contact
    desk.memory.remember(contact)
    return contact


def _differs(desk: Desk, contact: Contact, name: str, value: Any) -> bool:
    """Whether writing the value would change the contact. True where only a service can tell."""
    if name == "addresses":
        there = desk.memory.addresses(contact)
        return there != [_as_kept(address) for address in value or ()]
    if name not in COLUMNS or not (value is None or isinstance(value, str)):
        return True
    return (getattr(contact, name) or "") != (value or "").strip()


def _as_kept(address: Mapping[str, Any]) -> dict[str, str]:
    kept = {column: str(address.get(column) or "").strip() for column in ADDRESS_COLUMNS}
    return {**kept, "country": kept["country"].upper()}


def _write_tags(desk: Desk, contact: Contact, person: Person) -> None:
    """Put on the tags that the other system has, and take off those of its that it has no more."""
    if person.tags is None:
        return
    wanted = {fold(f"{person.tag_prefix}{tag}"): f"{person.tag_prefix}{tag}" for tag in person.tags}
    if person.tag_prefix:
        links = ContactTag.objects.for_organisation(desk.organisation).filter(contact=contact)
        prefix = fold(person.tag_prefix)
        for key in links.filter(tag__key__startswith=prefix).values_list("tag__name", flat=True):
            if fold(key) not in wanted:
                services.untag(contacts=contact, name=key)
    for name in wanted.values():
        try:
            services.tag(contacts=contact, name=name)
        except (ValidationError, Conflict) as error:
            desk.note(in_words(error))
