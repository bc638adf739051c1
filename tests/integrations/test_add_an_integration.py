"""docs/add-an-integration.md is true to the letter: its source works, and its tests pass."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from integrations.models import Connection
from integrations.sources import SOURCES

pytestmark = pytest.mark.django_db

PAGE = Path(settings.BASE_DIR) / "docs" / "add-an-integration.md"
SOURCE, TESTS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
NAMES = re.findall(r"^def (test_\w+)", TESTS, re.MULTILINE)


@pytest.fixture
def bakery() -> Iterator[None]:
    """The page's source is there."""
    exec(compile(SOURCE, "integrations/bakery/source.py", "exec"), {"__name__": "bakery"})
    yield
    del SOURCES["bakery"]


@pytest.mark.usefixtures("bakery")
@pytest.mark.parametrize("name", NAMES)
def test_the_tests_of_the_page_pass(name: str, connect: Callable[..., Connection]) -> None:
    namespace: dict[str, Any] = {"__name__": "test_bakery"}
    exec(compile(TESTS, "tests/integrations/test_bakery.py", "exec"), namespace)

    namespace[name](connect)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (SOURCE, "integrations/bakery/source.py"),
        (TESTS, "tests/integrations/test_bakery.py"),
    ],
    ids=["source", "tests"],
)
def test_the_code_of_the_page_is_as_ours_has_to_be(text: str, path: str) -> None:
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", path, "-"],
            check=False,
            input=text,
            capture_output=True,
            text=True,
            cwd=settings.BASE_DIR,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_folder_is_found() -> None:
    assert {"shopify", "mews", "lightspeed-x", "lightspeed-r", "lightspeed-k", "wifi"} <= set(
        SOURCES
    )
