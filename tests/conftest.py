"""Fixtures that every test may use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.client import MULTIPART_CONTENT
from django.test.utils import override_settings

from crm.api import limits
from organisations.models import Organisation
from tests import factories

ROOT = Path(__file__).resolve().parents[1]
KEY_HEADER = "x-api-key"


class ApiClient(Client):
    """Django's test client with an API key, which sends dicts and lists as JSON.

    Paths may be given without `/api`: `api.get("/contacts")`, `api.post("/contacts", {...})`.
    """

    def __init__(self, key: str | None = None, **kwargs: Any) -> None:
        super().__init__(headers={KEY_HEADER: key} if key else None, **kwargs)
        self.key = key

    def generic(
        self,
        method: str,
        path: str,
        data: Any = "",
        content_type: str | None = "application/octet-stream",
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if not path.startswith(("/api", "http")):
            path = f"/api{path}"
        return super().generic(method, path, data, content_type, *args, **kwargs)

    def post(
        self, path: str, data: Any = None, content_type: str = "application/json", **kwargs: Any
    ) -> Any:
        if content_type == MULTIPART_CONTENT:
            return super().post(path, data, content_type, **kwargs)
        return super().post(path, {} if data is None else data, content_type, **kwargs)

    def put(self, path: str, data: Any = None, **kwargs: Any) -> Any:
        kwargs.setdefault("content_type", "application/json")
        return super().put(path, {} if data is None else data, **kwargs)

    def patch(self, path: str, data: Any = None, **kwargs: Any) -> Any:
        kwargs.setdefault("content_type", "application/json")
        return super().patch(path, {} if data is None else data, **kwargs)


@pytest.fixture(scope="session", autouse=True)
def _no_rate_limit() -> Iterator[None]:
    """Tests ask faster than people; those of the limit set their own.

    For the session: fixtures of a module ask before any of its tests begins.
    """
    with override_settings(API_RATE_LIMIT="1000000/s"):
        yield


@pytest.fixture
def own_counter(settings: Any, tmp_path: Path) -> Iterator[None]:
    """Requests are counted from none, and for this test alone."""
    settings.API_RATE_LIMIT_DIR = str(tmp_path / "run")
    limits._machine.cache_clear()
    yield
    limits._machine.cache_clear()


Run = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def run(transactional_db: None, tmp_path: Path) -> Run:
    """Start Python on a database that processes can share: of the kind that is tested."""
    if connection.vendor == "postgresql":
        its = connection.settings_dict
        address = f"postgres://{its['USER']}@{its['HOST']}:{its['PORT']}/{its['NAME']}"
    else:
        address = f"sqlite:///{tmp_path / 'shared.sqlite3'}"
    environment = os.environ | {"DATABASE_URL": address, "API_RATE_LIMIT": "100000/s"}

    def start(*arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def manage(run: Run) -> Callable[..., str]:
    """A command on that database, to its end; its last line of output."""

    def manage(*arguments: object) -> str:
        process = run("manage.py", *arguments)
        output, _errors = process.communicate(timeout=120)
        assert process.returncode == 0, output
        return output.strip().rpartition("\n")[2]

    return manage


def let_go(processes: Sequence[subprocess.Popen[str]]) -> list[Any]:
    """Have all begin at the same moment once each has said `ready`; the JSON that each answers."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [json.loads(process.communicate(timeout=300)[0]) for process in processes]


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """A password hash that costs an attacker a second costs every test one too."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def organisation(db: None) -> Organisation:
    """A British organisation that counts in pounds."""
    return factories.OrganisationFactory()


@pytest.fixture
def other_organisation(db: None) -> Organisation:
    """Another one, whose rows nobody else may see."""
    return factories.OrganisationFactory()


@pytest.fixture
def api_for(db: None) -> Callable[..., ApiClient]:
    """`api_for(organisation, ["contacts:read"])`: a client with a key of that organisation."""

    def client(organisation: Organisation, scopes: Sequence[str] = ("all",)) -> ApiClient:
        return ApiClient(factories.api_key(organisation, scopes))

    return client


@pytest.fixture
def api(organisation: Organisation, api_for: Callable[..., ApiClient]) -> ApiClient:
    """A client that may do everything in `organisation`."""
    return api_for(organisation)


@pytest.fixture
def anonymous() -> ApiClient:
    """A client without a key."""
    return ApiClient()
