"""What the worker does for the dashboard."""

from __future__ import annotations

from datetime import timedelta

from desk.dashboard import services
from workflows import worker
from workflows.schedule import every

worker.also(services.background.work, finish=services.background.finish)


@every(timedelta(days=1))
def prune_dashboard() -> None:
    """Forget the figures of periods that nobody has looked at for a week."""
    services.prune()
