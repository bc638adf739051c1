"""Which of a connection's secrets a delivery was signed with: the current, or the one before."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping


def signed_with(
    secrets: Mapping[str, str],
    names: Iterable[str],
    given: bytes,
    expected: Callable[[bytes], bytes],
) -> str:
    """The name of the secret from which `expected` makes the signature that was `given`; empty when
    none does. All are tried, in constant time, so that no time tells which it was."""
    matched = ""
    for name in names:
        key = secrets.get(name) or ""
        right = hmac.compare_digest(expected(key.encode()), given)
        if key and right:
            matched = matched or name
    return matched
