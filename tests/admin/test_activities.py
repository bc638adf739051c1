"""Activities, their types and bookings in the admin."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from activities.models import Activity, ActivityType
from contacts.models import ContactRollup
from organisations.models import Organisation
from tests.admin import rows

pytestmark = pytest.mark.django_db

LIST = reverse("admin:activities_activity_changelist")
ADD = reverse("admin:activities_activity_add")


def page(model: str, name: str, *args: Any) -> str:
    return reverse(f"admin:activities_{model}_{name}", args=args)


def typed(**values: Any) -> dict[str, Any]:
    return {
        "type": "Purchase",
        "source": "till",
        "happened_at_0": "07/04/2026",
        "happened_at_1": "14:30",
        "amount": "45.00",
        "currency_code": "GBP",
        **values,
    }


def spend(contact: Any) -> int:
    return ContactRollup.objects.across_organisations().get(contact=contact).total_spend


def test_an_activity_is_added_from_the_contacts_page(
    owner: Client, organisation: Organisation
) -> None:
    contact = rows.contact(organisation)
    address = f"{ADD}?contact={contact.pk}"
    form = owner.get(address).context["adminform"].form
    assert str(form["contact"].value()) == str(contact.pk)
    assert form["currency_code"].value() == "GBP"
    answer = owner.post(address, typed(contact=str(contact.pk)))
    assert answer["Location"] == reverse("admin:contacts_contact_change", args=[contact.pk])
    activity = Activity.objects.for_organisation(organisation).get()
    assert (activity.spend, activity.currency_code) == (4500, "GBP")
    # Half past two in London, in summer.
    assert activity.happened_at == datetime(2026, 4, 7, 13, 30, tzinfo=UTC)
    assert spend(contact) == 4500


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"amount": "45.001"}, "amount"),
        ({"amount": "lots"}, "amount"),
        ({"amount": "45.5", "currency_code": "JPY"}, "amount"),
        ({"amount": "9" * 18}, "amount"),
        ({"happened_at_0": "07/04/2999"}, "happened_at"),
        ({"type": "Invented"}, "type"),
        ({"source": ""}, "source"),
        ({"data": "[1]"}, "data"),
        ({"data": "{"}, "data"),
        ({"contact": "999999"}, "contact"),
        ({"contact": "x"}, "contact"),
        ({"currency_code": "XX1"}, "currency_code"),
    ],
)
def test_what_is_refused_is_told_beside_the_field(
    owner: Client, organisation: Organisation, given: dict[str, str], field: str
) -> None:
    contact = rows.contact(organisation)
    answer = owner.post(ADD, typed(**{"contact": str(contact.pk), **given}))
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert not Activity.objects.for_organisation(organisation).exists()


def test_the_same_fact_is_not_added_twice(owner: Client, organisation: Organisation) -> None:
    contact = rows.contact(organisation)
    form = typed(contact=str(contact.pk), external_reference="SO-1001")
    assert owner.post(ADD, form).status_code == 302
    refused = owner.post(ADD, form)
    assert "external_reference" in refused.context["adminform"].form.errors
    assert spend(contact) == 4500


def test_correcting_moves_the_totals(owner: Client, organisation: Organisation) -> None:
    activity = rows.activity(organisation)
    other = rows.contact(organisation)
    address = page("activity", "change", activity.pk)
    shown = owner.get(address).context["adminform"].form
    assert str(shown["amount"].value()) == "45.00"
    answer = owner.post(address, typed(contact=str(other.pk), amount="12.34", data="{}"))
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert (spend(activity.contact_id), spend(other.pk)) == (0, 1234)


def test_voiding_asks_and_takes_the_spend_back(owner: Client, organisation: Organisation) -> None:
    activity = rows.activity(organisation)
    address = page("activity", "delete", activity.pk)
    assert "totals of" in owner.get(address).content.decode()
    assert spend(activity.contact_id) == 4500
    owner.post(address, {"post": "yes"})
    assert spend(activity.contact_id) == 0


def test_the_list_is_found_by_contact_reference_type_and_time(
    owner: Client, organisation: Organisation
) -> None:
    jane = rows.contact(organisation, name="Jane Hull")
    happened = datetime(2026, 4, 7, 23, 30, tzinfo=UTC)  # the 8th in London
    rows.activity(organisation, contact=jane, external_reference="SO-1", happened_at=happened)
    rows.activity(organisation, type="Login", spend=0)

    def found(**query: str) -> list[str]:
        return [row.type for row in owner.get(LIST, query).context["cl"].result_list]

    for query in (
        {"q": "hull"},
        {"q": "SO-1"},
        {"of_type": "Purchase"},
        {"happened_from": "2026-04-08", "happened_to": "2026-04-08"},
        {"contact": str(jane.pk)},
    ):
        assert found(**query) == ["Purchase"], query
    assert found(happened_to="2026-04-07") == []
    assert found(q="SO-") == []
    assert len(found()) == 2


def test_an_own_type_can_be_defined_used_and_not_deleted(
    owner: Client, organisation: Organisation
) -> None:
    add = page("activitytype", "add")
    refused = owner.post(add, {"name": "purchase"})
    assert "name" in refused.context["adminform"].form.errors
    assert owner.post(add, {"name": "Tasting", "counts_as_order": "on"}).status_code == 302
    own = ActivityType.objects.for_organisation(organisation).get()
    contact = rows.contact(organisation)
    assert owner.post(ADD, typed(contact=str(contact.pk), type="Tasting")).status_code == 302
    refused = owner.post(page("activitytype", "delete", own.pk), {"post": "yes"}, follow=True)
    assert "cannot be deleted" in refused.content.decode()
    assert (
        owner.post(page("activitytype", "change", own.pk), {"name": "Wine tasting"})
        .context["adminform"]
        .form.errors
    )


def test_a_booking_is_amended_but_not_made_here(owner: Client, organisation: Organisation) -> None:
    booking = rows.booking(organisation)
    assert owner.get(page("booking", "add")).status_code == 403
    form = {
        "status": "Cancelled",
        "check_in_0": "07/04/2026",
        "check_in_1": "15:00",
        "number_of_guests": "3",
    }
    answer = owner.post(page("booking", "change", booking.pk), form)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    booking.refresh_from_db()
    assert (booking.status, booking.number_of_guests) == ("Cancelled", 3)
    assert booking.check_in == datetime(2026, 4, 7, 14, 0, tzinfo=UTC)
    for name in ("tablereservation", "golfreservation"):
        row = rows.table(organisation) if name == "tablereservation" else rows.golf(organisation)
        shown = owner.get(page(name, "change", row.pk))
        assert not shown.context["has_change_permission"]
