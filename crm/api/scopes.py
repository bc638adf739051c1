"""What an API key may do: every scope there is, in one place.

A scope is `RESOURCE:read` or `RESOURCE:write`; writing implies reading; `all` is everything. A new
resource of the API is one line here, and its viewset names it (`scope = "contacts"`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

ALL = "all"

RESOURCES: dict[str, str | Promise] = {
    "contacts": _("contacts"),
    "custom-fields": _("custom field definitions"),
    "activities": _("activities, bookings and reservations"),
    "tags": _("tags"),
    "referral-invites": _("referral invites"),
    "organisation": _("the organisation"),
    "segments": _("segments"),
    "workflows": _("workflows and their runs"),
    "rewards": _("credit"),
    "webhooks": _("outgoing webhooks"),
}

_READ_ONLY = frozenset({"organisation"})

SCOPES: tuple[str, ...] = (
    ALL,
    *(
        f"{resource}:{access}"
        for resource in RESOURCES
        for access in ("read", "write")
        if access == "read" or resource not in _READ_ONLY
    ),
)


def label(scope: str) -> str:
    """What a person reads beside the scope, such as `Read contacts`."""
    if scope == ALL:
        return str(_("Everything"))
    resource, _colon, access = scope.partition(":")
    words = _("Read %(resource)s") if access == "read" else _("Read and change %(resource)s")
    return str(words % {"resource": RESOURCES[resource]})


def choices() -> list[tuple[str, str]]:
    """All scopes with their labels, for forms."""
    return [(scope, label(scope)) for scope in SCOPES]


def check(scopes: Iterable[str]) -> list[str]:
    """The scopes without repeats, as they are stored.

    Raises ValidationError that names those that are not known, or says that none was given.
    """
    wanted = list(dict.fromkeys(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise ValidationError(
            _("Unknown scope: %(unknown)s. Known are %(known)s.")
            if unknown
            else _("Give at least one scope: %(known)s."),
            code="unknown_scope",
            params={"unknown": ", ".join(unknown), "known": ", ".join(SCOPES)},
        )
    return wanted


def allows(granted: Collection[str], needed: str) -> bool:
    """Whether a key with the scopes `granted` may do what asks for `needed`."""
    if ALL in granted or needed in granted:
        return True
    resource, _colon, access = needed.partition(":")
    return access == "read" and f"{resource}:write" in granted
