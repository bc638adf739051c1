"""No page of the admin shows or takes a row of an organisation that one does not work in."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models
from django.test import Client
from django.urls import NoReverseMatch, reverse

from contacts.models import Contact
from crm.admin.base import OrganisationAdmin
from organisations import roles
from organisations.middleware import organisation_of
from organisations.models import Organisation, TenantModel
from tests.admin import rows
from tests.admin.conftest import signed_in
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

SCREENS = {model: screen for model, screen in admin.site._registry.items() if model is not User}
each_screen = pytest.mark.parametrize(
    "model", [pytest.param(model, id=model.__name__) for model in SCREENS]
)


def url(model: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def all_rows(model: type[models.Model]) -> Any:
    manager: Any = model._default_manager
    return manager.across_organisations() if issubclass(model, TenantModel) else manager.all()


def state(row: models.Model) -> dict[str, Any]:
    return all_rows(type(row)).filter(pk=row.pk).values().get()


def test_every_screen_of_organisations_rows_is_scoped_and_tested_here() -> None:
    assert set(SCREENS) == set(rows.ROWS)
    assert all(isinstance(screen, OrganisationAdmin) for screen in SCREENS.values())


@each_screen
def test_the_list_shows_only_own_rows(
    model: Any, owner: Client, organisation: Organisation, other_organisation: Organisation
) -> None:
    mine, foreign = rows.ROWS[model](organisation), rows.ROWS[model](other_organisation)
    page = owner.get(url(model, "changelist"))
    assert page.status_code == 200
    shown = {row.pk for row in page.context["cl"].result_list}
    assert mine.pk in shown
    assert foreign.pk not in shown


@each_screen
@pytest.mark.parametrize("page", ["change", "history", "delete"])
def test_the_pages_of_a_foreign_row_are_not_there(
    model: Any, page: str, owner: Client, other_organisation: Organisation
) -> None:
    foreign = rows.ROWS[model](other_organisation)
    before = state(foreign)
    answer = owner.get(url(model, page, foreign.pk))
    assert answer.status_code in (403, 404)
    assert str(foreign) not in answer.content.decode()
    posted = owner.post(url(model, page, foreign.pk), {"post": "yes", "name": "Mine now"})
    assert posted.status_code in (403, 404)
    assert state(foreign) == before


@each_screen
def test_the_buttons_of_a_foreign_row_are_not_there(
    model: Any, owner: Client, other_organisation: Organisation
) -> None:
    foreign = rows.ROWS[model](other_organisation)
    before = state(foreign)
    screen: Any = SCREENS[model]
    for name in screen._extract_action_names(screen.actions_detail):
        for answer in (
            owner.get(url(model, name, foreign.pk)),
            owner.post(url(model, name, foreign.pk), {"confirmed": "yes"}),
        ):
            assert answer.status_code == 404, name
    assert state(foreign) == before


@each_screen
def test_actions_do_not_reach_foreign_rows(
    model: Any, owner: Client, organisation: Organisation, other_organisation: Organisation
) -> None:
    rows.ROWS[model](organisation)
    foreign = rows.ROWS[model](other_organisation)
    before = state(foreign)
    page = owner.get(url(model, "changelist"))
    screen: Any = SCREENS[model]
    for name in screen.get_actions(page.wsgi_request):
        answer = owner.post(
            url(model, "changelist"),
            {
                "action": name,
                "_selected_action": [str(foreign.pk)],
                "confirmed": "yes",
                "name": "Stolen",
            },
        )
        assert answer.status_code in (200, 302), name
        assert str(foreign) not in b"".join(answer).decode(errors="replace"), name
    assert state(foreign) == before


@each_screen
def test_autocomplete_offers_only_own_rows(
    model: Any, owner: Client, organisation: Organisation, other_organisation: Organisation
) -> None:
    sources = [
        (source, column)
        for source in SCREENS
        for column in source._meta.get_fields()
        if getattr(column, "related_model", None) is model and hasattr(column, "attname")
    ]
    if not sources or not SCREENS[model].search_fields:
        pytest.skip("nothing points at it")
    mine, foreign = rows.ROWS[model](organisation), rows.ROWS[model](other_organisation)
    for source, column in sources:
        answer = owner.get(
            reverse("admin:autocomplete"),
            {
                "app_label": source._meta.app_label,
                "model_name": source._meta.model_name,
                "field_name": column.name,
                "term": "",
            },
        )
        ids = {result["id"] for result in answer.json()["results"]}
        assert str(mine.pk) in ids
        assert str(foreign.pk) not in ids


@pytest.mark.parametrize("name", ["activities_activity_add", "contacts_referralinvite_add"])
def test_a_foreign_contact_is_no_choice_in_a_form(
    name: str, owner: Client, other_organisation: Organisation
) -> None:
    foreign = rows.contact(other_organisation)
    address = reverse(f"admin:{name}")
    assert str(foreign) not in owner.get(f"{address}?contact={foreign.pk}").content.decode()
    answer = owner.post(
        address,
        {
            "contact": str(foreign.pk),
            "type": "Purchase",
            "source": "till",
            "happened_at_0": "07/04/2026",
            "happened_at_1": "14:30",
            "currency_code": "GBP",
        },
    )
    assert answer.status_code == 200
    assert "contact" in answer.context["adminform"].form.errors
    assert str(foreign) not in answer.content.decode()


def test_a_foreign_tag_is_no_choice_in_a_form(
    owner: Client, organisation: Organisation, other_organisation: Organisation
) -> None:
    contact = rows.contact(organisation)
    from contacts.models import Tag

    foreign = rows.ROWS[Tag](other_organisation)
    answer = owner.post(
        url(Contact, "change", contact.pk),
        {
            "kind": "person",
            "email_address": contact.email_address,
            "tags": str(foreign.pk),
            "addresses-TOTAL_FORMS": "0",
            "addresses-INITIAL_FORMS": "0",
        },
    )
    assert "tags" in answer.context["adminform"].form.errors
    assert foreign.name not in answer.content.decode()


def test_a_foreign_contact_is_not_merged(
    owner: Client, organisation: Organisation, other_organisation: Organisation
) -> None:
    mine, foreign = rows.contact(organisation), rows.contact(other_organisation)
    address = f"{url(Contact, 'merge_with', mine.pk)}?with={foreign.pk}"
    assert owner.get(address).status_code == 404
    assert owner.post(address, {"confirmed": "yes"}).status_code == 404
    foreign.refresh_from_db()
    assert foreign.merged_into_id is None


@each_screen
def test_staff_without_an_organisation_see_nothing(
    model: Any, other_organisation: Organisation
) -> None:
    foreign = rows.ROWS[model](other_organisation)
    nobody = signed_in(UserFactory())
    assert nobody.get(url(model, "changelist")).status_code == 403
    assert nobody.get(url(model, "change", foreign.pk)).status_code in (403, 404)
    home = nobody.get(reverse("admin:index"))
    assert "You do not belong to an organisation" in home.content.decode()


@each_screen
def test_a_superuser_works_in_one_organisation_at_a_time(
    model: Any, organisation: Organisation, other_organisation: Organisation
) -> None:
    mine, foreign = rows.ROWS[model](organisation), rows.ROWS[model](other_organisation)
    client = signed_in(UserFactory(is_superuser=True))
    for here, row, other in (
        (organisation, mine, foreign),
        (other_organisation, foreign, mine),
    ):
        client.post(reverse("admin:switch_organisation"), {"organisation": here.pk})
        page = client.get(url(model, "changelist"))
        shown = {one.pk for one in page.context["cl"].result_list}
        assert row.pk in shown
        if model is not Organisation:  # of which a superuser sees all
            assert other.pk not in shown
            assert client.get(url(model, "change", other.pk)).status_code == 404


def test_staff_switch_only_among_their_organisations(
    organisation: Organisation, other_organisation: Organisation, staff_of: Any
) -> None:
    membership = rows.member(organisation)
    client = signed_in(membership.user)
    address = reverse("admin:switch_organisation")
    assert client.get(address).status_code == 405
    for given in (str(other_organisation.pk), "999999", "x", "", "9" * 30):
        assert client.post(address, {"organisation": given}).status_code == 404
    from organisations.models import Membership

    Membership.objects.create(
        organisation=other_organisation, user=membership.user, role=membership.role
    )
    assert client.post(address, {"organisation": other_organisation.pk}).status_code == 302
    page = client.get(reverse("admin:index"))
    assert organisation_of(page.wsgi_request) == other_organisation


def test_a_role_holds_only_where_it_was_given(
    organisation: Organisation, other_organisation: Organisation
) -> None:
    """Owner in one, Read only in the other: what one may do changes with the switch."""
    from organisations.models import Membership

    owner = rows.member(organisation, roles.OWNER)
    read_only = rows.member(other_organisation, roles.READ_ONLY)
    Membership.objects.create(organisation=other_organisation, user=owner.user, role=read_only.role)
    client = signed_in(owner.user)
    switch = reverse("admin:switch_organisation")
    client.post(switch, {"organisation": organisation.pk})
    assert client.get(url(Contact, "add")).status_code == 200
    client.post(switch, {"organisation": other_organisation.pk})
    assert client.get(url(Contact, "add")).status_code == 403


def test_someone_who_was_removed_is_out_at_once(organisation: Organisation) -> None:
    membership = rows.member(organisation)
    client = signed_in(membership.user)
    assert client.get(url(Contact, "changelist")).status_code == 200
    membership.delete()
    assert client.get(url(Contact, "changelist")).status_code == 403


@each_screen
def test_hidden_columns_cannot_be_asked_for_in_the_address(
    model: Any, owner: Client, organisation: Organisation
) -> None:
    rows.ROWS[model](organisation)
    for column in model._meta.concrete_fields:
        if column.name in SCREENS[model].url_lookups:  # type: ignore[attr-defined]
            continue
        answer = owner.get(url(model, "changelist"), {f"{column.name}__isnull": "False"})
        assert answer.status_code == 400, column.name


@pytest.mark.slow
def test_addresses_that_make_no_sense_are_answered(
    owner: Client, organisation: Organisation
) -> None:
    rows.contact(organisation)
    for model in SCREENS:
        for page in ("change", "delete", "history"):
            for given in ("abc", "9" * 30, "0", "-1"):
                try:
                    address = url(model, page, given)
                except NoReverseMatch:
                    continue
                assert owner.get(address).status_code in (403, 404), address
        for query in ("?p=abc", "?p=-5", "?p=99999", "?o=99.-3.x", "?o=-1", "?q=%00'\"%25", "?e=1"):
            answer = owner.get(url(model, "changelist") + query)
            assert answer.status_code in (200, 302), (model, query)
        answer = owner.post(
            url(model, "changelist"),
            {"action": "tag_chosen", "_selected_action": ["abc", "9" * 40]},
        )
        assert answer.status_code in (200, 302, 404)
