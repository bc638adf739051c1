"""Brokers that a test takes away and brings back."""

from __future__ import annotations

import shutil
import socket
import subprocess
import uuid
from contextlib import suppress
from threading import Thread

import pytest
from kombu import Connection


class Line:
    """A way to a server that others use too: it is cut and mended instead of the server."""

    def __init__(self, to: int) -> None:
        self.to = to
        self.port = 0
        self._ends: list[socket.socket] = []
        self.mend()

    def mend(self) -> None:
        self._door = socket.create_server(("127.0.0.1", self.port))
        self.port = self._door.getsockname()[1]
        Thread(target=self._serve, args=(self._door,), daemon=True).start()

    def cut(self) -> None:
        for end in (self._door, *self._ends):
            with suppress(OSError):  # the other side was first
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def _serve(self, door: socket.socket) -> None:
        with suppress(OSError):  # it was cut
            while True:
                near, _address = door.accept()
                far = socket.create_connection(("127.0.0.1", self.to))
                self._ends += near, far
                for ends in ((near, far), (far, near)):
                    Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while said := one.recv(65536):
                other.sendall(said)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class RabbitMQ(Line):
    """The one of this machine, by a line and a queue of our own."""

    URL = "amqp://guest:guest@127.0.0.1:{}//"

    def __init__(self) -> None:
        try:
            super().__init__(to=5672)
            Connection(self.URL.format(self.to)).connect()
        except OSError:
            pytest.skip("no RabbitMQ answers on this machine")
        self.settings = {
            "CELERY_BROKER_URL": self.URL.format(self.port),
            "CELERY_QUEUE": f"test-{uuid.uuid4()}",
        }

    def close(self) -> None:
        self.cut()
        with Connection(self.URL.format(self.to)) as straight:
            straight.default_channel.queue_delete(self.settings["CELERY_QUEUE"])
            straight.default_channel.exchange_delete(self.settings["CELERY_QUEUE"])


class Redis:
    """One of our own, which forgets what it was told when it is killed."""

    def __init__(self) -> None:
        if not shutil.which("redis-server"):
            pytest.skip("there is no redis-server on this machine")
        with socket.create_server(("127.0.0.1", 0)) as door:
            self.port = door.getsockname()[1]
        self.settings = {"CELERY_BROKER_URL": f"redis://127.0.0.1:{self.port}/0"}
        self.mend()

    def mend(self) -> None:
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "")
        self._server = subprocess.Popen(("redis-server", *options), stdout=subprocess.DEVNULL)

    def cut(self) -> None:
        self._server.kill()
        self._server.wait()

    close = cut
