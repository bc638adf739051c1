"""What endpoints are told, by type, over a real socket and checked by `standardwebhooks`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from contacts.segments import refreshing
from integrations.outgoing.types import EVENT_TYPES
from tests.integrations.outgoing.conftest import Receiver, happens, new_contact, send
from tests.workflows.running import made, work

pytestmark = pytest.mark.django_db

Make = Callable[..., Receiver]


def test_a_new_activity_is_told_as_the_api_tells_it(api: Any, receiver: Make, jane: int) -> None:
    one = receiver()
    activity = happens(api, jane, spend=4500, booking={"externalReference": "B-1"})
    send()
    assert one.types() == ["activity.created"]
    (said,) = one.told()
    assert said.keys() == {"type", "timestamp", "data"}
    assert said["data"] == activity == api.get(f"/activities/{activity['id']}").json()


def test_a_batch_is_told_one_by_one(api: Any, receiver: Make, jane: int) -> None:
    one = receiver()
    rows = [
        {"contact": jane, "type": "Login", "source": "x", "happenedAt": "2026-04-07T10:00:00Z"}
    ] * 3
    api.post("/activities/batch", {"activities": rows})
    send()
    assert one.types() == ["activity.created"] * 3
    assert len({key for key, _said in one.taken}) == 3


def test_what_was_told_already_is_not_told_again(api: Any, receiver: Make, jane: int) -> None:
    one = receiver()
    body = {"externalReference": "SO-1"}
    happens(api, jane, **body)
    again = {
        "contact": jane,
        "type": "Purchase",
        "source": "till",
        "happenedAt": "2026-04-07T14:30:00+00:00",
        **body,
    }
    assert api.post("/activities", again).status_code == 200
    send()
    assert one.types() == ["activity.created"]


def test_corrections_are_told(api: Any, receiver: Make, jane: int) -> None:
    one = receiver(eventTypes=["activity.updated", "activity.deleted"])
    activity = happens(api, jane, spend=100)["id"]
    corrected = api.patch(f"/activities/{activity}", {"spend": 90}).json()
    api.patch(f"/activities/{activity}", {"spend": 90})
    api.delete(f"/activities/{activity}")
    send()
    assert one.types() == ["activity.updated", "activity.deleted"]
    assert [said["data"] for said in one.told()] == [corrected, corrected]


def test_history_is_not_told(api: Any, receiver: Make, jane: int) -> None:
    one = receiver()
    happens(api, jane, backfill=True)
    happens(api, {"emailAddress": "new@example.com"}, backfill=True)  # type: ignore[arg-type]
    send()
    assert one.taken == []


def test_contacts_are_told_from_the_first_to_the_last(api: Any, receiver: Make, jane: int) -> None:
    one = receiver()
    john = new_contact(api, "john", firstName="John")
    created = api.get(f"/contacts/{john}").json()
    api.patch(f"/contacts/{john}", {"firstName": "Jon", "tags": ["VIP"]})
    updated = api.get(f"/contacts/{john}").json()
    api.patch(f"/contacts/{john}", {"firstName": "Jon"})
    send()
    api.delete(f"/contacts/{john}")
    send()
    assert one.types() == ["contact.created", "contact.updated", "contact.deleted"]
    assert one.told()[0]["data"] == created
    assert one.told()[1]["data"] == updated
    assert one.told()[2]["data"] == {"id": john, "organisation": created["organisation"]}


def test_a_merge_is_told(api: Any, receiver: Make, jane: int) -> None:
    john = new_contact(api, "john", firstName="John")
    one = receiver(eventTypes=["contact.merged", "contact.updated"])
    api.post(f"/contacts/{jane}/merge", {"contact": john})
    send()
    assert one.types() == ["contact.merged", "contact.updated"]
    assert {said["data"]["id"] for said in one.told()} == {jane}
    (merged,) = one.told("contact.merged")
    assert merged["data"]["mergedContact"] == john
    assert merged["data"]["firstName"] == "John"


def test_a_redaction_is_told(api: Any, receiver: Make, jane: int) -> None:
    one = receiver(eventTypes=["contact.redacted"])
    api.post(f"/contacts/{jane}/redact")
    api.post(f"/contacts/{jane}/redact")
    send()
    assert one.types() == ["contact.redacted"]
    (said,) = one.told()
    assert (said["data"]["id"], said["data"]["emailAddress"]) == (jane, None)
    assert said["data"]["redactedAt"] is not None


def test_segments_are_told(api: Any, receiver: Make, jane: int) -> None:
    one = receiver(eventTypes=["segment.entered", "segment.left"])
    rules = {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": 1}]}
    segment = api.post("/segments", {"name": "Customers", "rules": rules}).json()["id"]
    refreshing.refresh_due()
    activity = happens(api, jane)["id"]
    refreshing.refresh_due()
    api.delete(f"/activities/{activity}")
    refreshing.refresh_due()
    send()
    assert one.types() == ["segment.entered", "segment.left"]
    for said in one.told():
        assert said["data"]["segment"] == {"id": segment, "name": "Customers"}
        assert said["data"]["contact"]["id"] == jane


def test_credit_is_told(api: Any, receiver: Make, jane: int) -> None:
    one = receiver(eventTypes=["credit.granted", "credit.redeemed"])
    granted = api.post(f"/contacts/{jane}/credit", {"amount": 500}).json()
    api.post(f"/contacts/{jane}/credit/redeem", {"amount": 200})
    send()
    assert one.types() == ["credit.granted", "credit.redeemed"]
    assert [said["data"]["amount"] for said in one.told()] == [500, -200]
    del granted["balances"]
    assert one.told()[0]["data"] == granted


def test_a_failed_run_is_told(api: Any, server: HTTPServer, receiver: Make, jane: int) -> None:
    one = receiver(eventTypes=["workflow.run.failed"])
    server.expect_request("/nothing").respond_with_data("no", 404)
    call = {"type": "call_webhook", "url": server.url_for("/nothing")}
    workflow = made(api, {"type": "activity_created", "activityTypes": ["Login"]}, call)
    happens(api, jane, "Login")
    work()
    send()
    (said,) = one.told()
    runs = api.get(f"/workflows/{workflow}/runs").json()
    assert said["data"] == runs[0]
    assert said["data"]["status"] == "failed"


def test_only_what_an_endpoint_asks_for_is_sent_to_it(api: Any, receiver: Make, jane: int) -> None:
    purchases = receiver(
        "/purchases", eventTypes=["activity.created"], filters={"data.type": ["Purchase", "Refund"]}
    )
    vips = receiver("/vips", filters={"data.tags.name": ["VIP"], "data.kind": ["person"]})
    happens(api, jane)
    happens(api, jane, "Login")
    new_contact(api, "john", tags=["VIP", "Early"])
    new_contact(api, "june", tags=["Early"])
    send()
    assert [said["data"]["type"] for said in purchases.told()] == ["Purchase"]
    assert [said["data"]["emailAddress"] for said in vips.told()] == ["john@example.com"]


def test_two_endpoints_are_told_the_same_under_the_same_id(
    api: Any, receiver: Make, jane: int
) -> None:
    first, second = receiver("/first"), receiver("/second")
    happens(api, jane)
    send()
    assert first.taken == second.taken
    assert first.secret != second.secret


def test_an_endpoint_is_told_what_happens_from_now_on(api: Any, receiver: Make, jane: int) -> None:
    receiver("/first")
    happens(api, jane)
    late = receiver("/late")
    send()
    assert late.taken == []


def test_another_organisation_is_told_nothing(
    api: Any, receiver: Make, jane: int, api_for: Any, other_organisation: Any
) -> None:
    other = receiver("/other")
    happens(api_for(other_organisation), {"emailAddress": "jane@example.com"})  # type: ignore[arg-type]
    send()
    assert other.taken == []


def test_every_type_of_the_contract_is_there() -> None:
    assert EVENT_TYPES == (
        "contact.created",
        "contact.updated",
        "contact.deleted",
        "contact.merged",
        "contact.redacted",
        "activity.created",
        "activity.updated",
        "activity.deleted",
        "segment.entered",
        "segment.left",
        "credit.granted",
        "credit.redeemed",
        "workflow.run.failed",
    )
