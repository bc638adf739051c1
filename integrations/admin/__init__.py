"""Connections, what they delivered, a contact's ids elsewhere, and webhooks, in the admin."""

from __future__ import annotations

from integrations.admin import connections, deliveries, panel  # noqa: F401
from integrations.outgoing import admin as outgoing  # noqa: F401
