"""Credentials of other systems, encrypted at rest.

The keys are made from `SECRET_KEY` and, while it is being changed, `SECRET_KEY_FALLBACKS`. Whoever
has the database alone cannot read them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models
from django.utils.translation import gettext as _


class Unreadable(Exception):
    """What is stored was encrypted with a `SECRET_KEY` that is no longer known."""


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet(
        Fernet(
            base64.urlsafe_b64encode(
                hashlib.sha256(b"regulars.integrations.secrets" + key.encode()).digest()
            )
        )
        for key in keys
    )


def _ours() -> MultiFernet:
    return _cipher((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


def encrypt(value: Any) -> str:
    """A JSON value as text that nobody can read without the key."""
    return _ours().encrypt(json.dumps(value).encode()).decode()


def decrypt(text: str) -> Any:
    """What `encrypt` was given. Raises Unreadable."""
    try:
        return json.loads(_ours().decrypt(text.encode()))
    except InvalidToken:
        raise Unreadable(
            _(
                "The credentials were stored under another SECRET_KEY. Put it into "
                "SECRET_KEY_FALLBACKS, or enter the credentials again."
            )
        ) from None


class EncryptedField(models.TextField):  # type: ignore[type-arg]  # not subscriptable when it runs
    """A JSON value, encrypted in the database. Cannot be searched for."""

    def from_db_value(self, value: str | None, *_args: Any) -> Any:
        return Sealed(value) if value else None

    def get_prep_value(self, value: Any) -> str | None:
        if value is None:
            return None
        return value.text if isinstance(value, Sealed) else encrypt(value)


class Sealed:
    """A stored value that is decrypted when it is asked for: most who load a row never do."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _value(self) -> Any:
        return decrypt(self.text)

    def open(self) -> Any:
        """Raises Unreadable. The same object each time: whoever changes it takes a copy."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return "<sealed>"


def opened(value: Any) -> Any:
    """The plain value of an EncryptedField, as stored or as just given. Raises Unreadable."""
    return value.open() if isinstance(value, Sealed) else value


def blotted(credentials: Mapping[str, Any]) -> dict[str, str]:
    """The same keys, with just enough of each value to tell one from another."""
    return {
        name: f"…{str(value)[-4:]}" if len(str(value)) > 12 else "…"
        for name, value in credentials.items()
        if value
    }
