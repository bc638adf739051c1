"""`make screenshots`: the pictures of the README and the docs, taken of the demo's data.

It makes a database of its own, starts the production server on it and looks at each page in
Chromium, so that the pictures stay true. Run as `python -m tests.browser.screenshots [NAME …]`.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import ARGUMENTS, CHROMIUM

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
QUALITY = 82
"""Of the JPEGs: text stays sharp, and none is larger than 200 KB."""

# Name → the address, and what to click first.
PAGES: dict[str, tuple[str, str]] = {
    "dashboard": ("/admin/", ""),
    "contacts": (
        "/admin/contacts/contact/?cols=shown_name,tag_list,cf_card_tier,rfm_words,total_spend,"
        "last_interaction&o=-5",
        "",
    ),
    "contact": ("/admin/contacts/contact/?o=-5", "#result_list tbody tr:first-child th a"),
    "fields": ("/admin/customfields/customfield/", ""),
    "work": ("/admin/work/", ""),
    "duplicates": ("/admin/contacts/possibleduplicate/", ""),
    "import": ("/admin/imports/import/", ""),
}


@contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """The demo behind the production server: its address, and the Owner's password."""
    with TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        password = secrets.token_urlsafe(9)
        environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{folder}/demo.sqlite3",
            "PORT": str(port),
        }
        manage = [sys.executable, "manage.py"]
        for command in (["migrate", "--verbosity", "0"], ["load_demo", "--password", password]):
            subprocess.run([*manage, *command], cwd=ROOT, env=environment, check=True)
        server = subprocess.Popen([*manage, "serve"], cwd=ROOT, env=environment)
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(f"{address}/admin/login/")
            yield address, password
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_for(address: str) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def take(tab: Page, address: str, name: str) -> None:
    """One picture."""
    path, click = PAGES[name]
    answer = tab.goto(address + path)
    if answer is None or answer.status != 200:
        sys.exit(f"{name}: {path} answers {answer.status if answer else 'nothing'}")
    if click:
        tab.locator(click).first.click()
        tab.wait_for_load_state("networkidle")
    tab.evaluate("document.fonts.ready")
    tab.screenshot(path=str(IMAGES / f"{name}.jpg"), type="jpeg", quality=QUALITY)
    print(f"docs/images/{name}.jpg")  # noqa: T201 - a command


def main(names: list[str]) -> None:
    """Take those of `names`, or all."""
    IMAGES.mkdir(exist_ok=True)
    with demo() as (address, password), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        tab = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-GB")
        tab.goto(f"{address}/admin/")
        tab.get_by_label("Username").fill("owner@harbour.example")
        tab.get_by_label("Password").fill(password)
        tab.get_by_role("button", name="Log in").click()
        tab.locator(".rg-start").get_by_role("button").click()  # the demo is no new organisation
        for name in names or PAGES:
            take(tab, address, name)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
