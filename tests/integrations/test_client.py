"""The client asks patiently, once the other side says for how long, and never anybody else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime

import httpx2
import pytest
from django.utils import timezone
from pytest_httpserver import HTTPServer

from integrations import client as asking
from integrations.client import Client, retry_after
from integrations.sources.base import Asleep, NotUnderstood


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client paused, which takes no time here."""
    waited: list[float] = []
    monkeypatch.setattr(asking.time, "sleep", waited.append)
    return waited


@pytest.fixture
def api(httpserver: HTTPServer) -> Client:
    return Client(httpserver.url_for("/api"), {"x-token": "secret"})


def test_it_asks_below_its_address_with_its_headers(httpserver: HTTPServer, api: Client) -> None:
    httpserver.expect_oneshot_request(
        "/api/orders.json", query_string={"limit": "2"}, headers={"x-token": "secret"}
    ).respond_with_data('{"sum": 89.990}')

    assert str(api.get("orders.json", {"limit": "2"}).json()["sum"]) == "89.990"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_it_tries_again(
    httpserver: HTTPServer, api: Client, pauses: list[float], status: int
) -> None:
    for _ in range(2):
        httpserver.expect_ordered_request("/api/x").respond_with_data("no", status)
    httpserver.expect_ordered_request("/api/x").respond_with_json([1])

    assert api.get("x").json() == [1]
    assert len(pauses) == 2
    assert 0.25 <= pauses[0] <= 0.75 <= pauses[1] * 1.5


def test_it_gives_up_after_some_time(
    httpserver: HTTPServer, api: Client, pauses: list[float]
) -> None:
    httpserver.expect_request("/api/x").respond_with_data("out of order", 500)

    with pytest.raises(Asleep, match="answered 500: out of order"):
        api.get("x")
    assert len(httpserver.log) == asking.ATTEMPTS


@pytest.mark.parametrize("date", [False, True])
def test_it_waits_as_long_as_it_is_told(
    httpserver: HTTPServer, api: Client, pauses: list[float], date: bool
) -> None:
    until = format_datetime(timezone.now() + timedelta(seconds=7), usegmt=True)
    told = {"Retry-After": until if date else "7"}
    httpserver.expect_ordered_request("/api/x").respond_with_data("", 429, told)
    httpserver.expect_ordered_request("/api/x").respond_with_json({})

    api.get("x")

    assert pauses[0] == pytest.approx(7, abs=2)


def test_a_long_wait_is_left_to_the_worker(
    httpserver: HTTPServer, api: Client, pauses: list[float]
) -> None:
    httpserver.expect_request("/api/x").respond_with_data("", 429, {"Retry-After": "600"})

    with pytest.raises(Asleep) as asleep:
        api.get("x")

    assert asleep.value.after == timedelta(minutes=10)
    assert (pauses, len(httpserver.log)) == ([], 1)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("2.0", 2.0), (None, None), ("", None), ("soon", None), ("-1", None), ("1e9", None)],
)
def test_odd_waits(said: str | None, seconds: float | None) -> None:
    assert retry_after(said) == seconds


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 422])
def test_a_refusal_is_final(
    httpserver: HTTPServer, api: Client, pauses: list[float], status: int
) -> None:
    httpserver.expect_request("/api/x").respond_with_data("no such token", status)

    with pytest.raises(NotUnderstood, match="no such token"):
        api.get("x")
    assert len(httpserver.log) == 1


def test_an_answer_that_is_no_json_may_be_one_next_time(
    httpserver: HTTPServer, api: Client
) -> None:
    httpserver.expect_request("/api/x").respond_with_data("<html>")

    with pytest.raises(Asleep):
        api.get("x").json()


def test_a_next_page_on_another_host_is_not_asked(api: Client) -> None:
    with pytest.raises(NotUnderstood, match="another host"):
        api.get("https://attacker.example/orders.json")


@pytest.fixture
def cut_off() -> Iterator[str]:
    """A server that hangs up in the middle of every answer."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"orders":')

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def test_an_answer_that_is_cut_off_is_asked_for_again(cut_off: str, pauses: list[float]) -> None:
    with pytest.raises(Asleep, match=r"127\.0\.0\.1 does not answer"):
        Client(cut_off).get("x")
    assert len(pauses) == asking.ATTEMPTS - 1


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    monkeypatch.setattr(asking, "TIMEOUT", httpx2.Timeout(0.05))
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Asleep):
        Client(f"http://127.0.0.1:{silent.getsockname()[1]}").get("x")
