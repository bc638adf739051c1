"""How many queries each page of the admin costs: the same however many rows there are."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.crypto import get_random_string

from contacts.duplicates.models import DuplicatePair
from contacts.models import Contact, Segment
from customfields.models import CustomField
from desk import services as desk
from desk.bulk.models import BulkJob
from desk.lists.models import SavedView
from desk.models import Task
from imports.models import Import
from integrations.models import Connection, Delivery
from integrations.outgoing.models import WebhookDelivery, WebhookEndpoint
from organisations.models import ApiKey, Membership, Organisation
from rewards import services as rewards
from rewards.models import CreditEntry
from tests.admin import rows
from tests.admin.test_scope import SCREENS, url
from workflows.messages.models import Message, MessageSettings
from workflows.models import Alert, Run, Workflow

pytestmark = pytest.mark.django_db

# Who asks: the session, the user, the memberships, the role's permissions; and how many of their
# tasks are due, which the menu says.
ASKING = 5
# Beside that: the capped count, the page, and what the rows show.
LISTS = {
    "Organisation": 2,
    "Membership": 2,
    "ApiKey": 2,
    # + tags of the rows, custom fields for the filters, their options, own types, views, segments
    "Contact": 8,
    "Tag": 2,
    "Segment": 2,
    "ReferralInvite": 3,  # + contacts
    "CustomField": 3,  # the board, and the list that it stands in for
    "Activity": 5,  # + contacts, own types for the filter, views
    "ActivityType": 2,
    "Booking": 4,  # + contacts, views
    "TableReservation": 4,
    "GolfReservation": 4,
    "Import": 3,  # + files that were not brought to their end
    "CreditEntry": 4,  # + contacts, views
    "Message": 3,  # + contacts
    "Alert": 3,
    "MessageSettings": 2,
    "Workflow": 4,  # + runs on their way, and failed ones
    "Run": 7,  # + contacts, views, workflows, versions, workflows for the filter
    "Connection": 2,
    "Delivery": 4,  # + connections, and those of the filter
    "SavedView": 2,
    "BulkJob": 2,
    "DuplicatePair": 6,  # + how far the search is (3), what was left out
    "WebhookEndpoint": 2,
    "WebhookDelivery": 3,  # + endpoints for the filter
    "Task": 4,  # + contacts, the staff for the filter
}


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address)
    assert answer.status_code == 200
    return len(captured)


def fill(organisation: Organisation, model: Any, number: int) -> None:
    for index in range(number):
        if model is Contact:
            rows.contact(organisation, tags=[f"Tag {index}", "All"])
        elif model is CustomField:
            rows.field(organisation, label=f"Field {index}", type="Select", options=["a", "b"])
        elif model in (
            Segment,
            Membership,
            ApiKey,
            Import,
            CreditEntry,
            Message,
            Alert,
            MessageSettings,
            Connection,
            Delivery,
            SavedView,
            BulkJob,
            DuplicatePair,
            WebhookEndpoint,
            WebhookDelivery,
            Workflow,
            Run,
            Task,
        ):
            rows.ROWS[model](organisation)
        elif model is not Organisation:
            _more(organisation, model, index)


def _more(organisation: Organisation, model: Any, index: int) -> None:
    from activities import services as activities
    from contacts import services as contacts

    name = model.__name__
    if name == "Tag":
        contacts.create_tag(organisation=organisation, name=f"Tag {index}")
    elif name == "ReferralInvite":
        contacts.create_invite(contact=rows.contact(organisation))
    elif name == "ActivityType":
        activities.define_type(organisation=organisation, name=get_random_string(12))
    elif name == "Activity":
        rows.activity(organisation)
    else:
        kind = {
            "Booking": ("Booking", "booking", "external_reference"),
            "TableReservation": ("Table reservation", "table_reservation", "origin_reference"),
            "GolfReservation": ("Golf reservation", "golf_reservation", "origin_reference"),
        }[name]
        rows.activity(organisation, type=kind[0], **{kind[1]: {kind[2]: f"R{index}"}})


@pytest.mark.parametrize("model", [pytest.param(model, id=model.__name__) for model in SCREENS])
def test_a_list_costs_the_same_for_many_rows(
    model: Any, owner: Client, organisation: Organisation
) -> None:
    expected = ASKING + LISTS[model.__name__]
    address = url(model, "changelist")
    fill(organisation, model, 1)
    queries(owner, address)  # content types and the like are read once a process
    assert queries(owner, address) <= expected
    fill(organisation, model, 12)
    assert queries(owner, address) <= expected


# A search asks PostgreSQL's trigrams first whether few are found, in a transaction that rules the
# other ways out: begun, set, asked, set back, ended.
TRIGRAMS = 5 if connection.vendor == "postgresql" else 0


def test_a_search_a_sort_and_a_filter_cost_no_query_per_row(
    owner: Client, organisation: Organisation
) -> None:
    fill(organisation, Contact, 12)
    address = url(Contact, "changelist")
    for query in ("?q=secret", "?o=-5", "?o=-7", "?spend_from=0&last_to=2030-01-01&p=1"):
        asked = ASKING + LISTS["Contact"] + 2 + (TRIGRAMS if "q=" in query else 0)
        assert queries(owner, address + query) <= asked, query


def lived(organisation: Organisation, contact: Contact, by: Any, times: int) -> None:
    """A past with something of every kind."""
    for _number in range(times):
        rows.activity(organisation, contact=contact)
        rewards.grant(contact=contact, amount=100)
        desk.add_note(contact=contact, text="A note", by=by)
        rows.task(organisation, contact=contact)
        rows.run(organisation, contact=contact)
        Message.objects.create(
            organisation=organisation,
            contact=contact,
            channel="email",
            status="sent",
            idempotency_key=get_random_string(12),
        )


def test_a_contacts_page_costs_the_same_for_much_history(
    owner: Client, organisation: Organisation
) -> None:
    contact = rows.contact(organisation, tags=["VIP"], addresses=[{"city": "Leeds"}])
    by = rows.member(organisation).user
    for index in range(3):
        rows.field(organisation, label=f"Field {index}", type="Select", options=["a", "b"])
    address = url(Contact, "change", contact.pk)
    lived(organisation, contact, by, 1)
    owner.get(address)
    pages = {
        # The form: the contact, its version; definitions, options and values; tags and addresses,
        # as rows and as choices; permissions.
        # The page: the contact (to follow a merge); tags; money of other currencies; credit; the
        # first visit; permissions; ids elsewhere; stays, tables and tee times to come; open tasks,
        # pinned notes; types of activity and colleagues to choose from; merges;
        # who it may be the same as.
        # The timeline: activities, notes and whom they name, tasks, messages, credit, runs; what
        # was merged in, four tables of changes and what is needed to say them.
        address: 39,
        url(Contact, "timeline", contact.pk): 14,
        url(Contact, "live", contact.pk): 27,
    }
    before = {page: queries(owner, page) for page in pages}
    for page, most in pages.items():
        assert before[page] <= ASKING + most, page
    lived(organisation, contact, by, 35)
    for index in range(3, 12):
        rows.field(organisation, label=f"Field {index}", type="Select", options=["a", "b"])
    assert {page: queries(owner, page) for page in pages} == before


def test_autocomplete(owner: Client, organisation: Organisation) -> None:
    fill(organisation, Contact, 12)
    address = (
        reverse("admin:autocomplete")
        + "?app_label=activities&model_name=activity&field_name=contact&term=secret"
    )
    assert queries(owner, address) <= ASKING + 3 + TRIGRAMS


def test_no_list_counts_without_a_limit(owner: Client, organisation: Organisation) -> None:
    for model in SCREENS:
        fill(organisation, model, 1)
        with CaptureQueriesContext(connection) as captured:
            owner.get(url(model, "changelist"))
        counts = [query["sql"] for query in captured if "COUNT(" in query["sql"].upper()]
        assert all("LIMIT 10001" in sql for sql in counts), counts
