"""Taking turns: locks, and the second try after someone else was quicker."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils.translation import gettext as _

from contacts.models import Contact
from crm.errors import Conflict

P = ParamSpec("P")
R = TypeVar("R")

_ATTEMPTS = 5
_PAUSE = 0.05
_DEADLOCK = "40P01"


def locked(contact: Contact) -> Contact:
    """The contact read anew and locked until the transaction ends; or, when it was merged, the one
    that it is part of now.

    Activities may still be written to it (their foreign key asks for a weaker lock). Raises
    DoesNotExist when it was deleted meanwhile.
    """
    contacts = Contact.objects.filter(organisation=contact.organisation_id)
    current = contacts.select_for_update(no_key=True).resolve(contact.pk)
    if "organisation" in contact._state.fields_cache:
        current.organisation = contact.organisation
    return current


def settling(write: Callable[P, R]) -> Callable[P, R]:
    """Run `write` in a transaction, and again when somebody else wrote the same at the same
    moment: the second time it finds what they wrote.

    That is when a constraint says so, and, where the caller has no transaction that would be lost,
    when PostgreSQL ended a deadlock. Inside a transaction each try is a savepoint. Raises Conflict
    when it never settles.
    """

    @wraps(write)
    def settled(*args: P.args, **kwargs: P.kwargs) -> R:
        outermost = not connection.in_atomic_block
        for attempt in range(_ATTEMPTS):
            if attempt and outermost:
                # Those who met do not meet again in step.
                time.sleep(random.uniform(0, _PAUSE * attempt))  # noqa: S311 - not a secret
            try:
                with transaction.atomic():
                    return write(*args, **kwargs)
            except IntegrityError as error:
                latest: Exception = error
            except OperationalError as error:
                if not outermost or not _is_deadlock(error):
                    raise
                latest = error
        raise Conflict(
            _("Others are changing the same contacts at this moment. Try again.")
        ) from latest

    return settled


def _is_deadlock(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) == _DEADLOCK
