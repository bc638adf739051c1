"""Why a row is kept, in words."""

from __future__ import annotations

from django.utils.translation import gettext as _


def gone() -> str:
    """Somebody deleted it."""
    return _("It was deleted since.")


def changed() -> str:
    """It differs from what the import left."""
    return _("It was changed since.")


def merged(survivor: int) -> str:
    """It is part of another contact now."""
    return _("It was merged into contact %(id)d since.") % {"id": survivor}


def redacted() -> str:
    """Its personal data was erased."""
    return _("It was redacted since.")


def has(rows: str) -> str:
    """Something hangs on it that is not undone: `2 activities`."""
    return _("Something hangs on it that stays: %(rows)s.") % {"rows": rows}


def changed_part(part: str) -> str:
    """Something that the import wrote of it differs."""
    return _("It was changed since: its %(part)s.") % {"part": part}


def held(other: int) -> str:
    """Another contact has the identifier that would come back."""
    return _("Contact %(id)d has its former e-mail address or phone number by now.") % {"id": other}


def held_value(other: int, label: str) -> str:
    """Another contact has the unique value that would come back."""
    return _("Contact %(id)d has its former %(label)s by now, which is unique.") % {
        "id": other,
        "label": label,
    }


def referred_to() -> str:
    """Its former reference is another row's."""
    return _("Another one has its former reference by now.")
