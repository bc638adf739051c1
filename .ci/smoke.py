"""`make demo` as a stranger meets it: start, look, write, stop, start again.

Called by .ci/run with the folder of a fresh clone. Only the standard library: in that clone
nothing is installed yet.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SECOND_START_LIMIT = 30.0  # a few seconds on a machine that does nothing else


class Demo:
    """A running `make demo`, its output read up to the line that says how to stop it."""

    def __init__(self, folder: Path, port: int) -> None:
        began = time.monotonic()
        self.process = subprocess.Popen(
            ["make", "demo"],
            cwd=folder,
            env={**os.environ, "PORT": str(port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.output = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            print("   |", line, end="")
            self.output += line
            if line.startswith("Ctrl-C"):
                break
        else:
            sys.exit(f"make demo ended with {self.process.wait()}")
        self.seconds = time.monotonic() - began

    def found(self, pattern: str) -> str:
        match = re.search(pattern, self.output)
        assert match, f"{pattern} is not in what make demo printed"
        return match[1]

    def interrupt(self) -> None:
        """Ctrl-C: to the whole foreground group, as a terminal does."""
        began = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        assert self.process.stdout is not None
        rest = self.process.stdout.read()
        self.process.wait(timeout=30)
        assert "Stopped." in rest, rest
        assert "Traceback" not in rest, rest
        print(f"   stopped in {time.monotonic() - began:.1f} s")


class Site:
    """The demo over HTTP."""

    def __init__(self, address: str, key: str) -> None:
        self.address, self.key = address, key

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        request = urllib.request.Request(
            self.address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"x-api-key": self.key, "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def page(self, path: str) -> str:
        with urllib.request.urlopen(self.address + path, timeout=20) as answer:
            return str(answer.read().decode())


def expect(told: str, seen: object, wanted: object) -> None:
    assert seen == wanted, f"{told}: {seen!r} instead of {wanted!r}"
    print(f"   {told}: {seen!r}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    folder, port = Path(sys.argv[1]), free_port()
    demo = Demo(folder, port)
    print(f"   first start: {demo.seconds:.0f} s")
    address = demo.found(r"Regulars runs at (\S+)")
    key = demo.found(r"API key +(\S+)")
    site = Site(address, key)

    assert "<form" in site.page("/admin/login/"), "the admin shows no login"
    status, contacts = site.call("GET", "/api/contacts?itemsPerPage=3")
    expect("contacts with the key", (status, len(contacts)), (200, 3))
    expect("without a right key", Site(address, "rg_wrong").call("GET", "/api/contacts")[0], 401)
    before = demo_total(site)

    status, contact = site.call(
        "POST", "/api/contacts", {"emailAddress": "smoke@example.com", "firstName": "Smoke"}
    )
    expect("a new contact", status, 201)
    activity = {
        "contact": contact["id"],
        "type": "Purchase",
        "source": "smoke",
        "happenedAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "spend": 4500,
        "currencyCode": "GBP",
        "externalReference": "SMOKE-1",
    }
    expect("a purchase", site.call("POST", "/api/activities", activity)[0], 201)
    expect("the same again", site.call("POST", "/api/activities", activity)[0], 200)
    _, contact = site.call("GET", f"/api/contacts/{contact['id']}")
    expect("its totals", (contact["totalSpend"], contact["totalOrders"]), (4500, 1))
    expect("one contact more", demo_total(site), before + 1)
    demo.interrupt()

    again = Demo(folder, port)
    print(f"   second start: {again.seconds:.1f} s")
    assert again.seconds < SECOND_START_LIMIT, "the second start is not quick"
    expect("the same key is printed", again.found(r"API key +(\S+)"), key)
    expect("the data is kept", demo_total(site), before + 1)
    drift = subprocess.run(
        [".venv/bin/python", "manage.py", "recompute_rollups", "--check"], cwd=folder, check=False
    )
    expect("recompute_rollups --check", drift.returncode, 0)
    again.interrupt()


def demo_total(site: Site) -> int:
    """How many contacts there are."""
    request = urllib.request.Request(
        f"{site.address}/api/contacts?itemsPerPage=1&count=true", headers={"x-api-key": site.key}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return int(answer.headers["X-Total-Count"])


main()
