"""Chromium, as Debian packages it: nothing is downloaded. And somebody who is signed in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from organisations import roles, services
from organisations.models import Organisation
from tests.browser.chromium import ARGUMENTS, CHROMIUM

EMAIL, PASSWORD = "anna@example.com", "a long enough password"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without Chromium these tests are left out, but not in CI, which installs it."""
    if CHROMIUM.exists() or os.environ.get("CI"):
        return
    here = Path(__file__).parent
    for item in items:
        if here in Path(item.path).parents:
            item.add_marker(pytest.mark.skip(reason=f"there is no {CHROMIUM}"))


@pytest.fixture
def tab(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A page of a new browser, instead of pytest-playwright's `page`.

    That one's browser stays for the session, and with it an event loop in the thread in which the
    tests that come after ask the database, which Django refuses. Here both end with the test.
    """
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(15_000)
        yield context.new_page()
        browser.close()


@pytest.fixture
def seaview() -> Organisation:
    """An organisation with an Owner, Anna."""
    organisation = services.create_organisation(name="Seaview")
    membership, _created = services.add_member(
        organisation=organisation, email=EMAIL, role=Group.objects.get(name=roles.OWNER)
    )
    membership.user.set_password(PASSWORD)
    membership.user.save()
    return organisation


@pytest.fixture
def complaints(tab: Page, live_server: LiveServer) -> Iterator[list[str]]:
    """What the browser complained of: errors, and requests to any other host. There are none."""
    found: list[str] = []

    def heard(message: Any) -> None:
        if message.type in ("error", "warning"):
            found.append(message.text)

    def asked(request: Any) -> None:
        if not request.url.startswith((live_server.url, "data:", "blob:")):
            found.append(f"asked {request.url}")

    tab.on("console", heard)
    tab.on("pageerror", lambda error: found.append(str(error)))
    tab.on("request", asked)
    yield found
    assert found == []


def sign_in(tab: Page, live_server: LiveServer) -> None:
    tab.goto(f"{live_server.url}/")
    tab.get_by_label("Username").fill(EMAIL)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Log in").click()
    expect(tab.get_by_role("heading", name="Home")).to_be_visible()
