"""One row of each kind that the admin shows, for any organisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from activities import services as activities
from activities.models import Activity, ActivityType, Booking, GolfReservation, TableReservation
from contacts import services as contacts
from contacts.duplicates.models import DuplicatePair
from contacts.models import Contact, ReferralInvite, Segment, Tag
from contacts.segments import services as segments
from customfields import services as custom_fields
from customfields.models import CustomField
from desk import services as desk
from desk.bulk import services as bulk
from desk.bulk.models import BulkJob
from desk.lists import services as lists
from desk.lists.models import SavedView
from desk.models import Task
from imports.models import Import
from integrations import services as integrations
from integrations.models import Connection, Delivery
from integrations.outgoing import services as webhooks
from integrations.outgoing.models import WebhookDelivery, WebhookEndpoint, WebhookMessage
from organisations import roles, services
from organisations.models import ApiKey, Membership, Organisation
from rewards import services as rewards
from rewards.models import CreditEntry
from workflows import alerts
from workflows import services as workflows
from workflows.messages import configuration
from workflows.messages.models import Message, MessageSettings
from workflows.models import Alert, Run, Workflow


def contact(organisation: Organisation, **values: Any) -> Contact:
    number = Contact.objects.across_organisations().count()
    given = {"email_address": f"secret{number}@example.com", "name": f"Secret {number}"}
    made, _created = contacts.upsert(organisation=organisation, values={**given, **values})
    return made


def activity(organisation: Organisation, **values: Any) -> Activity:
    given: dict[str, Any] = {
        "type": "Purchase",
        "source": "till",
        "happened_at": timezone.now(),
        "spend": 4500,
    }
    if "contact" not in values:
        values["contact"] = contact(organisation)
    made, _created = activities.record(organisation=organisation, **{**given, **values})
    return made


def booking(organisation: Organisation) -> Booking:
    made = activity(
        organisation,
        type="Booking",
        booking={"external_reference": "SECRET-B", "status": "Confirmed", "number_of_guests": 2},
    )
    assert made.booking is not None
    return made.booking


def table(organisation: Organisation) -> TableReservation:
    made = activity(
        organisation,
        type="Table reservation",
        table_reservation={"origin": "x", "origin_reference": "SECRET-T", "party_size": 2},
    )
    assert made.table_reservation is not None
    return made.table_reservation


def golf(organisation: Organisation) -> GolfReservation:
    made = activity(
        organisation,
        type="Golf reservation",
        golf_reservation={"origin": "x", "origin_reference": "SECRET-G", "holes": 9},
    )
    assert made.golf_reservation is not None
    return made.golf_reservation


def member(organisation: Organisation, role: str = roles.STAFF) -> Membership:
    number = Membership.objects.across_organisations().count()
    made, _created = services.add_member(
        organisation=organisation,
        email=f"secret-member{number}@example.com",
        role=Group.objects.get(name=role),
    )
    return made


def field(organisation: Organisation, **values: Any) -> CustomField:
    given = {"label": "Secret field", "type": "Text", **values}
    return custom_fields.define(organisation=organisation, **given)


def message(organisation: Organisation) -> Message:
    number = Message.objects.across_organisations().count()
    return Message.objects.create(
        organisation=organisation,
        contact=contact(organisation),
        channel="email",
        status="sent",
        subject=f"Secret {number}",
        body="<p>Secret</p>",
        idempotency_key=f"run-1-{number}",
    )


def credit(organisation: Organisation) -> CreditEntry:
    return rewards.grant(contact=contact(organisation), amount=500, reason="Secret")[0]


def segment(organisation: Organisation) -> Segment:
    number = Segment.objects.across_organisations().count()
    return segments.create(
        organisation=organisation, name=f"Secret segment {number}", rules={"all": []}
    )


def connection(organisation: Organisation) -> Connection:
    number = Connection.objects.across_organisations().count()
    return integrations.connect(
        organisation=organisation,
        source="shopify",
        name="Secret shop",
        credentials={"shop_domain": f"secret-{number}.myshopify.com", "secret": "hush"},
    )


def delivery(organisation: Organisation, **values: Any) -> Delivery:
    """One that made a contact and an activity."""
    number = Delivery.objects.across_organisations().count()
    made = Delivery.objects.create(
        organisation=organisation,
        connection=values.pop("connection", None) or connection(organisation),
        key=str(number),
        **{"topic": "orders/paid", "body": '{"sum": 1.50}', "status": "applied", **values},
    )
    recorded = activity(organisation)
    made.traces.create(contact=recorded.contact, activity=recorded)
    return made


def endpoint(organisation: Organisation, **values: Any) -> WebhookEndpoint:
    given = {"url": "https://93.184.216.34/hook", "description": "Secret webhook"}
    return webhooks.create(organisation=organisation, **{**given, **values})


def told(organisation: Organisation, **values: Any) -> WebhookDelivery:
    """A message on its way to an endpoint."""
    now = timezone.now()
    message = WebhookMessage.objects.create(
        organisation=organisation,
        type=values.pop("type", "contact.created"),
        contact_id=7,
        body=values.pop("body", '{"data":{"id":7}}'),
        spread=True,
        created_at=now,
    )
    given = {"status": "delivered", "created_at": now, **values}
    made = given.pop("endpoint", None) or endpoint(organisation)
    return WebhookDelivery.objects.create(
        organisation=organisation, endpoint=made, message=message, contact_id=7, **given
    )


def task(organisation: Organisation, **values: Any) -> Task:
    given = {"title": "Secret task", "contact": contact(organisation), **values}
    return desk.add_task(organisation=organisation, by=member(organisation).user, values=given)


def pair(organisation: Organisation, **values: Any) -> DuplicatePair:
    """Two contacts that may be one."""
    first, second = contact(organisation), contact(organisation)
    given = {"score": 80, "reasons": ["name", "birthday"], **values}
    return DuplicatePair.objects.create(
        organisation=organisation, first=first, second=second, **given
    )


def workflow(organisation: Organisation, **values: Any) -> Workflow:
    given = {"name": "Secret workflow", "trigger": {"type": "manual"}, "steps": []}
    return workflows.create(organisation=organisation, **{**given, **values})


def run(organisation: Organisation, **values: Any) -> Run:
    """A run that waits to be begun."""
    made = values.pop("workflow", None) or workflow(organisation)
    given = {"contact": values.pop("contact", None) or contact(organisation), "status": "pending"}
    return Run.objects.create(
        organisation=organisation, workflow=made, version=made.versions.get(), **{**given, **values}
    )


def bulk_job(organisation: Organisation) -> BulkJob:
    return bulk.start(
        organisation=organisation,
        by=member(organisation).user,
        action="tag",
        told={"name": "Secret"},
        contacts=Contact.objects.for_organisation(organisation),
    )


def saved_view(organisation: Organisation) -> SavedView:
    owner = member(organisation).user
    return lists.save(
        organisation=organisation,
        owner=owner,
        screen="contacts.contact",
        name="Secret view",
        query="",
        shared=True,
    )


ROWS: dict[type[Any], Callable[[Organisation], Any]] = {
    Organisation: lambda organisation: organisation,
    Membership: member,
    ApiKey: lambda org: services.create_api_key(organisation=org, name="Secret key")[0],
    Contact: contact,
    Tag: lambda org: contacts.create_tag(organisation=org, name="Secret tag")[0],
    ReferralInvite: lambda org: contacts.create_invite(contact=contact(org), code="SECRETCODE"),
    Segment: segment,
    CustomField: field,
    Activity: activity,
    ActivityType: lambda org: activities.define_type(organisation=org, name="Secret type"),
    Booking: booking,
    TableReservation: table,
    GolfReservation: golf,
    Import: lambda org: Import.objects.create(
        organisation=org, kind="contacts", file_name="secret.csv", digest="0" * 64
    ),
    CreditEntry: credit,
    Message: message,
    Alert: lambda org: alerts.tell(organisation=org, text="Secret", contact=contact(org)),
    MessageSettings: configuration.kept,
    Workflow: workflow,
    Run: run,
    Connection: connection,
    Delivery: delivery,
    SavedView: saved_view,
    BulkJob: bulk_job,
    DuplicatePair: pair,
    WebhookEndpoint: endpoint,
    WebhookDelivery: told,
    Task: task,
}
