"""Where the changes of one delivery, or one row of a fetched page, are applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Min, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property

from activities import services as activities
from activities.models import Activity
from contacts.models import Contact
from integrations import identity, services
from integrations.changes import Fact
from integrations.memory import Entry, Memory
from integrations.models import Connection, Delivery, DeliveryTrace, ExternalId, ObjectState
from integrations.sources.base import SOURCES, Source
from organisations.models import Organisation
from organisations.querysets import TenantQuerySet
from workflows import alerts

MOMENT = timedelta(minutes=1)
"""As long as a contact is older, at most, than what it was made for."""


class Desk:
    """What changes need: whose connection it is, what is known, and where to note what was done.

    The `memory` is shared by all that is applied in the same transaction; when it is settled, all
    is written that was done here.
    """

    def __init__(self, memory: Memory, delivery: Delivery | None = None) -> None:
        self.memory = memory
        self.connection: Connection = memory.connection
        self.organisation: Organisation = memory.organisation
        self.delivery = delivery
        self.notes: list[str] = []
        self.came: list[str] = []
        self.unfinished = False
        """Whether the delivery is to be applied again at once: there is more of it than belongs
        into one transaction."""
        self._traces: dict[tuple[int, Entry | None], None] = {}

    @cached_property
    def source(self) -> Source:
        return SOURCES[self.connection.source]

    def note(self, text: str) -> None:
        """Something that whoever looks at the delivery should know."""
        self.notes.append(text)

    def alert(self, text: str) -> None:
        """Something that staff must do."""
        self.note(text)
        self.tell_staff(text)

    def tell_staff(self, text: str) -> None:
        """Something that is noted already, and that staff must see."""
        alerts.tell(
            organisation=self.organisation,
            text=f"{self.connection}: {text}",
            link=reverse("admin:integrations_connection_change", args=[self.connection.pk]),
        )

    # What is known

    def state(self, kind: str, external_id: str) -> ObjectState:
        """What is known of something there, locked; a row without a version for what is new."""
        return self.memory.state(kind, external_id)

    def keep(self, state: ObjectState) -> None:
        """Have this state written."""
        self.memory.keep(state)

    def children(self, state: ObjectState) -> list[ObjectState]:
        """What hangs on something, locked."""
        return self.memory.children(state)

    def arrived(self, state: ObjectState) -> None:
        """Something is known now: deliveries that wait for it can go on."""
        self.came.append(str(state))

    def links(self) -> TenantQuerySet[ExternalId]:
        """The external ids of this connection."""
        rows: TenantQuerySet[ExternalId] = ExternalId.objects.for_organisation(self.organisation)
        return rows.filter(source=self.connection.namespace)

    def link(self, contact: Contact, external_id: str, relay: str = "") -> None:
        """Note that the other system's id means this contact."""
        self.memory.link(contact, external_id, relay)

    def contact_of(self, state: ObjectState) -> Contact | None:
        """Whose the activities of something are."""
        for fact in state.facts:
            entry = self.memory.entry(fact["type"], fact["reference"])
            if entry is not None:
                return entry.contact
        return self.memory.linked(state.person) if state.person else None

    # Activities

    def record(
        self, fact: Fact, contact: Contact | None, *, counts: bool = True, moved: bool = False
    ) -> None:
        """Record an activity, or correct it where it is known and differs."""
        assert contact is not None
        values: dict[str, Any] = {
            "happened_at": fact.happened_at,
            "spend": fact.spend if counts else 0,
            "currency_code": fact.currency_code or self.organisation.currency_code,
            "data": dict(fact.data),
        }
        key = (fact.type, fact.reference)
        if not self.memory.record(self, fact, contact, values):
            moves = {"contact": contact.pk} if moved else {}
            self.memory.correct(self, key, values | moves)
            self._amend(fact)
        self.trace(contact, self.memory.entry(*key))

    def _amend(self, fact: Fact) -> None:
        """Correct the reservation that an activity speaks of."""
        for name in ("booking", "table_reservation"):
            told = getattr(fact, name)
            if told is None:
                continue
            activity = self.memory.activity((fact.type, fact.reference))
            reservation = getattr(activity, name)
            if reservation is not None:
                reservation.organisation = self.organisation
                activities.amend_reservation(reservation=reservation, values=told)

    def take_back(self, fact: dict[str, Any]) -> None:
        """Void an activity that the other system does not stand for any more."""
        key = (fact["type"], fact["reference"])
        entry = self.memory.entry(*key)
        if entry is not None:
            self.trace(entry.contact)
            self.memory.void(key)

    def recount(self, state: ObjectState) -> None:
        """Let what hangs on something count, or not, as it does itself now."""
        for child in self.children(state):
            for fact in child.facts:
                key = (fact["type"], fact["reference"])
                entry = self.memory.entry(*key)
                spend = fact["spend"] if state.counts and child.counts else 0
                if entry is not None and self.memory.correct(self, key, {"spend": spend}):
                    self.trace(entry.contact, entry)

    # What was done

    @property
    def did_anything(self) -> bool:
        """Whether something was written, or would have been had it not been known already."""
        return bool(self._traces or self.came)

    def trace(self, contact: Contact, entry: Entry | None = None) -> None:
        """Note that the delivery made or changed this."""
        self._traces[contact.pk, entry] = None

    def write_traces(self) -> None:
        """Store what was traced. The memory is settled."""
        if self.delivery is not None:
            write_traces([self])

    def traces(self) -> list[DeliveryTrace]:
        """What was traced, once the memory is settled."""
        seen: dict[tuple[int, int | None], None] = {}
        for contact, entry in self._traces:
            seen[contact, None if entry is None else entry.pk] = None
        with_activity = {contact for contact, activity in seen if activity is not None}
        return [
            DeliveryTrace(delivery=self.delivery, contact_id=contact, activity_id=activity)
            for contact, activity in seen
            if activity is not None or contact not in with_activity
        ]

    # The connection

    def close(self, reason: str) -> None:
        """Switch the connection off."""
        connections = Connection.objects.for_organisation(self.organisation)
        connections.filter(pk=self.connection.pk).update(
            status=Connection.Status.DISABLED,
            status_reason=reason,
            poll_due_at=None,
            updated_at=timezone.now(),
        )
        self.connection.status = Connection.Status.DISABLED
        self.alert(reason)

    def reopen(self) -> None:
        """Switch the connection on again that was switched off there; a pause is staff's."""
        if self.connection.status == Connection.Status.DISABLED:
            services.resume(connection=self.connection)
            self.connection.status = Connection.Status.ACTIVE

    def learn_credentials(self, credentials: Mapping[str, str]) -> None:
        """Keep what the other system gave us to ask it with."""
        changed = services.change(connection=self.connection, credentials=credentials)
        self.connection.credentials = changed.credentials

    def forget_credentials(self) -> None:
        """Erase the credentials and all that was stored of deliveries."""
        self.connection.credentials = {}
        self.connection.save(update_fields=["credentials"])
        deliveries = Delivery.objects.for_organisation(self.organisation)
        deliveries.filter(connection=self.connection).update(body="", headers={})

    def known_here(self) -> TenantQuerySet[Contact]:
        """The contacts that this connection told of, or recorded something for."""
        contacts: TenantQuerySet[Contact] = Contact.objects.for_organisation(self.organisation)
        recorded = Activity.objects.for_organisation(self.organisation).filter(
            source=self.connection.namespace
        )
        return contacts.filter(
            Q(pk__in=self.links().values("contact")) | Q(pk__in=recorded.values("contact"))
        ).order_by("pk")

    def told_of(self, contact: Contact) -> bool:
        """Whether this connection told of a contact, or recorded something for it."""
        return self._first_told(contact) is not None

    def knows_alone(self, contact: Contact) -> bool:
        """Whether a contact is here by this connection, and known through nothing else: whoever
        staff entered, or a file brought, is not the shop's because they bought there once."""
        namespace = self.connection.namespace
        first = self._first_told(contact)
        return (
            first is not None
            and contact.created_at > first - MOMENT
            and not contact.activities.exclude(source=namespace).exists()
            and not contact.external_ids.exclude(source=namespace).exists()
        )

    def _first_told(self, contact: Contact) -> datetime | None:
        links = self.links().filter(contact=contact)
        recorded = contact.activities.filter(source=self.connection.namespace)
        times = [rows.aggregate(first=Min("created_at"))["first"] for rows in (links, recorded)]
        return min((one for one in times if one is not None), default=None)

    def forget(self, contact: Contact) -> None:
        """Let the ids of this contact mean nobody any more."""
        links = self.links().filter(contact=contact)
        for external_id in links.values_list("external_id", flat=True).order_by("external_id"):
            state = self.state(identity.PERSON, external_id)
            state.gone, state.fields = True, {}
            self.keep(state)
        links.delete()

    def erase_bodies(self, contact: Contact) -> None:
        """Erase what deliveries said of a contact."""
        deliveries = Delivery.objects.for_organisation(self.organisation)
        traces = DeliveryTrace.objects.filter(contact=contact).values("delivery")
        deliveries.filter(connection=self.connection, pk__in=traces).update(body="")


def write_traces(desks: Sequence[Desk]) -> None:
    """Store what was traced at these desks, of a delivery each. Two queries."""
    rows = DeliveryTrace.objects.filter(delivery__in=[desk.delivery for desk in desks])
    rows._raw_delete(rows.db)
    DeliveryTrace.objects.bulk_create(trace for desk in desks for trace in desk.traces())
