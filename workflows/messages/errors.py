"""Why a message did not go out, in the terms of every channel."""

from __future__ import annotations

from datetime import timedelta


class Refusal(Exception):
    """This receiver cannot be reached, now or later: an address that is not there, a number that
    takes no SMS. `unsubscribed`: they told the provider that they want no more."""

    def __init__(self, reason: str, *, unsubscribed: bool = False) -> None:
        super().__init__(reason)
        self.unsubscribed = unsubscribed


class Unavailable(Exception):
    """Nobody took it, but somebody may later; after `after`, when the other side said so."""

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Misconfigured(Exception):
    """It goes to nobody until somebody changes a setting."""
