"""Which run is at work (`crm.causes`), and how long a chain of runs may become."""

from __future__ import annotations

from crm.causes import Cause, acting, current, is_quiet, quiet

MAX_DEPTH = 5
"""Runs in a chain in which each was set off by the one before."""

__all__ = ["MAX_DEPTH", "Cause", "acting", "current", "is_quiet", "quiet"]
