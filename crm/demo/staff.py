"""Who works at The Harbour Collection: a login for each role."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from crm.demo import house
from organisations import roles, services
from organisations.models import Organisation

LOGINS = {
    "owner@harbour.example": roles.OWNER,
    "manager@harbour.example": roles.MANAGER,
    "staff@harbour.example": roles.STAFF,
    "reader@harbour.example": roles.READ_ONLY,
}


def demo_organisation() -> Organisation | None:
    """The demo's organisation, when it was made."""
    return Organisation.objects.filter(name=house.NAME).order_by("pk").first()


def hire(organisation: Organisation, password: str) -> None:
    """Make the logins, all with this password."""
    for email, role in LOGINS.items():
        services.add_member(
            organisation=organisation, email=email, role=Group.objects.get(name=role)
        )
    set_password(password)


def set_password(password: str) -> None:
    """Give all logins this password. Sessions of those that had it already go on."""
    for user in get_user_model().objects.filter(username__in=LOGINS):
        if not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
