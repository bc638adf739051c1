"""Reading settings from the environment, one kind of value at a time.

Every reader checks what it was given and stops the start with one sentence that names the
variable, what it holds and what to write instead. `NAME_FILE` gives the path of a file that holds
the value, as containers hand over secrets. docs/settings.md lists all that is read; a test
compares it with `Environment.read`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")

_YES = ("1", "on", "true", "yes")
_NO = ("0", "off", "false", "no")
_RATE = re.compile(r"[1-9]\d{0,8}/[smhd]")
_Default = TypeVar("_Default")


class Environment:
    """The environment's variables as typed values. `read` remembers each one's name."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables: Mapping[str, str] = FileAwareMapping(variables)  # type: ignore[no-untyped-call]
        self.read: list[str] = []

    def given(self, name: str) -> str | None:
        """The text of a variable without the spaces around it; None when unset or empty."""
        if name not in self.read:
            self.read.append(name)
        try:
            value = self._variables.get(name)
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(
                f"{name}_FILE names a file that cannot be read ({error}). Set it to the path of "
                f"a text file that holds the value, or set {name} itself."
            ) from error
        return (value or "").strip() or None

    def text(self, name: str, default: str) -> str:
        """Any text."""
        return self.given(name) or default

    def words(self, name: str, default: list[str]) -> list[str]:
        """Words between commas."""
        value = self.given(name)
        if value is None:
            return default
        return [word.strip() for word in value.split(",") if word.strip()]

    def flag(self, name: str, *, default: bool) -> bool:
        """On or off."""
        value = self.given(name)
        if value is None:
            return default
        if value.lower() in _YES:
            return True
        if value.lower() in _NO:
            return False
        raise wrong(name, value, "Set it to on or off.")

    def number(self, name: str, default: int, *, minimum: int, maximum: int) -> int:
        """A whole number from `minimum` to `maximum`."""
        value = self.given(name)
        if value is None:
            return default
        if value.isascii() and value.isdecimal() and minimum <= int(value) <= maximum:
            return int(value)
        raise wrong(name, value, f"Set it to a whole number from {minimum} to {maximum}.")

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """One of `choices`, whatever its case."""
        value = self.given(name)
        if value is None:
            return default
        for known in choices:
            if known.lower() == value.lower():
                return known
        raise wrong(name, value, f"Set it to one of {', '.join(choices)}.")

    def rate(self, name: str, default: str) -> str:
        """So many in a second, minute, hour or day: `100/s`."""
        value = self.given(name)
        if value is None:
            return default
        if _RATE.fullmatch(value):
            return value
        raise wrong(
            name, value, "Set it to a number, a slash and s, m, h or d, such as 100/s or 6000/m."
        )

    def hosts(self, name: str, default: list[str]) -> list[str]:
        """Host names as a browser sends them, without scheme, path or port; `.example.com` and `*`
        as Django reads them."""
        hosts = self.words(name, default)
        for host in hosts:
            if not re.fullmatch(r"\*|\.?[\w-]+(\.[\w-]+)*|\[[0-9a-fA-F:]+\]", host):
                raise wrong(
                    name,
                    host,
                    "Set it to host names between commas, without https://, path or port, such as "
                    "crm.example.com,localhost.",
                )
        return hosts

    def origins(self, name: str) -> list[str]:
        """Scheme and host, such as `https://crm.example.com`."""
        origins = self.words(name, [])
        for origin in origins:
            if not re.fullmatch(r"https?://[^/\s]+", origin):
                raise wrong(
                    name,
                    origin,
                    "Set it to origins between commas, each with its scheme and without a path, "
                    "such as https://crm.example.com.",
                )
        return origins

    def origin(self, name: str, default: str) -> str:
        """One of them, without a slash at its end."""
        value = (self.given(name) or default).rstrip("/")
        if re.fullmatch(r"https?://[^/\s]+", value):
            return value
        raise wrong(
            name,
            value,
            "Set it to an address with its scheme and without a path, such as "
            "https://crm.example.com.",
        )

    def networks(self, name: str) -> list[str]:
        """Networks, such as `127.0.0.0/8`."""
        networks = self.words(name, [])
        for network in networks:
            try:
                ip_network(network)
            except ValueError as error:
                raise wrong(
                    name,
                    network,
                    "Set it to networks between commas, such as 127.0.0.0/8,10.1.0.0/16.",
                ) from error
        return networks

    def mail(self, name: str, default: str) -> dict[str, Any]:
        """Django's `EMAIL_` settings for the server that a URL names, or for `console`.

        The URL is never repeated in an error: it may hold a password.
        """
        value = self.given(name) or default
        if value == "console":
            return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
        advice = ImproperlyConfigured(
            f"{name} cannot be read. Set it to smtp+tls://user:password@host:587, "
            "smtp+ssl://user:password@host:465, smtp://host:25 or console. In user and password "
            "write @ : / as %40 %3A %2F."
        )
        try:
            url = urlsplit(value)
            port = url.port
        except ValueError:
            raise advice from None
        ports = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}
        if url.scheme not in ports or not url.hostname or url.path.strip("/"):
            raise advice
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": url.hostname,
            "EMAIL_PORT": port or ports[url.scheme],
            "EMAIL_HOST_USER": unquote(url.username or ""),
            "EMAIL_HOST_PASSWORD": unquote(url.password or ""),
            "EMAIL_USE_TLS": url.scheme == "smtp+tls",
            "EMAIL_USE_SSL": url.scheme == "smtp+ssl",
            "EMAIL_TIMEOUT": 15,
        }

    def database(self, name: str, default: Path | None) -> dict[str, Any]:
        """Django's description of the database that a URL names. When unset SQLite in `default`,
        or nothing.

        The URL is never repeated in an error: it may hold a password.
        """
        value = self.given(name)
        if value is None and default is None:
            return {}
        if value is None:
            return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(default)}
        scheme = value.partition("://")[0]
        if scheme not in ("postgres", "postgresql", "sqlite") or "://" not in value:
            raise ImproperlyConfigured(
                f"{name} does not begin with postgres:// or sqlite:///. Set it to "
                "postgres://user:password@host:5432/name, or sqlite:////path/to/file.sqlite3."
            )
        try:
            config: dict[str, Any] = environ.Env.db_url_config(value)  # type: ignore[no-untyped-call]
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} cannot be read: the port must be a number, and @ : / in the password be "
                "written as %40 %3A %2F. Set it to postgres://user:password@host:5432/name."
            ) from error
        if scheme == "sqlite":
            folder = Path(config["NAME"]).parent
            if config["NAME"] != ":memory:" and not folder.is_dir():
                raise ImproperlyConfigured(
                    f"{name} names a file in {folder}, which is not a directory. Make it, or name "
                    "a file in one that is there (four slashes before an absolute path)."
                )
        elif not config["NAME"]:
            raise ImproperlyConfigured(
                f"{name} names no database. Set it to postgres://user:password@host:5432/name."
            )
        return config


def wrong(name: str, value: str, remedy: str) -> ImproperlyConfigured:
    """What to raise for a value that cannot be used."""
    return ImproperlyConfigured(f"{name} is {value!r}, which cannot be used. {remedy}")


def only_loopback(hosts: list[str]) -> bool:
    """Whether none of these hosts can be reached from another machine."""
    return all(host in LOOPBACK_HOSTS for host in hosts)
