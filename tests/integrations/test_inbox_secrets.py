"""What must not be seen: tokens in logs, credentials in the database."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client

from crm.logs import scrubbed
from integrations import services
from integrations.models import Connection
from integrations.secrets import Unreadable, blotted, decrypt, encrypt
from tests.integrations.conftest import SECRET, Shop

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "line",
    [
        'POST /integrations/shopify/{token} HTTP/1.1" 401',
        "Not Found: /integrations/shopify/{token}/orders?x=1",
        "https://crm.example.com/integrations/mews/{token}",
        "Bad Request: /hooks/workflows/{token}",
        "GET https://api.example/guests?api_token={token}&page=2",
        "Authorization: Bearer {token}",
        "{{'access_token': '{token}'}}",
    ],
)
def test_addresses_that_are_secrets_are_blotted_out(line: str) -> None:
    token = "mXk3QZ7Lr5TgVbYwNc8d"
    said = scrubbed(line.format(token=token))

    assert token not in said
    assert "…" in said


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What would stand on standard error."""
    (handler,) = (one for one in logging.getLogger().handlers if one.name == "stderr")
    assert isinstance(handler, logging.StreamHandler)
    text = io.StringIO()
    former = handler.setStream(text)
    yield text
    handler.setStream(former)


def test_no_log_line_has_the_token(shop: Shop, log: io.StringIO, settings: Any) -> None:
    token = shop.connection.path.rpartition("/")[2]
    Client().get(shop.connection.path)
    Client().post(f"{shop.connection.path}x", b"{}", content_type="application/json")
    shop.post("orders/paid", b"{}", secret="wrong")
    settings.SECRET_KEY = "another"
    shop.post("orders/paid", b"{}")

    said = log.getvalue()
    assert "Method Not Allowed" in said
    assert token not in said


def test_credentials_and_tokens_are_encrypted_in_the_database(shop: Shop) -> None:
    with database.cursor() as cursor:
        cursor.execute("SELECT * FROM integrations_connection")
        row = str(cursor.fetchall())

    assert SECRET not in row
    assert shop.connection.path.rpartition("/")[2] not in row
    assert SECRET not in repr(Connection.objects.for_organisation(shop.organisation).values())


def test_a_key_that_is_changed_can_be_changed_in_peace(settings: Any) -> None:
    stored = encrypt({"secret": "x"})
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another"
    with pytest.raises(Unreadable):
        decrypt(stored)

    settings.SECRET_KEY_FALLBACKS = [former]
    assert decrypt(stored) == {"secret": "x"}


def test_of_credentials_only_the_end_is_shown() -> None:
    assert blotted({"a": "shpat_0123456789", "b": "short", "c": ""}) == {"a": "…6789", "b": "…"}


def test_credentials_are_changed_one_by_one(shop: Shop) -> None:
    services.change(connection=shop.connection, credentials={"access_token": "shpat", "secret": ""})
    current = services.change(connection=shop.connection, name="Renamed")

    assert current.secrets["secret"] == SECRET
    assert current.secrets["access_token"] == "shpat"
    assert current.name == "Renamed"
