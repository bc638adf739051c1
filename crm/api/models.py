"""What the API remembers between two requests."""

from __future__ import annotations

from django.db import models


class IdempotentRequest(models.Model):
    """The first answer to a POST with an `Idempotency-Key`, kept for 24 hours.

    `status` is null while the first request runs; `started_at` tells a running one from one whose
    process died.
    """

    organisation = models.ForeignKey("organisations.Organisation", models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    started_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "key"], name="idempotency_key_once")
        ]
        indexes = [models.Index(fields=["started_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return self.key
