"""Every page of the admin: nothing that axe-core finds against WCAG 2.2 AA, and nothing that sticks
out of the window, in light and dark, on a desk, a tablet and a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import NoReverseMatch, reverse
from playwright.sync_api import Error, Page, Response, expect
from pytest_django.live_server_helper import LiveServer

from desk import services as desk
from imports.wizard import services as wizard
from integrations import services as integrations
from organisations.models import Organisation
from tests.admin import rows
from tests.browser.conftest import EMAIL, sign_in
from tests.imports.wizard import table, work

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
WIDTHS = (1440, 1024, 390)
# Unfold's own markup, which we do not write: what it is, and why it is let pass.
THEIRS = (
    ".simplebar-scrollable-y",  # its scrollbars take no focus
    "#nav-sidebar-apps",
    "[data-simplebar]",
)
# Pages that are no model's.
OWN = ("admin:index", "admin:desk_work", "admin:own_page", "admin:password_change")


def _find(text: str) -> Callable[[Page], None]:
    def do(tab: Page) -> None:
        tab.keyboard.press("/")
        tab.keyboard.type(text)
        expect(tab.locator("[role=option]").first).to_be_visible()

    return do


def _press(text: str) -> Callable[[Page], None]:
    return lambda tab: tab.locator("summary", has_text=text).first.click()


# What opens on a page: its address, and what to do there.
CONTACT, CONTACTS = "admin:contacts_contact_change", "admin:contacts_contact_changelist"
OPENED: dict[str, tuple[str, Callable[[Page], None]]] = {
    "search": ("admin:index", _find("Secret")),
    "details of a contact": (CONTACT, lambda tab: tab.get_by_role("tab", name="Details").click()),
    "a task about a contact": (CONTACT, lambda tab: tab.get_by_role("tab", name="Task").click()),
    "what a contact did": (CONTACT, lambda tab: tab.get_by_role("tab", name="Activity").click()),
    "columns of a list": (CONTACTS, _press("Columns")),
    "a view to save": (CONTACTS, _press("Save as a view")),
    "a task of mine": ("admin:desk_work", _press("Add a task")),
}


def addresses(organisation: Organisation) -> list[str]:
    """Every page, of a row of each kind; what answers no page is left out when it is opened."""
    found = [reverse(name) for name in OWN]
    for model, screen in admin.site._registry.items():
        if model is User:
            continue
        row = rows.ROWS[model](organisation)
        for url in screen.get_urls():
            for given in ({}, {"object_id": row.pk}, {"pk": row.pk}):
                with suppress(NoReverseMatch):
                    found.append(reverse(f"admin:{url.name}", kwargs=given))
    return [*dict.fromkeys(found), *_wizard(organisation), *_mapping(organisation)]


def _wizard(organisation: Organisation) -> list[str]:
    """Each step of an import that has a row which fails."""
    content = table(["E-mail", "Name"], ["jane@example.com", "Jane"], ["none", "Dan"])
    upload = wizard.upload(
        organisation=organisation,
        user=User.objects.get(email=EMAIL),
        kind="contacts",
        file=SimpleUploadedFile("guests.csv", content),
    )
    work()
    steps = ("file", "columns", "preview", "run", "report")
    return [reverse(f"admin:imports_import_{step}", args=[upload.pk]) for step in steps]


def _mapping(organisation: Organisation) -> list[str]:
    """The screen that gives what a portal sends its meaning."""
    portal = integrations.connect(
        organisation=organisation, source="wifi", credentials={"account": "Cafe"}, name="Cafe"
    )
    body = '{"visitor": {"mail": "bob@example.com", "name": "Bob"}}'
    rows.delivery(organisation, connection=portal, topic="", body=body, status="failed")
    return [reverse("admin:integrations_connection_mapping", args=[portal.pk])]


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


def is_page(tab: Page, answer: Response | None) -> bool:
    """Not a part of one, and not what answers only to a form."""
    whole = answer is not None and "text/html" in answer.headers.get("content-type", "")
    return answer is not None and answer.ok and whole and tab.locator("html[lang]").count() == 1


class Found:
    """What is wrong, and where."""

    def __init__(self, tab: Page) -> None:
        self.tab = tab
        self.seen: list[str] = []
        self.places: dict[str, list[str]] = {}

    def look(self, name: str) -> None:
        """At the page that is open."""
        self.seen.append(name)
        for width in WIDTHS:
            self.tab.set_viewport_size({"width": width, "height": 900})
            for element in sticking_out(self.tab):
                self._note(f"sticks out: {element}", f"{name} at {width}")
        self.tab.set_viewport_size({"width": 1440, "height": 900})
        for problem in problems(self.tab):
            self._note(problem, name)

    def _note(self, problem: str, place: str) -> None:
        self.places.setdefault(problem, []).append(place)

    def __str__(self) -> str:
        return "\n".join(
            f"{problem}\n    {', '.join(places[:5])}" for problem, places in self.places.items()
        )


@pytest.fixture(params=["light", "dark"])
def found(
    request: Any, tab: Page, live_server: LiveServer, seaview: Organisation
) -> Iterator[Found]:
    """A look at pages as somebody who is signed in; afterwards nothing may have been found."""
    tab.emulate_media(color_scheme=request.param)
    sign_in(tab, live_server)
    found = Found(tab)
    yield found
    assert not found.places, str(found)


def test_no_page_bars_anybodys_way(
    found: Found, tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    for address in addresses(seaview):
        try:
            answer = tab.goto(f"{live_server.url}{address}")
        except Error:  # a file, which Chromium downloads
            continue
        if is_page(tab, answer):
            found.look(address)
    assert len(found.seen) > 120, found.seen


def test_nothing_that_opens_on_a_page_does(
    found: Found, tab: Page, live_server: LiveServer, seaview: Organisation
) -> None:
    person, anna = rows.contact(seaview), User.objects.get(email=EMAIL)
    note = desk.add_note(contact=person, text="@anna Secret", by=anna)
    desk.pin_note(note=note, pinned=True)
    task = {"title": "Secret", "contact": person, "assignee": anna, "due_on": "2026-01-05"}
    desk.add_task(organisation=seaview, by=anna, values=task)
    rows.activity(seaview, contact=person)
    for name, (page, do) in OPENED.items():
        tab.goto(live_server.url + reverse(page, args=[person.pk] if page == CONTACT else []))
        do(tab)
        found.look(name)
