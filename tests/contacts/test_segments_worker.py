"""The worker's own process keeps segments right: soon after a change, and after it was killed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
CONTACTS = 30_000

pytestmark = pytest.mark.slow

MAKE = f"""
from contacts import services
from contacts.segments.services import create
from organisations.models import Organisation
organisation = Organisation.objects.create(name="House")
for start in range(0, {CONTACTS}, 1000):
    services.upsert_batch(organisation=organisation, rows=[
        {{"email_address": f"{{n}}@example.com", "first_name": "ab"[n % 2]}}
        for n in range(start, start + 1000)])
rules = {{"all": [{{"field": "contact.firstName", "operator": "eq", "value": "A"}}]}}
create(organisation=organisation, name="As", rules=rules)
"""
CHANGE = """
from contacts import services
from contacts.models import Contact
from organisations.models import Organisation
organisation = Organisation.objects.get()
contact = Contact.objects.for_organisation(organisation).get(email_key="1@example.com")
services.update(contact=contact, values={"first_name": "a"})
"""
LOOK = """
SELECT segment.contact_count, segment.done_up_to, segment.refreshed_at,
    (SELECT count(*) FROM contacts_contacttag WHERE tag_id = segment.tag_id)
FROM contacts_segment segment
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": f"sqlite:///{tmp_path / 'segments.sqlite3'}",
        "PYTHONUNBUFFERED": "1",
    }

    def manage(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    manage.environment = environment  # type: ignore[attr-defined]
    manage("migrate", "-v0")
    return manage


@pytest.fixture
def worker(run: Any) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "worker"],
            cwd=ROOT,
            env=run.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


class Seen(NamedTuple):
    count: int
    up_to: int | None
    refreshed_at: str | None
    links: int


def wait_for(database: Path, seconds: float, fits: Callable[[Seen], bool]) -> Seen:
    """Look, past the worker's own process, until it is so."""
    give_up = time.monotonic() + seconds
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        while True:
            seen = Seen(*connection.execute(LOOK).fetchone())
            if fits(seen):
                return seen
            assert time.monotonic() < give_up, seen
            time.sleep(0.002)  # another process is at work


def test_a_killed_worker_is_followed_by_another_and_changes_by_themselves(
    run: Any, worker: Callable[[], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    database = tmp_path / "segments.sqlite3"
    run("shell", "-v0", "-c", MAKE)

    reached = 0
    for _time in range(2):
        process = worker()
        seen = wait_for(database, 60, lambda now: (now.up_to or 0) > reached)  # noqa: B023
        process.kill()
        process.wait()
        assert seen.up_to is not None
        reached = seen.up_to
        assert seen.refreshed_at is None  # in the middle
    worker()
    seen = wait_for(database, 60, lambda now: now.refreshed_at is not None)
    assert seen.count == seen.links == CONTACTS // 2

    run("shell", "-v0", "-c", CHANGE)
    started = time.monotonic()
    seen = wait_for(database, 10, lambda now: now.count == CONTACTS // 2 + 1)
    assert time.monotonic() - started < 3
    assert seen.links == CONTACTS // 2 + 1
