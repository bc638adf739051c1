"""Who works at The Harbour Collection: a login for each role."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User

from crm.demo import house
from organisations import roles, services
from organisations.models import Organisation

LOGINS = {
    "owner@harbour.example": roles.OWNER,
    "manager@harbour.example": roles.MANAGER,
    "staff@harbour.example": roles.STAFF,
    "reader@harbour.example": roles.READ_ONLY,
}
NAMES = {
    "owner": ("Olivia", "Penrose"),
    "manager": ("Marcus", "Bell"),
    "staff": ("Sam", "Trelawny"),
    "reader": ("Rita", "Cole"),
}


def demo_organisation() -> Organisation | None:
    """The demo's organisation, when it was made."""
    return Organisation.objects.filter(name=house.NAME).order_by("pk").first()


def hire(organisation: Organisation, password: str) -> dict[str, User]:
    """Make the logins, all with this password; the staff by the first part of their login."""
    people = {}
    for email, role in LOGINS.items():
        membership, _created = services.add_member(
            organisation=organisation, email=email, role=Group.objects.get(name=role)
        )
        key = email.partition("@")[0]
        first, last = NAMES[key]
        people[key] = services.set_preferences(
            user=membership.user, first_name=first, last_name=last, language=""
        )
    set_password(password)
    return people


def set_password(password: str) -> None:
    """Give all logins this password, unless the first of them has it already."""
    users = get_user_model().objects.filter(username__in=LOGINS)
    first = users.order_by("pk").first()
    if first is not None and not (first.has_usable_password() and first.check_password(password)):
        # Hashed once for all: it takes a moment, by design.
        users.update(password=make_password(password))
