"""Saved views of lists, the columns that one chooses, and the filters that are on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from contacts.segments import services as segments
from desk.lists import services
from desk.lists.models import SavedView
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.admin.conftest import signed_in
from tests.factories import OrganisationFactory, UserFactory

pytestmark = pytest.mark.django_db

CONTACTS = reverse("admin:contacts_contact_changelist")
SAVE = reverse("admin:desk_savedview_save")


@pytest.fixture
def anna(organisation: Organisation) -> Any:
    return rows.member(organisation, roles.MANAGER).user


@pytest.fixture
def client(anna: Any) -> Client:
    return signed_in(anna)


def headers_of(page: str) -> list[str]:
    """The names of the columns of a list."""
    head = page.partition("<thead")[2].partition("</thead>")[0]
    return re.findall(r'class="[^"]*\bcolumn-(\w+)', head)


def test_a_list_is_saved_with_filters_order_and_columns_and_opened_again(
    client: Client, organisation: Organisation
) -> None:
    query = "q=&of_kind=business&o=-2&cols=shown_name,total_spend&p=3"
    told = {"screen": "contacts.contact", "query": query, "name": "  Big   firms "}
    opened = client.post(SAVE, told)
    view = SavedView.objects.for_organisation(organisation).get()
    assert (view.name, view.shared) == ("Big firms", False)
    assert view.query == "cols=shown_name%2Ctotal_spend&o=-2&of_kind=business"
    assert opened.headers["Location"] == f"{CONTACTS}?{view.query}&view={view.pk}"
    page = client.get(opened.headers["Location"])
    assert "Big firms" in page.content.decode()
    assert [str(name) for name in page.context["cl"].list_display] == [
        "action_checkbox",
        "shown_name",
        "total_spend",
    ]
    changed = client.get(f"{opened.headers['Location']}&q=ltd").content.decode()
    assert "changed, not saved" in changed
    kept = {"screen": "contacts.contact", "query": "q=ltd", "pk": str(view.pk)}
    client.post(SAVE, kept)
    view.refresh_from_db()
    assert view.query == "q=ltd"


def test_views_are_ones_own_until_they_are_shared(
    client: Client, organisation: Organisation, staff_of: Callable[..., Client]
) -> None:
    told = {"screen": "contacts.contact", "query": "of_kind=business", "name": "Firms"}
    client.post(SAVE, told)
    view = SavedView.objects.for_organisation(organisation).get()
    other = staff_of(organisation, roles.STAFF)
    own_page = reverse("admin:desk_savedview_change", args=[view.pk])
    assert "Firms" not in other.get(CONTACTS).content.decode()
    assert other.get(own_page).status_code == 404
    assert other.post(SAVE, {**told, "pk": view.pk, "query": "q=x"}).status_code == 404
    client.post(own_page, {"name": "All firms", "shared": "on"})
    assert "All firms" in other.get(CONTACTS).content.decode()
    assert other.post(SAVE, {**told, "pk": view.pk, "query": "q=x"}).status_code == 403
    assert other.post(own_page, {"name": "Mine"}).status_code == 403
    view.refresh_from_db()
    assert (view.name, view.query, view.shared) == ("All firms", "of_kind=business", True)


def test_who_may_not_share_shares_nothing(
    organisation: Organisation, staff_of: Callable[..., Client]
) -> None:
    reader = staff_of(organisation, roles.READ_ONLY)
    told = {"screen": "contacts.contact", "query": "", "name": "Mine", "shared": "on"}
    assert reader.post(SAVE, told).status_code == 302
    assert not SavedView.objects.for_organisation(organisation).get().shared


@pytest.mark.parametrize(
    "told",
    [
        {"screen": "contacts.contact", "query": "", "name": ""},
        {"screen": "contacts.contact", "query": "", "name": "x" * 81},
        {"screen": "contacts.contact", "query": "q=" + "x" * 5000, "name": "Long"},
        {"screen": "contacts.contact", "query": "", "name": "Twice"},
    ],
    ids=["no name", "long name", "long query", "twice"],
)
def test_what_cannot_be_saved_says_why(
    client: Client, organisation: Organisation, anna: Any, told: dict[str, str]
) -> None:
    services.save(
        organisation=organisation, owner=anna, screen="contacts.contact", name="Twice", query=""
    )
    answer = client.post(SAVE, told, follow=True)
    assert [message.level_tag for message in answer.context["messages"]] == ["error"]
    assert SavedView.objects.for_organisation(organisation).count() == 1


def test_nobody_saves_what_they_may_not_see(client: Client, organisation: Organisation) -> None:
    for screen in ("organisations.apikey", "auth.user"):
        assert client.post(SAVE, {"screen": screen, "query": "", "name": "X"}).status_code == 403
    assert client.post(SAVE, {"screen": "no.list", "query": "", "name": "X"}).status_code == 404
    assert client.get(SAVE).status_code == 404
    stranger = signed_in(UserFactory())
    assert stranger.post(SAVE, {"screen": "contacts.contact", "name": "X"}).status_code in (
        302,
        404,
    )


def test_there_is_an_end_to_views(
    organisation: Organisation, anna: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MOST", 1)
    told = {"organisation": organisation, "owner": anna, "screen": "contacts.contact", "query": ""}
    services.save(name="One", **told)
    with pytest.raises(ValidationError):
        services.save(name="Two", **told)


def test_custom_fields_are_columns_in_a_fixed_number_of_queries(
    client: Client, organisation: Organisation, django_assert_num_queries: Any
) -> None:
    rows.field(organisation, label="Visits", type="Number")
    tier = rows.field(organisation, label="Tier", type="Select", options=["Gold", "Silver"])
    tier.options.filter(value="Gold").update(color="yellow")
    for number in range(2):
        values = {"visits": number, "tier": "Gold"}
        rows.contact(organisation, customFields=values, name=f"Guest {number}")
    address = f"{CONTACTS}?cols=cf_visits,shown_name,cf_tier,rfm_words,no_such,cf_visits"
    client.get(address)
    with django_assert_num_queries(14):
        page = client.get(address).content.decode()
    assert '<span class="rg-chip" data-color="yellow">Gold</span>' in page
    for number in range(2, 12):
        rows.contact(organisation, customFields={"visits": number}, name=f"Guest {number}")
    with django_assert_num_queries(15):  # + the field that it is sorted by
        page = client.get(f"{address}&o=-2")
    names = [str(row) for row in page.context["cl"].result_list]
    assert names == [f"Guest {number}" for number in reversed(range(12))]


def test_filters_that_are_on_can_be_taken_off_one_by_one(
    client: Client, organisation: Organisation
) -> None:
    page = client.get(f"{CONTACTS}?of_kind=person&spend_from=10&spend_to=20").content.decode()
    chips = re.findall(r'<a href="([^"]*)" title="Take this filter off">(.*?)<span', page)
    texts = [re.sub("<.*?>", "", text) for _address, text in chips]
    assert texts == ["Total spend: From 10 – To 20", "Kind: Person"]
    assert chips[1][0] == "?spend_from=10&amp;spend_to=20"


def test_segments_stand_among_the_views_of_contacts(
    client: Client, organisation: Organisation
) -> None:
    rule = {"field": "contact.totalOrders", "operator": "gte", "value": 1}
    segment = segments.create(organisation=organisation, name="Buyers", rules=rule)
    page = client.get(CONTACTS).content.decode()
    assert f"{CONTACTS}?segment={segment.pk}" in page
    activities = client.get(reverse("admin:activities_activity_changelist")).content.decode()
    assert "Buyers" not in activities


def test_views_of_others_organisations_are_not_there(
    client: Client, organisation: Organisation
) -> None:
    other = OrganisationFactory()
    theirs = services.save(
        organisation=other,
        owner=UserFactory(),
        screen="contacts.contact",
        name="Theirs",
        query="",
        shared=True,
    )
    assert "Theirs" not in client.get(f"{CONTACTS}?view={theirs.pk}").content.decode()
