"""All sources. Importing this package registers them; a new one is a line here."""

from __future__ import annotations

from integrations import lightspeed, mews, shopify, wifi  # noqa: F401
from integrations.sources.base import SOURCES, Source

__all__ = ["SOURCES", "Source"]
