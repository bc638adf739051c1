"""SMS over Twilio's REST API, against a server on loopback that answers as Twilio does."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from workflows.messages import sms
from workflows.messages.errors import Misconfigured, Refusal, Unavailable

PATH = "/2010-04-01/Accounts/AC123/Messages.json"


@pytest.fixture
def twilio(httpserver: HTTPServer, settings: Any) -> HTTPServer:
    settings.SMS_BACKEND = "twilio"
    settings.TWILIO_URL = httpserver.url_for("/")
    settings.TWILIO_ACCOUNT_SID = "AC123"
    settings.TWILIO_AUTH_TOKEN = "token"
    settings.TWILIO_FROM = "+447700900000"
    return httpserver


def send(sender: str = "") -> sms.SentSms:
    return sms.backend().send("+447700900123", "Hello £5", sender=sender, idempotency_key="run-1-1")


def answer(server: HTTPServer, status: int, body: Any, **headers: str) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    server.expect_request(PATH).respond_with_data(text, status, headers=headers)


def test_a_message_is_posted_as_a_form_with_the_accounts_password(twilio: HTTPServer) -> None:
    seen: list[Request] = []

    def take(request: Request) -> Response:
        seen.append(request)
        assert request.form.to_dict() == {
            "To": "+447700900123",
            "From": "+447700900000",
            "Body": "Hello £5",
        }
        return Response('{"sid": "SM1", "status": "queued"}', 201)

    twilio.expect_request(PATH, method="POST").respond_with_handler(take)
    assert send() == sms.SentSms("SM1", "queued")
    assert seen[0].authorization is not None
    assert (seen[0].authorization.username, seen[0].authorization.password) == ("AC123", "token")


def test_a_messaging_service_may_send(twilio: HTTPServer) -> None:
    service = "MG" + "0" * 32

    def take(request: Request) -> Response:
        assert request.form["MessagingServiceSid"] == service
        assert "From" not in request.form
        return Response('{"sid": "SM2", "status": "accepted"}', 201)

    twilio.expect_request(PATH).respond_with_handler(take)
    assert send(service).id == "SM2"


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, 21211, Refusal),
        (400, 21614, Refusal),
        (400, 21610, Refusal),
        (400, 21606, Misconfigured),
        (401, 20003, Misconfigured),
        (404, 20404, Misconfigured),
        (429, 20429, Unavailable),
        (503, 20503, Unavailable),
    ],
)
def test_an_error_is_for_good_for_now_or_a_wrong_setting(
    twilio: HTTPServer, status: int, code: int, error: type[Exception]
) -> None:
    told = {"code": code, "message": "About +447700900123.", "status": status}
    answer(twilio, status, told)
    with pytest.raises(error) as raised:
        send()
    assert str(code) in str(raised.value)
    assert "900123" not in str(raised.value)


def test_who_answered_stop_is_told_apart(twilio: HTTPServer) -> None:
    answer(twilio, 400, {"code": 21610, "message": "unsubscribed"})
    with pytest.raises(Refusal) as raised:
        send()
    assert raised.value.unsubscribed


def test_too_many_are_tried_again_when_twilio_says(twilio: HTTPServer) -> None:
    answer(twilio, 429, {"code": 20429}, **{"Retry-After": "30"})
    with pytest.raises(Unavailable) as raised:
        send()
    assert raised.value.after == timedelta(seconds=30)


def test_an_answer_that_is_no_json_is_an_error_too(twilio: HTTPServer) -> None:
    answer(twilio, 502, "<html>Bad gateway</html>")
    with pytest.raises(Unavailable, match="502"):
        send()


def test_nobody_there_is_tried_again(twilio: HTTPServer, settings: Any) -> None:
    settings.TWILIO_URL = "http://127.0.0.1:1"
    with pytest.raises(Unavailable, match="does not answer"):
        send()


def test_a_redirect_does_not_carry_the_password_elsewhere(twilio: HTTPServer) -> None:
    twilio.expect_request(PATH).respond_with_response(
        Response(status=302, headers={"Location": twilio.url_for("/elsewhere")})
    )
    with pytest.raises(Misconfigured):
        send()
    assert len(twilio.log) == 1


def test_without_a_provider_nothing_counts_as_sent(settings: Any) -> None:
    settings.SMS_BACKEND = "none"
    with pytest.raises(Misconfigured, match="not set up"):
        send()


def test_the_log_does_for_trying_out(settings: Any) -> None:
    settings.SMS_BACKEND = "log"
    assert send().status == "logged"
