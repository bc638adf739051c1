"""The page of one's own: every member of staff chooses the language they read."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.admin.conftest import signed_in

pytestmark = pytest.mark.django_db

HOME, OWN = "/admin/", "/admin/me/"


@pytest.fixture
def anna(organisation: Organisation) -> User:
    return rows.member(organisation, roles.READ_ONLY).user


def choose(client: Client, language: str, **more: str) -> Any:
    given = {"first_name": "Anna", "last_name": "Lee", "language": language, **more}
    return client.post(OWN, given, follow=True)


def test_pages_come_in_the_language_that_was_chosen_whatever_the_browser_asks_for(
    anna: User,
) -> None:
    client = signed_in(anna)
    answer = choose(client, "fr")
    assert "Enregistré." in answer.content.decode()
    page = client.get(HOME, headers={"accept-language": "en"})
    assert page["Content-Language"] == "fr"
    assert '<html lang="fr"' in page.content.decode()
    choose(client, "en-gb")
    assert client.get(HOME, headers={"accept-language": "fr"})["Content-Language"] == "en-gb"


def test_without_a_choice_the_browser_decides(anna: User) -> None:
    client = signed_in(anna)
    choose(client, "fr")
    choose(client, "")
    for language in ("fr", "en-gb"):
        page = client.get(HOME, headers={"accept-language": language})
        assert page["Content-Language"] == language


def test_the_choice_is_ones_own_and_is_there_at_the_next_sign_in(
    anna: User, organisation: Organisation
) -> None:
    choose(signed_in(anna), "fr")
    assert signed_in(anna).get(HOME)["Content-Language"] == "fr"
    other = rows.member(organisation).user
    assert signed_in(other).get(HOME)["Content-Language"] == "en-gb"


def test_ones_name_is_what_colleagues_read(anna: User) -> None:
    choose(signed_in(anna), "")
    anna.refresh_from_db()
    assert anna.get_full_name() == "Anna Lee"


@pytest.mark.parametrize(("field", "value"), [("language", "xx"), ("first_name", "A" * 151)])
def test_what_makes_no_sense_is_told_beside_its_field(anna: User, field: str, value: str) -> None:
    answer = choose(signed_in(anna), **{"language": "fr", field: value})
    assert field in answer.context["form"].errors
    anna.refresh_from_db()
    assert anna.get_full_name() == ""


def test_the_page_is_reached_from_the_menu_under_ones_name(anna: User) -> None:
    page = signed_in(anna).get(HOME).content.decode()
    assert reverse("admin:own_page") in page
    stranger = Client().get(OWN, follow=True)
    assert stranger.redirect_chain == [(f"/admin/login/?next={OWN}", 302)]
    assert stranger.status_code == 200


def test_it_costs_no_query(anna: User, django_assert_num_queries: Any) -> None:
    client = signed_in(anna)
    choose(client, "fr")
    with django_assert_num_queries(5):
        # Session; user with preferences; memberships; permissions; tasks due.
        client.get(OWN)
