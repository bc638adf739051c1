"""Who works in an organisation, and in which role."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError

from crm.errors import Conflict
from organisations import roles, services
from organisations.models import Membership, Organisation
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def role(name: str) -> Group:
    return Group.objects.get(name=name)


def add(organisation: Organisation, email: str, name: str = roles.STAFF, **values: Any) -> Any:
    return services.add_member(organisation=organisation, email=email, role=role(name), **values)


def test_someone_new_gets_an_account_without_a_password(organisation: Organisation) -> None:
    membership, created = add(organisation, "New@Example.com")
    assert created
    assert membership.user.is_staff
    assert not membership.user.has_usable_password()
    assert services.password_link(membership=membership) is not None


def test_an_account_is_found_by_its_address_in_any_case(organisation: Organisation) -> None:
    user = UserFactory(email="Jane@Example.com", is_staff=False)
    membership, created = add(organisation, "jane@example.COM")
    assert not created
    assert membership.user == user
    assert membership.user.is_staff
    assert services.password_link(membership=membership) is None


def test_a_member_is_not_added_twice(organisation: Organisation) -> None:
    add(organisation, "jane@example.com")
    with pytest.raises(Conflict):
        add(organisation, "jane@example.com")


def test_an_owner_does_not_bring_in_a_strangers_account(
    organisation: Organisation, other_organisation: Organisation
) -> None:
    owner = add(organisation, "owner@example.com", roles.OWNER)[0].user
    add(other_organisation, "stranger@example.com")
    with pytest.raises(Conflict, match="superuser"):
        add(organisation, "stranger@example.com", added_by=owner)
    superuser = UserFactory(is_superuser=True)
    add(organisation, "stranger@example.com", added_by=superuser)


def test_no_password_link_for_an_account_that_works_elsewhere_too(
    organisation: Organisation, other_organisation: Organisation
) -> None:
    add(organisation, "jane@example.com")
    membership, _created = add(other_organisation, "jane@example.com")
    assert services.password_link(membership=membership) is None


def test_a_group_that_is_no_role_is_refused(organisation: Organisation) -> None:
    with pytest.raises(ValidationError) as refused:
        services.add_member(
            organisation=organisation,
            email="jane@example.com",
            role=Group.objects.create(name="Gods"),
        )
    assert "role" in refused.value.message_dict


def test_the_last_owner_stays_one(organisation: Organisation) -> None:
    membership, _created = add(organisation, "owner@example.com", roles.OWNER)
    with pytest.raises(Conflict, match="only Owner"):
        services.remove_member(membership=membership)
    with pytest.raises(Conflict, match="only Owner"):
        services.change_role(membership=membership, role=role(roles.STAFF))
    second, _created = add(organisation, "second@example.com", roles.OWNER)
    services.remove_member(membership=membership)
    assert Membership.objects.get(organisation=organisation).pk == second.pk
    assert User.objects.filter(email="owner@example.com").exists()


def test_the_currency_is_fixed_once_there_are_contacts(organisation: Organisation) -> None:
    services.update_organisation(organisation=organisation, values={"currency_code": "EUR"})
    from contacts.services import upsert

    upsert(organisation=organisation, values={"email_address": "jane@example.com"})
    with pytest.raises(ValidationError) as refused:
        services.update_organisation(organisation=organisation, values={"currency_code": "GBP"})
    assert "currency_code" in refused.value.message_dict
    services.update_organisation(organisation=organisation, values={"name": "Renamed"})
