"""`manage.py demo`: everything for a first look, in one process that Ctrl-C stops."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from crm.demo import staff
from crm.startup import is_migrated
from organisations import services
from organisations.models import ApiKey, Organisation, digest

SECRETS = Path(settings.BASE_DIR) / ".demo" / "secrets.json"
START_LIMIT = 60
"""Seconds that the web server has to answer for the first time."""


class Command(BaseCommand):
    requires_system_checks = []  # `make check` runs them; here they would only delay the start
    help = (
        "Makes the tables and the demo data when they are not there, then runs the web server and "
        "a worker on PORT and prints how to get in. The second time it starts in seconds."
    )

    def handle(self, **options: Any) -> None:
        self.require_free_port()
        if not is_migrated():
            call_command("migrate", verbosity=0)
        kept = self.kept_secrets()
        password = kept.get("password") or secrets.token_urlsafe(9)
        call_command("load_demo", password=password, stdout=self.stdout)
        organisation = staff.demo_organisation()
        assert organisation is not None
        key = self.working_key(organisation, kept.get("key", ""))
        self.keep_secrets({"password": password, "key": key})
        staff.set_password(password)
        self.run(password, key)

    def require_free_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.HOST, settings.PORT))
            except OSError as error:
                raise CommandError(
                    f"{settings.HOST}:{settings.PORT} cannot be used ({error.strerror}). Stop "
                    "what runs there, or take another port: make demo PORT=8001"
                ) from None

    def kept_secrets(self) -> dict[str, str]:
        try:
            kept: dict[str, str] = json.loads(SECRETS.read_text())
        except (OSError, ValueError):
            return {}
        return kept

    def keep_secrets(self, kept: dict[str, str]) -> None:
        """Only for this user's eyes; .gitignore knows the folder."""
        SECRETS.parent.mkdir(mode=0o700, exist_ok=True)
        SECRETS.touch(mode=0o600)
        SECRETS.write_text(json.dumps(kept))

    def working_key(self, organisation: Organisation, kept: str) -> str:
        """The key of the last time while it is in this database and not revoked, else a new one."""
        keys = ApiKey.objects.for_organisation(organisation)
        if kept and keys.filter(digest=digest(kept), revoked_at=None).exists():
            return kept
        _row, key = services.create_api_key(organisation=organisation, name="Demo")
        return key

    def run(self, password: str, key: str) -> None:
        """Web server and worker until a signal comes or one of them ends."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _interrupt)
        # Sessions of their own: Ctrl-C reaches this process only, which stops them in turn.
        children = [
            subprocess.Popen(  # noqa: S603
                [sys.executable, sys.argv[0], command],
                start_new_session=True,
                # Only what goes wrong: the lines below are what one wants to read.
                env={"LOG_LEVEL": "ERROR", **os.environ},
            )
            for command in ("serve", "worker")
        ]
        try:
            self.wait_for_page(children)
            self.greet(password, key)
            while all(child.poll() is None for child in children):
                time.sleep(0.5)
            raise CommandError("the web server or the worker ended by itself; see the log above.")
        except KeyboardInterrupt:
            self.stdout.write("\nStopping …")
        finally:
            for child in children:
                child.terminate()
            for child in children:
                child.wait()
        self.stdout.write("Stopped. `make demo` goes on from here.")

    def wait_for_page(self, children: list[subprocess.Popen[bytes]]) -> None:
        give_up = time.monotonic() + START_LIMIT
        while time.monotonic() < give_up and all(child.poll() is None for child in children):
            try:
                with urllib.request.urlopen(f"{self.address}/healthz", timeout=5):  # noqa: S310
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise CommandError("the web server did not start; see the log above.")

    @property
    def address(self) -> str:
        return f"http://{settings.HOST}:{settings.PORT}"

    def greet(self, password: str, key: str) -> None:
        logins = "\n".join(
            f"              {username:<26}{role}" for username, role in staff.LOGINS.items()
        )
        self.stdout.write(
            f"""
Regulars runs at {self.address}

  Admin       {self.address}/admin/
  Login       owner@harbour.example
  Password    {password}
              The same password lets in, to see each role:
{logins}

  API         {self.address}/api/contacts
  API docs    {self.address}/api/docs
  API key     {key}

  curl -H 'x-api-key: {key}' '{self.address}/api/contacts?itemsPerPage=3'

Ctrl-C stops it; the data stays."""
        )
        self.stdout.flush()


def _interrupt(_signal: int, _frame: object) -> None:
    # A second one must not cut the stopping short.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
