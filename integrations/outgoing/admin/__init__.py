"""Webhooks in the admin: endpoints, what they were told, and telling it again."""

from __future__ import annotations

from integrations.outgoing.admin import deliveries, endpoints  # noqa: F401
