"""Rows for tests. Append yours at the end; where a service exists, use it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import factory
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User

from organisations.models import Organisation
from organisations.services import create_api_key


class OrganisationFactory(factory.django.DjangoModelFactory[Organisation]):
    """An organisation in Britain."""

    name = factory.Sequence(lambda n: f"Organisation {n}")

    class Meta:
        model = Organisation


class UserFactory(factory.django.DjangoModelFactory[User]):
    """A member of staff, of no organisation yet, with the password `password`."""

    username = factory.Sequence(lambda n: f"staff{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.com")
    password = factory.django.Password("password")
    is_staff = True

    class Meta:
        model = get_user_model()


def api_key(organisation: Organisation, scopes: Sequence[str] = ("all",), **values: Any) -> str:
    """The secret of a new key."""
    _key, secret = create_api_key(
        organisation=organisation, name="test", scopes=list(scopes), **values
    )
    return secret
