"""Webhooks in the admin: made, tried, looked into, told again, by whom it may concern."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from integrations.outgoing.admin import values
from integrations.outgoing.admin.forms import GROUPS
from integrations.outgoing.models import WebhookDelivery, WebhookEndpoint
from integrations.outgoing.types import EVENT_TYPES
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.integrations.outgoing.conftest import Receiver, happens, send

pytestmark = pytest.mark.django_db

Make = Callable[..., Receiver]
URL = "https://93.184.216.34/hook"
BUTTONS = ("test", "pause", "resume")


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:integrations_webhookendpoint_{name}", args=args)


def told_page(name: str, *args: Any) -> str:
    return reverse(f"admin:integrations_webhookdelivery_{name}", args=args)


def typed(**given: Any) -> dict[str, Any]:
    return {
        "url": URL,
        "description": "Till",
        "filters_path": [""],
        "filters_values": [""],
        **given,
    }


def said(answer: Any) -> str:
    return str(answer.content.decode())


# The form


def test_an_endpoint_is_made_and_its_secret_shown_once(
    owner: Client, organisation: Organisation
) -> None:
    form = typed(
        event_types=["contact.created", "activity.created"],
        filters_path=["data.type", ""],
        filters_values=['Purchase, "12", 12, true', ""],
    )
    answer = owner.post(page("add"), form)

    made = WebhookEndpoint.objects.for_organisation(organisation).get()
    assert (made.url, made.description, made.status) == (URL, "Till", "active")
    assert made.event_types == ["contact.created", "activity.created"]
    assert made.filters == {"data.type": ["Purchase", "12", 12, True]}
    secret = made.secret.open()
    assert secret in said(answer)
    assert "no-store" in answer["Cache-Control"]
    shown = said(owner.get(page("change", made.pk)))
    assert secret not in shown
    assert "Purchase, &quot;12&quot;, 12, true" in shown


def test_saving_what_is_shown_changes_nothing(owner: Client, organisation: Organisation) -> None:
    filters = {"data.type": ["a, b", 'say "x"'], "data.kind": [None, 1.5]}
    made = rows.endpoint(organisation, event_types=["segment.left"], filters=filters)
    form = owner.get(page("change", made.pk)).context["adminform"].form
    shown = form["filters"].value()
    assert not form.fields["filters"].has_changed(filters, shown)

    owner.post(
        page("change", made.pk),
        typed(
            event_types=form["event_types"].value(),
            filters_path=[path for path, _text in shown],
            filters_values=[text for _path, text in shown],
        ),
    )

    made.refresh_from_db()
    assert (made.filters, made.event_types) == (filters, ["segment.left"])
    assert made.description == "Till"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"url": "http://localhost/hook"}, "private address"),
        ({"url": "hook"}, "Give an address such as"),
        ({"event_types": ["contact.born"]}, "Select a valid choice"),
        ({"filters_path": ["type"], "filters_values": ["x"]}, "is no path into a message"),
        ({"filters_path": ["data.type"], "filters_values": [""]}, "say what is wanted there"),
        ({"filters_path": ["data.type"], "filters_values": ['"x']}, "close each quotation mark"),
    ],
)
def test_what_is_wrong_is_said_beside_it(
    owner: Client, organisation: Organisation, given: dict[str, Any], error: str, settings: Any
) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = []
    answer = owner.post(page("add"), typed(**given))

    assert error in said(answer)
    assert not WebhookEndpoint.objects.for_organisation(organisation).exists()


def test_there_is_a_box_for_each_event_type() -> None:
    boxes = [type for _group, kinds in GROUPS for type, _label in kinds]
    assert sorted(boxes) == sorted(EVENT_TYPES)


plain = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)


@given(st.lists(plain, max_size=5))
def test_values_are_read_as_they_are_written(found: list[Any]) -> None:
    read = values.read(values.written(found))
    assert [(type(one), one) for one in read] == [(type(one), one) for one in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (" , ,", []),
        ("Tea room, Bar", ["Tea room", "Bar"]),
        ("5, 05, 1e999", [5, "05", "1e999"]),
        ('"a, b" , c"d', ["a, b", 'c"d']),
    ],
)
def test_what_people_type_is_understood(text: str, found: list[Any]) -> None:
    assert values.read(text) == found


# How it does


def test_the_list_and_the_page_say_how_it_does(owner: Client, organisation: Organisation) -> None:
    one = rows.endpoint(organisation, description="One")
    since = timezone.now() - timedelta(hours=2)
    WebhookEndpoint.objects.for_organisation(organisation).filter(pk=one.pk).update(
        failing_since=since, failures_in_a_row=12
    )
    rows.told(organisation, endpoint=one, status="failed")
    rows.told(organisation, endpoint=one, status="pending", due_at=since)
    gone = rows.endpoint(organisation, description="Gone")
    WebhookEndpoint.objects.for_organisation(organisation).filter(pk=gone.pk).update(
        status="disabled", status_reason="It answered 410."
    )

    listed = said(owner.get(page("changelist")))
    assert "Failing" in listed
    assert "12 failures in a row since" in listed
    assert "It answered 410." in listed
    shown = owner.get(page("change", one.pk))
    assert "Failing since" in said(shown)
    health = dict(shown.context["health"])
    assert (health["Failed since yesterday"], health["To be sent"]) == ("1", "1")
    assert "Switched off." in said(owner.get(page("change", gone.pk)))


def test_what_its_page_costs_does_not_grow(owner: Client, organisation: Organisation) -> None:
    endpoint = rows.endpoint(organisation)
    delivery = rows.told(organisation, endpoint=endpoint)

    def cost(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert owner.get(address).status_code == 200
        return len(captured)

    addresses = page("change", endpoint.pk), told_page("change", delivery.pk)
    for address in addresses:
        cost(address)
    before = [cost(address) for address in addresses]
    # Who asks (4), the tasks that are due, the endpoint twice, three figures; the delivery twice
    # with its message and its endpoint, the attempts.
    assert before <= [10, 10]
    for number in range(20):
        rows.told(organisation, endpoint=endpoint, status=("failed", "delivered")[number % 2])
        delivery.attempts.create(started_at=timezone.now(), status=500)
    assert [cost(address) for address in addresses] == before


def test_without_any_the_list_says_what_to_do(owner: Client) -> None:
    assert "No other system is told of anything yet" in said(owner.get(page("changelist")))
    assert "There is no webhook yet" in said(owner.get(told_page("changelist")))


def test_the_menu_has_them(owner: Client) -> None:
    assert page("changelist") in said(owner.get(reverse("admin:index")))


# What is done with it


def test_a_test_is_sent_at_once_and_kept(owner: Client, receiver: Make) -> None:
    one = receiver(eventTypes=["contact.created"])

    assert "It took the test." in said(owner.post(page("test", one.id), follow=True))
    assert one.types() == ["webhook.test"]  # and its signature holds
    delivery = one.delivery()
    assert (delivery.status, delivery.tries, delivery.due_at) == ("delivered", 1, None)
    assert one.statuses() == [200]


def test_a_test_that_fails_says_why_and_switches_nothing_off(owner: Client, receiver: Make) -> None:
    one = receiver()
    one.answers = [410]

    answer = said(owner.post(page("test", one.id), follow=True))

    assert "It did not take the test: HTTP 410" in answer
    assert (one.endpoint().status, one.endpoint().failing_since) == ("active", None)
    assert send() == 0  # it is not tried again


def test_it_is_paused_and_goes_on(owner: Client, api: Any, receiver: Make, jane: int) -> None:
    one = receiver()
    owner.post(page("pause", one.id))
    assert one.endpoint().status == "paused"
    happens(api, jane)
    assert send() == 0

    owner.post(page("resume", one.id))
    send()
    assert one.types() == ["activity.created"]


def test_a_new_secret_is_shown_once_and_the_former_holds_for_a_day(
    owner: Client, api: Any, receiver: Make, jane: int
) -> None:
    one = receiver()
    former = one.secret
    assert f"ends in …{former[-4:]}" in said(owner.get(page("new_secret", one.id)))

    answer = owner.post(page("new_secret", one.id), {"confirmed": "yes"})

    one.secret = one.endpoint().secret.open()
    assert one.secret in said(answer)
    assert "no-store" in answer["Cache-Control"]
    happens(api, jane)
    send()
    headers, body = one.requests[-1]
    for secret in (former, one.secret):
        Webhook(secret).verify(body, {name.lower(): text for name, text in headers.items()})


def test_deleting_says_what_goes_with_it_and_asks(
    owner: Client, organisation: Organisation
) -> None:
    made = rows.told(organisation).endpoint
    assert "is told nothing any more" in said(owner.get(page("delete", made.pk)))
    owner.post(page("delete", made.pk), {"post": "yes"})
    assert not WebhookEndpoint.objects.for_organisation(organisation).exists()


def test_nothing_is_done_by_a_mere_look(owner: Client, organisation: Organisation) -> None:
    made = rows.endpoint(organisation)
    for name in BUTTONS:
        assert owner.get(page(name, made.pk)).status_code == 404


# What it was told


def ids(answer: Any) -> set[int]:
    return {row.pk for row in answer.context["cl"].result_list}


def test_deliveries_are_listed_by_endpoint_status_message_and_time(
    owner: Client, organisation: Organisation
) -> None:
    one, other = rows.endpoint(organisation), rows.endpoint(organisation)
    failed = rows.told(organisation, endpoint=one, status="failed").pk
    waits = rows.told(organisation, endpoint=one, status="pending", due_at=timezone.now()).pk
    old = rows.told(
        organisation,
        endpoint=one,
        type="segment.left",
        created_at=timezone.now() - timedelta(days=9),
    ).pk
    elsewhere = rows.told(organisation, endpoint=other).pk

    def shown(**query: Any) -> set[int]:
        return ids(owner.get(told_page("changelist"), query))

    assert shown() == {elsewhere}  # the newest endpoint
    assert shown(of=one.pk) == {failed, waits, old}
    assert shown(of=one.pk, how="failed") == {failed}
    assert shown(of=one.pk, how="pending") == {waits}
    assert shown(of=one.pk, about="segment.left") == {old}
    week = (timezone.now() - timedelta(days=7)).date().isoformat()
    assert shown(of=one.pk, happened_from=week) == {failed, waits}


def test_a_delivery_shows_what_was_sent_and_each_attempt(
    owner: Client, api: Any, receiver: Make, jane: int
) -> None:
    one = receiver()
    one.answers = [503]
    happens(api, jane, source="the <b>till</b>")
    send()
    delivery = one.delivery()

    shown = said(owner.get(told_page("change", delivery.pk)))

    assert delivery.message.key in shown
    assert "the &lt;b&gt;till&lt;/b&gt;" in shown
    assert "answer 503" in shown
    assert one.secret not in shown


def test_one_is_sent_again_once_that_is_confirmed(
    owner: Client, api: Any, receiver: Make, jane: int
) -> None:
    one = receiver()
    happens(api, jane)
    send()
    address = told_page("replay", one.delivery().pk)
    assert "by which a receiver knows repetitions" in said(owner.get(address))
    assert send() == 0

    owner.post(address, {"confirmed": "yes"})
    send()

    assert len({key for key, _said in one.taken}) == 1
    assert one.statuses() == [200, 200]


def test_those_that_are_chosen_are_sent_again(owner: Client, organisation: Organisation) -> None:
    endpoint = rows.endpoint(organisation)
    chosen = [rows.told(organisation, endpoint=endpoint, status="failed").pk for _ in range(2)]
    left = rows.told(organisation, endpoint=endpoint, status="failed").pk

    answer = owner.post(
        f"{told_page('changelist')}?of={endpoint.pk}",
        {"action": "replay_chosen", "_selected_action": chosen, "confirmed": "yes"},
        follow=True,
    )

    assert "2 deliveries are sent again." in said(answer)
    pending = WebhookDelivery.objects.for_organisation(organisation).filter(status="pending")
    assert set(pending.values_list("pk", flat=True)) == set(chosen)
    assert left not in chosen


def test_those_of_a_time_are_sent_again(owner: Client, organisation: Organisation) -> None:
    endpoint = rows.endpoint(organisation)
    now = timezone.now()
    for days in (0, 1, 3, 9):
        rows.told(
            organisation,
            endpoint=endpoint,
            status="failed",
            created_at=now - timedelta(days=days),
        )
    rows.told(organisation, endpoint=endpoint, created_at=now - timedelta(days=2))
    rows.told(organisation, status="failed", created_at=now - timedelta(days=2))

    def asked(since: int, until: int | None, status: str = "failed") -> str:
        form = {
            "confirmed": "yes",
            "status": status,
            "since": _local(now - timedelta(days=since)),
            "until": _local(now - timedelta(days=until)) if until is not None else "",
        }
        return said(owner.post(page("replay", endpoint.pk), form, follow=True))

    assert "That is before its beginning." in asked(1, 2)
    assert "1 delivery is sent again." in asked(4, 2)
    assert "2 deliveries are sent again." in asked(4, None)
    assert "1 delivery is sent again." in asked(4, None, "delivered")


def _local(moment: Any) -> str:
    return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M")


def test_nothing_is_sent_again_to_one_that_is_switched_off(
    owner: Client, organisation: Organisation
) -> None:
    delivery = rows.told(organisation, status="failed")
    WebhookEndpoint.objects.for_organisation(organisation).update(status="disabled")

    answer = owner.post(told_page("replay", delivery.pk), {"confirmed": "yes"}, follow=True)

    assert "This endpoint is disabled" in said(answer)
    delivery.refresh_from_db()
    assert delivery.status == "failed"


# Who may


@pytest.mark.parametrize("role", [roles.READ_ONLY, roles.STAFF, roles.MANAGER])
def test_who_may_only_look_does_nothing(
    staff_of: Callable[..., Client], organisation: Organisation, role: str
) -> None:
    delivery = rows.told(organisation, status="failed")
    endpoint = delivery.endpoint
    client = staff_of(organisation, role)

    shown = client.get(page("change", endpoint.pk))
    assert shown.status_code == 200
    assert "Send a test" not in said(shown)
    assert client.get(told_page("change", delivery.pk)).status_code == 200
    assert client.get(page("add")).status_code == 403
    for address in (
        *(page(name, endpoint.pk) for name in (*BUTTONS, "replay", "new_secret", "delete")),
        told_page("replay", delivery.pk),
    ):
        answer = client.post(address, {"confirmed": "yes", "post": "yes"})
        assert answer.status_code in (403, 404), address
    chosen = {"action": "replay_chosen", "_selected_action": [delivery.pk], "confirmed": "yes"}
    client.post(f"{told_page('changelist')}?of={endpoint.pk}", chosen)
    delivery.refresh_from_db()
    assert delivery.status == "failed"


def test_the_buttons_of_another_organisation_are_not_there(
    owner: Client, other_organisation: Organisation
) -> None:
    foreign = rows.endpoint(other_organisation)
    for name in (*BUTTONS, "replay"):
        assert owner.post(page(name, foreign.pk), {"confirmed": "yes"}).status_code == 404, name
