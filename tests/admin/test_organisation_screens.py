"""Keys, staff, users and the first page."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from organisations import roles
from organisations.models import ApiKey, Membership, Organisation, digest
from tests.admin import rows
from tests.admin.conftest import signed_in
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def page(model: str, name: str, *args: Any) -> str:
    return reverse(f"admin:organisations_{model}_{name}", args=args)


def key_of(organisation: Organisation) -> ApiKey:
    return ApiKey.objects.for_organisation(organisation).get()


def test_a_key_is_shown_once_and_works(
    owner: Client, organisation: Organisation, client: Client
) -> None:
    answer = owner.post(page("apikey", "add"), {"name": "Till", "scopes": ["contacts:read"]})
    secret = answer.context["secret"]
    content = answer.content.decode()
    assert f"x-api-key: {secret}" in content.replace("&quot;", '"')
    assert "no-store" in answer["Cache-Control"]
    key = key_of(organisation)
    assert key.digest == digest(secret)
    assert client.get("/api/contacts", headers={"x-api-key": secret}).status_code == 200
    for again in (page("apikey", "changelist"), page("apikey", "change", key.pk)):
        assert secret not in owner.get(again).content.decode()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "", "scopes": ["all"]}, "name"),
        ({"name": "Till"}, "scopes"),
        ({"name": "Till", "scopes": ["contacts:eat"]}, "scopes"),
        ({"name": "Till", "scopes": ["all", "contacts:read"]}, "scopes"),
        (
            {
                "name": "Till",
                "scopes": ["all"],
                "expires_at_0": "01/01/2001",
                "expires_at_1": "00:00",
            },
            "expires_at",
        ),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    owner: Client, organisation: Organisation, given: dict[str, Any], field: str
) -> None:
    answer = owner.post(page("apikey", "add"), given)
    assert field in answer.context["adminform"].form.errors
    assert not ApiKey.objects.for_organisation(organisation).exists()


def test_revoking_asks_first(owner: Client, organisation: Organisation) -> None:
    key = rows.ROWS[ApiKey](organisation)
    address = page("apikey", "revoke", key.pk)
    assert "refused from now on" in owner.get(address).content.decode()
    assert key_of(organisation).revoked_at is None
    owner.post(address, {"confirmed": "yes"})
    assert key_of(organisation).revoked_at is not None


def test_only_owners_see_keys(staff_of: Any, organisation: Organisation) -> None:
    for role in (roles.MANAGER, roles.STAFF, roles.READ_ONLY):
        client = staff_of(organisation, role)
        assert client.get(page("apikey", "changelist")).status_code == 403, role
        assert client.get(page("apikey", "add")).status_code == 403, role


def role_id(name: str) -> str:
    return str(Group.objects.get(name=name).pk)


def test_someone_new_chooses_a_password_and_gets_in(
    owner: Client, organisation: Organisation, client: Client
) -> None:
    answer = owner.post(
        page("membership", "add"), {"email": "jane@example.com", "role": role_id(roles.STAFF)}
    )
    link = answer.context["link"]
    form = client.get(link, follow=True)
    password = "correct horse battery"
    done = client.post(
        form.redirect_chain[-1][0], {"new_password1": password, "new_password2": password}
    )
    assert done["Location"] == reverse("admin:login")
    login = client.post(
        reverse("admin:login"), {"username": "jane@example.com", "password": password}
    )
    assert login.status_code == 302
    assert client.get(reverse("admin:contacts_contact_changelist")).status_code == 200
    assert "used already" in Client().get(link, follow=True).content.decode()
    membership = Membership.objects.get(organisation=organisation, user__email="jane@example.com")
    again = owner.get(page("membership", "new_password_link", membership.pk), follow=True)
    assert "have a password already" in again.content.decode()


def test_staff_are_managed_by_owners(
    owner: Client, organisation: Organisation, staff_of: Any
) -> None:
    membership = rows.member(organisation)
    change = page("membership", "change", membership.pk)
    assert staff_of(organisation, roles.MANAGER).post(change, {}).status_code == 403
    owner.post(change, {"role": role_id(roles.MANAGER)})
    membership.refresh_from_db()
    assert membership.role.name == roles.MANAGER
    owner.post(page("membership", "delete", membership.pk), {"post": "yes"})
    assert not Membership.objects.filter(organisation=organisation, pk=membership.pk).exists()
    assert User.objects.filter(pk=membership.user_id).exists()


def test_the_last_owner_is_told_so(owner: Client, organisation: Organisation) -> None:
    membership = Membership.objects.get(organisation=organisation, role__name=roles.OWNER)
    refused = owner.post(
        page("membership", "change", membership.pk), {"role": role_id(roles.STAFF)}
    )
    assert "only Owner" in refused.content.decode()
    refused = owner.post(page("membership", "delete", membership.pk), {"post": "yes"}, follow=True)
    assert "only Owner" in refused.content.decode()
    assert Membership.objects.filter(pk=membership.pk, organisation=organisation).exists()


def test_the_currency_is_fixed_once_there_are_contacts(
    owner: Client, organisation: Organisation
) -> None:
    rows.contact(organisation)
    form = {
        "name": "Seaview",
        "status": "Active",
        "currency_code": "EUR",
        "country": "FR",
        "timezone": "Europe/Paris",
    }
    address = page("organisation", "change", organisation.pk)
    refused = owner.post(address, form)
    assert "currency_code" in refused.context["adminform"].form.errors
    assert owner.post(address, {**form, "currency_code": "GBP"}).status_code == 302
    organisation.refresh_from_db()
    assert (organisation.name, organisation.country) == ("Seaview", "FR")
    assert owner.get(page("organisation", "add")).status_code == 403


def test_a_superuser_makes_organisations_and_users() -> None:
    superuser = UserFactory(is_superuser=True)
    client = signed_in(superuser)
    assert "There is no organisation yet" in client.get(reverse("admin:index")).content.decode()
    answer = client.post(
        page("organisation", "add"),
        {"name": "First", "currency_code": "GBP", "country": "GB", "timezone": "Europe/London"},
    )
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert "First is ready" in client.get(reverse("admin:index")).content.decode()
    users = reverse("admin:auth_user_changelist")
    assert client.get(users).status_code == 200
    assert client.get(reverse("admin:auth_user_change", args=[superuser.pk])).status_code == 200
    assert client.get(reverse("admin:auth_user_add")).status_code == 200
    organisation = Organisation.objects.get()
    owner = signed_in(rows.member(organisation, roles.OWNER).user)
    assert owner.get(users).status_code == 403


def test_groups_and_permissions_on_a_user_count_for_nothing(organisation: Organisation) -> None:
    from django.contrib.auth.models import Permission

    user = UserFactory()
    user.groups.add(Group.objects.get(name=roles.OWNER))
    user.user_permissions.set(Permission.objects.all())
    client = signed_in(user)
    assert client.get(reverse("admin:contacts_contact_changelist")).status_code == 403


def test_the_menu_has_what_the_role_may_see(staff_of: Any, organisation: Organisation) -> None:
    owner = staff_of(organisation).get(reverse("admin:index")).content.decode()
    reader = staff_of(organisation, roles.READ_ONLY).get(reverse("admin:index")).content.decode()
    keys = page("apikey", "changelist")
    contacts = reverse("admin:contacts_contact_changelist")
    assert keys in owner
    assert keys not in reader
    assert contacts in reader


def test_the_first_page_shows_what_is_new(owner: Client, organisation: Organisation) -> None:
    assert f"{organisation.name} is ready" in owner.get(reverse("admin:index")).content.decode()
    contact = rows.contact(organisation)
    rows.activity(organisation, contact=contact)
    content = owner.get(reverse("admin:index")).content.decode()
    assert str(contact) in content
    assert "£45.00" in content


def test_guessing_passwords_is_slowed_down(organisation: Organisation, settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    user = rows.member(organisation).user
    user.set_password("password")
    user.save()
    login, client = reverse("admin:login"), Client()
    for _attempt in range(3):
        client.post(login, {"username": user.username, "password": "wrong"})
    answer = client.post(login, {"username": user.username, "password": "password"})
    assert answer.status_code == 429
    assert "Too many attempts" in answer.content.decode()


def test_pages_load_nothing_from_elsewhere(owner: Client, client: Client) -> None:
    for answer in (owner.get(reverse("admin:index")), client.get(reverse("admin:login"))):
        policy = answer["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "script-src 'self' 'unsafe-eval'" in policy
        assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
        assert "http" not in policy


@pytest.mark.parametrize("path", ["/nothing-here", "/admin/nothing-here/"])
def test_a_page_that_is_not_there_says_so_kindly(owner: Client, path: str) -> None:
    answer = owner.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


def test_a_new_organisation_is_proposed_as_a_british_one(db: None) -> None:
    form = signed_in(UserFactory(is_superuser=True)).get(page("organisation", "add"))
    fields = form.context["adminform"].form.fields
    proposed = [fields[name].initial for name in ("currency_code", "country", "timezone")]
    assert proposed == ["GBP", "GB", "Europe/London"]
