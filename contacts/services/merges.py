"""Merging one contact into another, and taking it back (docs/decisions/0006)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts import identity
from contacts.history import recording
from contacts.history.recording import Action, Pair
from contacts.models import (
    Address,
    Contact,
    ContactTag,
    Merge,
    MergedRow,
    ReferralInvite,
    Tag,
)
from contacts.parts import PARTS
from contacts.services import chosen, news
from contacts.services.locks import settling
from contacts.services.profiles import redacted, refuse_foreign
from contacts.services.values import ADDRESS_COLUMNS, COLUMNS
from contacts.signals import contact_merged, contact_unmerged
from crm.api.names import camel
from crm.errors import Conflict

ADDRESSES = "addresses"
TAGS = "tags"
INVITES = "invites"
COMPLETED_INVITES = "completed invites"

_NAMES = ("first_name", "last_name", "name")


@settling
def merge(*, survivor: Contact, absorbed: Contact, theirs: Collection[str] = ()) -> Merge:
    """Take `absorbed` into `survivor`: its activities and the like move, its tags and addresses
    are copied, and what the survivor lacks of its own is filled from it. Of `theirs` (names of the
    contact's JSON, `emailAddress`, `customFields.diet`) it takes the absorbed one's values instead
    of its own.

    The absorbed one stays as a row that its identifiers, where they did not fill a gap, go on
    being found by, and that `unmerge` brings back. Sends `contact_merged`. Raises ValidationError
    for a merge into itself or of another organisation's contact, and for what `theirs` may not be;
    Conflict when either is merged already or redacted.
    """
    refuse_foreign(survivor, absorbed)
    if survivor.pk == absorbed.pk:
        raise ValidationError(
            {"contact": ValidationError(_("A contact cannot be merged into itself."), code="same")}
        )
    survivor, absorbed = _lock_both(survivor, absorbed)
    for contact in (absorbed, survivor):
        if contact.merged_into_id is not None:
            raise Conflict(
                _("Contact %(id)d was merged into contact %(survivor)d already.")
                % {"id": contact.pk, "survivor": contact.merged_into_id},
                [contact.merged_into_id],
            )
        if contact.redacted_at is not None:
            raise redacted(contact)
    done = Merge.objects.create(
        organisation_id=survivor.organisation_id, survivor=survivor, absorbed=absorbed
    )
    had = _columns_of(absorbed)
    _fill(done)
    absorbed.merged_into = survivor
    absorbed.save()  # ahead of the survivor, who may take an identifier from it
    survivor.save()
    done.save()
    told = {camel(column): pair for column, pair in done.filled.items()}
    told |= _copy_addresses(done) | _copy_tags(done)
    _move_invites(done)
    for part in PARTS:
        told |= part.merge(done) or {}
    organisation = survivor.organisation
    recording.happened(organisation, survivor.pk, Action.MERGED, told, other=absorbed.pk)
    recording.happened(
        organisation, absorbed.pk, Action.ABSORBED, _differing(had, absorbed), other=survivor.pk
    )
    if theirs:
        chosen.give(done, theirs)
    contact_merged.send(Merge, merge=done)
    news.updated(survivor.organisation, [survivor.pk, absorbed.pk])
    return done


@settling
def unmerge(*, survivor: Contact, absorbed: Contact) -> Contact:
    """Bring `absorbed` back with what was its own; answers it.

    What filled a gap of the survivor goes back unless it was changed since; what moved goes back
    where it is still there. Sends `contact_unmerged`. Raises Conflict, saying what, when it was
    not merged into this one, when another contact took its identifier meanwhile, or when the
    survivor would be left without any.
    """
    refuse_foreign(survivor, absorbed)
    survivor, absorbed = _lock_both(survivor, absorbed)
    if absorbed.merged_into_id != survivor.pk:
        raise _not_merged(survivor, absorbed)
    if survivor.merged_into_id is not None:
        raise Conflict(
            _("Contact %(id)d was itself merged into contact %(survivor)d: undo that first.")
            % {"id": survivor.pk, "survivor": survivor.merged_into_id},
            [survivor.merged_into_id],
        )
    undone = Merge.objects.filter(organisation=survivor.organisation_id).get(
        absorbed=absorbed, undone_at=None
    )
    undone.survivor, undone.absorbed = survivor, absorbed
    if undone.chosen:
        chosen.take_back(undone)
        survivor, absorbed = _lock_both(survivor, absorbed)
        undone.survivor, undone.absorbed = survivor, absorbed
        undone.refresh_from_db(fields=["moved"])
    had, lacked = _columns_of(survivor), _columns_of(absorbed)
    _empty(undone)
    _return_identifiers(undone)
    absorbed.merged_into = None
    survivor.save()  # ahead of the absorbed one, who may take an identifier back
    absorbed.save()
    told = _differing(had, survivor) | _take_copies_back(undone)
    _return_invites(undone)
    for part in PARTS:
        told |= part.unmerge(undone) or {}
    organisation = survivor.organisation
    recording.happened(organisation, survivor.pk, Action.UNMERGED, told, other=absorbed.pk)
    recording.happened(
        organisation, absorbed.pk, Action.RELEASED, _differing(lacked, absorbed), other=survivor.pk
    )
    undone.undone_at = timezone.now()
    undone.save()
    contact_unmerged.send(Merge, merge=undone)
    news.updated(survivor.organisation, [survivor.pk, absorbed.pk])
    return absorbed


def _lock_both(first: Contact, second: Contact) -> tuple[Contact, Contact]:
    """Both read anew, in the order of their ids, with a lock that an activity's foreign key waits
    for: none slips in between what moves and the end of the merge."""
    contacts = Contact.objects.filter(organisation=first.organisation_id)
    ids = sorted({first.pk, second.pk})
    rows = {row.pk: row for row in contacts.filter(pk__in=ids).order_by("pk").select_for_update()}
    organisation = first.organisation
    for row in rows.values():
        row.organisation = organisation
    try:
        return rows[first.pk], rows[second.pk]
    except KeyError as error:
        raise Contact.DoesNotExist from error


def _not_merged(survivor: Contact, absorbed: Contact) -> Conflict:
    if absorbed.merged_into_id is None:
        return Conflict(
            _("Contact %(id)d is not merged into any other.") % {"id": absorbed.pk}, [absorbed.pk]
        )
    return Conflict(
        _("Contact %(id)d was merged into contact %(into)d, not into contact %(survivor)d.")
        % {"id": absorbed.pk, "into": absorbed.merged_into_id, "survivor": survivor.pk},
        [absorbed.merged_into_id],
    )


def _fill(done: Merge) -> None:
    """Give the survivor what it lacks, and note it. An identifier cannot be on two rows, so it
    moves."""
    survivor, absorbed = done.survivor, done.absorbed
    before = {column: getattr(survivor, column) for column in COLUMNS}
    old_name = identity.full_name(survivor.first_name, survivor.last_name)
    for column in ("first_name", "last_name", "dob"):
        if not getattr(survivor, column):
            setattr(survivor, column, getattr(absorbed, column))
    if not survivor.name:
        survivor.name = absorbed.name
    elif survivor.name == old_name:
        survivor.name = identity.full_name(survivor.first_name, survivor.last_name)
    if survivor.email_address is None and absorbed.email_address is not None:
        survivor.email_address, survivor.email_key = absorbed.email_address, absorbed.email_key
        done.moved["email_address"] = absorbed.email_address
        absorbed.email_address = absorbed.email_key = None
    if survivor.phone_number is None and absorbed.phone_number is not None:
        for column in ("phone_number", "phone_number_country_code"):
            setattr(survivor, column, getattr(absorbed, column))
            done.moved[column] = getattr(absorbed, column)
            setattr(absorbed, column, None)
        survivor.phone_number_e164 = absorbed.phone_number_e164
        absorbed.phone_number_e164 = None
    done.filled = {
        column: [_as_json(was), _as_json(getattr(survivor, column))]
        for column, was in before.items()
        if was != getattr(survivor, column)
    }


def _as_json(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _empty(undone: Merge) -> None:
    """Take from the survivor what the merge filled, where it is as it was filled."""
    survivor = undone.survivor
    filled = {
        column: was
        for column, (was, became) in undone.filled.items()
        if _as_json(getattr(survivor, column)) == became
    }
    if "phone_number" not in filled:
        filled.pop("phone_number_country_code", None)
    for column, was in filled.items():
        setattr(survivor, column, was)
    identity.read(survivor)
    lost = filled.keys() & {"email_address", "phone_number"}
    if lost and survivor.email_address is None and survivor.phone_number is None:
        raise Conflict(
            _(
                "Contact %(id)d would be left with neither e-mail nor phone: those it has are of"
                " contact %(absorbed)d. Give it one first."
            )
            % {"id": survivor.pk, "absorbed": undone.absorbed_id},
            [survivor.pk],
        )


def _return_identifiers(undone: Merge) -> None:
    """Give the absorbed contact the identifiers back that left its row."""
    absorbed = undone.absorbed
    for column, value in undone.moved.items():
        setattr(absorbed, column, value)
    identity.read(absorbed)
    contacts = Contact.objects.filter(organisation=absorbed.organisation_id)
    holders = {
        contact.pk: contact
        for contact in contacts.identified_by(
            email=absorbed.email_key, phone=absorbed.phone_number_e164
        ).exclude(pk=absorbed.pk)
        if absorbed.email_key or absorbed.phone_number_e164
    }
    holders[undone.survivor_id] = undone.survivor  # as it is about to be written
    taken = [
        contact
        for contact in holders.values()
        if (absorbed.email_key and contact.email_key == absorbed.email_key)
        or (absorbed.phone_number_e164 and contact.phone_number_e164 == absorbed.phone_number_e164)
    ]
    if taken:
        raise Conflict(
            _(
                "Contact %(taken)s now has the e-mail address or phone number of contact"
                " %(absorbed)d. Change it there first."
            )
            % {"taken": ", ".join(str(one.pk) for one in taken), "absorbed": absorbed.pk},
            [one.pk for one in taken],
        )


def _columns_of(contact: Contact) -> dict[str, Any]:
    return {column: getattr(contact, column) for column in COLUMNS}


def _differing(before: dict[str, Any], contact: Contact) -> dict[str, Pair]:
    """What became of the columns since they were `before`, as the history takes it."""
    names = {column for column, value in before.items() if value != getattr(contact, column)}
    return recording.columns(before, contact, names)


def _copy_addresses(done: Merge) -> dict[str, Pair]:
    """The survivor gets the addresses that it does not have; the absorbed contact keeps its own."""
    has = list(done.survivor.addresses.values(*ADDRESS_COLUMNS))
    copies = Address.objects.bulk_create(
        Address(organisation_id=done.organisation_id, contact=done.survivor, **values)
        for values in done.absorbed.addresses.values(*ADDRESS_COLUMNS)
        if values not in has
    )
    _note(done, ADDRESSES, [copy.pk for copy in copies])
    copied = [{column: getattr(copy, column) for column in ADDRESS_COLUMNS} for copy in copies]
    return {"addresses": [has, has + copied]} if copied else {}


def _copy_tags(done: Merge) -> dict[str, Pair]:
    """The survivor gets the tags that it does not have, save a segment's: those follow its rule."""
    has = done.survivor.tag_links.values("tag")
    links = done.absorbed.tag_links.exclude(tag__in=has).exclude(tag__kind=Tag.Kind.SEGMENT)
    copies = ContactTag.objects.bulk_create(
        ContactTag(organisation_id=done.organisation_id, contact=done.survivor, tag=link.tag)
        for link in links.select_related("tag")
    )
    _note(done, TAGS, [copy.pk for copy in copies])
    news.tagged(
        done.survivor.organisation, ((copy.tag, done.survivor_id) for copy in copies), added=True
    )
    return {"tags": [[], [copy.tag.name for copy in copies]]} if copies else {}


def _take_copies_back(undone: Merge) -> dict[str, Pair]:
    told: dict[str, Pair] = {}
    copied = _noted(undone, ADDRESSES)
    if copied:
        addresses = undone.survivor.addresses
        has = list(addresses.values(*ADDRESS_COLUMNS))
        if addresses.filter(pk__in=copied).delete()[0]:
            told["addresses"] = [has, list(addresses.values(*ADDRESS_COLUMNS))]
    links = undone.survivor.tag_links.filter(pk__in=_noted(undone, TAGS))
    tags = [link.tag for link in links.select_related("tag")]
    links.delete()
    news.tagged(
        undone.survivor.organisation, ((tag, undone.survivor_id) for tag in tags), added=False
    )
    if tags:
        told["tags"] = [[tag.name for tag in tags], []]
    return told


def _move_invites(done: Merge) -> None:
    for part, column in ((INVITES, "contact"), (COMPLETED_INVITES, "completed_by")):
        invites = ReferralInvite.objects.filter(organisation=done.organisation_id)
        moving = list(invites.filter(**{column: done.absorbed}).values_list("pk", flat=True))
        invites.filter(pk__in=moving).update(**{column: done.survivor})
        _note(done, part, moving)


def _return_invites(undone: Merge) -> None:
    for part, column in ((INVITES, "contact"), (COMPLETED_INVITES, "completed_by")):
        invites = ReferralInvite.objects.filter(organisation=undone.organisation_id)
        invites.filter(pk__in=_noted(undone, part), **{column: undone.survivor}).update(
            **{column: undone.absorbed}
        )


def _note(done: Merge, part: str, ids: list[int]) -> None:
    MergedRow.objects.bulk_create(MergedRow(merge=done, part=part, row_id=pk) for pk in ids)


def _noted(undone: Merge, part: str) -> list[int]:
    return list(undone.rows.filter(part=part).values_list("row_id", flat=True))
