"""What the commands of this app share."""

from __future__ import annotations

from django.core.exceptions import ValidationError


def sentence(error: ValidationError) -> str:
    """A ValidationError in one line for standard error."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(
        f"{field.replace('_', ' ').capitalize()}: {' '.join(messages)}"
        for field, messages in error.message_dict.items()
    )
