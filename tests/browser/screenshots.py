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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Error, Page, sync_playwright

from tests.browser.chromium import ARGUMENTS, CHROMIUM

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
QUALITY = 74
"""Of the JPEGs: text stays sharp, and none is larger than 150 KB."""
GUESTS = """E-mail,First name,Last name,Date of birth,Shoe size
jane.rowe@example.com,Jane,Rowe,28/02/1980,38
anna.hoffmann@example.net,Anna,Hoffmann-Weiss,13/05/1971,41
not an address,Dan,Long,14/06/1990,43
"""


@dataclass(frozen=True)
class Picture:
    """A page, and what to do there first."""

    path: str
    do: Callable[[Page], object] = lambda tab: None
    width: int = 1440
    dark: bool = False


def open_first(tab: Page) -> None:
    tab.locator("#result_list tbody tr:first-child th a").first.click()


def search(tab: Page) -> None:
    tab.keyboard.press("/")
    tab.keyboard.type("tregenza")
    tab.locator("[role=option]").nth(4).wait_for()


def upload(tab: Page) -> None:
    """Up to the preview, with a worker's help."""
    file = {"name": "guests.csv", "mimeType": "text/csv", "buffer": GUESTS.encode()}
    tab.get_by_label("Choose a file").set_input_files(file)  # type: ignore[arg-type]
    tab.get_by_role("button", name="Upload and go on").click()
    tab.get_by_role("link", name="Go on to the columns").click()
    tab.get_by_label("Shoe size", exact=True).select_option("new")
    tab.get_by_role("button", name="Show what would change").click()
    tab.get_by_role("navigation", name="What would become of the rows").wait_for()


CONTACTS = "/admin/contacts/contact/"
AT_A_GLANCE = "?cols=shown_name,tag_list,cf_card_tier,rfm_words,total_spend,last_interaction&o=-5"
A_REGULAR = "?q=thomas.tregenza@example.org"
PICTURES: dict[str, Picture] = {
    "dashboard": Picture("/admin/"),
    "contacts": Picture(CONTACTS + AT_A_GLANCE),
    "contact": Picture(CONTACTS + A_REGULAR, open_first),
    "contact-phone": Picture(CONTACTS + A_REGULAR, open_first, width=390, dark=True),
    "search": Picture("/admin/", search),
    "work": Picture("/admin/work/"),
    "duplicates": Picture("/admin/contacts/duplicatepair/"),
    "compare": Picture("/admin/contacts/duplicatepair/", open_first),
    "fields": Picture("/admin/customfields/customfield/"),
    "import": Picture("/admin/imports/import/add/", upload),
    "segment": Picture("/admin/contacts/segment/", open_first),
    "workflow": Picture(
        "/admin/workflows/workflow/",
        lambda tab: tab.get_by_role("link", name="Thank the third purchase").first.click(),
    ),
    "inbox": Picture("/admin/integrations/delivery/"),
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
            "LOG_LEVEL": "ERROR",
        }
        manage = [sys.executable, "manage.py"]
        for command in (["migrate", "--verbosity", "0"], ["load_demo", "--password", password]):
            subprocess.run([*manage, *command], cwd=ROOT, env=environment, check=True)
        # What the demo leaves to a worker, and then what the pictures do.
        subprocess.run([*manage, "worker", "--once"], cwd=ROOT, env=environment, check=True)
        children = [
            subprocess.Popen([*manage, command], cwd=ROOT, env=environment)
            for command in ("serve", "worker")
        ]
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(f"{address}/admin/login/")
            yield address, password
        finally:
            for child in children:
                child.terminate()
            for child in children:
                child.wait(timeout=30)


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
    picture = PICTURES[name]
    tab.set_viewport_size({"width": picture.width, "height": 900})
    tab.emulate_media(color_scheme="dark" if picture.dark else "light")
    answer = tab.goto(address + picture.path)
    if answer is None or answer.status != 200:
        raise Error(f"{picture.path} answers {answer.status if answer else 'nothing'}")
    picture.do(tab)
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
        tab.get_by_role("heading", name="Home").wait_for()
        missing = []
        for name in names or PICTURES:
            try:
                take(tab, address, name)
            except Error as error:  # the others are worth having
                missing.append(f"{name}: {error}")
        browser.close()
    if missing:
        sys.exit("\n".join(missing))


if __name__ == "__main__":
    main(sys.argv[1:])
