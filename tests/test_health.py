"""`/healthz`, logs without personal data, and whose address a request comes from."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from crm import logs
from crm.proxies import client_address


@pytest.mark.django_db
def test_it_answers_any_host_name_and_without_tls(client: Client, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    answer = client.get("/healthz", headers={"host": "10.0.0.7:8000"})
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


@pytest.mark.django_db
def test_it_says_when_the_database_does_not_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr("crm.health.connection.cursor", refuse)
    assert client.get("/healthz").status_code == 503


@pytest.mark.parametrize(
    ("proxies", "header", "address"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "made.up, 203.0.113.9", "203.0.113.9"),
        (2, "made.up, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "203.0.113.9", "127.0.0.1"),
        (1, "", "127.0.0.1"),
    ],
)
def test_as_many_forwarded_addresses_are_believed_as_there_are_proxies(
    settings: Any, proxies: int, header: str, address: str
) -> None:
    settings.PROXIES = proxies
    seen = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request.META["REMOTE_ADDR"])
        return HttpResponse()

    client_address(view)(RequestFactory().get("/", headers={"x-forwarded-for": header}))
    assert seen == [address]


@pytest.fixture
def logged() -> Any:
    """What a logger writes, as JSON lines."""
    stream = io.StringIO()
    configured = logs.configure(level="INFO", layout="json")
    handler = logging.StreamHandler(stream)
    factory = configured["formatters"]["lines"].pop("()")
    handler.setFormatter(factory(**configured["formatters"]["lines"]))
    logger = logging.getLogger("tests.logged")
    logger.addHandler(handler)
    yield logger, lambda: json.loads(stream.getvalue().splitlines()[-1])
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    "secret",
    [
        "jane.o'hara+hotel@example.co.uk",
        "+44 7700 900123",
        "rg_w9B9XzVPqH3HMNS6KaJ9VUivg8ive7VERcZBNIk0bsw",
    ],
)
def test_personal_data_and_keys_do_not_reach_the_log(logged: Any, secret: str) -> None:
    logger, last = logged
    try:
        raise ValueError(f"cannot take {secret} here")
    except ValueError:
        logger.exception("went wrong for %s", secret)
    event = last()
    assert secret not in json.dumps(event, ensure_ascii=False)
    assert "went wrong for" in event["event"]
    assert "ValueError" in event["exception"]


def test_the_detail_of_a_violated_constraint_is_blotted_out(logged: Any) -> None:
    logger, last = logged
    logger.error("duplicate key\nDETAIL:  Key (organisation_id, name)=(1, Jane O'Hara) exists.")
    assert "Jane" not in last()["event"]
