"""A system that is told what happens, and checks each message as its makers would."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from integrations.outgoing import sending
from integrations.outgoing.models import WebhookDelivery, WebhookEndpoint
from organisations.models import Organisation


@dataclass
class Receiver:
    """What stands at an endpoint's address. `answers` are the statuses of the next requests, 200
    once they are used up; `taken` is what was told, by `webhook-id`, of requests whose signature
    holds."""

    url: str
    secret: str = ""
    id: int = 0
    answers: list[int] = field(default_factory=list)
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, request: Request) -> Response:
        body, headers = request.get_data(), dict(request.headers)
        with self.lock:
            self.requests.append((headers, body))
            status = self.answers.pop(0) if self.answers else 200
            if status == 200:
                Webhook(self.secret).verify(body, {k.lower(): v for k, v in headers.items()})
                self.taken.append((request.headers["webhook-id"], json.loads(body)))
        return Response(f"answer {status}", status)

    def told(self, type: str | None = None) -> list[dict[str, Any]]:
        """The bodies, of one type or all."""
        return [said for _id, said in self.taken if type in {None, said["type"]}]

    def types(self) -> list[str]:
        return [said["type"] for _id, said in self.taken]

    def endpoint(self) -> WebhookEndpoint:
        """Its row."""
        found: WebhookEndpoint = WebhookEndpoint.objects.across_organisations().get(pk=self.id)
        return found

    def deliveries(self) -> Any:
        rows = WebhookDelivery.objects.across_organisations().filter(endpoint=self.id)
        return rows.order_by("message")

    def delivery(self) -> WebhookDelivery:
        """The one delivery."""
        found: WebhookDelivery = self.deliveries().get()
        return found

    def statuses(self) -> list[int | None]:
        """Of all attempts."""
        rows = self.deliveries().order_by("attempts__id")
        return list(rows.values_list("attempts__status", flat=True))


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = ["127.0.0.0/8"]


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """It answers several requests at a time."""
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server
        server.check_handler_errors()


@pytest.fixture
def receiver(api: Any, server: HTTPServer) -> Callable[..., Receiver]:
    """`receiver(eventTypes=[…])`: another system, told over an endpoint of the organisation."""

    def made(path: str = "/hook", **values: Any) -> Receiver:
        one = Receiver(server.url_for(path))
        server.expect_request(path, method="POST").respond_with_handler(one.take)
        answer = api.post("/webhook-endpoints", {"url": one.url, **values})
        assert answer.status_code == 201, answer.content
        one.secret, one.id = answer.json()["secret"], answer.json()["id"]
        return one

    return made


@pytest.fixture
def jane(api: Any) -> int:
    """A contact that was there before any endpoint."""
    return new_contact(api)


def new_contact(api: Any, name: str = "jane", **values: Any) -> int:
    answer = api.post("/contacts", {"emailAddress": f"{name}@example.com", **values})
    assert answer.status_code == 201, answer.content
    found: int = answer.json()["id"]
    return found


def happens(api: Any, contact: int, type: str = "Purchase", **values: Any) -> dict[str, Any]:
    """Record an activity."""
    body = {
        "contact": contact,
        "type": type,
        "source": "till",
        "happenedAt": "2026-04-07T14:30:00+00:00",
        **values,
    }
    answer = api.post("/activities", body)
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def send() -> int:
    """Send all that is due now."""
    return sending.send_due()


def organisation_of(receiver: Receiver) -> Organisation:
    return receiver.endpoint().organisation
