"""Lightspeed's access tokens run out; what renews them is good for once, and must not be lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection as database
from django.test import Client
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from integrations import polling, renewing, services
from integrations.models import Connection
from integrations.sources.base import Asleep, NotUnderstood
from organisations.models import Organisation
from tests.contacts.test_at_once import at_once
from workflows.models import Alert

pytestmark = pytest.mark.django_db

RENEWED = {
    "lightspeed-x": "/api/1.0/token",
    "lightspeed-r": "/auth/oauth/token",
}
APP = {"client_id": "app", "client_secret": "app-secret", "refresh_token": "refresh-0"}


class Lightspeed:
    """Its accounts, on the loopback: a refresh token is good for once, and so is known which were
    spent; an access token is good until another is given."""

    def __init__(self, server: HTTPServer) -> None:
        self.spent: list[str] = []
        self.asked: list[str] = []
        self.answers: list[Response] = []
        """What it answers to renewals before it does its duty."""
        self.expires_in: int | None = 3600
        self.good = "refresh-0"
        self.forms: list[dict[str, str]] = []
        for path in RENEWED.values():
            server.expect_request(path, method="POST").respond_with_handler(self.renew)
        for path in ("/api/2.0/retailer", "/API/V3/Account/77/Sale.json"):
            server.expect_request(path).respond_with_handler(self.ask)

    def renew(self, request: Request) -> Response:
        self.forms.append(request.form.to_dict())
        if self.answers:
            return self.answers.pop(0)
        given = request.form["refresh_token"]
        self.spent.append(given)
        if given != self.good:
            return _json({"error": "invalid_grant"}, 400)
        self.good = f"refresh-{len(self.spent)}"
        told: dict[str, Any] = {
            "access_token": f"access-{len(self.spent)}",
            "refresh_token": self.good,
        }
        if self.expires_in is not None:
            told["expires_in"] = self.expires_in
        return _json(told)

    def ask(self, request: Request) -> Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.asked.append(token)
        if token != f"access-{len(self.spent)}":
            return _json({"error": "expired"}, 401)
        return _json({"data": {"name": "Demo"}, "@attributes": {"count": "0", "next": ""}})


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


@pytest.fixture
def lightspeed(httpserver: HTTPServer) -> Lightspeed:
    return Lightspeed(httpserver)


@pytest.fixture
def till(connect: Callable[..., Connection], httpserver: HTTPServer) -> Connection:
    """An X-Series connection without an access token yet."""
    return connect(
        "lightspeed-x",
        domain_prefix="demoshop",
        api_url=httpserver.url_for("/api/2.0"),
        **APP,
    )


def ask(connection: Connection) -> str:
    """What a worker does that loads the connection anew and asks."""
    rows = Connection.objects.across_organisations().select_related("organisation")
    fresh = rows.get(pk=connection.pk)
    return services.SOURCES[fresh.source].test(fresh)


def secrets(connection: Connection) -> dict[str, Any]:
    connection.refresh_from_db()
    return connection.secrets


@pytest.mark.parametrize("source", ["lightspeed-x", "lightspeed-r"])
def test_the_token_is_renewed_before_it_runs_out(
    connect: Callable[..., Connection], httpserver: HTTPServer, lightspeed: Lightspeed, source: str
) -> None:
    account: dict[str, str] = {
        "lightspeed-x": {"domain_prefix": "demoshop", "api_url": httpserver.url_for("/api/2.0")},
        "lightspeed-r": {"account_id": "77", "api_url": httpserver.url_for("").rstrip("/")},
    }[source]
    till = connect(source, **account, **APP)

    assert ask(till).startswith("Connected")
    assert ask(till).startswith("Connected")
    assert (lightspeed.spent, lightspeed.asked) == (["refresh-0"], ["access-1"] * 2)
    assert lightspeed.forms == [{"grant_type": "refresh_token", **APP}]
    kept = secrets(till)
    assert (kept["access_token"], kept["refresh_token"]) == ("access-1", "refresh-1")

    in_an_hour = timezone.now() + timedelta(hours=1)
    assert in_an_hour - timedelta(minutes=7) < datetime.fromisoformat(kept["renew_at"]) < in_an_hour
    _put(till, renew_at=(timezone.now() - timedelta(seconds=1)).isoformat())
    ask(till)
    assert lightspeed.spent == ["refresh-0", "refresh-1"]
    assert lightspeed.asked[-1] == "access-2"


def test_a_token_that_is_refused_is_renewed_once(till: Connection, lightspeed: Lightspeed) -> None:
    _put(till, access_token="of-yesterday")

    assert ask(till) == "Connected to Demo."
    assert lightspeed.asked == ["of-yesterday", "access-1"]


def test_one_that_is_refused_again_is_told(till: Connection, lightspeed: Lightspeed) -> None:
    lightspeed.answers = [_json({"access_token": f"useless-{number}"}) for number in range(2)]

    with pytest.raises(NotUnderstood, match="401"):
        ask(till)
    assert lightspeed.asked == ["useless-0", "useless-1"]


def test_without_a_time_it_is_used_until_it_is_refused(
    till: Connection, lightspeed: Lightspeed
) -> None:
    lightspeed.expires_in = None

    ask(till)
    ask(till)

    assert lightspeed.spent == ["refresh-0"]
    assert "renew_at" not in secrets(till)


def test_tokens_are_stored_encrypted_and_never_shown(
    till: Connection, lightspeed: Lightspeed, owner: Client
) -> None:
    ask(till)

    with database.cursor() as cursor:
        cursor.execute("SELECT credentials, cursor FROM integrations_connection")
        stored = str(cursor.fetchall())
    assert "access-1" not in stored
    assert "refresh-1" not in stored
    page = owner.get(f"/admin/integrations/connection/{till.pk}/change/").content.decode()
    assert "access-1" not in page
    assert "refresh-1" not in page
    assert "Renew after" not in page


def test_while_one_worker_renews_another_comes_back_later(
    till: Connection, lightspeed: Lightspeed
) -> None:
    renewing.begin(connection=till, spends="refresh_token", lease="the other's")

    with pytest.raises(Asleep) as asleep:
        ask(till)
    assert asleep.value.after == renewing.OTHERS_TAKE
    assert lightspeed.spent == []

    renewing.finish(
        connection=till,
        lease="the other's",
        credentials={"access_token": "access-0", "refresh_token": "refresh-9"},
    )
    assert ask(till) == "Connected to Demo."
    assert lightspeed.spent == []


def test_while_one_worker_renews_another_uses_what_is_still_good(
    till: Connection, lightspeed: Lightspeed
) -> None:
    _put(till, access_token="access-0", renew_at="2026-01-01T00:00:00+00:00")
    renewing.begin(connection=till, spends="refresh_token", lease="the other's")

    assert ask(till) == "Connected to Demo."
    assert lightspeed.spent == []


def test_whoever_comes_too_late_takes_what_the_other_got(
    till: Connection, lightspeed: Lightspeed
) -> None:
    late = Connection.objects.across_organisations().get(pk=till.pk)
    late.organisation = till.organisation
    ask(till)

    assert services.SOURCES[late.source].test(late) == "Connected to Demo."
    assert lightspeed.spent == ["refresh-0"]


def test_a_worker_that_died_is_replaced_after_its_lease(
    till: Connection, lightspeed: Lightspeed
) -> None:
    renewing.begin(connection=till, spends="refresh_token", lease="the dead one's")
    till.cursor["renewal"]["until"] = (timezone.now() - timedelta(seconds=1)).isoformat()
    till.save(update_fields=["cursor"])

    assert ask(till) == "Connected to Demo."


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(database.vendor != "postgresql", reason="needs several connections")
def test_workers_at_the_same_moment_spend_a_refresh_token_once(
    till: Connection, lightspeed: Lightspeed
) -> None:
    def worker() -> str:
        try:
            return ask(till)
        except Asleep as asleep:
            return str(asleep)

    told = at_once(*[partial(worker)] * 6)

    assert lightspeed.spent == ["refresh-0"]
    assert "Connected to Demo." in told
    assert set(told) <= {"Connected to Demo.", "Another worker renews the access token."}


def test_a_renewal_that_is_refused_is_told_staff_once(
    organisation: Organisation, till: Connection, lightspeed: Lightspeed
) -> None:
    lightspeed.good = "another"

    for _time in range(3):
        with pytest.raises(NotUnderstood, match="invalid_grant"):
            ask(till)

    assert lightspeed.spent == ["refresh-0"]
    (alert,) = Alert.objects.for_organisation(organisation)
    assert "could not be renewed" in alert.text
    assert alert.link == f"/admin/integrations/connection/{till.pk}/change/"

    services.change(connection=till, credentials={"refresh_token": "another"})
    assert ask(till) == "Connected to Demo."
    assert Alert.objects.for_organisation(organisation).count() == 1


def test_an_answer_that_does_not_come_leaves_the_token_to_the_next(
    till: Connection, lightspeed: Lightspeed, organisation: Organisation
) -> None:
    lightspeed.answers = [Response(status=503), _json({"token_type": "Bearer"})]

    for _time in range(2):
        with pytest.raises(Asleep):
            ask(till)

    assert ask(till) == "Connected to Demo."
    assert lightspeed.spent == ["refresh-0"]
    assert not Alert.objects.for_organisation(organisation).exists()


def test_a_poll_survives_a_renewal(till: Connection, httpserver: HTTPServer) -> None:
    """What is written of the poll's place does not lose the lease, nor the other way round."""
    Lightspeed(httpserver)
    nothing = {"data": [], "version": {"max": None}}
    for resource in ("customers", "sales"):
        httpserver.expect_request(f"/api/2.0/{resource}").respond_with_json(nothing)

    polling.poll(till)

    till.refresh_from_db()
    assert set(till.cursor) == {"poll"}
    assert till.secrets["refresh_token"] == "refresh-1"


def test_a_connection_that_only_listens_is_not_asked(
    connect: Callable[..., Connection],
) -> None:
    listening = connect("lightspeed-x", domain_prefix="demoshop")
    assert listening.poll_due_at is None
    services.change(connection=listening, credentials={**APP})
    listening.refresh_from_db()
    assert listening.poll_due_at is not None


def test_something_to_ask_with_is_required_where_nobody_calls(
    connect: Callable[..., Connection],
) -> None:
    with pytest.raises(ValidationError, match="Enter an access token"):
        connect("lightspeed-r", account_id="77", refresh_token="r", client_id="c")


def _put(connection: Connection, **values: str) -> None:
    """As it may have been stored earlier."""
    connection.credentials = {**secrets(connection), **values}
    connection.save(update_fields=["credentials"])
