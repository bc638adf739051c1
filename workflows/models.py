"""What the worker has to do and when."""

from __future__ import annotations

from django.db import models


class ScheduledJob(models.Model):
    """A housekeeping job that the worker runs again and again (see `workflows.schedule`).

    `due_at` moves on when a worker claims the job, so that two workers never run it at once.
    `last_error` is empty when the last run went well.
    """

    name = models.CharField(max_length=60, primary_key=True)
    due_at = models.DateTimeField()
    last_finished_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True, default="")

    def __str__(self) -> str:
        return self.name
