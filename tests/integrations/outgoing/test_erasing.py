"""What was said of a contact goes with its data, sent or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug import Response

from integrations.outgoing.models import WebhookAttempt, WebhookMessage
from tests.integrations.outgoing.conftest import Receiver, happens, new_contact, send

pytestmark = pytest.mark.django_db

Make = Callable[..., Receiver]


def bodies() -> list[str]:
    return list(WebhookMessage.objects.across_organisations().values_list("body", flat=True))


def test_a_redaction_erases_what_was_said_and_what_was_answered(
    api: Any, server: Any, jane: int
) -> None:
    server.expect_request("/hook").respond_with_handler(
        lambda request: Response(request.get_data(), 200)
    )
    endpoint = api.post(
        "/webhook-endpoints",
        {"url": server.url_for("/hook"), "eventTypes": ["contact.updated", "activity.created"]},
    ).json()["id"]
    api.patch(f"/contacts/{jane}", {"firstName": "Jane"})
    happens(api, jane, data={"note": "Allergic to nuts"})
    other = new_contact(api, "john")
    api.patch(f"/contacts/{other}", {"firstName": "John"})
    send()
    assert {one.answer for one in WebhookAttempt.objects.all()} == set(bodies())
    api.post(f"/contacts/{jane}/redact")
    kept = bodies()
    assert [text for text in kept if "Jane" in text or "nuts" in text or "jane@" in text] == []
    assert len([text for text in kept if "John" in text]) == 1
    assert [one.answer for one in WebhookAttempt.objects.filter(answer__contains="nuts")] == []
    deliveries = f"/webhook-endpoints/{endpoint}/deliveries"
    erased = api.get(f"{deliveries}?type=activity.created").json()[0]
    assert (erased["status"], erased["body"]) == ("delivered", "")
    assert api.post(f"{deliveries}/{erased['id']}/replay").status_code == 409


def test_what_was_not_sent_before_a_redaction_never_is(api: Any, receiver: Make, jane: int) -> None:
    one = receiver()
    one.answers = [500]
    api.patch(f"/contacts/{jane}", {"firstName": "Jane"})
    send()
    happens(api, jane)
    api.post(f"/contacts/{jane}/redact")
    send()
    assert one.types() == ["contact.updated", "contact.redacted"]
    assert "Jane" not in str(one.taken)
    failed = one.deliveries().filter(status="failed").get()
    assert failed.error == "The contact's data was erased."


def test_what_was_merged_into_a_contact_is_erased_with_it(
    api: Any, receiver: Make, jane: int
) -> None:
    receiver()
    john = new_contact(api, "john", firstName="John")
    api.post(f"/contacts/{jane}/merge", {"contact": john})
    api.post(f"/contacts/{jane}/redact")
    assert "John" not in "".join(bodies())


def test_a_deletion_erases_what_was_said_and_is_told(api: Any, receiver: Make, jane: int) -> None:
    one = receiver()
    john = new_contact(api, "john")
    api.delete(f"/contacts/{john}")
    api.delete(f"/contacts/{jane}")
    send()
    assert one.types() == ["contact.deleted"] * 2
    assert {said["data"]["id"] for said in one.told()} == {john, jane}
    assert "john@" not in "".join(bodies())
