"""Rows in words: how many, which, and why one is kept."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy

from imports.models import What


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


def row_of(what: str, pk: int, name: str) -> str:
    """`contact 12 (Jane Doe)`."""
    label = What(what).label
    return f"{label} {pk} ({name})" if name else f"{label} {pk}"


def counted(what: str, number: int) -> str:
    """`1 contact`, `1,200 activities`."""
    return str(_FORMS[What(what)] % {"count": number, "number": f"{number:,}"})


def listed(rows: Mapping[str, int]) -> str:
    """`12 contacts, 1 custom field`."""
    return ", ".join(counted(what, number) for what, number in rows.items())


_FORMS = {
    What.CONTACT: ngettext_lazy("%(number)s contact", "%(number)s contacts", "count"),
    What.ACTIVITY: ngettext_lazy("%(number)s activity", "%(number)s activities", "count"),
    What.BOOKING: ngettext_lazy("%(number)s booking", "%(number)s bookings", "count"),
    What.GOLF_RESERVATION: ngettext_lazy(
        "%(number)s golf reservation", "%(number)s golf reservations", "count"
    ),
    What.TABLE_RESERVATION: ngettext_lazy(
        "%(number)s table reservation", "%(number)s table reservations", "count"
    ),
    What.CUSTOM_FIELD: ngettext_lazy(
        "%(number)s custom field", "%(number)s custom fields", "count"
    ),
}
