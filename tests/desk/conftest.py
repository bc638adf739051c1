"""Colleagues who write notes and have things to do."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from contacts.models import Contact
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows


def colleague(organisation: Organisation, name: str, role: str = roles.STAFF) -> User:
    """A member of staff of this name."""
    user = rows.member(organisation, role).user
    user.first_name, _space, user.last_name = name.partition(" ")
    user.save()
    return user


@pytest.fixture
def anna(organisation: Organisation) -> User:
    return colleague(organisation, "Anna Lee", roles.OWNER)


@pytest.fixture
def bob(organisation: Organisation) -> User:
    return colleague(organisation, "Bob Nowak")


@pytest.fixture
def jane(organisation: Organisation) -> Contact:
    return rows.contact(organisation, name="Jane Hull")
