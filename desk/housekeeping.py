"""What the worker does for the desk."""

from __future__ import annotations

from datetime import timedelta

from desk.bulk import services
from workflows import worker
from workflows.schedule import every

worker.also(services.work)


@every(timedelta(hours=6))
def prune_bulk_jobs() -> None:
    """Forget bulk changes of long ago."""
    services.prune()
