"""Every page of the admin: nothing that axe-core finds against WCAG 2.2 AA, and nothing that sticks
out of the window, in light and dark, on a desk, a tablet and a phone."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import NoReverseMatch, reverse
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from contacts.models import Contact
from organisations.models import Organisation
from tests.admin import rows
from tests.browser.conftest import sign_in

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
WIDTHS = (1440, 1024, 390)
# Unfold's own markup, which we do not write: what it is, and why it is let pass.
THEIRS = (
    ".simplebar-scrollable-y",  # its scrollbars take no focus
    "#nav-sidebar-apps",
    "[data-simplebar]",
)
# Pages that are no list, form or confirmation of a model.
OWN = ("admin:index", "admin:desk_work")
# What a page fetches for itself: parts of pages, and data.
PARTS = ("contacts_contact_live", "contacts_contact_timeline", "contacts_contact_tags")


def addresses(organisation: Organisation) -> list[str]:
    """Every page, of a row of each kind."""
    found = [reverse(name) for name in OWN]
    for model, screen in admin.site._registry.items():
        if model is User:
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        row = rows.ROWS[model](organisation)
        found.append(reverse(f"{name}_changelist"))
        found.append(reverse(f"{name}_change", args=[row.pk]))
        found.append(reverse(f"{name}_history", args=[row.pk]))
        found.append(reverse(f"{name}_delete", args=[row.pk]))
        try:
            found.append(reverse(f"{name}_add"))
        except NoReverseMatch:
            continue
        for url in screen.get_urls():
            of_a_row = url.name and "object_id" in str(url.pattern) and url.name not in PARTS
            if of_a_row and model is Contact:
                try:
                    found.append(reverse(f"admin:{url.name}", kwargs={"object_id": str(row.pk)}))
                except NoReverseMatch:
                    continue
    return list(dict.fromkeys(found))


def problems(tab: Page) -> list[str]:
    """What axe finds on the page, without what is Unfold's."""
    answer: Any = Axe().run(tab, context={"exclude": [[one] for one in THEIRS]}, options=RULES)
    return [
        f"{one['id']}: {node['html'][:140]} {node['failureSummary'][:200]}"
        for one in answer.response["violations"]
        for node in one["nodes"]
    ]


def sticking_out(tab: Page) -> list[str]:
    """The elements that make the page wider than the window."""
    return tab.evaluate(  # type: ignore[no-any-return]
        """() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
            [...document.querySelectorAll("main *, #page *")]
                .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1)
                .slice(0, 3).map((one) => one.outerHTML.slice(0, 120))"""
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_bars_anybodys_way(
    tab: Page, live_server: LiveServer, seaview: Organisation, scheme: Any
) -> None:
    pages = addresses(seaview)
    tab.emulate_media(color_scheme=scheme)
    sign_in(tab, live_server)
    found: dict[str, list[str]] = {}  # pages by what is wrong with them
    for address in pages:
        answer = tab.goto(f"{live_server.url}{address}")
        if answer is None or answer.status != 200:
            continue
        for width in WIDTHS:
            tab.set_viewport_size({"width": width, "height": 900})
            for element in sticking_out(tab):
                found.setdefault(f"sticks out: {element}", []).append(f"{address} at {width}")
        tab.set_viewport_size({"width": 1440, "height": 900})
        for problem in problems(tab):
            found.setdefault(problem, []).append(address)
    lines = [f"{problem}\n    {', '.join(where[:5])}" for problem, where in found.items()]
    assert not lines, "\n".join(lines)
