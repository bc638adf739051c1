"""`manage.py serve`: the production web server."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from crm.startup import require_migrated


class Command(BaseCommand):
    requires_system_checks = []  # `make check` runs them; here they would only delay the start
    help = (
        "Serves crm.wsgi:application with Granian on HOST and PORT, with WEB_WORKERS processes of "
        "WEB_THREADS threads. SIGTERM lets requests finish."
    )

    def handle(self, **options: Any) -> None:
        require_migrated()
        arguments = {
            "--interface": "wsgi",
            "--host": settings.HOST,
            "--port": settings.PORT,
            "--workers": settings.WEB_WORKERS,
            # A thread keeps its database connection: idle ones live as long as Granian allows.
            "--blocking-threads": settings.WEB_THREADS,
            "--blocking-threads-idle-timeout": 600,
            # A request that hangs must not keep a stopping server from ever stopping.
            "--workers-kill-timeout": 30,
            "--log-level": "warning",
        }
        command = [sys.executable, "-m", "granian"]
        for name, value in arguments.items():
            command += [name, str(value)]
        os.chdir(settings.BASE_DIR)
        sys.stdout.flush()
        # The very process that a supervisor started becomes the server, so signals reach it.
        os.execv(  # noqa: S606
            sys.executable,
            [*command, "--no-ws", "--respawn-failed-workers", "crm.wsgi:application"],
        )
