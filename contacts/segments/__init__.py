"""Segments: saved rules, whose tag is on the contacts for which they hold.

`services` makes and changes them, `queue` notes which contacts changed, `refreshing` keeps the tags
right, `rules` lets rules speak of segments.
"""

from __future__ import annotations

from collections.abc import Callable


def refresh_due(stopping: Callable[[], bool] = lambda: False) -> int:
    """See `contacts.segments.refreshing.refresh_due`, which the models are loaded before."""
    from contacts.segments import refreshing

    return refreshing.refresh_due(stopping)


def is_due() -> bool:
    """Whether `refresh_due` would find something. Two queries at most."""
    from contacts.segments import refreshing

    return refreshing.is_due()
