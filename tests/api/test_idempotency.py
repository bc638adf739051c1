"""The same POST twice is one effect and one answer."""

import datetime
import threading

import pytest
from django.db import connection, connections
from django.utils import timezone

from contacts.models import ReferralInvite
from crm.api import idempotency
from crm.api.models import IdempotentRequest
from tests import factories
from tests.api.sample import SampleViewSet, invite
from tests.conftest import ApiClient

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.sample")]


@pytest.fixture
def contact(organisation):
    return invite(organisation).contact


def post(client, data, key="k1", path="/samples"):
    return client.post(path, data, headers={"idempotency-key": key})


def count(organisation):
    return ReferralInvite.objects.for_organisation(organisation).count()


def same(first, second):
    assert second.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert second.status_code == first.status_code
    assert second.content == first.content
    for header in ("Location", "ETag", "Content-Type"):
        assert second.headers.get(header) == first.headers.get(header)


def test_a_repeated_post_is_answered_as_before(api, organisation, contact):
    first = post(api, {"contact": contact.pk})
    assert first.status_code == 201
    there = count(organisation)
    same(first, post(api, {"contact": contact.pk}))
    assert count(organisation) == there


def test_another_key_is_another_request(api, organisation, contact):
    first = post(api, {"contact": contact.pk, "code": "A"})
    second = post(api, {"contact": contact.pk, "code": "B"}, key="k2")
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/samples", {"code": "other"}),
        ("/samples?dryRun=true", {}),
        ("/samples/batch", {}),
    ],
)
def test_the_same_key_with_another_request_is_422(api, contact, path, body):
    post(api, {"contact": contact.pk})
    answer = post(api, {"contact": contact.pk, **body}, path=path)
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.json()["detail"]


def test_keys_belong_to_an_organisation(api, api_for, contact, other_organisation):
    post(api, {"contact": contact.pk})
    theirs = invite(other_organisation).contact
    answer = post(api_for(other_organisation), {"contact": theirs.pk})
    assert answer.status_code == 201
    assert answer.json()["contact"] == theirs.pk


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_of_no_use_is_400(api, contact, key):
    assert post(api, {"contact": contact.pk}, key=key).status_code == 400


def test_255_characters_are_a_key(api, contact):
    assert post(api, {"contact": contact.pk}, key="x" * 255).status_code == 201


def test_a_refusal_is_answered_as_before(api):
    first = post(api, {"contact": 99})
    assert first.status_code == 422
    same(first, post(api, {"contact": 99}))


def test_a_conflict_writes_nothing_and_is_answered_as_before(api, organisation, contact):
    there = ReferralInvite.objects.for_organisation(organisation).get()
    body = {"contact": contact.pk, "code": there.code, "status": "Pending"}
    first = post(api, body)
    assert first.status_code == 409
    same(first, post(api, body))


def test_a_failure_of_ours_is_not_kept(api, organisation, contact, monkeypatch):
    api.raise_request_exception = False
    body = {"contact": contact.pk, "code": "break"}
    before = count(organisation)
    assert post(api, body).status_code == 500
    assert not IdempotentRequest.objects.exists()

    def effect_then_failure(self, serializer):
        invite(self.organisation, code="half")
        raise RuntimeError("half way")

    with monkeypatch.context() as patch:
        patch.setattr(SampleViewSet, "perform_create", effect_then_failure)
        assert post(api, {"contact": contact.pk}).status_code == 500
    assert count(organisation) == before
    assert post(api, {"contact": contact.pk}).status_code == 201


def test_a_lacking_scope_is_not_kept(organisation, api_for, contact):
    body = {"contact": contact.pk}
    assert post(api_for(organisation, ["contacts:read"]), body).status_code == 403
    assert post(api_for(organisation, ["contacts:write"]), body).status_code == 201


def running(organisation, started_at, fingerprint="f"):
    return IdempotentRequest.objects.create(
        organisation=organisation, key="k1", fingerprint=fingerprint, started_at=started_at
    )


def test_while_the_first_runs_the_second_is_409(api, organisation, contact, monkeypatch):
    running(organisation, timezone.now())
    monkeypatch.setattr(idempotency, "_fingerprint", lambda view: "f")
    answer = post(api, {"contact": contact.pk})
    assert answer.status_code == 409
    assert answer.headers["Retry-After"] == "1"


def test_a_request_whose_process_died_is_taken_over(api, organisation, contact, monkeypatch):
    running(organisation, timezone.now() - idempotency.LEASE - datetime.timedelta(seconds=2))
    monkeypatch.setattr(idempotency, "_fingerprint", lambda view: "f")
    first = post(api, {"contact": contact.pk})
    assert first.status_code == 201
    same(first, post(api, {"contact": contact.pk}))


def test_one_that_was_only_slow_leaves_the_effect_to_who_took_over(
    api, organisation, contact, monkeypatch
):
    ours = SampleViewSet.perform_create

    def slow(self, serializer):
        IdempotentRequest.objects.update(started_at=timezone.now() + idempotency.LEASE)
        return ours(self, serializer)

    monkeypatch.setattr(SampleViewSet, "perform_create", slow)
    before = count(organisation)
    assert post(api, {"contact": contact.pk, "code": "late"}).status_code == 409
    assert count(organisation) == before


def test_after_24_hours_a_key_is_new(api, organisation, contact):
    first = post(api, {"contact": contact.pk, "code": "A"})
    IdempotentRequest.objects.update(started_at=timezone.now() - datetime.timedelta(hours=25))
    second = post(api, {"contact": contact.pk, "code": "B"})
    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]
    assert IdempotentRequest.objects.count() == 1


def test_old_records_are_pruned(api, contact):
    post(api, {"contact": contact.pk})
    assert idempotency.prune_idempotent_requests() == 0
    IdempotentRequest.objects.update(started_at=timezone.now() - datetime.timedelta(hours=25))
    assert idempotency.prune_idempotent_requests() == 1


def test_a_batch_is_answered_as_before(api, contact):
    body = {"samples": [{"contact": contact.pk}, {"contact": 0}]}
    first = post(api, body, path="/samples/batch")
    assert [row["status"] for row in first.json()["results"]] == [201, 422]
    same(first, post(api, body, path="/samples/batch"))


def test_staff_may_repeat_a_post_too(organisation, contact):
    from django.contrib.auth.models import Group
    from django.test import Client

    from organisations.models import Membership

    user = factories.UserFactory()
    Membership.objects.create(
        organisation=organisation, user=user, role=Group.objects.get(name="Owner")
    )
    client = Client()
    client.force_login(user)
    send = lambda: client.post(  # noqa: E731
        "/api/samples",
        {"contact": contact.pk},
        content_type="application/json",
        headers={"idempotency-key": "k1"},
    )
    same(send(), send())


def test_other_methods_ignore_the_key(api, organisation, contact):
    row = ReferralInvite.objects.for_organisation(organisation).get()
    for code in ("A", "B"):
        answer = api.patch(f"/samples/{row.pk}", {"code": code}, headers={"idempotency-key": "k1"})
        assert answer.json()["code"] == code


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_one_effect(organisation, contact):
    key = factories.api_key(organisation)
    answers, barrier = [], threading.Barrier(6)

    def ask():
        barrier.wait()
        try:
            answers.append(post(ApiClient(key), {"contact": contact.pk, "code": "ONE"}))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # 503: the tests' SQLite is in memory, where a writer does not wait for another.
    allowed = {201, 409} | ({503} if connection.vendor == "sqlite" else set())
    assert {answer.status_code for answer in answers} <= allowed
    assert ReferralInvite.objects.for_organisation(organisation).filter(code="ONE").count() == 1
    done = [a for a in answers if a.status_code == 201]
    assert len({answer.content for answer in done}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in done) == 1
