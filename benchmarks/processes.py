"""The commands that are measured, as processes of their own."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

MANAGE = Path(__file__).resolve().parent.parent / "manage.py"


@contextmanager
def running(
    command: str, variables: Mapping[str, str], log: IO[bytes] | IO[str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """`manage.py` with this command, until the end of the block: in a session of its own, as a
    supervisor starts it, because Linux shares out a processor by session."""
    process = subprocess.Popen(
        [sys.executable, str(MANAGE), command],
        env=os.environ | variables,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(port: int) -> None:
    """Until the server answers, whatever it is: it has the port before it has read its code."""
    for _attempt in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/api/contacts/0")
            connection.getresponse()
            return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise RuntimeError("The server does not start.")
