"""Staff signed in to the admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from organisations import roles
from organisations.models import Organisation
from tests.admin import rows


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="organisations.backends.RoleBackend")
    return client


@pytest.fixture
def staff_of(db: None) -> Callable[..., Any]:
    """`staff_of(organisation, roles.STAFF)`: a client signed in as a member with that role."""

    def client(organisation: Organisation, role: str = roles.OWNER) -> Client:
        return signed_in(rows.member(organisation, role).user)

    return client


@pytest.fixture
def owner(organisation: Organisation, staff_of: Callable[..., Client]) -> Client:
    """An Owner of `organisation`."""
    return staff_of(organisation)
