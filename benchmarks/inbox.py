"""A shop that posts 200 deliveries a second for a minute, to the server and the one worker that a
small installation has.

The load is open: each delivery is sent at its time, whether or not those before it are answered,
and its time is counted from when it was to be sent. Nothing is reported unless contacts, activities
and totals are in the end what a model beside it says.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.db import connection as database

from activities import services as activity_services
from activities.models import Activity
from benchmarks import processes
from contacts import rollups
from contacts.models import Contact
from integrations import applying, services
from integrations.changes import PersonIs
from integrations.models import Connection, Delivery
from integrations.shopify import topics
from organisations.models import Organisation
from organisations.services import create_organisation

RATE = 200
CUSTOMERS = 5000
KNOWN = 4000
"""So many of the customers were fetched when the shop was connected; the others are new."""
SECRET = "benchmark-secret"
SHOP = "bench.myshopify.com"
OPENED = datetime(2026, 1, 1, tzinfo=UTC)
RESENDS = 50
"""As often a delivery is sent whose connection breaks, as a shop does."""
PATIENCE = 600
"""Seconds until a backlog is given up."""


@dataclass
class Sent:
    """A delivery: what is told, and its id."""

    topic: str
    id: str
    body: bytes


@dataclass
class Order:
    """What the shop knows of an order."""

    customer: int
    amount: int
    updated: int
    tags: str = ""
    refunds: dict[int, int] = field(default_factory=dict)


class Shop:
    """A shop's days as the dice fall, and what they must come to."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.orders: dict[int, Order] = {}
        self.streets: dict[int, tuple[int, str]] = {}
        self.told: list[Sent] = []
        self.second = 0

    def tell(self, count: int) -> list[Sent]:
        """The next deliveries. Of twenty, eleven are new orders, four are changes of orders, two
        are refunds, one is a change of a customer, and two were sent before."""
        return [self._next() for _number in range(count)]

    def _next(self) -> Sent:
        self.second += 1
        roll = self.dice.random()
        if not self.orders or roll < 0.55:
            return self._new(self._place())
        if roll < 0.6:
            return self._new(self._move(self._customer()))
        if roll < 0.9:
            # Of late orders, mostly: they are the ones that change.
            number = len(self.orders) - int(len(self.orders) * self.dice.random() ** 3)
            return self._new(self._refund(number) if roll > 0.8 else self._change(number))
        return self.dice.choice(self.told[-2000:])

    def _customer(self) -> int:
        """A few order often: every tenth customer makes nearly half of the orders."""
        return int(CUSTOMERS * self.dice.random() ** 3)

    def _new(self, told: tuple[str, Mapping[str, Any]]) -> Sent:
        topic, body = told
        sent = Sent(topic, f"{len(self.told)}", json.dumps(body).encode())
        self.told.append(sent)
        return sent

    def _place(self) -> tuple[str, Mapping[str, Any]]:
        customer = self._customer()
        number = len(self.orders) + 1
        self.orders[number] = Order(customer, self.dice.randint(500, 50_000), self.second)
        return "orders/create", self._body(number)

    def _move(self, customer: int) -> tuple[str, Mapping[str, Any]]:
        self.streets[customer] = (self.second, f"{self.dice.randint(1, 999)} New Street")
        return "customers/update", self.customer(customer)

    def customer(self, number: int) -> dict[str, Any]:
        """A customer, who lives where they moved last."""
        moved, street = self.streets.get(number, (0, f"{number} High Street"))
        return {
            "id": number + 1,
            "email": _email(number),
            "phone": f"+4477{number:08}",
            "first_name": f"First{number % 500}",
            "last_name": f"Last{number}",
            "updated_at": _moment(moved),
            "state": "enabled",
            "tags": "newsletter",
            "email_marketing_consent": {"state": "subscribed", "opt_in_level": "single_opt_in"},
            "default_address": {
                "id": number + 1,
                "address1": street,
                "address2": None,
                "city": "Bath",
                "province": "Somerset",
                "zip": "BA1 1AA",
                "country_code": "GB",
                "country": "United Kingdom",
                "name": f"First{number % 500} Last{number}",
                "latitude": 51.3811,
                "longitude": -2.359,
            },
        }

    def _change(self, number: int) -> tuple[str, Mapping[str, Any]]:
        order = self.orders[number]
        order.updated = self.second
        if self.dice.random() < 0.5:
            order.tags = f"tag {self.dice.randint(1, 99)}"
        else:
            order.amount = self.dice.randint(500, 50_000)
        return "orders/updated", self._body(number)

    def _refund(self, number: int) -> tuple[str, Mapping[str, Any]]:
        refund = number * 1000 + len(self.orders[number].refunds)
        amount = self.dice.randint(1, 500)
        self.orders[number].refunds[refund] = amount
        stamp = _moment(self.second)
        transaction = {"id": refund, "kind": "refund", "status": "success", "currency": "GBP"}
        return "refunds/create", {
            "id": refund,
            "order_id": number,
            "created_at": stamp,
            "processed_at": stamp,
            "note": "Did not fit",
            "transactions": [{**transaction, "amount": _decimal(amount), "receipt": {"x": "y"}}],
        }

    def _body(self, number: int) -> Mapping[str, Any]:
        """As large and as nested as Shopify's are: five to ten kilobytes."""
        order = self.orders[number]
        customer = self.customer(order.customer)
        address = customer["default_address"]
        amount = _decimal(order.amount)
        lines = [_line(number * 10 + line) for line in range(1 + number % 5)]
        return {
            "id": number,
            "admin_graphql_api_id": f"gid://shopify/Order/{number}",
            "browser_ip": "192.0.2.1",
            "client_details": {"accept_language": "en", "user_agent": "Mozilla/5.0"},
            "created_at": _moment(number),
            "processed_at": _moment(number),
            "updated_at": _moment(order.updated),
            "cancelled_at": None,
            "currency": "GBP",
            "email": customer["email"],
            "financial_status": "paid",
            "fulfillment_status": None,
            "name": f"#{number}",
            "order_number": number,
            "order_status_url": f"https://{SHOP}/orders/{number}/authenticate?key=x",
            "source_name": "web",
            "tags": order.tags,
            "test": False,
            "total_outstanding": "0.00",
            "total_price": amount,
            "total_price_set": _money(amount),
            "subtotal_price_set": _money(amount),
            "total_tax_set": _money("0.00"),
            "note_attributes": [{"name": "gift", "value": "no"}],
            "discount_codes": [],
            "customer": customer,
            "billing_address": address,
            "shipping_address": address,
            "line_items": lines,
            "refunds": [],
        }

    # What it comes to

    def contacts(self) -> dict[str, tuple[int, int, datetime | None, str]]:
        """By e-mail: total spend, orders, the latest order, and the street."""
        spend: Counter[int] = Counter()
        count: Counter[int] = Counter()
        latest: dict[int, datetime] = {}
        for number, order in self.orders.items():
            spend[order.customer] += order.amount - sum(order.refunds.values())
            count[order.customer] += 1
            latest[order.customer] = OPENED + timedelta(seconds=number)
        return {
            _email(one): (
                spend[one],
                count[one],
                latest.get(one),
                self.customer(one)["default_address"]["address1"],
            )
            for one in {*range(KNOWN), *count, *self.streets}
        }

    def activities(self) -> dict[str, tuple[str, int, str]]:
        """By reference: whose, how much, and the tags."""
        found = {}
        for number, order in self.orders.items():
            found[f"order:{number}"] = (_email(order.customer), order.amount, order.tags)
            for refund, amount in order.refunds.items():
                found[f"refund:{refund}"] = (_email(order.customer), -amount, "")
        return found


def _line(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{number}",
        "title": f"Thing number {number}",
        "sku": f"SKU-{number}",
        "quantity": 1,
        "price": "12.50",
        "price_set": _money("12.50"),
        "total_discount_set": _money("0.00"),
        "fulfillable_quantity": 1,
        "grams": 250,
        "properties": [{"name": "Colour", "value": "Blue"}],
        "tax_lines": [{"title": "VAT", "rate": 0.2, "price": "2.08", "price_set": _money("2.08")}],
        "discount_allocations": [],
        "variant_title": "Blue / M",
        "vendor": "Bench",
    }


def _money(amount: str) -> dict[str, Any]:
    one = {"amount": amount, "currency_code": "GBP"}
    return {"shop_money": one, "presentment_money": one}


def _decimal(pence: int) -> str:
    return f"{pence // 100}.{pence % 100:02}"


def _email(number: int) -> str:
    return f"guest.{number}@example.com"


def _moment(second: int) -> str:
    return (OPENED + timedelta(seconds=second)).isoformat()


# Sending


@dataclass
class Answers:
    """How a load was answered: seconds from when each was to be sent to its answer, statuses, how
    many were sent again because the connection broke, and how late the sender was at most."""

    times: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    resent: int = 0
    lateness: float = 0

    def quantile(self, share: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def request(path: str, sent: Sent) -> bytes:
    """The bytes of a signed request."""
    signature = base64.b64encode(hmac.digest(SECRET.encode(), sent.body, hashlib.sha256)).decode()
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(sent.body)}",
        f"X-Shopify-Topic: {sent.topic}",
        f"X-Shopify-Shop-Domain: {SHOP}",
        f"X-Shopify-Webhook-Id: {sent.id}",
        f"X-Shopify-Hmac-Sha256: {signature}",
    )
    return "\r\n".join((*lines, "", "")).encode() + sent.body


async def load(port: int, requests: Sequence[bytes], rate: float) -> Answers:
    """Send each at its time; connections are kept and as many as are needed."""
    answers = Answers()
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(raw: bytes) -> int:
        reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
        writer.write(raw)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        await reader.readexactly(length)
        idle.append((reader, writer))
        return int(head.split(b" ", 2)[1])

    async def send(due: float, raw: bytes) -> None:
        for _attempt in range(RESENDS):
            try:
                status = await ask(raw)
                break
            except (OSError, asyncio.IncompleteReadError):
                answers.resent += 1
                await asyncio.sleep(0.1)
        else:
            status = 0
        answers.times.append(time.perf_counter() - due)
        answers.statuses[status] += 1

    began = time.perf_counter() + 0.1
    tasks = []
    for number, raw in enumerate(requests):
        due = began + number / rate
        await asyncio.sleep(max(0, due - time.perf_counter()))
        answers.lateness = max(answers.lateness, time.perf_counter() - due)
        tasks.append(asyncio.create_task(send(due, raw)))
    await asyncio.gather(*tasks)
    for _reader, writer in idle:
        writer.close()
    return answers


# The processes


def _environment(port: int) -> dict[str, str]:
    """As docs/deployment.md says, on the database of this benchmark."""
    known = database.settings_dict
    name = str(known["NAME"])
    url = f"sqlite:///{name}"
    if database.vendor == "postgresql":
        secret = f":{known['PASSWORD']}" if known["PASSWORD"] else ""
        url = f"postgres://{known['USER']}{secret}@{known['HOST']}:{known['PORT'] or 5432}/{name}"
    return {
        "DATABASE_URL": url,
        "SECRET_KEY": settings.SECRET_KEY,
        "PORT": str(port),
        "LOG_LEVEL": "WARNING",
    }


@contextmanager
def running(command: str, port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command on this database; what it says goes into a file of its name."""
    with (
        (folder / f"{command}.log").open("ab") as log,
        processes.running(command, _environment(port), log) as process,
    ):
        yield process


def _unapplied() -> int:
    return Delivery.objects.across_organisations().filter(due_at__isnull=False).count()


def cpu(process: subprocess.Popen[bytes]) -> float:
    """Seconds of processor time that a process and its children have used; Linux says."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, (_state, parent, *rest) = int(stat.parent.name), _after_name(stat.read_text())
        except (OSError, ValueError):
            continue  # ended while we looked
        parents[pid] = int(parent)
        used[pid] = (int(rest[9]) + int(rest[10])) / os.sysconf("SC_CLK_TCK")
    family = {process.pid}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(used.get(pid, 0.0) for pid in family)


def _after_name(stat: str) -> list[str]:
    return stat.rpartition(")")[2].split()


class Backlog:
    """How many deliveries wait to be applied, every few seconds."""

    def __init__(self, every: float) -> None:
        self.seen: list[int] = []
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._stop.wait(self._every):
            self.seen.append(_unapplied())
        database.close()

    def __enter__(self) -> Backlog:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()


def _drain() -> float:
    """Seconds until nothing waits any more."""
    began = time.perf_counter()
    while _unapplied():
        if time.perf_counter() - began > PATIENCE:
            raise AssertionError(f"{_unapplied()} deliveries are still not applied.")
        time.sleep(0.05)
    return time.perf_counter() - began


# The benchmark


def inbox(seconds: int) -> None:
    """The load with the worker beside it; then as much of it without, which the worker applies
    afterwards on its own."""
    organisation = create_organisation(name="Bench", currency_code="GBP", country="GB")
    connection = services.connect(
        organisation=organisation,
        source="shopify",
        credentials={"secret": SECRET, "shop_domain": SHOP},
    )
    shop = Shop(random.Random(4))
    customers = [PersonIs(topics.person(shop.customer(number))) for number in range(KNOWN)]
    assert not applying.write_page(connection, customers, history=True)
    beside = [request(connection.path, one) for one in shop.tell(RATE * seconds)]
    alone = [request(connection.path, one) for one in shop.tell(RATE * max(1, seconds // 3))]
    size = sum(map(len, beside)) / len(beside)
    port = processes.free_port()
    with TemporaryDirectory() as name, running("serve", port, Path(name)) as server:
        processes.wait_for(port)
        _warm_up(port, connection)
        with running("worker", port, Path(name)) as worker:
            _drain()
            before = cpu(server), cpu(worker), time.process_time()
            with Backlog(max(1, seconds / 10)) as backlog:
                answers = asyncio.run(load(port, beside, RATE))
                drained = _drain()
            door, share = cpu(server) - before[0], cpu(worker) - before[1]
            sender = time.process_time() - before[2]
        without = asyncio.run(load(port, alone, RATE))
        waiting = _unapplied()
        with running("worker", port, Path(name)):
            _first_is_applied(waiting)
            began, left = time.perf_counter(), _unapplied()
            _drain()
            rate = left / (time.perf_counter() - began)
        logs = "".join((Path(name) / f"{one}.log").read_text() for one in ("serve", "worker"))
    verify(shop, organisation, connection, answers, without)
    floor = _floor(organisation)
    print(
        f"  {len(beside):,} deliveries of {size / 1024:.1f} KiB, {RATE} a second: "
        "none lost, none doubled"
    )
    for title, some in (("one worker beside", answers), ("no worker", without)):
        figures = " ".join(f"{some.quantile(share):>7.1f}" for share in (0.5, 0.99, 1))
        print(f"  answers, {title:<20} {figures} ms (median, 99th, longest); goal 200 at the 99th")
    print(f"  sender late by at most               {answers.lateness * 1000:>7.1f} ms")
    for title, used in (("door", door), ("worker", share), ("sender", sender)):
        each = used / len(beside) * 1000
        print(f"  processor time, {title:<20} {each:>7.2f} ms, {1000 / each:,.0f} a second a core")
    print(f"  sent again after a broken connection {answers.resent + without.resent:>7}")
    print(f"  backlog over time                    {' '.join(map(str, backlog.seen))}")
    print(f"  drained after the last               {drained:>7.1f} s")
    print(f"  worker alone                         {rate:>7.0f} deliveries/s  {rate / floor:.2f}")
    print(f"  floor: record_batch of 50            {floor:>7.0f} activities/s")
    if logs:
        print(f"  logged: {logs[:500]}")


def _warm_up(port: int, connection: Connection) -> None:
    """Some deliveries that say nothing, so that every process and thread has its database."""
    some = [Sent("products/update", f"warm-{number}", b"{}") for number in range(RATE)]
    asyncio.run(load(port, [request(connection.path, one) for one in some], RATE))


def _first_is_applied(waiting: int) -> None:
    while _unapplied() == waiting:
        time.sleep(0.01)


def _floor(organisation: Organisation) -> float:
    """Purchases of known contacts, fifty a transaction: as fast as a worker could be that had
    nothing to read and nothing to find out."""
    rows = Contact.objects.for_organisation(organisation).values_list("pk", flat=True)
    ids = list(rows[:1000])
    began, count = time.perf_counter(), 2000
    for start in range(0, count, 50):
        activity_services.record_batch(
            organisation=organisation,
            rows=[
                {
                    "contact": ids[number % len(ids)],
                    "type": "Shopify order",
                    "source": "floor",
                    "happened_at": OPENED,
                    "spend": 100,
                    "external_reference": f"floor-{number}",
                }
                for number in range(start, start + 50)
            ],
        )
    return count / (time.perf_counter() - began)


def verify(
    shop: Shop,
    organisation: Organisation,
    connection: Connection,
    *answers: Answers,
) -> None:
    """Raise AssertionError unless all is as the shop's model says."""
    for some in answers:
        assert set(some.statuses) == {200}, some.statuses
    deliveries = Delivery.objects.for_organisation(organisation).exclude(topic="products/update")
    stored = Counter(deliveries.values_list("status", flat=True))
    assert stored.total() == len(shop.told), f"{len(shop.told)} sent, {stored.total()} stored"
    assert set(stored) <= {"applied", "ignored"}, stored
    contacts = Contact.objects.for_organisation(organisation)
    totals = (
        "rollup__total_spend",
        "rollup__total_orders",
        "rollup__last_order_at",
        "addresses__line1",
    )
    _same(
        {str(email): (*rest,) for email, *rest in contacts.values_list("email_address", *totals)},
        shop.contacts(),
        contacts.count(),
    )
    rows = Activity.objects.for_organisation(organisation).filter(source=connection.namespace)
    _same(
        {
            str(reference): (email, spend, data.get("tags", ""))
            for reference, email, spend, data in rows.values_list(
                "external_reference", "contact__email_address", "spend", "data"
            )
        },
        shop.activities(),
        rows.count(),
    )
    wrong = list(rollups.drift(organisation))
    assert not wrong, wrong[:5]


def _same(found: Mapping[str, Any], expected: Mapping[str, Any], count: int) -> None:
    assert count == len(expected), f"{len(expected)} expected, {count} there"
    different = {
        key: (found.get(key), expected.get(key))
        for key in found.keys() | expected.keys()
        if found.get(key) != expected.get(key)
    }
    assert not different, dict(list(different.items())[:5])
