"""Requests to addresses that others chose never reach what is inside a network."""

from __future__ import annotations

import base64
import hmac
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from crm import outbound

PUBLIC = "93.184.216.34"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A name server: what each name is, a list of answers or one that changes with every call."""
    known: dict[str, Any] = {}

    def resolve(host: str, port: int) -> list[str]:
        if host not in known:
            return system(host, port)
        answer = known[host]
        return answer() if callable(answer) else answer

    system = outbound.resolve
    monkeypatch.setattr(outbound, "resolve", resolve)
    return known


@pytest.fixture
def loopback(settings: Any) -> None:
    """A network that an administrator allowed."""
    settings.WEBHOOKS_ALLOW_PRIVATE = ["127.0.0.0/8"]


def refusal(url: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        outbound.check_url(url)
    return " ".join(refused.value.messages)


def post(url: str, **more: Any) -> outbound.Answer:
    return outbound.post(url, body=b"{}", headers={}, **more)


# Which addresses


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "localhost",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fc00::1]",
        "[ff02::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[2002:7f00:1::]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a9fe:a9fe]",
        "[2001:0:7f00:1::]",
    ],
)
def test_a_private_address_is_refused_when_saving_and_when_calling(host: str) -> None:
    url = f"https://{host}/hook"
    assert "private address" in refusal(url)
    with pytest.raises(outbound.Refused, match="private address"):
        post(url)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        (PUBLIC, True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("64:ff9b::5db8:d822", True),
        ("::ffff:93.184.216.34", True),
        ("192.0.2.1", False),
        ("240.0.0.1", False),
        ("2001:db8::1", False),
        ("2002:c0a8:101::1", False),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    assert outbound.is_public(ip_address(address)) is public


def test_a_name_of_a_private_address_is_refused(names: dict[str, Any]) -> None:
    names["intranet.example.com"] = ["10.1.2.3"]
    assert "private address" in refusal("https://intranet.example.com/")


def test_a_name_that_is_public_first_and_private_when_called_is_refused(
    names: dict[str, Any],
) -> None:
    """DNS rebinding: the answer changes between the look and the call."""
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    names["rebinding.example.com"] = lambda: next(answers)
    url = outbound.check_url("https://rebinding.example.com/hook")
    with pytest.raises(outbound.Refused):
        post(url)


def test_the_connection_goes_to_the_address_that_was_looked_at(
    names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is asked for once, and no private one among its answers is tried."""
    asked = []
    names["both.example.com"] = lambda: asked.append(1) or ["127.0.0.1", PUBLIC]
    connected = []

    def connect(address: tuple[str, int], *_args: Any, **_kwargs: Any) -> Any:
        connected.append(address)
        raise OSError("nobody there")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(outbound.Unreachable):
        post("https://both.example.com/hook")
    assert connected == [(PUBLIC, 443)]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://93.184.216.34/", "must begin with https"),
        ("http://nobody.invalid/", "must begin with https"),
        ("ftp://example.com/", "Give an address"),
        ("https:///path", "Give an address"),
        ("https://", "Give an address"),
        ("example.com", "Give an address"),
        ("https://exa mple.com/", "Give an address"),
        ("https://example.com:99999/", "Give an address"),
        ("https://user:secret@93.184.216.34/", "user name and password"),
        ("https://[::1/", "Give an address"),
        ("https://example.com/" + "x" * 2000, "Give an address"),
        ("javascript:alert(1)", "Give an address"),
        (None, "Give an address"),
        (7, "Give an address"),
    ],
)
def test_what_is_no_address_of_the_web_is_refused(url: Any, told: str) -> None:
    assert told in refusal(url)


def test_a_name_that_nobody_knows_yet_can_be_saved(names: dict[str, Any]) -> None:
    def unknown() -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    names["soon.example.com"] = unknown
    assert outbound.check_url(" https://soon.example.com/ ") == "https://soon.example.com/"
    with pytest.raises(outbound.Unreachable, match="Name or service not known"):
        post("https://soon.example.com/")


def test_what_might_be_read_as_an_address_in_octal_is_refused() -> None:
    assert "Give an address" in refusal("https://0177.0.0.1/")


# Calling


def test_an_allowed_network_is_called_without_https_too(
    httpserver: HTTPServer, loopback: None
) -> None:
    httpserver.expect_request("/hook", method="POST", data="{}").respond_with_data("taken", 202)
    url = outbound.check_url(httpserver.url_for("/hook"))
    answer = post(url)
    assert (answer.status, answer.text, answer.ok) == (202, "taken", True)


def test_addresses_are_not_logged(
    httpserver: HTTPServer, loopback: None, caplog: pytest.LogCaptureFixture
) -> None:
    httpserver.expect_request("/hook/secret").respond_with_data("ok")
    post(httpserver.url_for("/hook/secret"))
    assert [record.name for record in caplog.records if record.name != "werkzeug"] == []


def test_only_the_listed_network_is_allowed(settings: Any) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = ["10.0.0.0/8"]
    assert "private address" in refusal("https://127.0.0.1/")
    assert outbound.check_url("http://10.1.2.3/hook")


def test_a_redirect_is_an_answer_and_is_not_followed(
    httpserver: HTTPServer, loopback: None
) -> None:
    httpserver.expect_request("/hook").respond_with_response(
        Response(status=302, headers={"Location": httpserver.url_for("/inside")})
    )
    httpserver.expect_request("/inside").respond_with_data("secret")
    answer = post(httpserver.url_for("/hook"))
    assert answer.status == 302
    assert not answer.worth_retrying
    assert [request.path for request, _response in httpserver.log] == ["/hook"]


def test_the_beginning_of_the_answer_is_kept(httpserver: HTTPServer, loopback: None) -> None:
    httpserver.expect_request("/hook").respond_with_data(b"\xff\0" + b"x" * 5_000_000)
    answer = post(httpserver.url_for("/hook"))
    assert len(answer.text) == 2_048
    assert answer.text.startswith("\ufffd\ufffdx")


def test_the_environments_proxy_is_not_used(
    httpserver: HTTPServer, loopback: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    httpserver.expect_request("/hook").respond_with_data("ok")
    assert post(httpserver.url_for("/hook")).ok


@pytest.mark.parametrize(
    ("status", "again"),
    [
        (301, False),
        (400, False),
        (404, False),
        (408, True),
        (410, False),
        (425, True),
        (429, True),
        (500, True),
        (503, True),
    ],
)
def test_which_answers_are_worth_another_try(
    httpserver: HTTPServer, loopback: None, status: int, again: bool
) -> None:
    httpserver.expect_request("/hook").respond_with_data(
        "no", status, headers={"Retry-After": "120"}
    )
    answer = post(httpserver.url_for("/hook"))
    assert (answer.ok, answer.worth_retrying, answer.retry_after) == (False, again, 120)


def test_nobody_listening_is_told(loopback: None) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(outbound.Unreachable, match="No answer"):
            post(url)


@pytest.fixture
def dripping() -> Iterator[str]:
    """A server that sends a byte every now and then, for ever."""
    server = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def serve() -> None:
        client, _address = server.accept()
        with client:
            client.sendall(b"HTTP/1.1 200 OK\r\n")
            while not stopped.wait(0.02):
                try:
                    client.sendall(b"X-A: b\r\n")
                except OSError:
                    return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/"
    stopped.set()
    thread.join()
    server.close()


def test_a_server_that_drips_holds_nobody_up(loopback: None, dripping: str) -> None:
    begun = time.monotonic()
    with pytest.raises(outbound.Unreachable, match=r"within 0\.3 seconds"):
        post(dripping, seconds=0.3)
    assert time.monotonic() - begun < 3


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of `hooks.example.com` that signs itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("making a certificate needs the openssl command")
    folder = tmp_path_factory.mktemp("tls")
    file, key = folder / "certificate.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    name = ["-subj", "/CN=hooks", "-addext", "subjectAltName=DNS:hooks.example.com"]
    subprocess.run(
        [*command.split(), *name, "-keyout", str(key), "-out", str(file)],
        check=True,
        capture_output=True,
    )
    return file, key


@pytest.fixture
def encrypted(certificate: tuple[Path, Path]) -> Iterator[HTTPServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with HTTPServer("127.0.0.1", 0, ssl_context=context) as server:
        server.expect_request("/hook").respond_with_data("taken")
        yield server


def test_the_certificate_is_asked_of_the_name_though_the_address_is_called(
    encrypted: HTTPServer,
    certificate: tuple[Path, Path],
    names: dict[str, Any],
    loopback: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names["hooks.example.com"] = names["others.example.com"] = ["127.0.0.1"]
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    with pytest.raises(outbound.Unreachable, match="self-signed"):
        post(f"https://hooks.example.com:{encrypted.port}/hook")
    monkeypatch.setattr(outbound, "_tls", lambda: trusting)
    assert post(f"https://hooks.example.com:{encrypted.port}/hook").text == "taken"
    with pytest.raises(outbound.Unreachable, match="Hostname mismatch"):
        post(f"https://others.example.com:{encrypted.port}/hook")


def test_a_server_without_tls_is_not_spoken_to(httpserver: HTTPServer, loopback: None) -> None:
    with pytest.raises(outbound.Unreachable):
        post(httpserver.url_for("/").replace("http://", "https://"))


# Signing


def test_a_signature_is_that_of_standard_webhooks() -> None:
    """The example of the specification's reference libraries."""
    headers = outbound.signed(
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        moment=datetime.fromtimestamp(1614265330, UTC),
        body=b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


def test_a_new_secret_signs_what_its_holder_can_check(
    httpserver: HTTPServer, loopback: None
) -> None:
    secret = outbound.new_secret()
    assert secret != outbound.new_secret()
    seen: list[bool] = []

    def check(request: Request) -> Response:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
        digest = hmac.digest(key, signed + request.get_data(), "sha256")
        given = request.headers["webhook-signature"].removeprefix("v1,")
        seen.append(base64.b64decode(given) == digest)
        return Response("ok")

    httpserver.expect_request("/hook").respond_with_handler(check)
    body = '{"name": "Zoë"}'.encode()
    headers = outbound.signed(
        secret=secret, message_id="run-1-1", moment=datetime.now(UTC), body=body
    )
    outbound.post(httpserver.url_for("/hook"), body=body, headers=headers)
    assert seen == [True]
