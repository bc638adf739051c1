"""The guided start of a new organisation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.admin.conftest import signed_in

pytestmark = pytest.mark.django_db

HOME = reverse("admin:index")


@pytest.fixture
def client(organisation: Organisation) -> Client:
    return signed_in(rows.member(organisation, roles.OWNER).user)


def done(client: Client) -> list[bool] | None:
    """Which steps are done; None when there is no start."""
    context: Any = client.get(HOME).context
    steps = context.get("start_steps")
    return None if steps is None else [step["done"] for step in steps]


def test_each_step_is_ticked_off_by_what_is_there(
    client: Client, organisation: Organisation
) -> None:
    assert done(client) == [False] * 4
    makers: list[Callable[[Organisation], Any]] = [rows.field, rows.ROWS[rows.Import]]
    for count, make in enumerate([*makers, rows.connection, rows.workflow], start=1):
        assert "First steps" in client.get(HOME).content.decode()
        make(organisation)
        left = [True] * count + [False] * (4 - count)
        assert done(client) == (left if count < 4 else None)


def test_it_can_be_put_away_and_is_not_shown_to_who_may_do_nothing_of_it(
    client: Client, organisation: Organisation
) -> None:
    hide = reverse("admin:hide_start")
    assert client.get(hide).status_code == 404
    assert client.post(hide).headers["Location"] == HOME
    assert done(client) is None
    reader = signed_in(rows.member(organisation, roles.READ_ONLY).user)
    assert done(reader) is None


def test_an_old_organisation_is_not_asked(client: Client, organisation: Organisation) -> None:
    organisation.created_at = timezone.now() - timedelta(days=91)
    organisation.save()
    assert done(client) is None
