"""Where changes are applied: one delivery's, or one fetched page's, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property

from activities import services as activities
from activities.models import Activity
from contacts.models import Contact
from integrations import identity, services
from integrations.changes import Fact
from integrations.models import Connection, Delivery, DeliveryTrace, ExternalId, ObjectState
from integrations.sources.base import SOURCES, Source
from organisations.models import Organisation
from organisations.querysets import TenantQuerySet
from workflows import alerts


class Desk:
    """What changes need: whose connection it is, what is known, and where to note what was done.

    `history` is news of long ago: it counts and starts nothing. Made anew for each transaction.
    """

    def __init__(
        self, connection: Connection, delivery: Delivery | None = None, *, history: bool = False
    ) -> None:
        self.connection = connection
        self.organisation: Organisation = connection.organisation
        self.delivery = delivery
        self.history = history
        self.notes: list[str] = []
        self.came: list[str] = []
        self._states: dict[tuple[str, str], ObjectState] = {}
        self._traces: dict[tuple[int, int | None], None] = {}

    @cached_property
    def source(self) -> Source:
        return SOURCES[self.connection.source]

    def note(self, text: str) -> None:
        """Something that whoever looks at the delivery should know."""
        self.notes.append(text)

    def alert(self, text: str) -> None:
        """Something that staff must do."""
        self.note(text)
        alerts.tell(
            organisation=self.organisation,
            text=f"{self.connection}: {text}",
            link=reverse("admin:integrations_connection_change", args=[self.connection.pk]),
        )

    # What is known

    def state(self, kind: str, external_id: str) -> ObjectState:
        """What is known of something there, locked; a row without a version for what is new."""
        key = (kind, external_id[:200])
        if key not in self._states:
            ObjectState.objects.bulk_create(
                [
                    ObjectState(
                        organisation=self.organisation,
                        connection=self.connection,
                        kind=kind,
                        external_id=key[1],
                    )
                ],
                ignore_conflicts=True,
            )
            rows = ObjectState.objects.for_organisation(self.organisation)
            self._states[key] = rows.select_for_update().get(
                connection=self.connection, kind=kind, external_id=key[1]
            )
        return self._states[key]

    def arrived(self, state: ObjectState) -> None:
        """Something is known now: deliveries that wait for it can go on."""
        self.came.append(str(state))

    def links(self) -> TenantQuerySet[ExternalId]:
        """The external ids of this connection."""
        rows: TenantQuerySet[ExternalId] = ExternalId.objects.for_organisation(self.organisation)
        return rows.filter(source=self.connection.namespace)

    def link(self, contact: Contact, external_id: str, relay: str = "") -> None:
        """Note that the other system's id means this contact."""
        identity.link(self, contact, external_id, relay)

    def contact_of(self, state: ObjectState) -> Contact | None:
        """Whose the activities of something are."""
        for fact in state.facts:
            activity = self._activity(fact["type"], fact["reference"])
            if activity is not None:
                return activity.contact
        return identity.linked(self, state.person) if state.person else None

    # Activities

    def _activity(self, type_: str, reference: str) -> Activity | None:
        rows = Activity.objects.for_organisation(self.organisation)
        found: Activity | None = (
            rows.filter(type=type_, external_reference=reference).select_related("contact").first()
        )
        if found is not None:
            found.organisation = found.contact.organisation = self.organisation
        return found

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
        activity, created = activities.record(
            organisation=self.organisation,
            contact=contact.pk,
            type=fact.type,
            source=self.connection.namespace,
            external_reference=fact.reference,
            booking=fact.booking,
            table_reservation=fact.table_reservation,
            purchase=fact.purchase,
            backfill=self.history or fact.quietly,
            **values,
        )
        if not created:
            activity.organisation = self.organisation
            if moved:
                values["contact"] = contact.pk
            activity = activities.correct(activity=activity, values=values)
            if fact.booking is not None and activity.booking is not None:
                activity.booking.organisation = self.organisation
                activities.amend_reservation(reservation=activity.booking, values=fact.booking)
            if fact.table_reservation is not None and activity.table_reservation is not None:
                activity.table_reservation.organisation = self.organisation
                activities.amend_reservation(
                    reservation=activity.table_reservation, values=fact.table_reservation
                )
        self.trace(contact, activity)

    def take_back(self, fact: dict[str, Any]) -> None:
        """Void an activity that the other system does not stand for any more."""
        activity = self._activity(fact["type"], fact["reference"])
        if activity is not None:
            self.trace(activity.contact)
            activities.void(activity=activity)

    def recount(self, state: ObjectState) -> None:
        """Let what hangs on something count, or not, as it does itself now."""
        for child in state.children.select_for_update().order_by("pk"):
            for fact in child.facts:
                activity = self._activity(fact["type"], fact["reference"])
                spend = fact["spend"] if state.counts and child.counts else 0
                if activity is not None and activity.spend != spend:
                    activities.correct(activity=activity, values={"spend": spend})
                    self.trace(activity.contact, activity)

    # What was done

    @property
    def did_anything(self) -> bool:
        """Whether something was written, or would have been had it not been known already."""
        return bool(self._traces or self.came)

    def trace(self, contact: Contact, activity: Activity | None = None) -> None:
        """Note that the delivery made or changed this."""
        self._traces[contact.pk, activity.pk if activity is not None else None] = None

    def write_traces(self) -> None:
        """Store what was traced."""
        if self.delivery is None:
            return
        with_activity = {contact for contact, activity in self._traces if activity is not None}
        DeliveryTrace.objects.filter(delivery=self.delivery).delete()
        DeliveryTrace.objects.bulk_create(
            DeliveryTrace(delivery=self.delivery, contact_id=contact, activity_id=activity)
            for contact, activity in self._traces
            if activity is not None or contact not in with_activity
        )

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

    def forget(self, contact: Contact) -> None:
        """Let the ids of this contact mean nobody any more."""
        links = self.links().filter(contact=contact)
        for external_id in links.values_list("external_id", flat=True).order_by("external_id"):
            state = self.state(identity.PERSON, external_id)
            state.gone, state.fields = True, {}
            state.save()
        links.delete()

    def erase_bodies(self, contact: Contact) -> None:
        """Erase what deliveries said of a contact."""
        deliveries = Delivery.objects.for_organisation(self.organisation)
        traces = DeliveryTrace.objects.filter(contact=contact).values("delivery")
        deliveries.filter(connection=self.connection, pk__in=traces).update(body="")
