"""Errors that a service raises and every door tells in its own way.

What is wrong with a value is Django's `ValidationError` with a dict of paths (422 in the API,
beside the field in a form). These are the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import ValidationError


class Conflict(Exception):
    """What was asked contradicts what is there: 409 in the API. `ids` names the rows at odds."""

    def __init__(self, detail: str, ids: Sequence[int] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.ids = list(ids)


def in_words(error: ValidationError | Conflict) -> str:
    """What a service's refusal says, in one line: each value that is wrong, and why."""
    if isinstance(error, Conflict):
        return error.detail
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return "; ".join(
        f"{path}: {' '.join(ValidationError(errors).messages)}"
        for path, errors in error.error_dict.items()
    )
