"""What contacts agreed to be sent over each channel, and the link by which they end it.

A permission is `subscribed`, `unsubscribed` or, as for everybody at first, `unknown`. Each change
leaves a `PermissionChange`, which stays.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from contacts import services
from contacts.models import Contact, ContactPermission, PermissionChange
from contacts.services.locks import locked
from crm import causes

Channel = ContactPermission.Channel
Status = ContactPermission.Status
SUBSCRIBED, UNSUBSCRIBED, UNKNOWN = Status.SUBSCRIBED, Status.UNSUBSCRIBED, Status.UNKNOWN

KEY = "permissions"
UNSUBSCRIBE_LINK = "unsubscribe link"


def permission_of(contact: Contact, channel: str) -> Status:
    """What the contact agreed to over this channel. One query."""
    found = contact.permissions.filter(channel=channel).values_list("status", flat=True).first()
    return Status(found) if found else UNKNOWN


def may_send(contact: Contact, channel: str, *, transactional: bool = False) -> bool:
    """Whether the contact may be sent a message over this channel. At most one query.

    A transactional message, which the contact needs rather than wants, may always be sent; others
    not to who unsubscribed, and not to who was redacted. Of whom nothing is known may be sent to:
    who wants to be stricter asks `permission_of` too.
    """
    if transactional:
        return True
    return contact.redacted_at is None and permission_of(contact, channel) != UNSUBSCRIBED


def set_permission(
    *, contact: Contact, channel: str, status: str, source: str = "", run: int | None = None
) -> None:
    """Note what the contact agrees to from now on, and where that is from.

    An update of the contact like any other: `updatedAt` follows. The same status again changes
    nothing. A merged contact means its survivor. `run` is the id of the workflow run whose doing it
    is, by default of the one at work. Raises ValidationError.
    """
    wanted = {channel: Wanted(Status(status), source, run=run)}
    with transaction.atomic():
        current = locked(contact)
        if current.redacted_at is None:
            services.update(contact=current, values={KEY: wanted})
        else:  # nothing is written to it again but that nobody writes to it
            write([(current, wanted)])


# The unsubscribe link.


@dataclass(frozen=True, slots=True)
class Link:
    """Who ends what by an unsubscribe link, and in which run's message it stood."""

    organisation: int
    contact: int
    channel: Channel
    run: int | None


def _signer() -> Signer:
    return Signer(sep=".", salt="contacts.unsubscribe")


def unsubscribe_url(contact: Contact, channel: str, run: int | None = None) -> str:
    """The absolute address under which the contact ends messages over this channel (RFC 8058).

    It needs no login, is good for nothing else, and is good for ever, unless `SECRET_KEY` changes.
    """
    token = _signer().sign_object([contact.organisation_id, contact.pk, str(channel), run])
    return f"{settings.SITE_URL}{reverse('unsubscribe', args=[token])}"


def read_token(token: str) -> Link | None:
    """What the last part of such an address says; None for one that is not ours."""
    try:
        organisation, contact, channel, run = _signer().unsign_object(token)
        return Link(organisation, contact, Channel(channel), run)
    except (BadSignature, ValueError):
        return None


def unsubscribe(link: Link) -> None:
    """End messages over the link's channel, to its contact and to the one that it was merged into:
    should the merge be undone, neither is written to. Nothing for a contact that is gone."""
    with transaction.atomic():
        contact = Contact.objects.for_organisation(link.organisation).filter(pk=link.contact)
        for one in contact:
            set_permission(
                contact=one,
                channel=link.channel,
                status=UNSUBSCRIBED,
                source=UNSUBSCRIBE_LINK,
                run=link.run,
            )
            if one.merged_into_id is not None:
                write([(one, {link.channel: Wanted(UNSUBSCRIBED, UNSUBSCRIBE_LINK, run=link.run)})])


# Writing.


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a permission is to be: without `since`, from now on."""

    status: Status
    source: str = ""
    since: datetime.datetime | None = None
    run: int | None = None


def write(rows: Sequence[tuple[Contact, Mapping[str, Wanted]]]) -> set[int]:
    """Write permissions of contacts of one organisation, which are locked, by channel; answers the
    ids of those that changed.

    What is so already stays as it is, unless it is told to be so since a later time, which then
    counts. What was told of an earlier time than what is known changes nothing. At most four
    queries, however many they are; none when there is nothing to write.
    """
    rows = [(contact, wanted) for contact, wanted in rows if wanted]
    if not rows:
        return set()
    permissions = ContactPermission.objects.for_organisation(rows[0][0].organisation_id)
    found = permissions.filter(contact__in=[contact.pk for contact, _wanted in rows])
    there = {(row.contact_id, row.channel): row for row in found}
    changes = Changes()
    for contact, wanted in rows:
        for channel, one in wanted.items():
            row = there.get((contact.pk, channel))
            if _is_news(row, one):
                changes.put(contact, channel, row, one)
    changes.save()
    return changes.contacts


def _is_news(there: ContactPermission | None, wanted: Wanted) -> bool:
    if there is None:
        return wanted.status != UNKNOWN
    if wanted.status == there.status:
        # Never back: what was told in between would then count, and write to who wants no more.
        return wanted.since is not None and _second(wanted.since) > _second(there.since)
    return wanted.since is None or wanted.since >= there.since


def _second(moment: datetime.datetime) -> datetime.datetime:
    """As the API tells it."""
    return moment.replace(microsecond=0)


class Changes:
    """Permissions that change together, and the history's lines about it."""

    def __init__(self) -> None:
        self.contacts: set[int] = set()
        self._now = timezone.now()
        self._new: list[ContactPermission] = []
        self._changed: list[ContactPermission] = []
        self._gone: list[ContactPermission] = []
        self._told: list[PermissionChange] = []

    def put(
        self,
        contact: Contact,
        channel: str,
        there: ContactPermission | None,
        wanted: Wanted,
        told: str | None = None,
    ) -> ContactPermission:
        """Make a permission what is wanted. `told` is what the history calls the source, where that
        is not the permission's own."""
        row = there or ContactPermission(
            organisation_id=contact.organisation_id,
            contact=contact,
            channel=channel,
            status=UNKNOWN,
        )
        self._tell(row, wanted.status, wanted.source if told is None else told, wanted.run)
        row.status, row.source = wanted.status, wanted.source
        row.since = wanted.since or self._now
        row.updated_at = self._now
        (self._changed if there else self._new).append(row)
        return row

    def take(self, row: ContactPermission, told: str) -> None:
        """Let nothing be known any more."""
        self._tell(row, UNKNOWN, told, None)
        self._gone.append(row)

    def _tell(self, row: ContactPermission, after: Status, source: str, run: int | None) -> None:
        cause = causes.current()
        self.contacts.add(row.contact_id)
        self._told.append(
            PermissionChange(
                organisation_id=row.organisation_id,
                contact_id=row.contact_id,
                channel=row.channel,
                before=row.status,
                after=after,
                source=source,
                run=run or (cause.run if cause else None),
                happened_at=self._now,
            )
        )

    def save(self) -> None:
        """Write it all."""
        permissions = ContactPermission.objects.across_organisations()
        permissions.bulk_create(self._new)
        if self._changed:
            permissions.bulk_update(self._changed, ["status", "since", "source", "updated_at"])
        if self._gone:
            permissions.filter(pk__in=[row.pk for row in self._gone]).delete()
        PermissionChange.objects.bulk_create(self._told)
