"""Connections, what they delivered, and a contact's ids elsewhere, in the admin."""

from __future__ import annotations

from integrations.admin import connections, deliveries, panel  # noqa: F401
