"""`call_webhook`: another system is told, signed, and only where it may be."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from activities import services as activities
from contacts.models import Contact
from organisations.models import Organisation
from tests.workflows.moments import contact_of, moment_of, refused, run, simulate
from workflows.messages import configuration
from workflows.steps.base import Done, GiveUp, Retry

pytestmark = pytest.mark.django_db


@pytest.fixture
def jane(organisation: Organisation) -> Contact:
    return contact_of(organisation)


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = ["127.0.0.0/8"]


def call(server: HTTPServer, **more: Any) -> dict[str, Any]:
    return {"type": "call_webhook", "url": server.url_for("/hook"), **more}


def test_the_call_is_signed_and_says_who_it_is_about(httpserver: HTTPServer, jane: Contact) -> None:
    httpserver.expect_request("/hook", method="POST").respond_with_data("taken", 202)
    activity, _created = activities.record(
        organisation=jane.organisation,
        contact=jane,
        type="Purchase",
        source="till",
        happened_at=datetime(2026, 4, 7, 11, 0, tzinfo=UTC),
        spend=4500,
    )
    data = {"greeting": "Hi {{ contact.firstName }}", "list": [1, "{{ activity.spend | money }}"]}
    step = call(httpserver, data=data, headers={"Authorization": "Bearer x"})
    moment = moment_of(jane, step, activity=activity)
    outcome = run(moment)
    assert isinstance(outcome, Done)
    assert (outcome.output["status"], outcome.output["answer"]) == (202, "taken")

    ((request, _response),) = httpserver.log
    body = request.get_data()
    told = json.loads(body)
    assert told["type"] == "workflow.step"
    assert told["timestamp"] == "2026-04-07T12:00:00+00:00"
    assert told["data"]["workflow"]["name"] == "Thank you"
    assert (told["data"]["run"], told["data"]["step"]) == (moment.run.pk, "step")
    assert told["data"]["contact"]["emailAddress"] == "jane@example.com"
    assert told["data"]["contact"]["totalSpend"] == 4500
    assert told["data"]["activity"]["spend"] == 4500
    assert told["data"]["custom"] == {"greeting": "Hi Jane", "list": [1, "£45.00"]}

    headers = request.headers
    assert headers["Authorization"] == "Bearer x"
    assert headers["Content-Type"] == "application/json"
    assert headers["webhook-id"].startswith(moment.idempotency_key)
    secret = configuration.kept(jane.organisation).webhook_secret
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"


def test_a_second_attempt_has_the_same_id(httpserver: HTTPServer, jane: Contact) -> None:
    httpserver.expect_request("/hook").respond_with_data("ok")
    moment = moment_of(jane, call(httpserver))
    run(moment)
    moment.now += timedelta(minutes=5)
    run(moment)
    first, second = (request.headers for request, _response in httpserver.log)
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-timestamp"] != second["webhook-timestamp"]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_tried_again(httpserver: HTTPServer, jane: Contact, status: int) -> None:
    httpserver.expect_request("/hook").respond_with_data(
        "busy", status, headers={"Retry-After": "60"}
    )
    with pytest.raises(Retry, match=f"HTTP {status} busy") as raised:
        run(moment_of(jane, call(httpserver)))
    assert raised.value.after == timedelta(minutes=1)


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
def test_what_is_refused_fails_the_step(httpserver: HTTPServer, jane: Contact, status: int) -> None:
    httpserver.expect_request("/hook").respond_with_data("no", status)
    with pytest.raises(GiveUp, match=f"HTTP {status} no"):
        run(moment_of(jane, call(httpserver)))


def test_a_redirect_fails_the_step(httpserver: HTTPServer, jane: Contact) -> None:
    httpserver.expect_request("/hook").respond_with_response(
        Response(status=307, headers={"Location": httpserver.url_for("/inside")})
    )
    with pytest.raises(GiveUp, match="redirects are not followed"):
        run(moment_of(jane, call(httpserver)))
    assert len(httpserver.log) == 1


def test_nobody_there_is_tried_again(jane: Contact) -> None:
    with pytest.raises(Retry, match="No answer"):
        run(moment_of(jane, {"type": "call_webhook", "url": "http://127.0.0.1:1/"}))


def test_an_address_that_became_private_is_not_called(
    httpserver: HTTPServer, jane: Contact, settings: Any
) -> None:
    step = call(httpserver)
    settings.WEBHOOKS_ALLOW_PRIVATE = []
    with pytest.raises(GiveUp, match="private address"):
        run(moment_of(jane, step))
    assert httpserver.log == []


def test_a_simulation_calls_nobody(httpserver: HTTPServer, jane: Contact) -> None:
    outcome = simulate(moment_of(jane, call(httpserver, data={"x": "{{ contact.name }}"})))
    assert isinstance(outcome, Done)
    assert json.loads(outcome.output["body"])["data"]["custom"] == {"x": "Jane Hull"}
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"url": ""}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "http://93.184.216.34/"}, "url"),
        ({"url": ["https://example.com"]}, "url"),
        ({"data": []}, "data"),
        ({"data": {"a": {"b": ["{{ contact.nam }}"]}}}, "data.a.b[0]"),
        ({"data": {"a": "x" * 70_000}}, "data"),
        ({"headers": []}, "headers"),
        ({"headers": {"X-A": 1}}, "headers.X-A"),
        ({"headers": {"X A": "1"}}, "headers.X A"),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "headers.X-A"),
        ({"headers": {"webhook-id": "1"}}, "headers.webhook-id"),
        ({"headers": {"Content-Length": "1"}}, "headers.Content-Length"),
        ({"headers": {"HOST": "inside"}}, "headers.HOST"),
    ],
)
def test_what_cannot_be_called_cannot_be_saved(
    organisation: Organisation, given: dict[str, Any], path: str
) -> None:
    step = {"type": "call_webhook", "url": "https://93.184.216.34/hook"}
    assert refused(organisation, step) == {}
    assert list(refused(organisation, step | given)) == [path]
