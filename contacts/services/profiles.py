"""Creating, changing, deleting and redacting contacts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.history import recording
from contacts.history.recording import Action, Pair
from contacts.models import Address, Contact, Merge, ReferralInvite
from contacts.parts import PARTS, ContactPart
from contacts.services import news, tags
from contacts.services.locks import locked, settling
from contacts.services.values import (
    ADDRESS_COLUMNS,
    COLUMNS,
    DERIVED,
    Given,
    assign,
    clean_parts,
    read,
    require_identifier,
)
from contacts.signals import contact_redacted, contacts_created, contacts_deleted
from crm.errors import Conflict
from organisations.models import Organisation

OnConflict = Literal["update", "fail"]


@settling
def upsert(
    *,
    organisation: Organisation,
    values: Mapping[str, Any],
    on_conflict: OnConflict = "update",
) -> tuple[Contact, bool]:
    """Create the contact, or write the values to the one that the e-mail or phone finds.

    Answers the contact and whether it is new. Two at once give one contact and two good answers.

    Towards an existing contact an identifier that was not really given takes nothing away: null
    and a placeholder leave what is there, and an identifier of a contact that was merged into it
    finds it without replacing its own. Other nulls clear, as in `update`.

    Raises ValidationError by column; Conflict when the e-mail is one contact's and the phone
    another's, or when there is one already and `on_conflict` is "fail". Five queries for a new
    contact without more than its columns.
    """
    given = read(values)
    draft = Contact(organisation=organisation)
    assign(draft, given)
    require_identifier(draft)
    contacts = Contact.objects.for_organisation(organisation).select_for_update(no_key=True)
    holders = []
    if draft.email_key or draft.phone_number_e164:
        found = contacts.identified_by(email=draft.email_key, phone=draft.phone_number_e164)
        holders = list(found.order_by("pk"))
    survivor = the_one_of(contacts.survivors(holders).values())
    if survivor is None:
        return create(draft, given), True
    if on_conflict == "fail":
        raise Conflict(
            _("Contact %(id)d has this e-mail address or phone number already.")
            % {"id": survivor.pk},
            [survivor.pk],
        )
    survivor.organisation = organisation
    change(survivor, without_weak_identifiers(given, draft, survivor, holders))
    return survivor, False


@settling
def introduce(*, organisation: Organisation, values: Mapping[str, Any]) -> Contact:
    """Create a contact that has neither e-mail nor phone: another system knows it by an id.

    The caller keeps that id, and has looked for it first. Raises ValidationError by column.
    """
    given = read(values)
    draft = Contact(organisation=organisation)
    assign(draft, given)
    return create(draft, given)


@settling
def update(*, contact: Contact, values: Mapping[str, Any]) -> Contact:
    """Write the given values to the contact; null clears. Answers it as it is now.

    A contact that was merged meanwhile is changed where it is now. Nothing is written, and
    `updatedAt` stays, when nothing differs. Raises ValidationError by column; Conflict when
    another contact has the identifier, or when the contact was redacted: what was erased on
    request is not written again.
    """
    current = locked(contact)
    if change(current, read(values)) and current.redacted_at is not None:
        raise redacted(current)  # and nothing of it is kept
    return current


@transaction.atomic
def delete(*, contact: Contact) -> None:
    """Delete the contact, all its rows, and what was merged into it.

    Raises Conflict for a contact that was merged into another: delete that, or undo the merge.
    """
    contacts = Contact.objects.filter(organisation=contact.organisation_id)
    current = contacts.select_for_update().filter(pk=contact.pk).first()
    if current is None:
        return
    if current.merged_into_id is not None:
        raise Conflict(
            _("Contact %(id)d was merged into contact %(survivor)d: delete that, or unmerge first.")
            % {"id": current.pk, "survivor": contacts.resolve(current.pk).pk},
            [current.merged_into_id],
        )
    everyone = [*with_absorbed(current)][::-1]
    contacts_deleted.send(
        Contact, organisation=current.organisation, ids=[one.pk for one in everyone]
    )
    for one in everyone:
        for part in PARTS:
            part.erase(one)
        one.delete()


@transaction.atomic
def redact(*, contact: Contact) -> Contact:
    """Erase the personal data of the contact and of all that was merged into it; answers it.

    Names, identifiers, date of birth, addresses, the addresses on its invites, what the history
    knows of any of it, and what the parts hold go; activities, totals and tags stay. The e-mail and
    phone are free for others. Sends `contact_redacted`. A second time changes nothing.
    """
    current = locked(contact)
    if current.redacted_at is not None:
        return current
    moment = timezone.now()
    everyone = [*with_absorbed(current)]
    for one in everyone:
        for column in ("first_name", "last_name", "name"):
            setattr(one, column, "")
        for column in ("email_address", "phone_number", "phone_number_country_code", "dob"):
            setattr(one, column, None)
        for column in DERIVED:
            setattr(one, column, None)
        one.redacted_at = moment
        one.save()
        one.addresses.all().delete()
        for part in PARTS:
            part.redact(one)
    recording.erase(everyone)
    recording.happened(current.organisation, current.pk, Action.REDACTED, {})
    ReferralInvite.objects.filter(organisation=current.organisation_id).filter(
        contact__in=everyone
    ).update(email_address=None, updated_at=moment)
    Merge.objects.filter(organisation=current.organisation_id).filter(survivor__in=everyone).update(
        filled={}, moved={}, chosen={}
    )
    news.updated(current.organisation, [current.pk])
    contact_redacted.send(Contact, contact=current)
    return current


def redacted(contact: Contact) -> Conflict:
    """The refusal to write to a contact whose data was erased."""
    return Conflict(
        _("Contact %(id)d was redacted: its data cannot be written again.") % {"id": contact.pk},
        [contact.pk],
    )


def with_absorbed(contact: Contact) -> list[Contact]:
    """The contact and, after it, all that were merged into it, at any remove."""
    everyone = [contact]
    latest = [contact]
    contacts = Contact.objects.filter(organisation=contact.organisation_id)
    while latest:
        latest = list(contacts.filter(merged_into__in=latest).select_for_update().order_by("pk"))
        everyone += latest
    return everyone


def the_one_of(contacts: Iterable[Contact]) -> Contact | None:
    """The one contact that these all are, or None. Raises Conflict when they are two."""
    found = {contact.pk: contact for contact in contacts}
    if len(found) > 1:
        first, second = sorted(found)
        raise Conflict(
            _(
                "The e-mail address is that of one contact and the phone number that of another:"
                " %(first)d and %(second)d. Merge them, or leave one out."
            )
            % {"first": first, "second": second},
            [first, second],
        )
    return next(iter(found.values()), None)


def without_weak_identifiers(
    given: Given, draft: Contact, survivor: Contact, holders: Sequence[Contact]
) -> Given:
    """`given` for `survivor`, without the identifiers that should not replace its own: none at
    all, placeholders, and those of a contact that was merged into it."""
    columns = dict(given.columns)
    absorbed = [holder for holder in holders if holder.pk != survivor.pk]
    absorbed_emails = {holder.email_key for holder in absorbed}
    absorbed_phones = {holder.phone_number_e164 for holder in absorbed}
    if draft.email_address is None or (
        survivor.email_key and draft.email_key in {None, *absorbed_emails}
    ):
        columns.pop("email_address", None)
    if draft.phone_number is None or (
        survivor.phone_number_e164 and draft.phone_number_e164 in absorbed_phones
    ):
        columns.pop("phone_number", None)
        if survivor.phone_number is not None:
            columns.pop("phone_number_country_code", None)
    return Given(columns, given.addresses, given.tags, given.parts)


def create(draft: Contact, given: Given) -> Contact:
    """Write a contact that nobody's identifiers stand against, with all that was given."""
    cleaned = clean_parts(draft.organisation, None, given)
    draft.save()
    told: dict[str, Pair | None] = {**recording.columns_of_new(draft, COLUMNS)}
    told["addresses"] = replace_addresses(draft, given.addresses or [], new=True)
    if given.tags:
        told["tags"] = tags.replace(draft, given.tags, new=True)
    told |= write_parts(draft, cleaned)
    recording.created(draft.organisation, {draft.pk: told})
    contacts_created.send(Contact, organisation=draft.organisation, ids=[draft.pk])
    return draft


def change(contact: Contact, given: Given) -> bool:
    """Write what was given to a locked contact. True when anything differs from before."""
    before = {column: getattr(contact, column) for column in COLUMNS}
    changed = assign(contact, given)
    if changed & {"email_address", "phone_number"}:
        require_identifier(contact)
    cleaned = clean_parts(contact.organisation, contact, given)
    if changed:
        keys = {
            column: getattr(contact, column)
            for column in DERIVED
            if column in changed and getattr(contact, column) is not None
        }
        if keys:
            take_identifiers(contact, keys)
        contact.save(update_fields=[*changed, "search_text", "updated_at"])
    told: dict[str, Pair | None] = {}
    if given.addresses is not None and (pair := replace_addresses(contact, given.addresses)):
        told["addresses"] = pair
    if given.tags is not None and (pair := tags.replace(contact, given.tags)):
        told["tags"] = pair
    told |= write_parts(contact, cleaned)
    fields = news.names(changed) | told.keys()
    if fields:
        told |= recording.columns(before, contact, changed)
        recording.changed(contact.organisation, {contact.pk: told})
        news.updated(contact.organisation, {contact.pk: fields})
    return bool(fields)


def take_identifiers(contact: Contact, keys: Mapping[str, str]) -> None:
    """See that these keys (by column) are free for `contact`.

    One that a contact merged into it holds moves over, and its merge remembers that. Raises
    Conflict, naming it, when any other contact holds one.
    """
    contacts = Contact.objects.filter(organisation=contact.organisation_id)
    holders = contacts.exclude(pk=contact.pk).select_for_update(no_key=True)
    found = list(
        holders.identified_by(
            email=keys.get("email_key"), phone=keys.get("phone_number_e164")
        ).order_by("pk")
    )
    if not found:
        return
    survivors = contacts.survivors(found)
    others = sorted({one.pk for one in survivors.values()} - {contact.pk})
    if others:
        raise Conflict(
            _("Contact %(ids)s has this e-mail address or phone number already.")
            % {"ids": ", ".join(str(pk) for pk in others)},
            others,
        )
    for holder in found:
        hand_over(holder, keys)


def hand_over(absorbed: Contact, keys: Mapping[str, str]) -> None:
    """Take these identifiers off a merged contact's row; its merge remembers them."""
    before = {column: getattr(absorbed, column) for column in COLUMNS}
    merge = Merge.objects.filter(organisation=absorbed.organisation_id).get(
        absorbed=absorbed, undone_at=None
    )
    if absorbed.email_key is not None and absorbed.email_key == keys.get("email_key"):
        merge.moved["email_address"] = absorbed.email_address
        absorbed.email_address = absorbed.email_key = None
    if absorbed.phone_number_e164 is not None and absorbed.phone_number_e164 == keys.get(
        "phone_number_e164"
    ):
        merge.moved["phone_number"] = absorbed.phone_number
        merge.moved["phone_number_country_code"] = absorbed.phone_number_country_code
        absorbed.phone_number = absorbed.phone_number_e164 = None
        absorbed.phone_number_country_code = None
    absorbed.save()
    merge.save(update_fields=["moved"])
    lost = {column for column, value in before.items() if value != getattr(absorbed, column)}
    told = recording.columns(before, absorbed, lost)
    recording.changed(absorbed.organisation, {absorbed.pk: told})


def replace_addresses(
    contact: Contact, addresses: Sequence[Mapping[str, str]], *, new: bool = False
) -> Pair | None:
    """Make these the contact's addresses. What was there and what is now, where that differs."""
    there: list[Mapping[str, str]] = []
    if new and not addresses:
        return None
    if not new:
        there = list(contact.addresses.values(*ADDRESS_COLUMNS))
        if there == list(addresses):
            return None
        contact.addresses.all().delete()
    Address.objects.bulk_create(
        Address(organisation_id=contact.organisation_id, contact=contact, **address)
        for address in addresses
    )
    return [there, list(addresses)]


def write_parts(
    contact: Contact, cleaned: Sequence[tuple[ContactPart, Any]]
) -> dict[str, Pair | None]:
    """Let the parts write what they cleaned. Answers what differs from before, by name."""
    told: dict[str, Pair | None] = {}
    for part, wanted in cleaned:
        differs = part.write(contact, wanted)
        if isinstance(differs, bool):
            differs = [part.name] if differs else ()
        told |= told_of(differs)
    return told


def told_of(differs: Collection[str]) -> dict[str, Pair | None]:
    """What a part answers of what differs, as the history takes it."""
    return {**differs} if isinstance(differs, Mapping) else dict.fromkeys(differs)


def refuse_foreign(contact: Contact, other: Contact) -> None:
    """Raise ValidationError when `other` is another organisation's: to this one it is not there."""
    if contact.organisation_id != other.organisation_id:
        raise ValidationError(
            {
                "contact": ValidationError(
                    _("There is no contact %(id)d."),
                    code="does_not_exist",
                    params={"id": other.pk},
                )
            }
        )
