"""Who or what is writing: a member of staff, an API key, an import, a workflow, another system.

A context variable, as `crm.causes` is: every door says at its threshold who comes in, and what
is written deep below can be put down to them without every service carrying it along.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LONGEST_NAME = 255


class Kind(TextChoices):
    """Through which door somebody came in."""

    STAFF = "staff", _("Staff")
    KEY = "key", _("API key")
    IMPORT = "import", _("Import")
    WORKFLOW = "workflow", _("Workflow")
    INTEGRATION = "integration", _("Integration")
    CONTACT = "contact", _("The contact")
    COMMAND = "command", _("Command line")
    SYSTEM = "system", _("System")


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who writes. `id` is the row's (a user's, a key's, an import's, a workflow's, a
    connection's); the name is kept beside it, because it is still of interest when that is gone."""

    kind: str
    id: int | None = None
    name: str = ""


SYSTEM = Actor(Kind.SYSTEM)

_current: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


def current() -> Actor:
    """Who is writing here."""
    return _current.get()


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """What is written within is `actor`'s doing; whoever came in meanwhile (`enter`) is out again
    at the end."""
    token = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(token)


def enter(actor: Actor) -> None:
    """From here on it is `actor`'s doing, until the enclosing `acting` ends: threads are used again
    for other people's requests."""
    _current.set(actor)


def staff(user: User) -> Actor:
    """A member of staff, by the name that colleagues know."""
    return Actor(Kind.STAFF, user.pk, user.get_full_name() or user.get_username())
