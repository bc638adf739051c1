"""Endpoints over the API: their values, their secrets, and sending again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from integrations.outgoing.housekeeping import prune_webhooks
from integrations.outgoing.models import WebhookAttempt, WebhookMessage
from tests.integrations.outgoing.conftest import Receiver, happens, new_contact, send

pytestmark = pytest.mark.django_db

Make = Callable[..., Receiver]
URL = "https://93.184.216.34/hook"


def violations(answer: Any) -> set[str]:
    assert answer.status_code == 422, answer.content
    return {one["propertyPath"] for one in answer.json()["violations"]}


def test_an_endpoint_is_made_read_changed_and_deleted(api: Any) -> None:
    made = api.post("/webhook-endpoints", {"url": URL, "eventTypes": ["contact.created"]})
    assert made.status_code == 201
    body = made.json()
    assert made.headers["Location"] == f"/api/webhook-endpoints/{body['id']}"
    secret = body.pop("secret")
    assert body == api.get(f"/webhook-endpoints/{body['id']}").json()
    assert (body["status"], body["filters"], body["description"]) == ("active", {}, "")
    assert body["secretHint"] == f"…{secret[-4:]}"
    changed = {"description": "Till", "filters": {"data.kind": ["person"]}, "status": "paused"}
    answer = api.patch(f"/webhook-endpoints/{body['id']}", changed).json()
    assert answer == body | changed | {"updatedAt": answer["updatedAt"]}
    assert api.patch(f"/webhook-endpoints/{body['id']}", answer).status_code == 200
    assert [one["id"] for one in api.get("/webhook-endpoints?status=paused").json()] == [body["id"]]
    assert api.delete(f"/webhook-endpoints/{body['id']}").status_code == 204
    assert api.get("/webhook-endpoints").json() == []


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"url": "example.com"}, "url"),
        ({"url": ""}, "url"),
        ({"eventTypes": ["contact.made"]}, "eventTypes[0]"),
        ({"eventTypes": "contact.created"}, "eventTypes"),
        ({"filters": {"type": ["Purchase"]}}, "filters"),
        ({"filters": {"data.type": []}}, "filters"),
        ({"filters": {"data.type": [{"a": 1}]}}, "filters"),
        ({"filters": {"data.type": "Purchase"}}, "filters.data.type"),
        ({"status": "disabled"}, "status"),
        ({"secret": "whsec_mine"}, "secret"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_taken_is_named(api: Any, values: dict[str, Any], path: str) -> None:
    assert violations(api.post("/webhook-endpoints", {"url": URL, **values})) == {path}
    assert api.get("/webhook-endpoints").json() == []


# Secrets


def test_the_secret_is_told_once_and_kept_encrypted(api: Any) -> None:
    made = api.post("/webhook-endpoints", {"url": URL}).json()
    pk, secret = made["id"], made["secret"]
    assert secret.startswith("whsec_")
    for answer in (
        api.get(f"/webhook-endpoints/{pk}"),
        api.get("/webhook-endpoints"),
        api.patch(f"/webhook-endpoints/{pk}", {"description": "x"}),
    ):
        assert secret not in answer.content.decode()
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM integrations_webhookendpoint WHERE id = %s", [pk])
        assert secret.removeprefix("whsec_") not in cursor.fetchone()[0]


def test_for_a_day_after_a_change_both_secrets_verify(api: Any, receiver: Make, jane: int) -> None:
    one = receiver()
    former = one.secret
    answer = api.post(f"/webhook-endpoints/{one.id}/rotate-secret").json()
    one.secret = answer["secret"]
    assert one.secret != former

    def verifies(secret: str) -> bool:
        headers, body = one.requests[-1]
        try:
            Webhook(secret).verify(body, {name.lower(): text for name, text in headers.items()})
        except WebhookVerificationError:
            return False
        return True

    happens(api, jane)
    send()
    assert (verifies(one.secret), verifies(former)) == (True, True)
    assert len(one.requests[-1][0]["Webhook-Signature"].split(" ")) == 2
    with time_machine.travel(timezone.now() + timedelta(hours=24, seconds=1)):
        happens(api, jane)
        send()
        assert (verifies(one.secret), verifies(former)) == (True, False)


def test_a_second_change_keeps_the_secret_before_it(api: Any, receiver: Make, jane: int) -> None:
    one = receiver()
    rotate = f"/webhook-endpoints/{one.id}/rotate-secret"
    one.secret = api.post(rotate).json()["secret"]
    api.post(rotate)
    happens(api, jane)
    send()
    assert len(one.taken) == 1


def test_a_secret_that_cannot_be_read_any_more_is_a_failed_attempt(
    api: Any, receiver: Make, jane: int, settings: Any
) -> None:
    one = receiver()
    happens(api, jane)
    settings.SECRET_KEY = "another" * 10
    send()
    (attempt,) = one.delivery().attempts.all()
    assert "another SECRET_KEY" in attempt.error
    assert api.get(f"/webhook-endpoints/{one.id}").json()["secretHint"] == "…"


# Pausing


def test_what_a_paused_endpoint_misses_is_sent_when_it_goes_on(
    api: Any, receiver: Make, jane: int
) -> None:
    one = receiver()
    api.patch(f"/webhook-endpoints/{one.id}", {"status": "paused"})
    happens(api, jane)
    assert send() == 0
    api.patch(f"/webhook-endpoints/{one.id}", {"status": "active"})
    send()
    assert one.types() == ["activity.created"]


def test_a_deleted_endpoint_is_told_nothing_any_more(api: Any, receiver: Make, jane: int) -> None:
    one = receiver()
    happens(api, jane)
    send()
    happens(api, jane)
    api.delete(f"/webhook-endpoints/{one.id}")
    assert send() == 0
    happens(api, jane)
    assert WebhookMessage.objects.across_organisations().count() == 2
    assert WebhookAttempt.objects.count() == 0


# Looking into it, and sending again


def test_deliveries_are_listed_and_narrowed(
    api: Any, receiver: Make, jane: int, django_assert_max_num_queries: Any
) -> None:
    one = receiver()
    one.answers = [500]
    john = new_contact(api, "john")
    send()
    happens(api, jane)
    happens(api, jane)
    send()
    path = f"/webhook-endpoints/{one.id}/deliveries"
    with django_assert_max_num_queries(5):
        # The key, its last use, the endpoint, the deliveries with their messages, the attempts.
        listed = api.get(path).json()
    assert [row["type"] for row in listed] == ["activity.created"] * 2 + ["contact.created"]
    assert listed[0]["body"].encode() in {body for _headers, body in one.requests}
    assert api.get(f"{path}/{listed[0]['id']}").json() == listed[0]

    def narrowed(query: str) -> list[int]:
        return [row["id"] for row in api.get(f"{path}?{query}").json()]

    ids = [row["id"] for row in listed]
    assert narrowed("status=delivered") == ids[:2]
    assert narrowed("status=pending") == ids[2:]
    assert narrowed("type=contact.created") == narrowed(f"contact={john}") == ids[2:]
    assert narrowed(f"messageId={listed[1]['messageId']}") == ids[1:2]
    assert narrowed("createdAt[before]=2020-01-01") == []
    assert api.get(f"{path}?status=lost").status_code == 400


def test_one_is_sent_again_under_the_same_id(api: Any, receiver: Make, jane: int) -> None:
    one = receiver()
    happens(api, jane)
    send()
    path = f"/webhook-endpoints/{one.id}/deliveries/{one.delivery().pk}"
    answer = api.post(f"{path}/replay")
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    send()
    assert len(one.taken) == 2
    assert one.taken[0] == one.taken[1]
    told = api.get(path).json()
    assert (told["status"], len(told["attempts"])) == ("delivered", 2)


def test_all_that_failed_in_a_time_is_sent_again(api: Any, receiver: Make, jane: int) -> None:
    one = receiver(eventTypes=["activity.created"])
    now = timezone.now().replace(microsecond=0)
    days = [now + timedelta(days=number) for number in range(1, 6)]
    with time_machine.travel(now, tick=False) as clock:
        one.answers = [410]
        for number, day in enumerate(days[:4]):
            clock.move_to(day)
            happens(api, jane, spend=number)
        send()
        api.patch(f"/webhook-endpoints/{one.id}", {"status": "active"})
        clock.move_to(days[4])
        happens(api, jane, spend=4)
        send()
        path = f"/webhook-endpoints/{one.id}/replay"
        some = {"since": days[1].isoformat(), "until": days[2].isoformat()}
        assert api.post(path, some).json() == {"replayed": 2}
        send()
        assert [said["data"]["spend"] for said in one.told()] == [4, 1, 2]
        assert api.post(path, {"since": days[1].isoformat()}).json() == {"replayed": 1}
        delivered = {"since": days[2].isoformat(), "status": "delivered"}
        assert api.post(path, delivered).json() == {"replayed": 2}
    assert violations(api.post(path, {})) == {"since"}


def test_a_disabled_endpoint_must_be_made_active_before_a_replay(
    api: Any, receiver: Make, jane: int
) -> None:
    one = receiver()
    one.answers = [410]
    happens(api, jane)
    send()
    path = f"/webhook-endpoints/{one.id}"
    again = f"{path}/deliveries/{one.delivery().pk}/replay"
    assert api.post(again).status_code == 409
    assert api.post(f"{path}/replay", {"since": "2020-01-01T00:00:00Z"}).status_code == 409
    api.patch(path, {"status": "active"})
    assert api.post(again).status_code == 200
    send()
    assert one.types() == ["activity.created"]


def test_old_messages_are_forgotten(api: Any, receiver: Make, jane: int, settings: Any) -> None:
    one = receiver()
    settings.WEBHOOKS_KEEP_DAYS = 30
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        happens(api, jane)
        send()
    with time_machine.travel(timezone.now() + timedelta(days=20)):
        happens(api, jane)
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        prune_webhooks()
    assert WebhookMessage.objects.across_organisations().count() == 1
    assert one.deliveries().count() == 0
    assert WebhookAttempt.objects.count() == 0
