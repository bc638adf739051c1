"""Half an hour of mixed load against the real server and worker: does anything grow or slow down?

`DATABASE_URL=postgres://… python -m benchmarks.soak --minutes 30 --rate 40` on an empty, migrated
database. 80 % reads (a contact, lists, a search, a timeline), 15 % activities, 5 % contacts
written, at times fixed beforehand: a late answer is late from when it was due. Each line is a tenth
of the time; at the end what is stored is compared with what was answered.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any

from benchmarks.processes import free_port, running, wait_for

if TYPE_CHECKING:
    from organisations.models import Organisation

CLIENTS = 16


@dataclass
class Stretch:
    """What was answered in a stretch of time."""

    times: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def line(self, minute: float, memory: Sequence[str]) -> str:
        times = sorted(self.times)
        p50, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
        bad = sum(n for status, n in self.statuses.items() if status >= 400 or not status)
        return (
            f"{minute:>6.0f} min {len(times):>8,} answers {bad:>4} errors  p50 {p50:>7.1f} ms  "
            f"p99 {p99:>8.1f} ms  memory {' '.join(memory)}"
        )


class Load:
    """Requests of one organisation, chosen by a seed, and what became of them."""

    def __init__(self, port: int, key: str, ids: Sequence[int]) -> None:
        self.port = port
        self.headers = {"X-API-Key": key, "Content-Type": "application/json"}
        self.ids = ids
        self.due: Queue[tuple[float, str, str, Any] | None] = Queue()
        self.stretch = Stretch()
        self.activities = self.contacts = 0
        self._lock = threading.Lock()
        self._rng = random.Random(7)

    def next(self, number: int) -> tuple[str, str, Any]:
        """The method, path and body of a request."""
        rng, contact = self._rng, self._rng.choice(self.ids)
        lot = rng.random()
        if lot < 0.15:
            body = {
                "contact": contact,
                "type": rng.choice(["Purchase", "Connected to wifi", "Booking"]),
                "source": "soak",
                "happenedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "spend": rng.randint(0, 9000),
                "externalReference": f"soak-{number}",
            }
            return "POST", "activities", body
        if lot < 0.18:
            return "PATCH", f"contacts/{contact}", {"firstName": rng.choice("ABCDEFG") + "nna"}
        if lot < 0.20:
            return "POST", "contacts", {"emailAddress": f"soak{number}@example.com"}
        reads = (
            f"contacts/{contact}",
            f"contacts/{contact}",
            "contacts?itemsPerPage=50",
            "contacts?order[totalSpend]=desc",
            f"contacts?search={rng.choice(['smith', 'garcia', 'jones'])}",
            f"activities?contact={contact}",
            "activities?type=Purchase",
        )
        return "GET", rng.choice(reads), None

    def client(self) -> None:
        """A thread that asks what is due until it is told None."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while (request := self.due.get()) is not None:
            due, method, path, body = request
            try:
                connection.request(method, f"/api/{path}", body and json.dumps(body), self.headers)
                response = connection.getresponse()
                response.read()
                status = response.status
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0
            self._answered(method, path, status, time.monotonic() - due)

    def _answered(self, method: str, path: str, status: int, seconds: float) -> None:
        with self._lock:
            self.stretch.times.append(seconds)
            self.stretch.statuses[status] += 1
            if method == "POST" and status == 201:
                self.activities += path == "activities"
                self.contacts += path == "contacts"

    def turn(self) -> Stretch:
        """What was answered since the last turn."""
        with self._lock:
            done, self.stretch = self.stretch, Stretch()
        return done


def soak(organisation: Organisation, key: str, *, minutes: float, rate: int) -> None:
    """Prints a line for each tenth of the time. Raises AssertionError when what is stored is not
    what was answered, or when anything but 2xx was."""
    from activities.models import Activity
    from contacts import rollups
    from contacts.models import Contact
    from workflows.models import Event, Run

    mine = Contact.objects.for_organisation(organisation)
    told = Activity.objects.for_organisation(organisation)
    people_before, told_before = mine.count(), told.count()
    port = free_port()
    load = Load(port, key, list(mine.order_by("pk").values_list("pk", flat=True)[10:20_010]))
    clients = [threading.Thread(target=load.client) for _number in range(CLIENTS)]
    statuses: Counter[int] = Counter()
    variables = {"PORT": str(port), "API_RATE_LIMIT": "100000/s"}
    with running("serve", variables) as web, running("worker", variables) as worker:
        wait_for(port)
        for client in clients:
            client.start()
        began = time.monotonic()
        each, number = minutes * 60 / 10, 0
        for tenth in range(1, 11):
            while (due := began + number / rate) < began + tenth * each:
                time.sleep(max(0.0, due - time.monotonic()))
                load.due.put((due, *load.next(number)))
                number += 1
            done = load.turn()
            statuses += done.statuses
            print(done.line(tenth * each / 60, [_memory(web.pid), _memory(worker.pid)]), flush=True)
        for _client in clients:
            load.due.put(None)
        for client in clients:
            client.join()
        statuses += load.turn().statuses
        _wait_until(lambda: not Event.objects.across_organisations().exists(), 120)
        runs = Run.objects.across_organisations()
        _wait_until(lambda: not runs.exclude(status="completed").exists(), 120)
    assert set(statuses) <= {200, 201}, statuses
    assert mine.count() == people_before + load.contacts
    assert told.count() == told_before + load.activities
    wrong = rollups.recompute(load.ids)
    assert wrong == 0, wrong
    print(
        f"{sum(statuses.values()):,} answers, {load.activities:,} activities, "
        f"{runs.count():,} runs; stored is what was answered, and no total is wrong"
    )


def _memory(group: int) -> str:
    """What each process of a group holds, in MB, largest first."""
    pages = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            its = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(its[2]) == group:
            pages.append(int(its[21]))
    size = os.sysconf("SC_PAGE_SIZE")
    return "+".join(f"{count * size / 1e6:.0f}" for count in sorted(pages, reverse=True))


def _wait_until(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


def main() -> None:
    import django

    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=int, default=40, help="requests a second")
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--activities", type=int, default=500_000)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")
    django.setup()
    from benchmarks.data import load
    from organisations.services import create_api_key
    from workflows import services

    organisation = load(options.contacts, options.activities, name="Soak")
    services.create(
        organisation=organisation,
        name="Large purchase",
        status="Active",
        trigger={"type": "activity_created", "activityTypes": ["Purchase"]},
        steps=[{"id": "all", "type": "condition", "conditions": {"all": []}}],
    )
    _row, key = create_api_key(organisation=organisation, name="soak")
    soak(organisation, key, minutes=options.minutes, rate=options.rate)


if __name__ == "__main__":
    main()
