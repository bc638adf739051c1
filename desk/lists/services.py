"""Saving views of lists. Each function is one transaction; whether somebody may is the door's to
ask."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from desk.lists.models import SavedView
from organisations.models import Organisation

LONGEST_QUERY = 4_000
MOST = 200
"""Views that somebody may have of one list."""

_NOT_SAVED = frozenset({"view", "p", "all", "e", "_popup", "_to_field", "_changelist_filters"})


def normal(query: str) -> str:
    """What of a list's address a view keeps: no page, nothing empty, in a fixed order."""
    pairs = [(name, value) for name, value in parse_qsl(query) if name not in _NOT_SAVED]
    return urlencode(sorted(pairs))


@transaction.atomic
def save(
    *,
    organisation: Organisation,
    owner: User,
    screen: str,
    name: str,
    query: str,
    shared: bool = False,
) -> SavedView:
    """Keep a list's address under a name. Raises ValidationError."""
    view = SavedView(
        organisation=organisation,
        owner=owner,
        screen=screen,
        name=_tidy(name),
        query=normal(query),
        shared=shared,
    )
    views = SavedView.objects.for_organisation(organisation).filter(owner=owner, screen=screen)
    if views.count() >= MOST:
        raise ValidationError(
            {"name": [_("You have %(number)d views of this list. Delete some.") % {"number": MOST}]}
        )
    _check(view)
    _write(view)
    return view


@transaction.atomic
def change(
    *,
    view: SavedView,
    name: str | None = None,
    query: str | None = None,
    shared: bool | None = None,
) -> SavedView:
    """Give a view another name, another address, or share it or not. Raises ValidationError."""
    if name is not None:
        view.name = _tidy(name)
    if query is not None:
        view.query = normal(query)
    if shared is not None:
        view.shared = shared
    _check(view)
    _write(view)
    return view


@transaction.atomic
def remove(*, view: SavedView) -> None:
    """Delete a view; the list and its rows stay as they are."""
    view.delete()


def _tidy(name: str) -> str:
    return " ".join(name.split())


def _check(view: SavedView) -> None:
    if len(view.query) > LONGEST_QUERY:
        raise ValidationError({"name": [_("There are too many filters to save.")]})
    view.full_clean(exclude=["organisation", "owner"])


def _write(view: SavedView) -> None:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError:
        taken = _("You have a view of this name already.")
        raise ValidationError({"name": [ValidationError(taken, code="unique")]}) from None
