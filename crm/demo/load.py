"""Writing the demo, through the services that the API and the imports use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from random import Random
from typing import TypeVar

from django.db import transaction
from django.db.models import OuterRef, Subquery

from activities import services as activity_services
from activities import types
from activities.models import Activity
from contacts import rfm
from contacts import services as contact_services
from contacts.history.models import ContactChange
from contacts.models import Contact, ReferralInvite
from crm.batch import BatchResult
from crm.demo import everyday, fields, house, staff, stories
from crm.demo.guests import SEED, Guest, guests
from customfields import services as field_services
from organisations import services as organisation_services
from organisations.models import Organisation

BATCH = 500
INVITES = 40
OWN_TYPES = {"Spa treatment": True}
"""The group's own activity types, and whether each counts as an order."""

_Row = TypeVar("_Row")


@dataclass(frozen=True)
class Loaded:
    """What was written."""

    organisation: Organisation
    contacts: int
    activities: int


@transaction.atomic
def load(*, contacts: int, last_day: date, password: str) -> Loaded:
    """Write the whole demo, or nothing. The same `contacts` and `last_day` give the same demo.

    History is told as history (`backfill`): it starts no workflow and no webhook.
    """
    organisation = organisation_services.create_organisation(name=house.NAME)
    people = staff.hire(organisation, password)
    for definition in fields.FIELDS:
        field_services.define(organisation=organisation, **definition)
    for name, counts_as_order in OWN_TYPES.items():
        activity_services.define_type(
            organisation=organisation, name=name, counts_as_order=counts_as_order
        )
    told = list(guests(contacts))
    calendars = stories.Calendars(last_day)
    for guest in told:
        stories.tell(guest, calendars)
    ids = _write_contacts(organisation, told)
    _write_activities(organisation, told, ids)
    _write_invites(organisation, ids, last_day)
    _date_contacts(organisation, told, ids)
    rfm.recompute(organisation)
    everyday.fill(organisation, people, last_day)
    return Loaded(
        organisation,
        Contact.objects.for_organisation(organisation).count(),
        Activity.objects.for_organisation(organisation).count(),
    )


def _write_contacts(organisation: Organisation, told: Sequence[Guest]) -> list[int]:
    ids = []
    for batch in _batches(guest.values for guest in told):
        ids += _ids(
            contact_services.upsert_batch(organisation=organisation, rows=batch, atomic=True)
        )
    return ids


def _write_activities(
    organisation: Organisation, told: Sequence[Guest], ids: Sequence[int]
) -> None:
    rows = (
        {**activity, "contact": contact_id}
        for guest, contact_id in zip(told, ids, strict=True)
        for activity in guest.activities
    )
    for batch in _batches(rows):
        _ids(
            activity_services.record_batch(
                organisation=organisation, rows=batch, atomic=True, backfill=True
            )
        )


def _write_invites(organisation: Organisation, ids: Sequence[int], last_day: date) -> None:
    """Invitations among the first guests, sent after a stay: some accepted, some still open."""
    random = Random(f"{SEED}-invites")  # noqa: S311 - stories, not secrets
    guests = Contact.objects.for_organisation(organisation).select_related("rollup")
    found = guests.in_bulk(ids[: INVITES * 4])
    end = datetime.combine(last_day, time(18), UTC)
    chosen = random.sample(list(found.values()), min(INVITES, len(found) // 2) * 2)
    for number, (inviter, invited) in enumerate(
        zip(chosen[::2], chosen[1::2], strict=True), start=1
    ):
        accepted = random.random() < 0.4
        invite = contact_services.create_invite(
            contact=inviter,
            email_address=invited.email_address if accepted else f"friend.{number}@example.org",
            code=f"HARBOUR{number:03}",
            status="Completed" if accepted else "Pending",
            completed_by=invited if accepted else None,
        )
        sent = min((inviter.rollup.last_interacted_at or end) + timedelta(hours=20), end)
        _date_invite(invite, sent, min(sent + timedelta(days=random.randint(1, 9)), end))


def _date_invite(invite: ReferralInvite, sent: datetime, came: datetime) -> None:
    """As `_date_contacts`: no service makes an invite that was sent in the past."""
    completed = came if invite.completed_at is not None else None
    rows = ReferralInvite.objects.for_organisation(invite.organisation_id).filter(pk=invite.pk)
    rows.update(created_at=sent, completed_at=completed)
    for activity in Activity.objects.for_organisation(invite.organisation_id).filter(
        referral_invite=invite
    ):
        moment = sent if activity.type == types.REFERRAL_INVITE_CREATED else came
        activity_services.correct(activity=activity, values={"happened_at": moment})


def _date_contacts(organisation: Organisation, told: Sequence[Guest], ids: Sequence[int]) -> None:
    """Let each contact be there since the day before it first did something.

    No service can: a contact is new when it is made. Only a demo has a past that it did not live.
    """
    dated = []
    contacts = Contact.objects.for_organisation(organisation).in_bulk()
    for guest, contact_id in zip(told, ids, strict=True):
        first = min(activity["happened_at"] for activity in guest.activities)
        contact = contacts[contact_id]
        contact.created_at = first - timedelta(minutes=20 + guest.number % 40)
        dated.append(contact)
    Contact.objects.for_organisation(organisation).bulk_update(
        dated, ["created_at"], batch_size=BATCH
    )
    created_at = Contact.objects.across_organisations().filter(pk=OuterRef("contact"))
    began = ContactChange.objects.for_organisation(organisation).filter(
        action=ContactChange.Action.CREATED
    )
    began.update(at=Subquery(created_at.values("created_at")))


def _batches(rows: Iterator[_Row]) -> Iterator[list[_Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _ids(results: Sequence[BatchResult]) -> list[int]:
    """The rows' ids. The demo's own rows are right; one that is refused is a mistake of ours."""
    for result in results:
        if result.error is not None:
            raise AssertionError(f"demo row {result.index}: {result.error}") from result.error
    return [result.id for result in results if result.id is not None]


def yesterday() -> date:
    """The demo's last day when none is asked for: all of it is past, and it ends where now is."""
    return datetime.now(UTC).date() - timedelta(days=1)
