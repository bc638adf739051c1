"""Names in JSON are camelCase, names in Python snake_case: the one place that turns them."""

from __future__ import annotations

import re
from functools import lru_cache

# What follows these in a path is the client's own word, never ours to respell.
_CLIENTS_OWN = frozenset({"customFields", "data", "spendByCurrency"})


@lru_cache(maxsize=4096)
def camel(name: str) -> str:
    """`email_address` → `emailAddress`; a camelCase name stays as it is."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


@lru_cache(maxsize=4096)
def snake(name: str) -> str:
    """`emailAddress` → `email_address`."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def camel_path(path: str) -> str:
    """`addresses[0].post_code` → `addresses[0].postCode`; a custom field's name after
    `customFields.` stays as the client knows it."""
    segments = path.split(".")
    for position, segment in enumerate(segments):
        segments[position] = camel(segment)
        if segments[position] in _CLIENTS_OWN:
            break
    return ".".join(segments)
