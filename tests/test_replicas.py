"""A real streaming replica: lists are read there, and what was just written is in them."""

from __future__ import annotations

import json
import os
import pwd
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_basebackup"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BINARIES, reason="PostgreSQL's programs are not on this machine"),
]


class Cluster:
    """A primary and a replica of it, of our own, in a directory that goes away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"primary": _free_port(), "replica": _free_port()}

    def start(self) -> None:
        self._do("initdb", "-D", "primary", "-A", "trust", "-U", "regulars", "-N")
        self._up("primary")
        port = str(self.ports["primary"])
        self._do("createdb", "-h", "127.0.0.1", "-p", port, "-U", "regulars", "regulars")
        login = ("-h", "127.0.0.1", "-p", port, "-U", "regulars")
        self._do("pg_basebackup", *login, "-D", "replica", "-R", "-X", "stream", "-N")
        self._up("replica")

    def stop(self, which: str) -> None:
        self._do("pg_ctl", "-D", which, "-m", "immediate", "-w", "stop")

    def url(self, which: str) -> str:
        return f"postgres://regulars@127.0.0.1:{self.ports[which]}/regulars"

    def ask(self, which: str, statement: str) -> Any:
        with psycopg.connect(self.url(which), autocommit=True) as its:
            row = its.execute(statement).fetchone()
        return row[0] if row else None

    def lists_read_by_the_replica(self) -> int:
        """How many times the replica has scanned the table of contacts."""
        self.ask("replica", "SELECT pg_stat_clear_snapshot()")
        return int(
            self.ask(
                "replica",
                "SELECT seq_scan + COALESCE(idx_scan, 0) FROM pg_stat_user_tables"
                " WHERE relname = 'contacts_contact'",
            )
        )

    def _up(self, which: str) -> None:
        options = f"-p {self.ports[which]} -k {self.folder} -c fsync=off"
        self._do("pg_ctl", "-D", which, "-w", "-l", f"{which}.log", "-o", options, "start")

    def _do(self, program: str, *arguments: str) -> None:
        # PostgreSQL refuses to run as root.
        user = "postgres" if os.getuid() == 0 else None
        subprocess.run(
            [BINARIES[-1].with_name(program), *arguments],
            cwd=self.folder,
            user=user,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=300,
        )


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if connection.vendor != "postgresql":
        pytest.skip("a replica is PostgreSQL's")
    with TemporaryDirectory() as name:
        folder = Path(name)
        if os.getuid() == 0:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        cluster = Cluster(folder)
        try:
            cluster.start()
            yield cluster
        finally:
            for which in ("replica", "primary"):
                if (folder / which / "postmaster.pid").exists():
                    cluster.stop(which)


class Site:
    """The production server and commands of an installation that has the replica."""

    def __init__(self, cluster: Cluster) -> None:
        self.port = _free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": cluster.url("primary"),
            "READ_REPLICA_URL": cluster.url("replica"),
            "PORT": str(self.port),
        }
        self.manage("migrate", "-v0")
        self.manage("create_organisation", "Harbour")
        self.key = self.manage("create_api_key", "--organisation", "1", "test").split()[-1]
        self.server = subprocess.Popen(
            [sys.executable, "manage.py", "serve"], cwd=ROOT, env=self.environment
        )

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def api(self, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(  # a server of our own
            f"http://127.0.0.1:{self.port}/api/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-API-Key": self.key, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def names(self) -> set[str]:
        return {contact["name"] for contact in self.api("contacts")}


def test_lists_come_from_the_replica_and_have_what_was_just_written(cluster: Cluster) -> None:
    site = Site(cluster)
    try:
        _wait_until(lambda: _answers(site))
        for number in range(20):
            site.api("contacts", {"name": f"Guest {number}", "emailAddress": f"g{number}@x.com"})
            assert f"Guest {number}" in site.names()
        _wait_until(lambda: bool(site.names()) and cluster.lists_read_by_the_replica() > 0)

        # It falls behind: what was written is found all the same, on the primary.
        cluster.ask("replica", "SELECT pg_wal_replay_pause()::text")
        site.api("contacts", {"name": "Late", "emailAddress": "late@x.com"})
        assert "Late" in site.names()
        assert "Late" in site.manage("export_contacts", "--organisation", "1")
        cluster.ask("replica", "SELECT pg_wal_replay_resume()::text")
        assert "Late" in site.names()
        assert "Late" in site.manage("export_contacts", "--organisation", "1")

        # And it dies.
        cluster.stop("replica")
        assert "Late" in site.names()
        site.api("contacts", {"name": "Later", "emailAddress": "later@x.com"})
        assert "Later" in site.names()
    finally:
        site.server.terminate()
        site.server.wait(timeout=60)


def _answers(site: Site) -> bool:
    assert site.server.poll() is None
    try:
        with socket.create_connection(("127.0.0.1", site.port), timeout=1):
            return True
    except OSError:
        return False


def _wait_until(holds: Callable[[], bool]) -> None:
    """A server takes a while to start, and PostgreSQL counts a scan a second after it was made."""
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
