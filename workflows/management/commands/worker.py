"""`manage.py worker`: do what is due in the background."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm.startup import require_migrated
from workflows import schedule, worker


class Command(BaseCommand):
    requires_system_checks = []  # `make check` runs them; here they would only delay the start
    help = (
        "Does what is due in the background: segments, workflows, housekeeping. Run one or "
        "several; stops after the step at hand on SIGTERM or Ctrl-C."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help="do what is due now, then exit; 1 when anything failed (for cron)",
        )

    def handle(self, *, once: bool, **options: Any) -> None:
        require_migrated()
        if once:
            ran, failed = schedule.run_due()
            while worker.look(stopping=lambda: False):
                pass
            worker.finish()
            self.stdout.write(f"{ran} jobs run, {failed} failed")
            if failed:
                raise CommandError("a job failed: see the log and ScheduledJob.last_error")
            return
        stop = threading.Event()

        def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
            stop.set()

        signal.signal(signal.SIGTERM, ask_to_stop)
        signal.signal(signal.SIGINT, ask_to_stop)
        worker.work(stop)
