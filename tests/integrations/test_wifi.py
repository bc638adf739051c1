"""Wifi portals: a login is a contact and an activity, once a day at most."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from pytest_httpserver import HTTPServer

from activities.models import Activity
from contacts.models import Contact
from integrations import polling, services
from integrations.models import Connection, Delivery
from integrations.wifi import logins, paths
from tests.integrations.conftest import work

pytestmark = pytest.mark.django_db

GUEST = {
    "user": {
        "id": 991,
        "email": "ann@example.com",
        "firstName": "Ann",
        "lastName": "Sample",
        "mobile": "+447700900123",
        "venue": {"id": 12},
    },
    "timestamp": "2026-01-05T10:00:00Z",
}


def post(connection: Connection, body: Any, headers: Any = None) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Client().post(connection.path, raw, content_type="application/json", headers=headers)


def tell(connection: Connection, body: Any, headers: Any = None) -> Delivery:
    assert post(connection, body, headers).status_code == 200
    work()
    found: Delivery = Delivery.objects.for_organisation(connection.organisation).latest("pk")
    return found


def activities(connection: Connection) -> Any:
    return Activity.objects.for_organisation(connection.organisation).order_by("pk")


def contact(connection: Connection) -> Contact:
    found: Contact = Contact.objects.for_organisation(connection.organisation).get()
    return found


# Purple, and portals that are mapped.


def test_purple_hears_that_it_is_listened_to(connect: Callable[..., Connection]) -> None:
    purple = connect("purple", account="hotel")

    for body in (b"", b"{}", GUEST):
        answer = post(purple, body)
        assert (answer.status_code, answer.headers["wifiWebhookListener"]) == (200, "1")


def test_a_login_at_purple(connect: Callable[..., Connection]) -> None:
    purple = connect("purple", account="hotel")

    assert tell(purple, GUEST).status == "applied"

    (activity,) = activities(purple)
    assert (activity.type, activity.source) == ("Connected to wifi", "purple:hotel")
    assert activity.external_reference == "purple:hotel:991:12:2026-01-05"
    assert activity.happened_at == datetime(2026, 1, 5, 10, tzinfo=UTC)
    guest = contact(purple)
    assert (guest.first_name, guest.phone_number_e164) == ("Ann", "+447700900123")
    assert guest.external_ids.get().external_id == "991"


def test_logins_of_a_day_are_one_and_the_latest_name_is_kept(
    connect: Callable[..., Connection],
) -> None:
    purple = connect("purple", account="hotel")
    user = GUEST["user"]
    assert isinstance(user, dict)
    tell(purple, {"user": user | {"firstName": "Anna"}, "timestamp": "2026-01-05T12:00:00Z"})
    tell(purple, GUEST)
    tell(purple, {"user": user, "timestamp": "2026-01-06T09:00:00Z"})

    days = [activity.happened_at.isoformat()[:13] for activity in activities(purple)]
    assert days == ["2026-01-05T10", "2026-01-06T09"]
    assert contact(purple).first_name == "Ann"


def test_an_unknown_shape_waits_for_a_mapping(connect: Callable[..., Connection]) -> None:
    portal = connect("wifi", account="Cafe")
    delivery = tell(portal, {"visitors": [{"mail": "bob@example.com", "when": 1767607200}]})
    assert delivery.status == "failed"
    assert "change the mapping" in delivery.error

    services.change(
        connection=portal,
        options={"mapping": "email = visitors[0].mail\nat = visitors[0].when\n# no more"},
    )
    services.replay(deliveries=Delivery.objects.for_organisation(portal.organisation))
    work()

    (activity,) = activities(portal)
    assert activity.contact.email_address == "bob@example.com"
    assert activity.happened_at == datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["email", "mail = a", "email = a b", "email = ", "email = [x]", "= a"]
)
def test_a_mapping_that_cannot_be_read_says_its_line(text: str) -> None:
    with pytest.raises(paths.WrongMapping, match="Line 2"):
        paths.parse(f"# first\n{text}")


@pytest.mark.parametrize(
    ("path", "value"),
    [("a.b", 1), ("c[1].d", "x"), ("c[9].d", None), ("a.b.c", None), ("[0]", None), ("z", None)],
)
def test_paths(path: str, value: Any) -> None:
    assert paths.find({"a": {"b": 1}, "c": [{}, {"d": "x"}]}, path) == value


# Juniper Mist.

MIST = b'{"topic":"guest-authorizations","events":[{"guest_email":"ann@example.com",' + (
    b'"guest_mac":"5684dae9ac8b"}]}'
)
SIGNATURE = "87cdac251b49ab58bd204dbcf18299815107af469a094998fdc580a3832c76ff"


@pytest.fixture
def mist(connect: Callable[..., Connection]) -> Connection:
    return connect("mist", account="site", secret="mist-secret")


def test_the_vector_of_mist(mist: Connection) -> None:
    assert tell(mist, MIST, {"x-mist-signature-v2": SIGNATURE}).status == "applied"
    assert contact(mist).email_address == "ann@example.com"
    assert activities(mist).get().data["device"] == "5684dae9ac8b"


def test_its_old_signature(mist: Connection) -> None:
    old = hmac.new(b"mist-secret", MIST, hashlib.sha1).hexdigest()

    assert post(mist, MIST, {"x-mist-signature": old}).status_code == 200


@pytest.mark.parametrize(
    "headers", [{}, {"x-mist-signature-v2": "0" * 64}, {"x-mist-signature-v2": "é"}]
)
def test_a_wrong_signature_is_refused(mist: Connection, headers: dict[str, str]) -> None:
    assert post(mist, MIST, headers).status_code == 401


def test_several_events_in_a_call(mist: Connection) -> None:
    events = [{"guest_email": f"{n}@example.com", "timestamp": 1767607200} for n in range(5)]
    body = json.dumps({"topic": "guest-authorizations", "events": [*events, {}, events[0]]})
    signature = hmac.new(b"mist-secret", body.encode(), hashlib.sha256).hexdigest()

    tell(mist, body.encode(), {"x-mist-signature-v2": signature})

    assert activities(mist).count() == 5


def test_two_portals_may_have_the_same_ids(connect: Callable[..., Connection]) -> None:
    hotel, bar = connect("purple", account="hotel"), connect("purple", account="bar")

    tell(hotel, GUEST)
    tell(bar, GUEST)

    sources = activities(hotel).values_list("source", flat=True)
    assert [*sources] == ["purple:hotel", "purple:bar"]


def test_a_login_of_before_accounts_were_in_references_stays_one(
    connect: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    purple, former = connect("purple", account="hotel"), "wifi:991:12:2026-01-05"
    with monkeypatch.context() as before:
        fact = logins.Login.fact
        before.setattr(logins.Login, "fact", lambda login: replace(fact(login), reference=former))
        tell(purple, GUEST)
    (login,) = activities(purple)

    tell(purple, {**GUEST, "told": "again"})

    (same,) = activities(purple)
    assert (same.pk, same.external_reference) == (login.pk, former)


# Cisco Spaces.


def test_lines_of_the_firehose(connect: Callable[..., Connection]) -> None:
    cisco = connect("cisco-spaces", tenant_id="t-1")

    def event(uid: str, at: int) -> str:
        device = {"deviceId": "d", "userId": "u", "mobile": "+14155551234", "firstName": "Ann"}
        told = {"recordUid": uid, "recordTimestamp": at, "spacesTenantName": "Cafe"}
        return json.dumps({**told, "deviceLocationUpdate": {"device": device}})

    moment = 1767607200000
    lines = [event("1", moment), event("2", moment + 60_000), event("1", moment), "{}"]

    assert tell(cisco, "\n".join(lines).encode()).status == "applied"
    assert activities(cisco).get().external_reference == "cisco-spaces:t-1:u:Cafe:2026-01-05"
    assert contact(cisco).phone_number_e164 == "+14155551234"


# Stampede.


def test_guests_of_stampede_are_fetched(
    connect: Callable[..., Connection], httpserver: HTTPServer
) -> None:
    stampede = connect(
        "stampede",
        organisation_id="o-1",
        client_id="c",
        client_secret="s",
        api_url=httpserver.url_for("").rstrip("/"),
    )

    def guest(number: int) -> dict[str, Any]:
        return {
            "id": f"g-{number}",
            "last_interacted_at": "2026-01-05T10:00:00Z",
            "email_opt_in_at": "2026-01-01T10:00:00Z",
            "sms_opt_in_at": None,
            "user_profile": {"email": f"{number}@example.com", "first": "Ann", "phone": None},
        }

    following = httpserver.url_for("/v1/guests?cursor=2")
    httpserver.expect_request("/oauth/token").respond_with_json({"access_token": "t"})
    httpserver.expect_request("/v1/guests", query_string={"cursor": "2"}).respond_with_json(
        {"data": [guest(2)], "links": {"next": None}}
    )
    httpserver.expect_request("/v1/guests", query_string={"limit": "25"}).respond_with_json(
        {"data": [guest(1)], "links": {"next": following}}
    )

    told = list(polling.sync(stampede, datetime(2026, 1, 1, tzinfo=UTC)))

    assert [one.seen for one in told] == [1, 2]
    assert [one.contact.email_address for one in activities(stampede)] == [
        "1@example.com",
        "2@example.com",
    ]
    permissions = [one.contact.permissions.get() for one in activities(stampede)]
    assert {(one.channel, one.status) for one in permissions} == {("email", "subscribed")}
