"""Asking Shopify for what happened: page by page, through its faults, from where it was left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from integrations import client, polling, services
from integrations.shopify import Shopify
from integrations.sources.base import NotUnderstood
from tests.integrations import shopify
from tests.integrations.conftest import Shop
from tests.workflows import running

pytestmark = pytest.mark.django_db

SINCE = datetime(2021, 1, 1, tzinfo=UTC)
API = "/admin/api/2026-04/"


class Admin:
    """Shopify's Admin API, with a page for each of `customers` and `orders`."""

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.customers: list[list[dict[str, Any]]] = [[shopify.customer()]]
        self.orders: list[list[dict[str, Any]]] = [[shopify.order()]]
        self.faults: list[Response] = []
        self.asked: list[str] = []
        for resource in ("customers", "orders"):
            server.expect_request(f"{API}{resource}.json").respond_with_handler(self.answer)
        server.expect_request(f"{API}shop.json").respond_with_json({"shop": {"name": "Example"}})

    def answer(self, request: Request) -> Response:
        if request.headers.get("X-Shopify-Access-Token") != "shpat":
            return Response('{"errors": "Invalid API key"}', 401)
        if self.faults:
            return self.faults.pop(0)
        resource = request.path.rpartition("/")[2].removesuffix(".json")
        number = int(request.args.get("page_info", 0))
        self.asked.append(f"{resource} {number}")
        if number == 0:
            assert request.args["updated_at_min"]
        pages = getattr(self, resource)
        from integrations.sources.base import dump

        response = Response(
            dump({resource: pages[number] if pages else []}), content_type="application/json"
        )
        if number + 1 < len(pages):
            following = self.server.url_for(f"{API}{resource}.json?page_info={number + 1}")
            response.headers["Link"] = f'<{following}>; rel="next"'
            if number:
                before = self.server.url_for(f"{API}{resource}.json?page_info={number - 1}")
                response.headers["Link"] = (
                    f'<{before}>; rel="previous", ' + response.headers["Link"]
                )
        return response


@pytest.fixture
def admin(httpserver: HTTPServer, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Admin:
    monkeypatch.setattr(client.time, "sleep", lambda _seconds: None)
    shop.connection = services.change(
        connection=shop.connection,
        credentials={"access_token": "shpat", "api_url": httpserver.url_for("").rstrip("/")},
    )
    return Admin(httpserver)


def orders(*numbers: int, **values: Any) -> list[dict[str, Any]]:
    return [
        shopify.order(
            id=number, customer=shopify.customer(id=number, email=f"{number}@example.com")
        )
        | values
        for number in numbers
    ]


def sync(shop: Shop, pages: int = 1000) -> list[polling.Progress]:
    """Fetch so many pages at most, as a command that is killed then."""
    done = []
    for page in polling.sync(shop.connection, SINCE):
        done.append(page)
        if len(done) == pages:
            break
    shop.connection.refresh_from_db()
    return done


def test_all_pages_are_fetched(shop: Shop, admin: Admin) -> None:
    admin.orders = [orders(1, 2), orders(3, 4), orders(5)]

    done = sync(shop)

    assert admin.asked == ["customers 0", "orders 0", "orders 1", "orders 2"]
    assert [page.seen for page in done] == [1, 3, 5, 6]
    assert shop.activities().count() == 5
    assert shop.contacts().count() == 6
    assert shop.connection.cursor == {}


def test_faults_are_waited_out(shop: Shop, admin: Admin) -> None:
    admin.orders = [orders(1), orders(2)]
    admin.faults = [
        Response("", 429, {"Retry-After": "2.0"}),
        Response("", 500),
        Response("", 503),
    ]

    sync(shop)

    assert shop.activities().count() == 2


@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_a_sync_that_was_killed_goes_on(shop: Shop, admin: Admin, killed_after: int) -> None:
    admin.orders = [orders(1), orders(2), orders(3)]
    sync(shop, killed_after)
    before = list(admin.asked)

    sync(shop)

    again = admin.asked[len(before) :]
    assert len(again) <= 5 - killed_after, "at most the page that was at hand is asked again"
    assert shop.activities().count() == 3


def test_a_sync_of_another_time_begins_anew(shop: Shop, admin: Admin) -> None:
    admin.orders = [orders(1), orders(2)]
    sync(shop, 2)
    admin.asked.clear()

    list(polling.sync(shop.connection, SINCE + timedelta(days=1)))

    assert admin.asked == ["customers 0", "orders 0", "orders 1"]


def test_history_counts_and_starts_nothing(shop: Shop, admin: Admin, api: Any) -> None:
    running.made(api, {"type": "contact_created"}, running.add_tag("New"))
    trigger = {"type": "activity_created", "activityTypes": ["Shopify order"]}
    running.made(api, trigger, running.add_tag("Bought"))
    now = {"processed_at": timezone.now().isoformat()}
    admin.orders = [orders(1, total_price_set=shopify.money("10.00", "GBP"), **now)]

    sync(shop)
    running.work()
    assert shop.total(email_address="1@example.com") == 1000
    assert not shop.contacts().filter(tags__name__in=["New", "Bought"]).exists()

    admin.orders = [orders(2, **now)]
    polling.poll(shop.connection)
    running.work()
    tags = shop.contacts().get(email_address="2@example.com").tags
    assert set(tags.values_list("name", flat=True)) == {"New", "Bought"}


def test_one_row_that_cannot_be_written_does_not_hold_up_the_others(
    shop: Shop, admin: Admin
) -> None:
    huge = shopify.money("99999999999999999999.00")
    admin.orders = [[*orders(1, total_price_set=huge), *orders(2)]]

    problems = [problem for page in sync(shop) for problem in page.problems]

    assert len(problems) == 1
    assert shop.activities().get().external_reference == "order:2"


def test_one_row_that_makes_no_sense_does_not_hold_up_the_others(shop: Shop, admin: Admin) -> None:
    admin.orders = [[*orders(1, processed_at=None, created_at="never"), {}, *orders(2)]]

    problems = [problem for page in sync(shop) for problem in page.problems]

    assert problems == ["The order has no date.", "There is no id in it."]
    assert shop.activities().get().external_reference == "order:2"


def test_a_poll_asks_from_where_the_last_one_began(shop: Shop, admin: Admin) -> None:
    polling.poll(shop.connection)
    first = timezone.now()
    shop.connection.refresh_from_db()
    polling.poll(shop.connection)

    asked = [
        datetime.fromisoformat(request.args["updated_at_min"])
        for request, _answer in admin.server.log
        if request.path.endswith("orders.json")
    ]
    assert asked[1] > asked[0]
    assert first - asked[1] == pytest.approx(Shopify.overlap, abs=timedelta(minutes=1))


def test_the_worker_polls_what_is_due(shop: Shop, admin: Admin) -> None:
    assert polling.work()
    assert not polling.work()

    shop.connection.refresh_from_db()
    assert shop.connection.poll_error == ""
    assert shop.connection.poll_due_at - timezone.now() > timedelta(minutes=55)
    assert shop.activities().count() == 1


def test_a_poll_that_is_put_off_is_tried_again_when_it_was_told(shop: Shop, admin: Admin) -> None:
    admin.faults = [Response("", 429, {"Retry-After": "120"})]

    polling.work()

    shop.connection.refresh_from_db()
    assert "429" in shop.connection.poll_error
    assert shop.connection.poll_due_at - timezone.now() < timedelta(minutes=3)


def test_a_connection_without_a_token_says_what_is_missing(shop: Shop) -> None:
    polling.work()

    shop.connection.refresh_from_db()
    assert shop.connection.poll_error == ""
    assert shop.connection.poll_due_at is None


def test_a_paused_connection_is_not_asked(shop: Shop, admin: Admin) -> None:
    services.pause(connection=shop.connection)

    assert not polling.work()


def test_a_test_says_what_the_shop_is_called(shop: Shop, admin: Admin) -> None:
    assert Shopify().test(shop.connection) == "Connected to Example."

    services.change(connection=shop.connection, credentials={"access_token": "wrong"})
    admin.server.clear()
    admin.server.expect_request(f"{API}shop.json").respond_with_data("Invalid API key", 401)
    with pytest.raises(NotUnderstood, match="Invalid API key"):
        Shopify().test(shop.connection)


def test_the_command_says_how_much_it_fetched(
    shop: Shop, admin: Admin, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("sync_source", str(shop.connection.pk), since="2021-01-01")
    assert "2 rows fetched, 0 could not be written" in capsys.readouterr().out

    admin.faults = [Response("", 401)]
    with pytest.raises(CommandError, match="run the same command again"):
        call_command("sync_source", str(shop.connection.pk), since="2021-01-01")
