"""The patterns that text values must match.

RE2 runs them, in time linear in the text: with Python's own engine, a pattern such as `(a+)+b`
could keep a worker busy for ever.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern, _OPTIONS)  # type: ignore[no-untyped-call]  # no stubs


def check(pattern: str) -> None:
    """Raise ValidationError that says why `pattern` cannot be used."""
    try:
        _compiled(pattern)
    except (re2.error, UnicodeError) as error:
        reason = error.args[0] if error.args else ""
        raise ValidationError(
            _(
                "This pattern cannot be used: %(reason)s. Look-around and back-references are "
                "not available."
            ),
            code="invalid_pattern",
            params={"reason": reason.decode() if isinstance(reason, bytes) else reason},
        ) from None


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of `text` matches."""
    return _compiled(pattern).fullmatch(text) is not None
