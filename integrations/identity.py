"""Whose news it is: by the other system's id, then by e-mail, then by phone, else somebody new.

An address of a booking site or a mail relay identifies nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from contacts import consent, services
from contacts.consent import Wanted
from contacts.identity import fold, read_email, read_phone
from contacts.models import Contact, ContactTag
from crm.errors import Conflict, in_words
from integrations.models import ExternalId, ObjectState

if TYPE_CHECKING:
    from integrations.changes import Person
    from integrations.desk import Desk

PERSON = "person"
"""The kind of `ObjectState` of a person."""
IDENTIFYING = ("email_address", "phone_number")
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


def linked(desk: Desk, external_id: str) -> Contact | None:
    """The contact that the other system's id means."""
    link = desk.links().filter(external_id=external_id).select_related("contact").first()
    return None if link is None else _survivor(desk, link.contact)


def find(desk: Desk, person: Person) -> Contact | None:
    """Whom we know of this description."""
    if person.contact is not None:
        here: Contact | None = (
            Contact.objects.for_organisation(desk.organisation).filter(pk=person.contact).first()
        )
        return None if here is None else _survivor(desk, here)
    for external_id in filter(None, (person.external_id, *person.others)):
        found = linked(desk, external_id)
        if found is not None:
            return found
    for column in IDENTIFYING:
        found = _by(desk, column, person.values.get(column))
        if found is not None:
            return found
    return None


def became(desk: Desk, external_id: str) -> str:
    """Whose id counts by now: of a profile that was merged there, that of the one it became."""
    passed: set[str] = set()
    while external_id not in passed:
        passed.add(external_id)
        external_id = desk.state(PERSON, external_id).person or external_id
    return external_id


def find_or_create(desk: Desk, person: Person) -> Contact | None:
    """The contact that is meant, with what was told of it written, and the id linked. None when
    nothing tells who it is."""
    person, is_old = _by_now(desk, person)
    state = desk.state(PERSON, person.external_id) if person.external_id else None
    values = _by_policy(desk, _usable(desk, _apart(person.values)))
    relay = person.relay
    if is_relay(values.get("email_address")):
        relay = values.pop("email_address")
        desk.note(_("The address is a relay's and identifies nobody."))
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
            if _may_write(contact, name, person.version, known.get(name))
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
        state.save()
        desk.link(contact, person.external_id or "", relay)
        for other in person.others:
            desk.link(contact, other)
        desk.arrived(state)
    if _is_newest(person.version, known.get(TAGS)):
        _write_tags(desk, contact, person)
    desk.trace(contact)
    return contact


def _by_now(desk: Desk, person: Person) -> tuple[Person, bool]:
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
    two that share an address are one contact, of whom the newest counts. One query, or none."""
    if person.external_id is None or person.version is None:
        return {}
    profiles = desk.links().filter(contact=contact).values("external_id")
    states = ObjectState.objects.for_organisation(desk.organisation).filter(
        connection=desk.connection, kind=PERSON, external_id__in=profiles
    )
    known: dict[str, int] = dict(desk.state(PERSON, person.external_id).fields)
    for fields in states.values_list("fields", flat=True):
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


def _may_write(contact: Contact, name: str, version: int | None, known: int | None) -> bool:
    if version is None:
        return not _is_set(contact, name)
    return _is_newest(version, known)


def _is_newest(version: int | None, known: int | None) -> bool:
    return version is None or known is None or version >= known


def _is_set(contact: Contact, name: str) -> bool:
    if name == "addresses":
        return contact.addresses.exists()
    if name.startswith(f"{CUSTOM}."):
        return contact.custom_field_values.filter(
            field__name=name.removeprefix(f"{CUSTOM}.")
        ).exists()
    return bool(getattr(contact, name, None))


def _by_policy(desk: Desk, values: Mapping[str, Any]) -> dict[str, Any]:
    """What an empty value does is the connection's option `empty`: it keeps what is here, or
    clears it."""
    if desk.connection.options.get("empty") == "clear":
        return dict(values)
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def _usable(desk: Desk, values: dict[str, Any]) -> dict[str, Any]:
    """The values without an address or number that cannot be read, which is noted."""
    for name, read in (("email_address", _read_email), ("phone_number", _read_phone)):
        if values.get(name):
            try:
                read(desk, values)
            except ValidationError as error:
                desk.note(_("Left out: %(reason)s") % {"reason": " ".join(error.messages)})
                del values[name]
    return values


def _read_email(desk: Desk, values: dict[str, Any]) -> Any:
    return read_email(values["email_address"])


def _read_phone(desk: Desk, values: dict[str, Any]) -> Any:
    values["phone_number"] = international(values["phone_number"])
    return read_phone(values["phone_number"], None, desk.organisation.country)


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


def _by(desk: Desk, column: str, value: str | None) -> Contact | None:
    if not value or (column == "email_address" and is_relay(value)):
        return None
    try:
        if column == "email_address":
            key = {"email": read_email(value)[1]}
        else:
            number = read_phone(international(value), None, desk.organisation.country)
            key = {"phone": number.e164}
    except ValidationError:
        return None
    if not any(key.values()):
        return None
    contacts = Contact.objects.for_organisation(desk.organisation).identified_by(
        **{"email": None, "phone": None, **key}
    )
    found = contacts.first()
    return None if found is None else _survivor(desk, found)


def _survivor(desk: Desk, contact: Contact) -> Contact:
    found: Contact = Contact.objects.for_organisation(desk.organisation).resolve(contact.pk)
    found.organisation = desk.organisation
    return found


def _create(desk: Desk, values: Mapping[str, Any], person: Person) -> Contact | None:
    given = {name: value for name, value in values.items() if value not in (None, "", [])}
    if not any(given.get(column) for column in IDENTIFYING):
        if person.external_id is None:
            return None
        name = f"{desk.source.label} {person.external_id}"
        if not any(given.get(column) for column in ("name", "first_name", "last_name")):
            given["name"] = name
        return services.introduce(organisation=desk.organisation, values=_together(given))
    contact, _new = services.upsert(organisation=desk.organisation, values=_together(given))
    return contact


def _update(desk: Desk, contact: Contact, values: dict[str, Any]) -> Contact:
    """Write the values; an address or number that is another contact's stays theirs."""
    for column in IDENTIFYING:
        holder = _by(desk, column, values.get(column))
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
        return services.update(contact=contact, values=_together(values))
    except Conflict as error:
        desk.note(str(error))
        return contact


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


def link(desk: Desk, contact: Contact, external_id: str, relay: str = "") -> None:
    """Note that the other system's id means this contact."""
    row, created = ExternalId.objects.for_organisation(desk.organisation).get_or_create(
        organisation=desk.organisation,
        source=desk.connection.namespace,
        external_id=external_id,
        defaults={"contact": contact, "email": relay},
    )
    if not created and (row.email != relay and relay):
        row.email = relay
        row.save(update_fields=["email"])
