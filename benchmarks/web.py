"""Requests a second, by wrk, of the production server: `manage.py serve` as the README starts it.

The floor is a bare view of Django REST framework (`bare.py`) behind the same command on the same
tables. Both run all the time, and are loaded by turns.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.db.models import Count

from activities.models import Activity
from benchmarks import floors, processes
from benchmarks.measuring import Row, Sizes, against, race
from benchmarks.population import Population, happenings, verify
from contacts.models import Contact
from organisations.services import create_api_key

HERE = Path(__file__).parent
CONNECTIONS = 8
REQUESTS = "requests/s"
NO_WRK = "wrk is not installed (apt-get install wrk): not measured"


@dataclass
class Server:
    """A server under load, and what it was told."""

    url: str
    folder: Path
    key: str = ""
    bare: bool = False

    def load(self, kind: str, ids: Path, seconds: int, connections: int = CONNECTIONS) -> float:
        """Requests a second. Raises AssertionError for any answer that is not 2xx, and when not
        all that was answered is stored."""
        mark = floors.tag()
        told = subprocess.run(
            [
                *("wrk", "--threads", "1", "--connections", str(connections)),
                *("--duration", f"{seconds}s", "--timeout", "30s"),
                *("--header", f"x-api-key: {self.key}"),
                *("--script", str(HERE / "load.lua"), self.url, "--", kind, mark, str(ids)),
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        found = json.loads(told.rstrip().rpartition("\n")[2])
        assert not found["wrong"], told
        if kind in SIZE:
            _settled(mark, found["requests"] * SIZE[kind], connections * SIZE[kind])
        if found["requests"] < ENOUGH:
            return self.load(kind, ids, 3 * seconds, connections)
        if connections == 1:  # what it needs to make the next is not the server's time
            return float(1 / found["mean"])
        return float(found["requests"] / found["seconds"])


ENOUGH = 5
SIZE = {"activity": 1, "bare_activity": 1, "batch": 1000}
"""How many activities a request of this kind tells of."""


def _settled(mark: str, answered: int, under_way: int) -> None:
    """All that was answered is stored, and of what was under way at the end no more than was
    sent; waits until the server has done with that."""
    before = -1
    activities = Activity.objects.across_organisations().filter(source=mark)
    while (stored := activities.count()) != before:
        before = stored
        time.sleep(0.2)
    assert answered <= stored <= answered + under_way, f"{answered} answered, {stored} stored"


@contextmanager
def serving(folder: Path, *, bare: bool = False) -> Iterator[Server]:
    """`manage.py serve` on a free port, until the end of the block."""
    port = processes.free_port()
    variables = {
        "DJANGO_SETTINGS_MODULE": "benchmarks.bare_settings" if bare else "crm.settings",
        "SECRET_KEY": settings.SECRET_KEY,
        "PORT": str(port),
        "LOG_LEVEL": "ERROR",
        "API_RATE_LIMIT": "1000000/s",
    }
    name = "bare" if bare else "ours"
    with (
        (folder / f"{name}.log").open("wb") as log,
        processes.running("serve", variables, log),
    ):
        processes.wait_for(port)
        yield Server(f"http://127.0.0.1:{port}", folder, bare=bare)


def web(sizes: Sizes) -> list[Row]:
    """Reads and writes over the API."""
    if shutil.which("wrk") is None:
        return [_unmeasured(work) for work in ("GET /contacts/{id}", "POST /activities")]
    there = Population.found()
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        ours = stack.enter_context(serving(folder))
        ours.key = create_api_key(organisation=there.organisation, name="bench")[1]
        bare = stack.enter_context(serving(folder, bare=True))
        rows = list(_reads(ours, bare, there, sizes, folder))
        rows += _writes(ours, bare, there, sizes, folder)
        logged = "".join(log.read_text() for log in folder.glob("*.log"))
    assert not logged, logged[:2000]
    return rows


def _unmeasured(work: str) -> Row:
    return Row(work, 0, None, None, None, None, REQUESTS, note=NO_WRK)


def _reads(
    ours: Server, bare: Server, there: Population, sizes: Sizes, folder: Path
) -> Iterator[Row]:
    some = _ids(folder / "some", random.Random(1).choices(_range(there), k=10_000))
    for kind, work in (
        ("contact", "GET /contacts/{id}, custom fields and tags"),
        ("list", "GET /contacts of 50"),
    ):
        contenders = {
            "floor": lambda _turn, kind=kind: bare.load(kind, some, sizes.seconds),
            "ours": lambda _turn, kind=kind: ours.load(kind, some, sizes.seconds),
        }
        _warm(contenders)
        rates = race(contenders, sizes.turns)
        yield against(work, rates["ours"], rates["floor"], unit=REQUESTS, goal=1)


def _writes(ours: Server, bare: Server, there: Population, sizes: Sizes, folder: Path) -> list[Row]:
    some = _ids(folder / "many", random.Random(2).choices(_range(there), k=10_000))
    walk_in = _ids(folder / "walk-in", [there.first])
    with_few = _with_few(there)
    few = _ids(folder / "few", with_few)
    told = Activity.objects.for_organisation(there.organisation)

    def batched(_turn: int) -> float:
        return 1000 * ours.load("batch", some, sizes.seconds, connections=1)

    contenders: dict[str, Any] = {
        "bare": lambda _turn: bare.load("bare_activity", some, sizes.seconds),
        "ours": lambda _turn: ours.load("activity", some, sizes.seconds),
        "few": lambda _turn: ours.load("activity", few, sizes.seconds, connections=1),
        "many": lambda _turn: ours.load("activity", walk_in, sizes.seconds, connections=1),
        "floor": lambda _turn: _batched_floor(there, sizes),
        "batch": batched,
    }
    _warm(contenders)
    rates = race(contenders, sizes.turns)
    # The bare view knows nothing of the latest order: only contacts that it was not told of.
    verify(
        there.organisation,
        people=there.people,
        told=told.count(),
        sample=with_few[:500],
    )
    return [
        against("POST /activities", rates["ours"], rates["bare"], unit=REQUESTS, goal=1),
        against(
            "POST /activities/batch of 1,000",
            rates["batch"],
            rates["floor"],
            unit="activities/s",
            goal=0.5,
        ),
        against(
            f"POST /activities, contact with {sizes.told // 5:,} of them, against 10",
            rates["many"],
            rates["few"],
            unit=REQUESTS,
            goal=1.2,
            at_most=True,
        ),
    ]


def _batched_floor(there: Population, sizes: Sizes) -> float:
    """A thousand rows to a transaction, on one connection, no longer than wrk has."""
    batches = [
        floors.batch(there.organisation, happenings(there, 1000, floors.tag()))
        for _number in range(10 * sizes.seconds)
    ]
    began = time.perf_counter()
    for work in batches:
        work()
    return 1000 * len(batches) / (time.perf_counter() - began)


def _warm(contenders: dict[str, Any]) -> None:
    """Every process and thread has its database, and has compiled what it needs."""
    for work in contenders.values():
        work(-1)


def _range(there: Population) -> range:
    return range(there.first + 10, there.first + there.people)


def _with_few(there: Population) -> list[int]:
    """Contacts with about ten activities each."""
    others = Contact.objects.for_organisation(there.organisation).filter(pk__gt=there.first + 9)
    counted = others.annotate(told=Count("activities")).filter(told__range=(8, 12))
    return list(counted.values_list("pk", flat=True)[:1000])


def _ids(path: Path, ids: Iterable[int]) -> Path:
    path.write_text("".join(f"{pk}\n" for pk in ids))
    return path
