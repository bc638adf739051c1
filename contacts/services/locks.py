"""Taking turns: locks, and the second try after someone else was quicker."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from contacts.models import Contact
from crm.errors import Conflict

P = ParamSpec("P")
R = TypeVar("R")

_ATTEMPTS = 5


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
    """Run `write` in a transaction, and again when a constraint says that somebody else wrote the
    same at the same moment: the second time it finds what they wrote.

    Inside a transaction each try is a savepoint. Raises Conflict when it never settles.
    """

    def settled(*args: P.args, **kwargs: P.kwargs) -> R:
        for _attempt in range(_ATTEMPTS):
            try:
                with transaction.atomic():
                    return write(*args, **kwargs)
            except IntegrityError as error:
                latest = error
        raise Conflict(
            _("Others are changing the same contacts at this moment. Try again.")
        ) from latest

    settled.__name__ = write.__name__
    settled.__doc__ = write.__doc__
    return settled
