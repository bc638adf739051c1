"""Workflows to start from: one JSON document in this package for each, as `workflows.exchange` has
them. Adding one is adding its file, and its name here."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from workflows import exchange

NAMES = ("welcome", "third_purchase", "birthday", "post_stay_review", "win_back")
"""In the order in which they are offered."""


def text(name: str) -> bytes:
    """The document of this name, to be brought in. Amounts in it have no currency: they are the
    organisation's."""
    return (Path(__file__).parent / f"{name}.json").read_bytes()


@cache
def documents() -> dict[str, dict[str, Any]]:
    """All of them by their names, to be looked at."""
    return {name: exchange.parse(text(name)) for name in NAMES}
