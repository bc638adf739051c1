"""Who may ask at all: keys, and staff signed in to the admin."""

import datetime

import pytest
from django.test import Client
from django.utils import timezone

from organisations.models import ApiKey, Organisation
from organisations.services import add_member, revoke_api_key
from tests import factories
from tests.conftest import ApiClient

pytestmark = pytest.mark.django_db


def refused(answer, status=401):
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["instance"] == "/api/organisation"
    if status == 401:
        assert "x-api-key" in answer.headers["WWW-Authenticate"]


def only_key(organisation):
    return ApiKey.objects.for_organisation(organisation).get()


def test_no_key_is_401(anonymous):
    refused(anonymous.get("/organisation"))


@pytest.mark.parametrize("key", ["", "rg_unknown", "é" * 50, "x" * 5000])
def test_an_unknown_key_is_401(db, key):
    refused(ApiClient().get("/organisation", headers={"x-api-key": key}))


def test_a_revoked_key_is_401(api, organisation):
    revoke_api_key(key=only_key(organisation))
    refused(api.get("/organisation"))


def test_an_expired_key_is_401(organisation):
    soon = timezone.now() + datetime.timedelta(minutes=1)
    client = ApiClient(factories.api_key(organisation, expires_at=soon))
    assert client.get("/organisation").status_code == 200
    ApiKey.objects.for_organisation(organisation).update(expires_at=timezone.now())
    refused(client.get("/organisation"))


def test_a_suspended_organisation_is_401(api, organisation):
    Organisation.objects.filter(pk=organisation.pk).update(status="Suspended")
    refused(api.get("/organisation"))


def test_a_key_without_the_scope_is_403(organisation, api_for):
    answer = api_for(organisation, ["contacts:write"]).get("/organisation")
    refused(answer, 403)
    assert "organisation:read" in answer.json()["detail"]


def test_use_of_a_key_is_noted_once_a_minute(api, organisation):
    assert only_key(organisation).last_used_at is None
    api.get("/organisation")
    noted = only_key(organisation).last_used_at
    assert noted is not None
    api.get("/organisation")
    assert only_key(organisation).last_used_at == noted
    ApiKey.objects.for_organisation(organisation).update(
        last_used_at=noted - datetime.timedelta(minutes=2)
    )
    api.get("/organisation")
    assert only_key(organisation).last_used_at >= noted


@pytest.fixture
def member(organisation):
    """A member of staff with the role Read only."""
    from django.contrib.auth.models import Group

    role = Group.objects.get(name="Read only")
    membership, _new = add_member(organisation=organisation, email="staff@example.com", role=role)
    return membership.user


def test_staff_use_the_api_with_their_session(organisation, member):
    client = Client()
    client.force_login(member)
    assert client.get("/api/organisation").json()["id"] == organisation.pk


def test_staff_without_an_organisation_are_403(db):
    client = Client()
    client.force_login(factories.UserFactory())
    refused(client.get("/api/organisation"), 403)


def test_a_user_who_is_not_staff_is_403(db):
    client = Client()
    client.force_login(factories.UserFactory(is_staff=False))
    refused(client.get("/api/organisation"), 403)


@pytest.mark.urls("tests.api.sample")
class TestStaffPermissions:
    def test_a_role_that_may_only_read_cannot_write(self, member):
        client = Client()
        client.force_login(member)
        assert client.get("/api/samples").status_code == 200
        answer = client.post("/api/samples", {}, content_type="application/json")
        assert answer.status_code == 403

    def test_a_write_with_a_session_needs_the_csrf_token(self, organisation):
        client = Client(enforce_csrf_checks=True)
        client.force_login(factories.UserFactory(is_superuser=True))
        answer = client.post("/api/samples", {}, content_type="application/json")
        assert answer.status_code == 403
        assert "CSRF" in answer.json()["detail"]

    def test_a_key_needs_no_csrf_token(self, api, organisation):
        client = ApiClient(api.key, enforce_csrf_checks=True)
        assert client.post("/samples", {}).status_code == 422
